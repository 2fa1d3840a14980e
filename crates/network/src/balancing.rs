//! Keeps what containers' namespaces hold in step with their overlays.

use std::sync::Arc;

use crate::host::{Holding, Host, Slot};
use crate::inside::{Inside, Resolver, ResolverSockets};
use crate::overlay::OverlayNamespace;
use crate::virtual_ip::Slots;
use crate::{Error, namespace};

/// Is a container's namespace, and the overlays it is on.
type Place = (Arc<Inside>, Vec<Arc<OverlayNamespace>>);

impl Host {
    /// Makes every container know the virtual addresses of its overlays as they are now. Every container is tried.
    pub(crate) fn balance_all(&self) -> Result<(), Error> {
        let places: Vec<Place> = {
            let state = self.state();
            let attached = state.containers.values().filter_map(|slot| match slot {
                Slot::Attached(holding) => Some(place(holding)),
                Slot::Busy => None,
            });
            attached.filter(|(_, overlays)| !overlays.is_empty()).collect()
        };
        places.iter().map(balance).fold(Ok(()), Result::and)
    }

    /// Does so for one container.
    pub(crate) fn balance(&self, id: &str) -> Result<(), Error> {
        self.place(id).map_or(Ok(()), |place| balance(&place))
    }

    pub(crate) fn open_resolver(&self, id: &str, resolver: &Resolver) -> Result<ResolverSockets, Error> {
        namespace::path(&self.folders.namespaces, id)?;
        let (inside, _) = self.place(id).ok_or_else(|| Error::NotAttached { container: id.to_owned() })?;
        let sockets = inside.open_resolver()?;
        let record = match self.state().containers.get_mut(id) {
            Some(Slot::Attached(holding)) => {
                holding.record.resolver = Some(resolver.clone());
                holding.record.clone()
            }
            Some(Slot::Busy) | None => return Err(Error::Busy { container: id.to_owned() }),
        };
        record.write(&self.folders.records.join(id))?;
        Ok(sockets)
    }

    fn place(&self, id: &str) -> Option<Place> {
        match self.state().containers.get(id)? {
            Slot::Attached(holding) => Some(place(holding)),
            Slot::Busy => None,
        }
    }
}

fn place(holding: &Holding) -> Place {
    (holding.inside.clone(), holding.overlays.clone())
}

fn balance((inside, overlays): &Place) -> Result<(), Error> {
    inside.balance(|| {
        let mut all = Slots::new();
        overlays.iter().for_each(|overlay| all.extend(overlay.virtual_ips()));
        all
    })
}

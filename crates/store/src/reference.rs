//! Services and the networks they name: neither goes past the other.

use model::{NetworkId, Predefined, Service, Version};

use crate::{Change, Conflict, Key, Object, View};

/// Refuses a service that comes to name a network which is gone, and the removal of a network that a service has come
/// to name: whoever decided so saw a state that is no more, and looks again.
///
/// What a service named before, in its present spec or in the one before, is not looked for: a stage that writes the
/// service anew must never be refused for what it did not choose.
pub(crate) fn check(view: &View, change: &Change) -> Result<(), Conflict> {
    match change {
        Change::Put(Object::Service(service)) => {
            let before = view.service(service.id);
            let is_new = |network: &NetworkId| before.is_none_or(|before| !named_before(before, *network));
            match named(service).filter(is_new).find(|network| view.network(*network).is_none()) {
                Some(gone) => Err(stale(gone, None)),
                None => Ok(()),
            }
        }
        Change::Delete(Key::Network(id), based_on) => {
            let is_ingress = view.network(*id).is_some_and(|network| network.spec.ingress);
            let uses = |service: &Service| {
                named(service).any(|network| network == *id)
                    || (is_ingress && service.spec.endpoint.ingress_ports().next().is_some())
            };
            match view.services().any(|service| uses(service)) {
                true => Err(stale(*id, Some(*based_on))),
                false => Ok(()),
            }
        }
        Change::Put(_) | Change::Delete(..) => Ok(()),
    }
}

fn stale(network: NetworkId, version: Option<Version>) -> Conflict {
    let based_on = version.unwrap_or_default();
    Conflict::Stale { key: Key::Network(network), based_on, current: version }
}

/// Returns the networks that a service names by their ids, without those that every node has.
fn named(service: &Service) -> impl Iterator<Item = NetworkId> {
    let wishes = service.spec.task.networks.iter();
    wishes.filter(|wish| Predefined::find(&wish.target).is_none()).filter_map(|wish| wish.target.parse().ok())
}

fn named_before(service: &Service, network: NetworkId) -> bool {
    let id = network.to_string();
    let previous = service.previous.iter().map(|previous| &previous.0);
    let mut specs = std::iter::once(&service.spec).chain(previous);
    specs.any(|spec| spec.task.networks.iter().any(|wish| wish.target == id))
}

#[cfg(test)]
mod tests {
    use model::{Labels, NetworkAttachment, ServiceId, SpecVersion, Timestamp};

    use super::*;
    use crate::samples::{network, service};

    fn on(networks: &[u128]) -> Service {
        let mut service = service(1, "web");
        service.spec.task.networks = networks
            .iter()
            .map(|id| NetworkAttachment {
                target: NetworkId::from_bits(*id).to_string(),
                aliases: Vec::new(),
                driver_opts: Labels::new(),
            })
            .collect();
        service
    }

    fn holding(objects: Vec<Object>) -> View {
        let mut view = View::default();
        view.apply(5, Timestamp(50), &objects.into_iter().map(Change::Put).collect::<Vec<_>>()).unwrap();
        view
    }

    fn remove(id: u128) -> Change {
        Change::Delete(Key::Network(NetworkId::from_bits(id)), Version(5))
    }

    #[test]
    fn a_service_cannot_come_to_name_a_network_that_is_gone() {
        let mut view = holding(vec![network(7, "a").into()]);

        let refused = view.apply(6, Timestamp(60), &[Change::Put(on(&[7, 8]).into())]).unwrap_err();
        view.apply(6, Timestamp(60), &[Change::Put(on(&[7]).into())]).unwrap();

        assert_eq!(refused, stale(NetworkId::from_bits(8), None));
    }

    #[test]
    fn a_network_that_a_service_names_cannot_go() {
        let mut view = holding(vec![network(7, "a").into(), network(8, "b").into(), on(&[7]).into()]);

        let refused = view.apply(6, Timestamp(60), &[remove(7)]).unwrap_err();
        view.apply(6, Timestamp(60), &[remove(8)]).unwrap();
        let gone = Change::Delete(Key::Service(ServiceId::from_bits(1)), Version(5));
        view.apply(7, Timestamp(70), &[gone, remove(7)]).unwrap();

        assert_eq!(refused, stale(NetworkId::from_bits(7), Some(Version(5))));
    }

    #[test]
    fn what_a_service_named_before_does_not_keep_it_from_being_written() {
        let mut before = on(&[]);
        before.previous = Some(Box::new((on(&[9]).spec, SpecVersion(1))));
        let mut view = holding(vec![before.into()]);
        let mut back = on(&[9]);
        back.meta.version = Version(5);

        view.apply(6, Timestamp(60), &[Change::Put(back.into())]).unwrap();
    }

    #[test]
    fn networks_of_every_node_are_always_there() {
        let mut web = on(&[]);
        let targets = ["host".to_owned(), Predefined::Bridge.id().to_string()];
        web.spec.task.networks = targets
            .map(|target| NetworkAttachment { target, aliases: Vec::new(), driver_opts: Labels::new() })
            .into();

        holding(vec![web.into()]);
    }
}

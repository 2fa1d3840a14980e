//! The ports published on every node.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use model::{PortSpec, Protocol, PublishMode, PublishedPort, Service, ServiceId};
use store::View;

/// From which ports are chosen when the user names none, as in Swarm.
const DYNAMIC: RangeInclusive<u16> = 30_000..=32_767;

/// Which service has which port on every node. Each protocol has ports of its own.
#[derive(Debug)]
pub(crate) struct Ports(BTreeMap<(Protocol, u16), Holder>);

#[derive(Debug)]
struct Holder {
    service: ServiceId,
    name: String,
}

impl Ports {
    /// Reads who has what.
    pub(crate) fn of(view: &View) -> Self {
        let mut ports = Self(BTreeMap::new());
        for service in view.services() {
            ports.hold(service, &service.endpoint.ports);
        }
        ports
    }

    /// Returns the ports a service asks for with every published port filled in. Nothing is held yet.
    ///
    /// A port that was chosen before for the same name, protocol and target is kept.
    pub(crate) fn choose(&self, service: &Service) -> Result<Vec<PublishedPort>, String> {
        let mut chosen: Vec<PublishedPort> = service.spec.endpoint.ports.clone();
        for port in chosen.iter().filter(|port| is_ingress(port) && port.published != 0) {
            self.check_free(service.id, port)?;
        }
        let mut before = service.endpoint.ports.clone();
        for at in 0..chosen.len() {
            if !is_ingress(&chosen[at]) || chosen[at].published != 0 {
                continue;
            }
            let is_free = |number: u16| {
                let wanted = (chosen[at].protocol, number);
                let is_own =
                    chosen.iter().any(|port| is_ingress(port) && (port.protocol, port.published) == wanted);
                !is_own && self.0.get(&wanted).is_none_or(|holder| holder.service == service.id)
            };
            let kept = before.iter().position(|old| is_same(old, &chosen[at]) && is_free(old.published));
            let number = match kept {
                Some(kept) => before.swap_remove(kept).published,
                None => DYNAMIC.into_iter().find(|number| is_free(*number)).ok_or_else(|| {
                    let (from, to) = (DYNAMIC.start(), DYNAMIC.end());
                    format!("no {} port from {from} to {to} is free", chosen[at].protocol.as_str())
                })?,
            };
            chosen[at].published = number;
        }
        Ok(chosen)
    }

    /// Moves what a service holds.
    pub(crate) fn replace(&mut self, service: &Service, ports: &[PublishedPort]) {
        self.0.retain(|_, holder| holder.service != service.id);
        self.hold(service, ports);
    }

    fn hold(&mut self, service: &Service, ports: &[PublishedPort]) {
        for port in ports.iter().filter(|port| is_ingress(port)) {
            let holder = Holder { service: service.id, name: service.spec.name.clone() };
            self.0.insert((port.protocol, port.published), holder);
        }
    }

    fn check_free(&self, service: ServiceId, port: &PortSpec) -> Result<(), String> {
        match self.0.get(&(port.protocol, port.published)) {
            Some(holder) if holder.service != service => Err(format!(
                "port {}/{} is already published by service {}",
                port.published,
                port.protocol.as_str(),
                holder.name
            )),
            Some(_) | None => Ok(()),
        }
    }
}

fn is_ingress(port: &PortSpec) -> bool {
    port.mode == PublishMode::Ingress
}

fn is_same(old: &PublishedPort, port: &PortSpec) -> bool {
    is_ingress(old) && (&old.name, old.protocol, old.target) == (&port.name, port.protocol, port.target)
}

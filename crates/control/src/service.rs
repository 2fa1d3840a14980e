//! Making, changing and removing services.

use std::sync::Arc;

use model::{
    Endpoint, Meta, Mode, PortSpec, PublishMode, Service, ServiceId, ServiceSpec, Spec, SpecVersion,
    UpdateState, UpdateStatus, Version,
};
use store::{Change, Key, View};

use crate::{Control, Error, error::Kind, find, networks, unsupported};

/// How many replicas a service may have: as many tasks as a whole cluster is designed for. A slip of
/// the finger would otherwise make one plan larger than any manager's memory.
const REPLICAS_MAX: u64 = 1_000_000;

impl Control {
    /// Makes a service and returns its id.
    pub async fn create_service(&self, spec: ServiceSpec) -> Result<ServiceId, Error> {
        let id = ServiceId::from_bits(rand::random());
        let made = self.proposer.update(|view| {
            let spec = checked(view, spec.clone(), None)?;
            if let Some(holder) = view.service_by_name(&spec.name) {
                return Err(name_taken(&holder.spec.name));
            }
            let version = SpecVersion(1);
            let service = Service {
                id,
                meta: Meta::default(),
                spec_version: version,
                previous: None,
                spec_version_max: version,
                endpoint: Endpoint::default(),
                update_status: None,
                spec,
            };
            Ok(vec![Change::Put(template(&service).into()), Change::Put(service.into())])
        });
        made.await.map(|_| id)
    }

    /// Replaces a service's spec, based on the version that the user has seen.
    pub async fn update_service(
        &self,
        id: ServiceId,
        version: Version,
        spec: ServiceSpec,
    ) -> Result<(), Error> {
        let updated = self.proposer.update(|view| {
            let service = based_on(view, id, version)?;
            let spec = checked(view, spec.clone(), Some(service))?;
            if spec.name != service.spec.name {
                return Err(Error::new(Kind::Unimplemented, "renaming services is not supported"));
            }
            if !same_mode(&spec.mode, &service.spec.mode) {
                return Err(Error::new(Kind::Unimplemented, "service mode change is not allowed"));
            }
            Ok(self.replaced(service, spec, None))
        });
        updated.await.map(|_| ())
    }

    /// Goes back to the spec before the last update.
    pub async fn rollback_service(&self, id: ServiceId, version: Version) -> Result<(), Error> {
        let back = self.proposer.update(|view| {
            let service = based_on(view, id, version)?;
            let Some(previous) = &service.previous else {
                return Err(Error::new(
                    Kind::FailedPrecondition,
                    format!("service {} does not have a previous spec", service.spec.name),
                ));
            };
            let (mut spec, spec_version) = (**previous).clone();
            networks::resolve(view, &mut spec).map_err(|error| {
                let name = &service.spec.name;
                Error::new(
                    Kind::FailedPrecondition,
                    format!("service {name} cannot go back to its previous spec: {error}"),
                )
            })?;
            Ok(self.replaced(service, spec, Some(spec_version)))
        });
        back.await.map(|_| ())
    }

    /// Removes a service; its tasks are stopped and forgotten.
    pub async fn remove_service(&self, name: &str) -> Result<(), Error> {
        self.proposer
            .update(|view| {
                let service = find::service(view, name)?;
                Ok::<_, Error>(vec![Change::Delete(Key::Service(service.id), service.meta.version)])
            })
            .await
            .map(|_| ())
    }

    fn replaced(&self, service: &Service, spec: ServiceSpec, back_to: Option<SpecVersion>) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut next = service.clone();
        let former = std::mem::replace(&mut next.spec, spec);
        let restarts = next.spec.task != former.task || next.spec.endpoint != former.endpoint;
        if let Some(version) = back_to {
            next.spec_version = version;
        } else if restarts {
            next.spec_version_max = SpecVersion(service.spec_version_max.0 + 1);
            next.spec_version = next.spec_version_max;
            changes.push(Change::Put(template(&next).into()));
        }
        next.previous = Some(Box::new((former, service.spec_version)));
        next.update_status = back_to.map(|_| UpdateStatus {
            state: UpdateState::RollbackStarted,
            started_at: Some((self.clock)()),
            completed_at: None,
            message: "manually requested rollback".into(),
        });
        changes.push(Change::Put(next.into()));
        changes
    }
}

/// Returns what the tasks of a service's current spec version are made from.
fn template(service: &Service) -> Spec {
    Spec {
        id: service.spec_id(),
        meta: Meta::default(),
        service_name: service.spec.name.clone(),
        service_labels: service.spec.labels.clone(),
        task: service.spec.task.clone(),
        endpoint: service.spec.endpoint.clone(),
    }
}

fn based_on(view: &View, id: ServiceId, version: Version) -> Result<&Arc<Service>, Error> {
    let service = view.service(id).ok_or_else(|| Error::not_found("service", &id.to_string()))?;
    if service.meta.version != version {
        return Err(Error::new(Kind::OutOfSequence, "update out of sequence"));
    }
    Ok(service)
}

/// Checks a spec against itself and the cluster, and resolves the names in it.
fn checked(view: &View, mut spec: ServiceSpec, former: Option<&Service>) -> Result<ServiceSpec, Error> {
    spec.validate()?;
    unsupported::refuse(&spec)?;
    if let Mode::Replicated { replicas } = spec.mode
        && replicas > REPLICAS_MAX
    {
        let text = format!("{replicas} replicas are asked for; a service may have {REPLICAS_MAX}");
        return Err(Error::new(Kind::Invalid, text));
    }
    networks::resolve(view, &mut spec)?;
    ports_are_free(view, &spec, former)?;
    Ok(spec)
}

/// Refuses ports that another service holds on every node.
fn ports_are_free(view: &View, spec: &ServiceSpec, former: Option<&Service>) -> Result<(), Error> {
    let own = former.map(|service| service.id);
    for port in spec.endpoint.ports.iter().filter(|port| port.published != 0) {
        let others = view.services().filter(|service| Some(service.id) != own);
        for other in others {
            if let Some(taken) = held_ports(other).find(|held| collide(held, port)) {
                let how = match taken.mode {
                    PublishMode::Ingress => "an ingress port",
                    PublishMode::Host => "a host-published port",
                };
                return Err(Error::new(
                    Kind::Invalid,
                    format!(
                        "port '{}' is already in use by service '{}' ({}) as {how}",
                        port.published, other.spec.name, other.id
                    ),
                ));
            }
        }
    }
    if spec.endpoint.ingress_ports().next().is_some() && view.ingress_network().is_none() {
        return Err(Error::new(
            Kind::FailedPrecondition,
            "service needs ingress network, but no ingress network is present",
        ));
    }
    Ok(())
}

/// Returns what a service publishes or is about to publish.
fn held_ports(service: &Service) -> impl Iterator<Item = &PortSpec> {
    service.endpoint.ports.iter().chain(&service.spec.endpoint.ports)
}

/// Claims that two ports cannot both be published; two host-mode ports are kept apart by placement.
fn collide(held: &PortSpec, wanted: &PortSpec) -> bool {
    held.published == wanted.published
        && held.protocol == wanted.protocol
        && (held.mode == PublishMode::Ingress || wanted.mode == PublishMode::Ingress)
}

fn same_mode(a: &Mode, b: &Mode) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn name_taken(name: &str) -> Error {
    Error::new(
        Kind::AlreadyExists,
        format!("name conflicts with an existing object: service {name} already exists"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{EndpointMode, EndpointSpec, Protocol, Timestamp};
    use store::Object;

    fn port(published: u16, mode: PublishMode) -> PortSpec {
        PortSpec { name: String::new(), protocol: Protocol::Tcp, target: 80, published, mode }
    }

    fn spec(name: &str, ports: Vec<PortSpec>) -> ServiceSpec {
        let container = model::ContainerSpec { image: "nginx".into(), ..Default::default() };
        let task = model::TaskSpec {
            container,
            resources: None,
            restart: None,
            placement: None,
            networks: Vec::new(),
            log_driver: None,
            force_update: 0,
        };
        ServiceSpec {
            name: name.into(),
            labels: Default::default(),
            mode: Mode::Replicated { replicas: 1 },
            task,
            update: None,
            rollback: None,
            endpoint: EndpointSpec { mode: EndpointMode::Vip, ports },
        }
    }

    fn view(ports: Vec<PortSpec>) -> View {
        let network = model::Network {
            id: model::NetworkId::from_bits(9),
            meta: Meta::default(),
            spec: model::NetworkSpec { name: "ingress".into(), ingress: true, ..Default::default() },
            subnet: None,
            vni: None,
            last_address: None,
        };
        let service = Service {
            id: ServiceId::from_bits(1),
            meta: Meta::default(),
            spec: spec("web", ports),
            spec_version: SpecVersion(1),
            previous: None,
            spec_version_max: SpecVersion(1),
            endpoint: Endpoint::default(),
            update_status: None,
        };
        let mut view = View::default();
        let objects: [Object; 2] = [network.into(), service.into()];
        view.apply(1, Timestamp(0), &objects.map(Change::Put)).unwrap();
        view
    }

    #[test]
    fn ports_collide_as_in_swarm() {
        use PublishMode::{Host, Ingress};
        let cases = [
            (Ingress, 8080, Ingress, 8080, false),
            (Ingress, 8080, Host, 8080, false),
            (Host, 8080, Ingress, 8080, false),
            (Host, 8080, Host, 8080, true),
            (Ingress, 8080, Ingress, 8081, true),
            (Ingress, 0, Ingress, 0, true),
        ];

        for (held, held_port, wanted, wanted_port, free) in cases {
            let view = view(vec![port(held_port, held)]);

            let outcome = checked(&view, spec("api", vec![port(wanted_port, wanted)]), None);

            assert_eq!(outcome.is_ok(), free, "{held:?} {held_port} {wanted:?} {wanted_port}");
        }
    }

    #[test]
    fn a_taken_port_names_its_service() {
        let view = view(vec![port(8080, PublishMode::Ingress)]);

        let error = checked(&view, spec("api", vec![port(8080, PublishMode::Ingress)]), None).unwrap_err();

        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.starts_with("port '8080' is already in use by service 'web' ("), "{error}");
    }

    #[test]
    fn an_unknown_network_is_named() {
        let mut wanted = spec("api", Vec::new());
        wanted.task.networks.push(model::NetworkAttachment {
            target: "nope".into(),
            aliases: Vec::new(),
            driver_opts: Default::default(),
        });

        let error = checked(&view(Vec::new()), wanted, None).unwrap_err();

        assert_eq!((error.kind, error.message.as_str()), (Kind::NotFound, "network nope not found"));
    }
}

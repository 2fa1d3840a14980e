//! Making and removing networks.

use std::collections::BTreeSet;
use std::sync::Arc;

use allocator::Shortage;
use model::{
    EndpointSpec, Meta, Network, NetworkId, NetworkSpec, Service, ServiceSpec, SpecId, TaskSpec, UpdateState,
};
use store::{Change, Key, View};

use crate::{Control, Error, error::Kind, find, unsupported};

/// Names of networks that every host has, and the word for whichever is the default.
const PREDEFINED: [&str; 4] = ["bridge", "host", "none", "default"];
/// The label by which Swarm knows networks of its own.
const PREDEFINED_LABEL: &str = "com.docker.swarm.predefined";

impl Control {
    /// Makes a network and returns its id.
    pub async fn create_network(&self, spec: NetworkSpec) -> Result<NetworkId, Error> {
        spec.validate()?;
        unsupported::refuse_network(&spec)?;
        let id = NetworkId::from_bits(rand::random());
        let made = self.proposer.update(|view| {
            admit(view, &spec)?;
            let (meta, spec) = (Meta::default(), spec.clone());
            let network = Network { id, meta, spec, subnet: None, vni: None, last_address: None };
            // Of two who ask for the same subnet at the same time, one finds the cluster changed and looks again.
            let is_choosy = !network.spec.ipam.pools.is_empty() || !network.spec.driver_opts.is_empty();
            let cluster = view.cluster().filter(|_| is_choosy);
            let written = cluster.map(|cluster| Change::Put(Arc::clone(cluster).into()));
            Ok::<_, Error>([Change::Put(network.into())].into_iter().chain(written).collect())
        });
        made.await.map(|_| id)
    }

    /// Removes a network that nobody uses, and returns its id.
    pub async fn remove_network(&self, name: &str) -> Result<NetworkId, Error> {
        let mut removed = None;
        self.proposer
            .update(|view| {
                let network = find::network(view, name)?;
                refuse_use(view, network)?;
                removed = Some(network.id);
                Ok::<_, Error>(vec![Change::Delete(Key::Network(network.id), network.meta.version)])
            })
            .await?;
        removed.ok_or_else(|| Error::not_found("network", name))
    }

    /// Removes every network that is wanted gone and that nobody uses, and returns their names. The one that carries
    /// published ports stays.
    pub async fn prune_networks(&self, is_wanted: impl Fn(&Network) -> bool) -> Result<Vec<String>, Error> {
        let view = self.current().await?;
        let wanted = view.networks().filter(|network| !network.spec.ingress && is_wanted(network));
        let mut removed = Vec::new();
        for network in wanted.filter(|network| refuse_use(&view, network).is_ok()) {
            match self.remove_network(&network.id.to_string()).await {
                Ok(_) => removed.push(network.spec.name.clone()),
                // Somebody began to use it, or removed it, meanwhile.
                Err(error) if matches!(error.kind, Kind::FailedPrecondition | Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }
}

/// Claims that the network is used: it carries published ports, or a service or a task is on it.
pub fn is_used(view: &View, network: &Network) -> bool {
    network.spec.ingress || refuse_use(view, network).is_err()
}

/// Refuses a network that cannot be had beside those there are.
fn admit(view: &View, spec: &NetworkSpec) -> Result<(), Error> {
    let name = &spec.name;
    let refuse = |kind, text: String| Err(Error::new(kind, text));
    if PREDEFINED.contains(&name.as_str()) {
        let text = format!("{name} is a pre-defined network and cannot be created");
        return refuse(Kind::PermissionDenied, text);
    }
    if spec.labels.contains_key(PREDEFINED_LABEL) {
        let text = format!(
            "label {PREDEFINED_LABEL} is for internally created predefined networks and cannot be applied by users"
        );
        return refuse(Kind::PermissionDenied, text);
    }
    if let Some(holder) = view.network_by_name(name) {
        let text = format!("network with name {} already exists", holder.spec.name);
        return refuse(Kind::AlreadyExists, text);
    }
    if let Some(present) = view.ingress_network().filter(|_| spec.ingress) {
        return refuse(Kind::AlreadyExists, format!("ingress network ({}) is already present", present.id));
    }
    match allocator::check_network(view, spec) {
        Ok(()) => Ok(()),
        Err(Shortage::SubnetTaken(why)) => refuse(
            Kind::Invalid,
            format!(
                "invalid pool request: Pool overlaps with other one on this address space: network {name} {why}"
            ),
        ),
        Err(Shortage::PoolsUsedUp(why)) => refuse(
            Kind::FailedPrecondition,
            format!(
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the \
                 network: network {name} {why}"
            ),
        ),
        Err(Shortage::Identifier(why)) => refuse(Kind::Invalid, format!("network {name} {why}")),
    }
}

/// Refuses the removal of a network that is used, with the name of who uses it.
fn refuse_use(view: &View, network: &Network) -> Result<(), Error> {
    let refuse = |text: String| Err(Error::new(Kind::FailedPrecondition, text));
    let name = &network.spec.name;
    if let Some(service) = view.services().find(|service| service_uses(service, network)) {
        let service = &service.spec.name;
        if network.spec.ingress {
            return refuse(format!(
                "{name} network cannot be removed because service {service} depends on it"
            ));
        }
        return refuse(format!("network {name} is in use by service {service}"));
    }
    match task_on(view, network) {
        Some(task) => refuse(format!("network {name} is in use by task {task}")),
        None => Ok(()),
    }
}

/// Claims that a service is on the network, or may go back to a spec that is.
fn service_uses(service: &Service, network: &Network) -> bool {
    let may_go_back = service.update_status.as_ref().is_some_and(|status| match status.state {
        UpdateState::Updating | UpdateState::Paused | UpdateState::RollbackStarted => true,
        UpdateState::Completed | UpdateState::RollbackPaused | UpdateState::RollbackCompleted => false,
    });
    let previous = service.previous.iter().filter(|_| may_go_back).map(|previous| &previous.0);
    let names = |spec: &ServiceSpec| wants(&spec.task, &spec.endpoint, network);
    names(&service.spec) || previous.into_iter().any(names)
}

fn wants(task: &TaskSpec, endpoint: &EndpointSpec, network: &Network) -> bool {
    let id = network.id.to_string();
    (network.spec.ingress && endpoint.ingress_ports().next().is_some())
        || task.networks.iter().any(|wish| wish.target == id || wish.target == network.spec.name)
}

/// Returns the name of a task that is on the network and is meant to live. Those of a removed service are not.
fn task_on(view: &View, network: &Network) -> Option<String> {
    let specs = view.specs().filter(|spec| wants(&spec.task, &spec.endpoint, network));
    let specs: BTreeSet<SpecId> = specs.map(|spec| spec.id).collect();
    let services: BTreeSet<_> = specs.iter().map(|spec| spec.service).collect();
    let services = services.into_iter().filter_map(|service| view.service(service));
    services.into_iter().find_map(|service| {
        let mut tasks = view.tasks_of_service(service.id);
        let task = tasks.find(|task| task.is_live() && specs.contains(&task.spec_id()))?;
        Some(format!("{}.{}.{}", service.spec.name, task.slot, task.id))
    })
}

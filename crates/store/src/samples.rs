//! Objects and random changes for tests.

use model::{
    Availability, Cluster, ClusterId, ClusterSpec, ContainerSpec, Endpoint, EndpointSpec, JoinTokens, Labels,
    Meta, Mode, Network, NetworkId, NetworkSpec, Node, NodeId, NodeSpec, NodeState, NodeStatus, Role, RootCa,
    Service, ServiceId, ServiceSpec, Spec, SpecId, SpecVersion, Task, TaskId, TaskSpec, TaskState,
    TaskStatus, Timestamp, Version,
};
use proptest::prelude::*;

use crate::{Change, Key, Object, View};

pub(crate) fn cluster(id: u128) -> Cluster {
    Cluster {
        id: ClusterId::from_bits(id),
        meta: Meta::default(),
        spec: ClusterSpec::default(),
        root_ca: RootCa { certificate_pem: String::new(), key_pem: String::new() },
        join_tokens: JoinTokens { worker: String::new(), manager: String::new() },
        address_pools: Vec::new(),
        subnet_prefix: 24,
        data_path_port: 4789,
        last_subnet: None,
        last_vni: None,
    }
}

pub(crate) fn node(id: u128) -> Node {
    Node {
        id: NodeId::from_bits(id),
        meta: Meta::default(),
        spec: NodeSpec {
            name: String::new(),
            labels: Labels::new(),
            role: Role::Worker,
            availability: Availability::Active,
        },
        role: Role::Worker,
        description: None,
        status: NodeStatus { state: NodeState::Ready, message: String::new(), address: None },
        number: None,
    }
}

fn task_spec() -> TaskSpec {
    TaskSpec {
        container: ContainerSpec { image: "nginx".into(), ..ContainerSpec::default() },
        resources: None,
        restart: None,
        placement: None,
        networks: Vec::new(),
        log_driver: None,
        force_update: 0,
    }
}

pub(crate) fn service(id: u128, name: &str) -> Service {
    Service {
        id: ServiceId::from_bits(id),
        meta: Meta::default(),
        spec: ServiceSpec {
            name: name.into(),
            labels: Labels::new(),
            mode: Mode::Replicated { replicas: 1 },
            task: task_spec(),
            update: None,
            rollback: None,
            endpoint: EndpointSpec::default(),
        },
        spec_version: SpecVersion(1),
        previous: None,
        spec_version_max: SpecVersion(1),
        endpoint: Endpoint::default(),
        update_status: None,
    }
}

pub(crate) fn spec(service: u128, version: u32) -> Spec {
    Spec {
        id: SpecId { service: ServiceId::from_bits(service), version: SpecVersion(version) },
        meta: Meta::default(),
        service_name: "web".into(),
        service_labels: Labels::new(),
        task: task_spec(),
        endpoint: EndpointSpec::default(),
    }
}

pub(crate) fn task(id: u128, service: u128) -> Task {
    Task {
        id: TaskId::from_bits(id),
        meta: Meta::default(),
        service: ServiceId::from_bits(service),
        spec_version: SpecVersion(1),
        slot: 1,
        desired: TaskState::Running,
        node: None,
        addresses: Vec::new(),
        status: TaskStatus {
            state: TaskState::New,
            at: Timestamp(0),
            message: String::new(),
            err: String::new(),
            container: None,
            ports: Vec::new(),
        },
    }
}

pub(crate) fn network(id: u128, name: &str) -> Network {
    Network {
        id: NetworkId::from_bits(id),
        meta: Meta::default(),
        spec: NetworkSpec { name: name.into(), ..NetworkSpec::default() },
        subnet: None,
        vni: None,
        last_address: None,
    }
}

/// A wish for a change; what it is based on is settled when the view is known.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Put(Object),
    PutStale(Object),
    Delete(Key),
    DeleteStale(Key),
}

impl Wish {
    pub(crate) fn on(&self, view: &View) -> Change {
        let current = |key| view.get(key).map_or(Version(0), |object| object.meta().version);
        let put = |object: &Object, version| {
            let meta = Meta { version, ..object.meta() };
            Change::Put(object.clone().with_meta(meta))
        };
        match self {
            Self::Put(object) => put(object, current(object.key())),
            Self::PutStale(object) => put(object, Version(current(object.key()).0 + 7)),
            Self::Delete(key) => Change::Delete(*key, current(*key)),
            Self::DeleteStale(key) => Change::Delete(*key, Version(current(*key).0 + 7)),
        }
    }
}

/// Objects out of a small pool, so that random changes meet each other.
pub(crate) fn any_object() -> impl Strategy<Value = Object> {
    let name = || prop_oneof![Just("web"), Just("Web"), Just("db"), Just("cache"), Just("x"), Just("y")];
    let placed = prop_oneof![Just(None), (1..5u128).prop_map(|id| Some(NodeId::from_bits(id)))];
    let desired = prop_oneof![Just(TaskState::Running), Just(TaskState::Ready), Just(TaskState::Shutdown)];
    prop_oneof![
        1 => (1..3u128).prop_map(|id| cluster(id).into()),
        2 => (1..5u128, proptest::option::of(0..3u32)).prop_map(|(id, number)| Node { number, ..node(id) }.into()),
        3 => (1..6u128, name()).prop_map(|(id, name)| service(id, name).into()),
        2 => (1..6u128, 1..4u32).prop_map(|(id, version)| spec(id, version).into()),
        3 => (1..6u128, name(), any::<bool>()).prop_map(|(id, name, ingress)| {
            let mut network = network(id, name);
            network.spec.ingress = ingress;
            network.into()
        }),
        6 => (1..40u128, 1..6u128, placed, desired).prop_map(|(id, service, node, desired)| {
            Task { node, desired, ..task(id, service) }.into()
        }),
    ]
}

pub(crate) fn any_wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        20 => any_object().prop_map(Wish::Put),
        8 => any_object().prop_map(|object| Wish::Delete(object.key())),
        1 => any_object().prop_map(Wish::PutStale),
        1 => any_object().prop_map(|object| Wish::DeleteStale(object.key())),
    ]
}

pub(crate) fn any_wishes() -> impl Strategy<Value = Vec<Wish>> {
    prop::collection::vec(any_wish(), 0..60)
}

/// Returns an empty view with the wishes done one by one; those that are refused are left out.
pub(crate) fn view_with(wishes: &[Wish]) -> View {
    let mut view = View::default();
    extend(&mut view, wishes);
    view
}

/// Does the wishes one by one; those that are refused are left out.
pub(crate) fn extend(view: &mut View, wishes: &[Wish]) {
    for wish in wishes {
        let index = view.index() + 1;
        let _ = view.apply(index, Timestamp(index as i64), &[wish.on(view)]);
    }
}

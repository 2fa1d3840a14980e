//! The notation in which tests write clusters.
//!
//! Clauses are separated by `|` or line ends, words by spaces. The first word says what a clause is:
//!
//! ```text
//! cluster history=2 pool=10.0.0.0/16 prefix=24
//! node a cpu=4 mem=2gb gpu=2 drain down manager arch=aarch64 os=linux label.rack=r1 engine.disk=ssd number=3 blank
//! net back subnet=10.0.5.0/24 vni=4097 last=10.0.5.9 internal driver=bridge ask=10.9.0.0/24 range=10.9.0.8/29
//! ingress subnet=10.0.0.0/24 vni=4096
//! web x2 v2 publish=80:8080 host=80:80 on=back where=node.role==worker … : 1→a running, 2 pending to-ready v1 3s
//! gone web … : 1→a running          the same, without the service itself
//! ```
//! A task is `SLOT[→NODE] STATE` and then, as needed, `to-DESIRED` (running), `vN` (the service's), the time since its
//! state was reached such as `3s` (1000s), `made=20s` (3600s), `ip=NETWORK:ADDRESS`, `err=words_with_underscores`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use model::*;
use store::{Change, Object, View};

/// The time at which every cluster of the notation is.
pub const NOW: Timestamp = Timestamp(1_000_000_000_000_000);

/// Returns the bits of an id that shows as this name.
pub fn bits_of(name: &str) -> u128 {
    assert!(name.len() <= 16, "{name} is longer than 16 bytes");
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    u128::from_be_bytes(bytes)
}

/// Returns the name that became these bits.
pub fn name_of(bits: u128) -> String {
    String::from_utf8_lossy(&bits.to_be_bytes()).trim_end_matches('\0').to_owned()
}

/// Returns the word for a state.
pub fn word_of(state: TaskState) -> &'static str {
    state.as_str()
}

/// Reads a cluster.
pub fn parse(text: &str) -> View {
    let mut reader = Reader { view: View::default(), tasks: 0 };
    reader.put(default_cluster());
    for clause in text.split(['|', '\n']).map(str::trim).filter(|clause| !clause.is_empty()) {
        reader.clause(clause);
    }
    reader.view.advance_to(1);
    reader.view
}

struct Reader {
    view: View,
    tasks: u128,
}

impl Reader {
    fn put(&mut self, object: impl Into<Object>) {
        self.view.draft(&Change::Put(object.into()));
    }

    fn clause(&mut self, clause: &str) {
        let (first, rest) = clause.split_once(' ').unwrap_or((clause, ""));
        match first {
            "cluster" => self.cluster(rest),
            "node" => self.put(node(rest)),
            "net" => self.put(network(rest, false)),
            "ingress" => self.put(network(&format!("ingress {rest}"), true)),
            "gone" => self.service(rest, Presence::Gone),
            _ => self.service(clause, Presence::There),
        }
    }

    fn cluster(&mut self, words: &str) {
        let mut cluster = default_cluster();
        for word in words.split_whitespace() {
            match pair(word) {
                ("history", limit) => cluster.spec.task_history_limit = number(limit),
                ("pool", pools) => cluster.address_pools = pools.split('+').map(subnet).collect(),
                ("prefix", length) => cluster.subnet_prefix = number(length),
                ("last", text) => cluster.last_subnet = Some(subnet(text)),
                _ => panic!("cluster: {word}"),
            }
        }
        self.put(cluster);
    }

    fn service(&mut self, clause: &str, presence: Presence) {
        let (head, tasks) = clause.split_once(" : ").unwrap_or((clause.trim_end_matches(" :"), ""));
        let service = service(head);
        let mut versions = vec![service.spec_version];
        versions.extend(service.previous.iter().map(|previous| previous.1));
        for text in tasks.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            self.tasks += 1;
            let task = task(text, &service, TaskId::from_bits((1 << 64) + self.tasks));
            versions.push(task.spec_version);
            self.put(task);
        }
        for version in versions {
            self.put(spec_at(&service, version));
        }
        if presence == Presence::There {
            self.put(service);
        }
    }
}

#[derive(PartialEq)]
enum Presence {
    There,
    Gone,
}

fn default_cluster() -> Cluster {
    Cluster {
        id: ClusterId::from_bits(bits_of("cluster")),
        meta: old_meta(),
        spec: ClusterSpec::default(),
        root_ca: RootCa { certificate_pem: String::new(), key_pem: String::new() },
        join_tokens: JoinTokens { worker: String::new(), manager: String::new() },
        address_pools: vec![subnet("10.0.0.0/8")],
        subnet_prefix: 24,
        data_path_port: 4789,
        last_subnet: None,
        last_vni: None,
    }
}

/// Reads a node; the words are those behind `node`.
pub fn node(words: &str) -> Node {
    let mut words = words.split_whitespace();
    let name = words.next().expect("a node has a name");
    let mut description = Description {
        hostname: name.to_owned(),
        platform: Platform { architecture: "x86_64".into(), os: "linux".into() },
        nano_cpus: 64_000_000_000,
        memory_bytes: 256 << 30,
        generic: Vec::new(),
        engine: Engine::default(),
    };
    let mut node = Node {
        id: NodeId::from_bits(bits_of(name)),
        meta: old_meta(),
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
    };
    let mut blank = false;
    for word in words {
        match pair(word) {
            ("cpu", count) => description.nano_cpus = nano_cpus(count),
            ("mem", size) => description.memory_bytes = bytes(size),
            ("gpu", count) => description.generic.push(gpu(count)),
            ("arch", arch) => description.platform.architecture = arch.into(),
            ("os", os) => description.platform.os = os.into(),
            ("number", count) => node.number = Some(number(count)),
            ("address", address) => node.status.address = Some(address.parse().expect(address)),
            ("plugin", plugin) => {
                let (kind, name) = plugin.split_once(':').expect("plugin=KIND:NAME");
                description.engine.plugins.push(Plugin { kind: kind.into(), name: name.into() });
            }
            ("drain", _) => node.spec.availability = Availability::Drain,
            ("pause", _) => node.spec.availability = Availability::Pause,
            ("down", _) => node.status.state = NodeState::Down,
            ("unknown", _) => node.status.state = NodeState::Unknown,
            ("disconnected", _) => node.status.state = NodeState::Disconnected,
            ("manager", _) => node.role = Role::Manager,
            ("blank", _) => blank = true,
            (key, value) => match key.split_once('.') {
                Some(("label", label)) => drop(node.spec.labels.insert(label.into(), value.into())),
                Some(("engine", label)) => drop(description.engine.labels.insert(label.into(), value.into())),
                _ => panic!("node: {word}"),
            },
        }
    }
    node.spec.role = node.role;
    node.description = (!blank).then(|| Box::new(description));
    node
}

fn network(words: &str, ingress: bool) -> Network {
    let mut words = words.split_whitespace();
    let name = words.next().expect("a network has a name");
    let spec = NetworkSpec { name: name.into(), driver: "overlay".into(), ingress, ..NetworkSpec::default() };
    let id = NetworkId::from_bits(bits_of(name));
    let mut network = Network { id, meta: old_meta(), spec, subnet: None, vni: None, last_address: None };
    let mut pool = IpamPool::default();
    for word in words {
        match pair(word) {
            ("subnet", text) => network.subnet = Some(subnet(text)),
            ("vni", text) => network.vni = Some(number(text)),
            ("driver", driver) => network.spec.driver = driver.into(),
            ("internal", _) => network.spec.internal = true,
            ("ask", text) => pool.subnet = Some(subnet(text)),
            ("last", text) => network.last_address = Some(text.parse().expect(text)),
            ("aside", text) => drop(pool.auxiliary.insert(text.into(), text.parse().expect(text))),
            ("range", text) => pool.range = Some(subnet(text)),
            ("gateway", text) => pool.gateway = Some(text.parse().expect(text)),
            (key, value) if key.starts_with("opt.") => {
                network.spec.driver_opts.insert(key["opt.".len()..].into(), value.into());
            }
            _ => panic!("network: {word}"),
        }
    }
    if pool != IpamPool::default() {
        network.spec.ipam.pools.push(pool);
    }
    network
}

/// Reads a service without tasks.
pub fn service(words: &str) -> Service {
    let mut words = words.split_whitespace();
    let name = words.next().expect("a service has a name");
    let mut service = empty_service(name);
    for word in words {
        service_word(&mut service, word);
    }
    service.spec_version_max = service.spec_version;
    if let Some(previous) = &mut service.previous {
        let version = previous.1;
        let task = spec_at(&Service { previous: None, ..service.clone() }, version).task;
        service.previous = Some(Box::new((ServiceSpec { task, ..service.spec.clone() }, version)));
    }
    service.spec.task = spec_at(&service, service.spec_version).task;
    service
}

/// Returns a service of one replica that asks for nothing.
pub fn empty_service(name: &str) -> Service {
    let container = ContainerSpec { image: "img".into(), ..ContainerSpec::default() };
    let task = TaskSpec {
        container,
        resources: None,
        restart: None,
        placement: None,
        networks: Vec::new(),
        log_driver: None,
        force_update: 0,
    };
    Service {
        id: ServiceId::from_bits(bits_of(name)),
        meta: old_meta(),
        spec: ServiceSpec {
            name: name.into(),
            labels: Labels::new(),
            mode: Mode::Replicated { replicas: 1 },
            task,
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

fn service_word(service: &mut Service, word: &str) {
    let (key, value) = pair(word);
    match key {
        "previous" => {
            let version = SpecVersion(number(&value[1..]));
            service.previous = Some(Box::new((service.spec.clone(), version)));
        }
        "status" => service.update_status = Some(update_status(value)),
        "dnsrr" => service.spec.endpoint.mode = EndpointMode::Dnsrr,
        "publish" => service.spec.endpoint.ports.push(port(value, PublishMode::Ingress)),
        "host" => service.spec.endpoint.ports.push(port(value, PublishMode::Host)),
        "has" => service.endpoint.ports.push(port(value, PublishMode::Ingress)),
        "vip" => {
            let (network, address) = value.split_once(':').expect("vip=NETWORK:ADDRESS");
            let network = NetworkId::from_bits(bits_of(network));
            service
                .endpoint
                .virtual_ips
                .push(VirtualIp { network, address: address.parse().expect(address) });
        }
        "allocated" => service.endpoint.spec = Some(service.spec.endpoint.clone()),
        "global" => service.spec.mode = Mode::Global,
        "parallel" | "order" | "pause" | "on-failure" | "ratio" | "monitor" => {
            update_word(service.spec.update.get_or_insert_default(), key, value);
        }
        "rollback-parallel" => {
            service.spec.rollback.get_or_insert_default().parallelism = number(value);
        }
        "restart" | "delay" | "attempts" | "window" => {
            restart_word(service.spec.task.restart.get_or_insert_default(), key, value);
        }
        _ if key.starts_with('x') && key[1..].parse::<u64>().is_ok() => {
            service.spec.mode = Mode::Replicated { replicas: number(&key[1..]) };
        }
        _ if key.starts_with('v') && key[1..].parse::<u32>().is_ok() => {
            service.spec_version = SpecVersion(number(&key[1..]));
        }
        _ => task_word(&mut service.spec.task, key, value),
    }
}

fn update_word(config: &mut UpdateConfig, key: &str, value: &str) {
    match (key, value) {
        ("parallel", count) => config.parallelism = number(count),
        ("order", "start-first") => config.order = UpdateOrder::StartFirst,
        ("order", "stop-first") => config.order = UpdateOrder::StopFirst,
        ("pause", time) => config.delay = seconds(time),
        ("on-failure", "pause") => config.failure_action = FailureAction::Pause,
        ("on-failure", "continue") => config.failure_action = FailureAction::Continue,
        ("on-failure", "rollback") => config.failure_action = FailureAction::Rollback,
        ("ratio", share) => config.max_failure_ratio = share.parse().expect(share),
        ("monitor", time) => config.monitor = Some(seconds(time)),
        _ => panic!("update: {key}={value}"),
    }
}

fn restart_word(policy: &mut RestartPolicy, key: &str, value: &str) {
    match (key, value) {
        ("restart", "none") => policy.condition = RestartCondition::None,
        ("restart", "failure") => policy.condition = RestartCondition::OnFailure,
        ("restart", "any") => policy.condition = RestartCondition::Any,
        ("delay", time) => policy.delay = Some(seconds(time)),
        ("attempts", count) => policy.max_attempts = number(count),
        ("window", time) => policy.window = seconds(time),
        _ => panic!("restart: {key}={value}"),
    }
}

fn task_word(task: &mut TaskSpec, key: &str, value: &str) {
    match key {
        "cpu" => reserved(task).nano_cpus = nano_cpus(value),
        "mem" => reserved(task).memory_bytes = bytes(value),
        "gpu" => reserved(task).generic.push(gpu(value)),
        "where" => task.placement.get_or_insert_default().constraints.push(value.replace('_', " ")),
        "spread" => task.placement.get_or_insert_default().spread.push(value.into()),
        "max" => task.placement.get_or_insert_default().max_replicas = number(value),
        "platform" => {
            let (os, architecture) = value.split_once('/').expect("platform=OS/ARCH");
            let platform = Platform { architecture: architecture.into(), os: os.into() };
            task.placement.get_or_insert_default().platforms.push(platform);
        }
        "log" => task.log_driver = Some(LogDriver { name: value.into(), options: Labels::new() }),
        "on" => {
            let target = NetworkId::from_bits(bits_of(value)).to_string();
            task.networks.push(NetworkAttachment { target, aliases: Vec::new(), driver_opts: Labels::new() });
        }
        "on-name" => {
            let target = value.to_owned();
            task.networks.push(NetworkAttachment { target, aliases: Vec::new(), driver_opts: Labels::new() });
        }
        _ => panic!("service: {key}={value}"),
    }
}

fn task(text: &str, service: &Service, id: TaskId) -> Task {
    let mut words = text.split_whitespace();
    let place = words.next().expect("a task has a slot");
    let (slot, node) = match place.split_once('→') {
        Some((slot, node)) => (slot, Some(NodeId::from_bits(bits_of(node)))),
        None => (place, None),
    };
    let state = words.next().expect("a task has a state");
    let meta = Meta { created_at: ago("3600s"), ..old_meta() };
    let mut task = Task {
        id,
        meta,
        service: service.id,
        spec_version: service.spec_version,
        slot: number(slot),
        desired: TaskState::Running,
        node,
        addresses: Vec::new(),
        status: TaskStatus {
            state: state_of(state),
            at: ago("1000s"),
            message: String::new(),
            err: String::new(),
            container: None,
            ports: Vec::new(),
        },
    };
    for word in words {
        match pair(word) {
            ("made", age) => task.meta.created_at = ago(age),
            ("err", text) => task.status.err = text.replace('_', " "),
            ("ip", address) => {
                let (network, address) = address.split_once(':').expect("ip=NETWORK:ADDRESS");
                let network = NetworkId::from_bits(bits_of(network));
                let address: Ipv4Addr = address.parse().expect(address);
                task.addresses.push(TaskAddress { network, address });
            }
            (word, _) if word.starts_with("to-") => task.desired = state_of(&word[3..]),
            (word, _) if word.starts_with('v') => task.spec_version = SpecVersion(number(&word[1..])),
            (word, _) => task.status.at = ago(word),
        }
    }
    task
}

/// Returns what the service's tasks of a version are made from; versions differ in one environment variable.
pub fn spec_at(service: &Service, version: SpecVersion) -> Spec {
    let mut task = service.spec.task.clone();
    task.container.env = vec![format!("VERSION={}", version.0)];
    Spec {
        id: SpecId { service: service.id, version },
        meta: old_meta(),
        service_name: service.spec.name.clone(),
        service_labels: service.spec.labels.clone(),
        task,
        endpoint: service.spec.endpoint.clone(),
    }
}

fn update_status(text: &str) -> UpdateStatus {
    let (state, age) = text.split_once('/').unwrap_or((text, "100s"));
    let state = match state {
        "updating" => UpdateState::Updating,
        "paused" => UpdateState::Paused,
        "completed" => UpdateState::Completed,
        "rollback_started" => UpdateState::RollbackStarted,
        "rollback_paused" => UpdateState::RollbackPaused,
        "rollback_completed" => UpdateState::RollbackCompleted,
        _ => panic!("update status: {state}"),
    };
    UpdateStatus { state, started_at: Some(ago(age)), completed_at: None, message: String::new() }
}

fn port(text: &str, mode: PublishMode) -> PortSpec {
    let (text, protocol) = match text.split_once('/') {
        Some((text, "udp")) => (text, Protocol::Udp),
        Some((text, "tcp")) => (text, Protocol::Tcp),
        Some((text, "sctp")) => (text, Protocol::Sctp),
        Some(_) => panic!("port: {text}"),
        None => (text, Protocol::Tcp),
    };
    let (published, target) = text.split_once(':').unwrap_or(("0", text));
    PortSpec { name: String::new(), protocol, target: number(target), published: number(published), mode }
}

fn reserved(task: &mut TaskSpec) -> &mut Reservations {
    task.resources.get_or_insert_default().reservations.get_or_insert_default()
}

fn gpu(text: &str) -> GenericResource {
    match text.parse() {
        Ok(value) => GenericResource::Discrete { kind: "gpu".into(), value },
        Err(_) => GenericResource::Named { kind: "gpu".into(), value: text.into() },
    }
}

fn state_of(word: &str) -> TaskState {
    TaskState::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or_else(|| panic!("state: {word}"))
}

fn old_meta() -> Meta {
    Meta { version: Version(1), created_at: ago("7200s"), updated_at: ago("7200s") }
}

fn ago(age: &str) -> Timestamp {
    Timestamp(NOW.0 - seconds(age).as_nanos() as i64)
}

fn seconds(text: &str) -> Duration {
    let count = text.strip_suffix('s').unwrap_or_else(|| panic!("seconds: {text}"));
    Duration::from_secs_f64(count.parse().expect(count))
}

fn nano_cpus(text: &str) -> u64 {
    (text.parse::<f64>().expect(text) * 1e9) as u64
}

fn bytes(text: &str) -> u64 {
    match (text.strip_suffix("gb"), text.strip_suffix("mb")) {
        (Some(count), _) => number::<u64>(count) << 30,
        (None, Some(count)) => number::<u64>(count) << 20,
        (None, None) => number(text),
    }
}

fn subnet(text: &str) -> Subnet {
    text.parse().expect(text)
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}

fn pair(word: &str) -> (&str, &str) {
    word.split_once('=').unwrap_or((word, ""))
}

/// Returns the task with this label, such as `web.2` or `web.2→a`, if exactly one is desired to run.
pub fn task_at(view: &View, service: &str, slot: u32) -> Arc<Task> {
    let service = ServiceId::from_bits(bits_of(service));
    let mut live = view.tasks_of_service(service).filter(|task| task.slot == slot && task.is_live());
    let found = live.next().unwrap_or_else(|| panic!("no live task in slot {slot}"));
    assert!(live.next().is_none(), "two live tasks in slot {slot}");
    Arc::clone(found)
}

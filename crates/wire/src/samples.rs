//! Random objects for tests: every field of every object takes any value it can have.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use model::*;
use proptest::collection::{btree_map, vec};
use proptest::option::of as maybe;
use proptest::prelude::*;
use proptest::sample::select;
use store::{Change, Conflict, Key, Object};

use crate::entry::Entry;

mod item;

pub(crate) use item::item;

fn text() -> BoxedStrategy<String> {
    "\\PC{0,6}".boxed()
}

fn texts() -> BoxedStrategy<Vec<String>> {
    vec(text(), 0..3).boxed()
}

fn labels() -> BoxedStrategy<Labels> {
    btree_map(text(), text(), 0..3).boxed()
}

fn span() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn version() -> impl Strategy<Value = Version> {
    any::<u64>().prop_map(Version)
}

fn spec_version() -> impl Strategy<Value = SpecVersion> {
    any::<u32>().prop_map(SpecVersion)
}

fn node_id() -> impl Strategy<Value = NodeId> {
    any::<u128>().prop_map(NodeId::from_bits)
}

fn service_id() -> impl Strategy<Value = ServiceId> {
    any::<u128>().prop_map(ServiceId::from_bits)
}

pub(crate) fn task_id() -> impl Strategy<Value = TaskId> {
    any::<u128>().prop_map(TaskId::from_bits)
}

fn network_id() -> impl Strategy<Value = NetworkId> {
    any::<u128>().prop_map(NetworkId::from_bits)
}

fn cluster_id() -> impl Strategy<Value = ClusterId> {
    any::<u128>().prop_map(ClusterId::from_bits)
}

fn spec_id() -> impl Strategy<Value = SpecId> {
    (service_id(), spec_version()).prop_map(|(service, version)| SpecId { service, version })
}

fn meta() -> impl Strategy<Value = Meta> {
    (version(), time(), time()).prop_map(|(version, created_at, updated_at)| Meta {
        version,
        created_at,
        updated_at,
    })
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from_bits)
}

fn subnet() -> impl Strategy<Value = Subnet> {
    (address(), 0..=32u8).prop_map(|(base, prefix)| Subnet { base, prefix })
}

fn log_driver() -> impl Strategy<Value = LogDriver> {
    (text(), labels()).prop_map(|(name, options)| LogDriver { name, options })
}

fn cluster() -> BoxedStrategy<Cluster> {
    let secrets = (text(), text(), text(), text());
    let pools = (vec(subnet(), 0..3), any::<u8>(), any::<u16>(), maybe(subnet()), any::<Option<u32>>());
    (cluster_id(), meta(), cluster_spec(), secrets, pools)
        .prop_map(|(id, meta, spec, secrets, pools)| {
            let (certificate_pem, key_pem, worker, manager) = secrets;
            let (address_pools, subnet_prefix, data_path_port, last_subnet, last_vni) = pools;
            Cluster {
                id,
                meta,
                spec,
                root_ca: RootCa { certificate_pem, key_pem },
                join_tokens: JoinTokens { worker, manager },
                address_pools,
                subnet_prefix,
                data_path_port,
                last_subnet,
                last_vni,
            }
        })
        .boxed()
}

fn raft_spec() -> impl Strategy<Value = RaftSpec> {
    any::<(u64, u64, u64, u32, u32)>().prop_map(|(interval, old, slow, election_tick, heartbeat_tick)| {
        RaftSpec {
            snapshot_interval: interval,
            keep_old_snapshots: old,
            entries_for_slow_followers: slow,
            election_tick,
            heartbeat_tick,
        }
    })
}

fn cluster_spec() -> BoxedStrategy<ClusterSpec> {
    let rest = (any::<bool>(), any::<u64>(), maybe(log_driver()));
    (text(), labels(), any::<i64>(), raft_spec(), span(), span(), rest)
        .prop_map(|(name, labels, task_history_limit, raft, heartbeat_period, certificate_validity, rest)| {
            let (autolock, ca_force_rotate, log_driver) = rest;
            ClusterSpec {
                name,
                labels,
                task_history_limit,
                raft,
                heartbeat_period,
                certificate_validity,
                autolock,
                ca_force_rotate,
                log_driver,
            }
        })
        .boxed()
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Worker, Role::Manager])
}

fn node() -> BoxedStrategy<Node> {
    let address =
        maybe(prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]);
    let state = select(vec![NodeState::Unknown, NodeState::Down, NodeState::Ready, NodeState::Disconnected]);
    let status =
        (state, text(), address).prop_map(|(state, message, address)| NodeStatus { state, message, address });
    (node_id(), meta(), node_spec(), role(), maybe(description()), status, any::<Option<u32>>())
        .prop_map(|(id, meta, spec, role, description, status, number)| Node {
            id,
            meta,
            spec,
            role,
            description: description.map(Box::new),
            status,
            number,
        })
        .boxed()
}

fn node_spec() -> BoxedStrategy<NodeSpec> {
    let availability = select(vec![Availability::Active, Availability::Pause, Availability::Drain]);
    (text(), labels(), role(), availability)
        .prop_map(|(name, labels, role, availability)| NodeSpec { name, labels, role, availability })
        .boxed()
}

fn platform() -> impl Strategy<Value = Platform> {
    (text(), text()).prop_map(|(architecture, os)| Platform { architecture, os })
}

fn generic() -> impl Strategy<Value = Vec<GenericResource>> {
    let one = prop_oneof![
        (text(), text()).prop_map(|(kind, value)| GenericResource::Named { kind, value }),
        (text(), any::<i64>()).prop_map(|(kind, value)| GenericResource::Discrete { kind, value }),
    ];
    vec(one, 0..3)
}

fn description() -> BoxedStrategy<Description> {
    let plugins = vec((text(), text()).prop_map(|(kind, name)| Plugin { kind, name }), 0..3);
    let engine = (text(), labels(), plugins).prop_map(|(version, labels, plugins)| Engine {
        version,
        labels,
        plugins,
    });
    (text(), platform(), any::<u64>(), any::<u64>(), generic(), engine)
        .prop_map(|(hostname, platform, nano_cpus, memory_bytes, generic, engine)| Description {
            hostname,
            platform,
            nano_cpus,
            memory_bytes,
            generic,
            engine,
        })
        .boxed()
}

fn port() -> BoxedStrategy<PortSpec> {
    let protocol = select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let mode = select(vec![PublishMode::Ingress, PublishMode::Host]);
    (text(), protocol, any::<u16>(), any::<u16>(), mode)
        .prop_map(|(name, protocol, target, published, mode)| PortSpec {
            name,
            protocol,
            target,
            published,
            mode,
        })
        .boxed()
}

fn endpoint_spec() -> BoxedStrategy<EndpointSpec> {
    (select(vec![EndpointMode::Vip, EndpointMode::Dnsrr]), vec(port(), 0..3))
        .prop_map(|(mode, ports)| EndpointSpec { mode, ports })
        .boxed()
}

fn endpoint() -> BoxedStrategy<Endpoint> {
    let vip = (network_id(), address()).prop_map(|(network, address)| VirtualIp { network, address });
    (maybe(endpoint_spec()), vec(port(), 0..3), vec(vip, 0..3))
        .prop_map(|(spec, ports, virtual_ips)| Endpoint { spec, ports, virtual_ips })
        .boxed()
}

fn mount() -> BoxedStrategy<Mount> {
    let bind = (text(), any::<[bool; 4]>()).prop_map(|(propagation, flags)| {
        let [non_recursive, create_mountpoint, read_only_non_recursive, read_only_force_recursive] = flags;
        MountKind::Bind(BindOptions {
            propagation,
            non_recursive,
            create_mountpoint,
            read_only_non_recursive,
            read_only_force_recursive,
        })
    });
    let volume = (any::<bool>(), labels(), text(), maybe((text(), labels()))).prop_map(
        |(no_copy, labels, subpath, driver)| {
            MountKind::Volume(VolumeOptions { no_copy, labels, subpath, driver })
        },
    );
    let tmpfs = (any::<u64>(), any::<u32>(), vec(texts(), 0..3))
        .prop_map(|(size_bytes, mode, options)| MountKind::Tmpfs(TmpfsOptions { size_bytes, mode, options }));
    let image = text().prop_map(|subpath| MountKind::Image { subpath });
    (prop_oneof![bind, volume, tmpfs, image], text(), text(), any::<bool>(), text())
        .prop_map(|(kind, source, target, read_only, consistency)| Mount {
            kind,
            source,
            target,
            read_only,
            consistency,
        })
        .boxed()
}

fn privileges() -> BoxedStrategy<Privileges> {
    let seccomp = prop_oneof![
        Just(Seccomp::Default),
        Just(Seccomp::Unconfined),
        any::<Vec<u8>>().prop_map(Seccomp::Custom)
    ];
    let app_armor = select(vec![AppArmor::Default, AppArmor::Disabled]);
    (maybe(seccomp), maybe(app_armor), any::<bool>())
        .prop_map(|(seccomp, app_armor, no_new_privileges)| Privileges {
            seccomp,
            app_armor,
            no_new_privileges,
        })
        .boxed()
}

fn healthcheck() -> BoxedStrategy<Healthcheck> {
    (texts(), span(), span(), span(), span(), any::<u32>())
        .prop_map(|(test, interval, timeout, start_period, start_interval, retries)| Healthcheck {
            test,
            interval,
            timeout,
            start_period,
            start_interval,
            retries,
        })
        .boxed()
}

fn container_spec() -> BoxedStrategy<ContainerSpec> {
    let ulimit =
        (text(), any::<i64>(), any::<i64>()).prop_map(|(name, soft, hard)| Ulimit { name, soft, hard });
    let dns = (texts(), texts(), texts()).prop_map(|(nameservers, search, options)| Dns {
        nameservers,
        search,
        options,
    });
    let words = (text(), text(), text(), text(), text(), text());
    let lists = (texts(), texts(), texts(), texts(), texts(), texts(), texts());
    let flags = (any::<Option<bool>>(), any::<[bool; 3]>(), any::<i64>());
    let parts = (
        labels(),
        maybe(privileges()),
        vec(mount(), 0..3),
        maybe(span()),
        maybe(healthcheck()),
        maybe(dns),
        labels(),
        vec(ulimit, 0..3),
    );
    (words, lists, flags, parts)
        .prop_map(|(words, lists, flags, parts)| {
            let (image, hostname, dir, user, stop_signal, isolation) = words;
            let (command, args, env, groups, hosts, capability_add, capability_drop) = lists;
            let (init, [tty, open_stdin, read_only], oom_score_adj) = flags;
            let (labels, privileges, mounts, stop_grace_period, healthcheck, dns, sysctls, ulimits) = parts;
            ContainerSpec {
                image,
                labels,
                command,
                args,
                hostname,
                env,
                dir,
                user,
                groups,
                privileges,
                init,
                stop_signal,
                tty,
                open_stdin,
                read_only,
                mounts,
                stop_grace_period,
                healthcheck,
                hosts,
                dns,
                isolation,
                sysctls,
                capability_add,
                capability_drop,
                ulimits,
                oom_score_adj,
            }
        })
        .boxed()
}

fn resources() -> BoxedStrategy<Resources> {
    let limits = any::<(u64, u64, u64)>().prop_map(|(nano_cpus, memory_bytes, pids)| Limits {
        nano_cpus,
        memory_bytes,
        pids,
    });
    let reservations = (any::<u64>(), any::<u64>(), generic())
        .prop_map(|(nano_cpus, memory_bytes, generic)| Reservations { nano_cpus, memory_bytes, generic });
    (maybe(limits), maybe(reservations))
        .prop_map(|(limits, reservations)| Resources { limits, reservations })
        .boxed()
}

fn restart() -> BoxedStrategy<RestartPolicy> {
    let condition = select(vec![RestartCondition::None, RestartCondition::OnFailure, RestartCondition::Any]);
    (condition, maybe(span()), any::<u64>(), span())
        .prop_map(|(condition, delay, max_attempts, window)| RestartPolicy {
            condition,
            delay,
            max_attempts,
            window,
        })
        .boxed()
}

fn placement() -> BoxedStrategy<Placement> {
    (texts(), texts(), any::<u64>(), vec(platform(), 0..3))
        .prop_map(|(constraints, spread, max_replicas, platforms)| Placement {
            constraints,
            spread,
            max_replicas,
            platforms,
        })
        .boxed()
}

fn task_spec() -> BoxedStrategy<TaskSpec> {
    let attachment = (text(), texts(), labels())
        .prop_map(|(target, aliases, driver_opts)| NetworkAttachment { target, aliases, driver_opts });
    let optional = (maybe(resources()), maybe(restart()), maybe(placement()), maybe(log_driver()));
    (container_spec(), optional, vec(attachment, 0..3), any::<u64>())
        .prop_map(|(container, (resources, restart, placement, log_driver), networks, force_update)| {
            TaskSpec { container, resources, restart, placement, networks, log_driver, force_update }
        })
        .boxed()
}

fn update_config() -> BoxedStrategy<UpdateConfig> {
    let action = select(vec![FailureAction::Pause, FailureAction::Continue, FailureAction::Rollback]);
    let order = select(vec![UpdateOrder::StopFirst, UpdateOrder::StartFirst]);
    (any::<u64>(), span(), action, maybe(span()), any::<f32>(), order)
        .prop_map(|(parallelism, delay, failure_action, monitor, max_failure_ratio, order)| UpdateConfig {
            parallelism,
            delay,
            failure_action,
            monitor,
            max_failure_ratio,
            order,
        })
        .boxed()
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        any::<u64>().prop_map(|replicas| Mode::Replicated { replicas }),
        Just(Mode::Global),
        any::<(u64, u64)>().prop_map(|(max_concurrent, total_completions)| Mode::ReplicatedJob {
            max_concurrent,
            total_completions
        }),
        Just(Mode::GlobalJob),
    ]
}

fn service_spec() -> BoxedStrategy<ServiceSpec> {
    let rollouts = (maybe(update_config()), maybe(update_config()));
    (text(), labels(), mode(), task_spec(), rollouts, endpoint_spec())
        .prop_map(|(name, labels, mode, task, (update, rollback), endpoint)| ServiceSpec {
            name,
            labels,
            mode,
            task,
            update,
            rollback,
            endpoint,
        })
        .boxed()
}

fn update_status() -> impl Strategy<Value = UpdateStatus> {
    use UpdateState::*;
    let state = select(vec![Updating, Paused, Completed, RollbackStarted, RollbackPaused, RollbackCompleted]);
    (state, maybe(time()), maybe(time()), text()).prop_map(|(state, started_at, completed_at, message)| {
        UpdateStatus { state, started_at, completed_at, message }
    })
}

fn service() -> BoxedStrategy<Service> {
    let previous = maybe((service_spec(), spec_version()).prop_map(Box::new));
    let versions = (spec_version(), spec_version());
    (service_id(), meta(), service_spec(), versions, previous, endpoint(), maybe(update_status()))
        .prop_map(|(id, meta, spec, (spec_version, spec_version_max), previous, endpoint, update_status)| {
            Service { id, meta, spec, spec_version, previous, spec_version_max, endpoint, update_status }
        })
        .boxed()
}

fn spec() -> BoxedStrategy<Spec> {
    (spec_id(), meta(), text(), labels(), task_spec(), endpoint_spec())
        .prop_map(|(id, meta, service_name, service_labels, task, endpoint)| Spec {
            id,
            meta,
            service_name,
            service_labels,
            task,
            endpoint,
        })
        .boxed()
}

fn task_state() -> impl Strategy<Value = TaskState> {
    select(TaskState::ALL.to_vec())
}

pub(crate) fn task_status() -> impl Strategy<Value = TaskStatus> {
    let container = (text(), any::<u32>(), any::<i32>()).prop_map(|(container_id, pid, exit_code)| {
        Box::new(ContainerStatus { container_id, pid, exit_code })
    });
    (task_state(), time(), text(), text(), maybe(container), vec(port(), 0..3)).prop_map(
        |(state, at, message, err, container, ports)| TaskStatus {
            state,
            at,
            message,
            err,
            container,
            ports,
        },
    )
}

pub(crate) fn task() -> BoxedStrategy<Task> {
    let address = (network_id(), address()).prop_map(|(network, address)| TaskAddress { network, address });
    let from = (service_id(), spec_version(), any::<u32>());
    (task_id(), meta(), from, task_state(), maybe(node_id()), vec(address, 0..3), task_status())
        .prop_map(|(id, meta, (service, spec_version, slot), desired, node, addresses, status)| Task {
            id,
            meta,
            service,
            spec_version,
            slot,
            desired,
            node,
            addresses,
            status,
        })
        .boxed()
}

fn network() -> BoxedStrategy<Network> {
    let auxiliary = prop::collection::btree_map(text(), address(), 0..3);
    let pool = (maybe(subnet()), maybe(subnet()), maybe(address()), auxiliary)
        .prop_map(|(subnet, range, gateway, auxiliary)| IpamPool { subnet, range, gateway, auxiliary });
    let ipam = (text(), labels(), vec(pool, 0..3)).prop_map(|(driver, options, pools)| Ipam {
        driver,
        options,
        pools,
    });
    let spec = (text(), labels(), text(), labels(), any::<[bool; 3]>(), ipam).prop_map(
        |(name, labels, driver, driver_opts, [internal, attachable, ingress], ipam)| NetworkSpec {
            name,
            labels,
            driver,
            driver_opts,
            internal,
            attachable,
            ingress,
            ipam,
        },
    );
    (network_id(), meta(), spec, maybe(subnet()), any::<Option<u32>>(), maybe(address()))
        .prop_map(|(id, meta, spec, subnet, vni, last_address)| Network {
            id,
            meta,
            spec,
            subnet,
            vni,
            last_address,
        })
        .boxed()
}

pub(crate) fn object() -> impl Strategy<Value = Object> {
    prop_oneof![
        cluster().prop_map(Object::from),
        node().prop_map(Object::from),
        service().prop_map(Object::from),
        spec().prop_map(Object::from),
        task().prop_map(Object::from),
        network().prop_map(Object::from),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        cluster_id().prop_map(Key::Cluster),
        node_id().prop_map(Key::Node),
        service_id().prop_map(Key::Service),
        spec_id().prop_map(Key::Spec),
        task_id().prop_map(Key::Task),
        network_id().prop_map(Key::Network),
    ]
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let change = prop_oneof![
        3 => object().prop_map(Change::Put),
        1 => (key(), version()).prop_map(|(key, version)| Change::Delete(key, version)),
    ];
    (time(), vec(change, 0..6)).prop_map(|(at, changes)| Entry { at, changes })
}

pub(crate) fn outcome() -> impl Strategy<Value = Result<u64, Conflict>> {
    prop_oneof![
        any::<u64>().prop_map(Ok),
        (key(), version(), maybe(version())).prop_map(|(key, based_on, current)| Err(Conflict::Stale {
            key,
            based_on,
            current
        })),
        (text(), key()).prop_map(|(name, holder)| Err(Conflict::NameTaken {
            kind: holder.kind(),
            name,
            holder
        })),
        key().prop_map(|key| Err(Conflict::AlreadyExists(key))),
        key().prop_map(|key| Err(Conflict::Missing(key))),
    ]
}

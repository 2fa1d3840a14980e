//! The cluster.

use model::{Cluster, ClusterSpec};

use crate::field::{all, each, maybe, nested, number, optional};
use crate::{Error, pb};

impl From<&Cluster> for pb::Cluster {
    fn from(cluster: &Cluster) -> Self {
        let Cluster {
            id,
            meta,
            spec,
            root_ca,
            join_tokens,
            address_pools,
            subnet_prefix,
            data_path_port,
            last_subnet,
            last_vni,
        } = cluster;
        Self {
            id: Some((*id).into()),
            meta: Some(meta.into()),
            spec: Some(spec.into()),
            root_ca: Some(root_ca.into()),
            join_tokens: Some(join_tokens.into()),
            address_pools: all(address_pools),
            subnet_prefix: (*subnet_prefix).into(),
            data_path_port: (*data_path_port).into(),
            last_subnet: maybe(last_subnet),
            last_vni: *last_vni,
        }
    }
}

impl TryFrom<pb::Cluster> for Cluster {
    type Error = Error;

    fn try_from(cluster: pb::Cluster) -> Result<Self, Error> {
        let pb::Cluster {
            id,
            meta,
            spec,
            root_ca,
            join_tokens,
            address_pools,
            subnet_prefix,
            data_path_port,
            last_subnet,
            last_vni,
        } = cluster;
        Ok(Self {
            id: nested(id, "id")?,
            meta: nested(meta, "meta")?,
            spec: nested(spec, "spec")?,
            root_ca: nested(root_ca, "root_ca")?,
            join_tokens: nested(join_tokens, "join_tokens")?,
            address_pools: each(address_pools, "address_pools")?,
            subnet_prefix: number(subnet_prefix, "subnet_prefix")?,
            data_path_port: number(data_path_port, "data_path_port")?,
            last_subnet: optional(last_subnet, "last_subnet")?,
            last_vni,
        })
    }
}

impl From<&ClusterSpec> for pb::ClusterSpec {
    fn from(spec: &ClusterSpec) -> Self {
        let ClusterSpec {
            name,
            labels,
            task_history_limit,
            raft,
            heartbeat_period,
            certificate_validity,
            autolock,
            ca_force_rotate,
            log_driver,
        } = spec;
        Self {
            name: name.clone(),
            labels: labels.clone(),
            task_history_limit: *task_history_limit,
            raft: Some(raft.into()),
            heartbeat_period: Some(heartbeat_period.into()),
            certificate_validity: Some(certificate_validity.into()),
            autolock: *autolock,
            ca_force_rotate: *ca_force_rotate,
            log_driver: maybe(log_driver),
        }
    }
}

impl TryFrom<pb::ClusterSpec> for ClusterSpec {
    type Error = Error;

    fn try_from(spec: pb::ClusterSpec) -> Result<Self, Error> {
        let pb::ClusterSpec {
            name,
            labels,
            task_history_limit,
            raft,
            heartbeat_period,
            certificate_validity,
            autolock,
            ca_force_rotate,
            log_driver,
        } = spec;
        Ok(Self {
            name,
            labels,
            task_history_limit,
            raft: nested(raft, "raft")?,
            heartbeat_period: nested(heartbeat_period, "heartbeat_period")?,
            certificate_validity: nested(certificate_validity, "certificate_validity")?,
            autolock,
            ca_force_rotate,
            log_driver: optional(log_driver, "log_driver")?,
        })
    }
}

same!(RaftSpec {
    snapshot_interval,
    keep_old_snapshots,
    entries_for_slow_followers,
    election_tick,
    heartbeat_tick,
});
same!(RootCa { certificate_pem, key_pem });
same!(JoinTokens { worker, manager });

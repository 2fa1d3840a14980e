//! Founding a cluster and changing its settings.

use model::{
    Availability, Cluster, ClusterId, ClusterSpec, JoinTokens, Meta, Network, NetworkId, NetworkSpec, Node,
    NodeId, NodeSpec, NodeState, NodeStatus, Role, RootCa, Subnet, Version,
};
use store::{Change, Object};

use crate::{Control, Error, error::Kind};

/// What a cluster is founded with.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The cluster's id.
    pub id: ClusterId,
    /// Settings.
    pub spec: ClusterSpec,
    /// The root of every node's certificate.
    pub root_ca: RootCa,
    /// What lets nodes join.
    pub join_tokens: JoinTokens,
    /// Pools from which subnets are cut.
    pub address_pools: Vec<Subnet>,
    /// The prefix length of a subnet.
    pub subnet_prefix: u8,
    /// The UDP port of VXLAN.
    pub data_path_port: u16,
    /// The first manager.
    pub node: NodeId,
    /// Whether it takes tasks.
    pub availability: Availability,
    /// The ingress network's id.
    pub ingress: NetworkId,
}

/// Returns the first entry of a cluster's log: the cluster, its first manager and the ingress network.
pub fn found(founding: Founding) -> Vec<Change> {
    let Founding {
        id,
        spec,
        root_ca,
        join_tokens,
        address_pools,
        subnet_prefix,
        data_path_port,
        node,
        availability,
        ingress,
    } = founding;
    let meta = Meta::default();
    let cluster = Cluster {
        id,
        meta,
        spec,
        root_ca,
        join_tokens,
        address_pools,
        subnet_prefix,
        data_path_port,
        last_subnet: None,
        last_vni: None,
    };
    let ingress = Network {
        id: ingress,
        meta,
        spec: NetworkSpec {
            name: "ingress".into(),
            driver: "overlay".into(),
            ingress: true,
            ..Default::default()
        },
        subnet: None,
        vni: None,
        last_address: None,
    };
    let node = newcomer(node, Role::Manager, availability);
    let objects: [Object; 3] = [cluster.into(), node.into(), ingress.into()];
    objects.map(Change::Put).into()
}

/// Returns a node of which nothing is known but that it was let in.
pub(crate) fn newcomer(id: NodeId, role: Role, availability: Availability) -> Node {
    Node {
        id,
        meta: Meta::default(),
        spec: NodeSpec { name: String::new(), labels: Default::default(), role, availability },
        role,
        description: None,
        status: NodeStatus { state: NodeState::Unknown, message: String::new(), address: None },
        number: None,
    }
}

/// Which join tokens are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotate {
    /// The token for workers, if it is replaced.
    pub worker: Option<String>,
    /// The token for managers, if it is replaced.
    pub manager: Option<String>,
}

impl Control {
    /// Replaces the cluster's settings and, if wanted, its join tokens, based on the version that the user has seen.
    pub async fn update_cluster(
        &self,
        version: Version,
        spec: ClusterSpec,
        rotate: Rotate,
    ) -> Result<(), Error> {
        spec.validate()?;
        let view = self.current().await?;
        let cluster = view.cluster().ok_or_else(|| Error::not_found("cluster", "default"))?;
        if cluster.meta.version != version {
            return Err(Error::new(Kind::OutOfSequence, "update out of sequence"));
        }
        for (name, asked, now) in [
            ("autolock", spec.autolock, cluster.spec.autolock),
            ("CA rotation", spec.ca_force_rotate != 0, cluster.spec.ca_force_rotate != 0),
        ] {
            if asked != now {
                return Err(Error::new(Kind::Unimplemented, format!("{name} is not supported")));
            }
        }
        let mut next = (**cluster).clone();
        next.spec = spec;
        if let Some(token) = rotate.worker {
            next.join_tokens.worker = token;
        }
        if let Some(token) = rotate.manager {
            next.join_tokens.manager = token;
        }
        self.proposer.propose(vec![Change::Put(next.into())]).await?;
        Ok(())
    }
}

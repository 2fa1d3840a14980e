//! Founding a cluster.

use std::time::SystemTime;

use anyhow::Context;
use consensus::Start;
use control::Founding;
use docker_api::ApiError;
use engine_json::InitRequest;
use identity::{JoinToken, NodeIdentity, RootCa, SigningRequest, Subject};
use model::{ClusterId, ClusterSpec, Invalid, JoinTokens, NetworkId, NodeId, Subnet};

use super::addresses::{Addresses, Wanted};
use super::folder::Place;
use super::{Active, Member, WayIn, already_member, listen};

/// The UDP port of VXLAN, as IANA gave it out.
const DATA_PATH_PORT: u32 = 4789;
/// From which subnets are cut, as in Swarm.
const POOL_DEFAULT: &str = "10.0.0.0/8";
const SUBNET_PREFIX_DEFAULT: u8 = 24;
/// A smaller subnet has no room for a gateway, a service and tasks.
const SUBNET_PREFIX_MAX: u32 = 29;

impl Member {
    /// Founds a cluster with this host as its first manager.
    pub async fn init(&self, request: InitRequest) -> Result<NodeId, ApiError> {
        let mut active = self.active.lock().await;
        if request.force_new_cluster {
            return self.stand_alone(&mut active).await;
        }
        if active.is_some() {
            return Err(already_member());
        }
        let checked = Checked::of(request)?;
        let node = NodeId::from_bits(rand::random());
        let founded = self.found(node, checked).await;
        match founded {
            Ok(founded) => {
                self.enter(&mut active, founded);
                Ok(node)
            }
            Err(error) => {
                if let Err(error) = self.folder.remove() {
                    tracing::warn!(%error, "a half-made place in a cluster is not removed");
                }
                Err(ApiError::internal(format!("{error:#}")))
            }
        }
    }

    async fn found(&self, node: NodeId, checked: Checked) -> anyhow::Result<Active> {
        let listener = listen(&checked.addresses).await?;
        self.folder.make().with_context(|| format!("make {}", self.folder.path().display()))?;
        let id = ClusterId::from_bits(rand::random());
        let root = RootCa::generate(SystemTime::now())?;
        let identity = first_identity(&root, node, id, &checked.spec)?;
        identity.save(self.folder.path())?;
        let place = Place { addresses: checked.addresses, managers: Vec::new() };
        let founding = Founding {
            id,
            spec: checked.spec,
            root_ca: model::RootCa {
                certificate_pem: root.certificate_pem().to_owned(),
                key_pem: root.key_pem().unwrap_or_default().to_owned(),
            },
            join_tokens: JoinTokens {
                worker: JoinToken::generate(&root).to_string(),
                manager: JoinToken::generate(&root).to_string(),
            },
            address_pools: checked.address_pools,
            subnet_prefix: checked.subnet_prefix,
            data_path_port: DATA_PATH_PORT as u16,
            node,
            availability: checked.availability,
            ingress: NetworkId::from_bits(rand::random()),
        };
        let way_in = WayIn { start: Start::Bootstrap, listener: Some(listener), founding: Some(founding) };
        let active = self.start(identity, place, way_in).await?;
        self.folder.write(&active.place).context("write this node's place in the cluster")?;
        Ok(active)
    }

    /// Goes on alone from this manager's log, when the others are lost for good.
    async fn stand_alone(&self, active: &mut Option<Active>) -> Result<NodeId, ApiError> {
        let place = self.folder.read().map_err(|error| ApiError::internal(error.to_string()))?;
        let place = place.ok_or_else(|| {
            ApiError::bad_request("this node is not part of a swarm: there is nothing to recover")
        })?;
        if let Some(running) = active.take() {
            running.renewal.stop().await;
            running.worker.stop().await;
            if let Some(manager) = running.manager {
                manager.stop().await;
            }
        }
        let identity =
            NodeIdentity::load(self.folder.path()).map_err(|error| ApiError::internal(error.to_string()))?;
        let started = self.start(identity, place, WayIn::of(Start::ForceNewCluster)).await;
        let started = started.map_err(|error| ApiError::internal(format!("{error:#}")))?;
        let node = started.node;
        self.enter(active, started);
        Ok(node)
    }
}

fn first_identity(
    root: &RootCa,
    node: NodeId,
    cluster: ClusterId,
    spec: &ClusterSpec,
) -> anyhow::Result<NodeIdentity> {
    let request = SigningRequest::generate()?;
    let (node_id, cluster_id) = (node.to_string(), cluster.to_string());
    let subject = Subject { node_id: &node_id, role: identity::Role::Manager, cluster_id: &cluster_id };
    let certificate =
        root.issue(&request.request_pem, subject, spec.certificate_validity, SystemTime::now())?;
    Ok(NodeIdentity::from_pem(&certificate, &request.key_pem, root.certificate_pem())?)
}

/// A request in which everything makes sense.
struct Checked {
    addresses: Addresses,
    spec: ClusterSpec,
    availability: model::Availability,
    address_pools: Vec<Subnet>,
    subnet_prefix: u8,
}

impl Checked {
    fn of(request: InitRequest) -> Result<Self, ApiError> {
        if request.auto_lock_managers || request.spec.encryption_config.auto_lock_managers {
            return Err(ApiError::new(docker_api::Status::NotImplemented, "autolock is not supported"));
        }
        let addresses = Addresses::choose(Wanted {
            listen: &request.listen_addr,
            advertise: &request.advertise_addr,
            data_path: &request.data_path_addr,
            towards: None,
        })?;
        let availability = request.availability()?;
        let mut address_pools = request.address_pools()?;
        if address_pools.is_empty() {
            address_pools.push(POOL_DEFAULT.parse()?);
        }
        let subnet_prefix = match request.subnet_size {
            0 => SUBNET_PREFIX_DEFAULT,
            size if size <= SUBNET_PREFIX_MAX
                && address_pools.iter().all(|pool| size >= u32::from(pool.prefix)) =>
            {
                size as u8
            }
            size => {
                return Err(ApiError::bad_request(format!(
                    "invalid subnet size {size}: it must be at most {SUBNET_PREFIX_MAX} and no shorter than the pools' own"
                )));
            }
        };
        if !matches!(request.data_path_port, 0 | DATA_PATH_PORT) {
            let port = request.data_path_port;
            let message = format!(
                "data path port {port} is not supported: networks between nodes use UDP port {DATA_PATH_PORT}"
            );
            return Err(ApiError::new(docker_api::Status::NotImplemented, message));
        }
        let spec = request.spec.over(ClusterSpec::default())?;
        spec.validate().map_err(|invalid: Invalid| ApiError::from(invalid))?;
        Ok(Self { addresses, spec, availability, address_pools, subnet_prefix })
    }
}

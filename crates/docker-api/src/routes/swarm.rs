//! Founding, joining, leaving and changing the cluster.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use control::Rotate;
use engine_json as json;

use crate::engine::LocalState;
use crate::error::{ApiError, Status};
use crate::request::{Answer, App, Json, Query, Version};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/swarm", get(inspect))
        .route("/swarm/init", post(init))
        .route("/swarm/join", post(join))
        .route("/swarm/leave", post(leave))
        .route("/swarm/update", post(update))
        .route("/swarm/unlockkey", get(unlock_key))
        .route("/swarm/unlock", post(unlock))
}

async fn inspect(State(app): State<App>) -> Answer {
    let view = app.control()?.current().await?;
    let cluster =
        view.cluster().ok_or_else(|| ApiError::internal("this manager does not know its cluster yet"))?;
    Ok(respond::ok(&json::Swarm::with_tokens(cluster, tls_info(cluster))))
}

/// Returns what clients compare nodes' certificates with.
pub(super) fn tls_info(cluster: &model::Cluster) -> json::TlsInfo {
    json::TlsInfo { trust_root: cluster.root_ca.certificate_pem.clone(), ..json::TlsInfo::default() }
}

async fn init(
    State(app): State<App>,
    Version(version): Version,
    Json(mut request): Json<json::InitRequest>,
) -> Answer {
    if version < json::ApiVersion::new(1, 40) {
        request.data_path_port = 0;
    }
    if version < json::ApiVersion::new(1, 39) {
        request.default_addr_pool.clear();
        request.subnet_size = 0;
    }
    if !request.force_new_cluster {
        is_alone(&app)?;
    }
    let node = app.engine.swarm_init(request).await?;
    Ok(respond::ok(&node.to_string()))
}

async fn join(State(app): State<App>, Json(request): Json<json::JoinRequest>) -> Answer {
    is_alone(&app)?;
    app.engine.swarm_join(request).await?;
    Ok(respond::empty())
}

fn is_alone(app: &App) -> Result<(), ApiError> {
    match app.engine.membership().state {
        LocalState::Inactive => Ok(()),
        LocalState::Pending | LocalState::Active | LocalState::Error => Err(unavailable(
            "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.",
        )),
    }
}

async fn leave(State(app): State<App>, query: Query) -> Answer {
    let membership = app.engine.membership();
    if membership.state == LocalState::Inactive {
        return Err(unavailable("This node is not part of a swarm"));
    }
    let force = query.flag("force");
    if let Some(control) = membership.control.filter(|_| !force) {
        return Err(unavailable(loss_by_leaving(&control.proposer().status().members)));
    }
    app.engine.swarm_leave(force).await?;
    Ok(respond::empty())
}

/// Says what a cluster loses when one of its managers leaves.
fn loss_by_leaving(members: &[consensus::Member]) -> String {
    let left = members.iter().filter(|member| member.reachable).count().saturating_sub(1);
    let all = members.len();
    let loss = if all <= 1 {
        "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message."
            .to_owned()
    } else if left <= all / 2 {
        format!(
            "Removing this node leaves {left} managers out of {all}. Without a Raft quorum your swarm will be inaccessible. The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message."
        )
    } else {
        "Doing so may lose the consensus of your cluster. Use `--force` to suppress this message.".to_owned()
    };
    format!("You are attempting to leave the swarm on a node that is participating as a manager. {loss}")
}

fn unavailable(message: impl Into<String>) -> ApiError {
    ApiError::new(Status::Unavailable, message)
}

async fn update(State(app): State<App>, query: Query, Json(spec): Json<json::SwarmSpec>) -> Answer {
    let control = app.control()?;
    let version = query.version("swarm")?;
    let (worker, manager) =
        (query.strict_flag("rotateWorkerToken")?, query.strict_flag("rotateManagerToken")?);
    if query.strict_flag("rotateManagerUnlockKey")? {
        return Err(ApiError::new(
            Status::NotImplemented,
            "autolock is not supported: there is no unlock key to rotate",
        ));
    }
    let view = control.current().await?;
    let cluster =
        view.cluster().ok_or_else(|| ApiError::internal("this manager does not know its cluster yet"))?;
    let token = |wanted: bool| {
        wanted.then(|| app.engine.new_join_token(&cluster.root_ca.certificate_pem)).transpose()
    };
    let rotate = Rotate { worker: token(worker)?, manager: token(manager)? };
    control.update_cluster(version, spec.over(cluster.spec.clone())?, rotate).await?;
    Ok(respond::empty())
}

async fn unlock_key(State(app): State<App>) -> Answer {
    app.control()?;
    Ok(respond::ok(&json::UnlockKey::default()))
}

async fn unlock() -> Answer {
    Err(ApiError::new(Status::Conflict, "swarm is not locked"))
}

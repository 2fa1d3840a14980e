//! Founding, joining, leaving and changing the cluster.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use control::Rotate;
use engine_json as json;

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
    let node = to_the_end(async move { app.engine.swarm_init(request).await }).await?;
    Ok(respond::ok(&node.to_string()))
}

async fn join(State(app): State<App>, Json(request): Json<json::JoinRequest>) -> Answer {
    to_the_end(async move { app.engine.swarm_join(request).await }).await?;
    Ok(respond::empty())
}

async fn leave(State(app): State<App>, query: Query) -> Answer {
    let force = query.flag("force");
    to_the_end(async move { app.engine.swarm_leave(force).await }).await?;
    Ok(respond::empty())
}

/// Goes on to the end also when the client hangs up: a host must not stop between two memberships.
async fn to_the_end<T: Send + 'static>(
    doing: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    let ended = tokio::spawn(doing).await;
    ended.map_err(|error| ApiError::internal(format!("the daemon failed: {error}; see its log")))?
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

use control::{Kind, Rotate};
use model::Version;

use crate::support::Cluster;

#[tokio::test]
async fn settings_and_tokens_are_changed_together_or_apart() {
    let cluster = Cluster::found().await;
    let before = (**cluster.view().cluster().unwrap()).clone();
    let mut spec = before.spec.clone();
    spec.task_history_limit = 2;
    let rotate = Rotate { worker: Some("fresh".into()), manager: None };

    cluster.control.update_cluster(before.meta.version, spec.clone(), rotate).await.unwrap();

    let view = cluster.view();
    let after = view.cluster().unwrap();
    assert_eq!(after.spec, spec);
    assert_eq!(
        (after.join_tokens.worker.as_str(), &after.join_tokens.manager),
        ("fresh", &before.join_tokens.manager)
    );
}

#[tokio::test]
async fn what_is_not_supported_and_what_is_stale_is_refused() {
    let cluster = Cluster::found().await;
    let before = (**cluster.view().cluster().unwrap()).clone();
    let version = before.meta.version;
    let update = |version, change: fn(&mut model::ClusterSpec)| {
        let mut spec = before.spec.clone();
        change(&mut spec);
        let control = cluster.control.clone();
        async move { control.update_cluster(version, spec, Rotate::default()).await.unwrap_err() }
    };

    let stale = update(Version(0), |_| {}).await;
    let autolock = update(version, |spec| spec.autolock = true).await;
    let rotation = update(version, |spec| spec.ca_force_rotate = 1).await;
    let name = update(version, |spec| spec.name = "mine".into()).await;

    assert_eq!((stale.kind, stale.message.as_str()), (Kind::OutOfSequence, "update out of sequence"));
    assert_eq!(
        (autolock.kind, autolock.message.as_str()),
        (Kind::Unimplemented, "autolock is not supported")
    );
    assert_eq!(rotation.message, "CA rotation is not supported");
    assert_eq!(name.kind, Kind::Invalid);
    assert_eq!(cluster.view().cluster().unwrap().meta.version, version);
}

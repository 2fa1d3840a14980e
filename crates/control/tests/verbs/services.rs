use control::Kind;
use model::{Mode, PortTraffic, Predefined, SpecVersion, UpdateState, Version, port_label};

use crate::support::{Cluster, spec};

#[tokio::test]
async fn a_service_is_made_with_what_its_tasks_are_made_from() {
    let cluster = Cluster::found().await;

    let id = cluster.control.create_service(spec("web x3 publish=80:8080")).await.unwrap();

    let service = cluster.service("web");
    assert_eq!((service.id, service.spec_version, service.previous), (id, SpecVersion(1), None));
    let view = cluster.view();
    let template = view.spec(view.service(id).unwrap().spec_id()).unwrap();
    assert_eq!((&template.service_name, &template.task), (&service.spec.name, &service.spec.task));
}

#[tokio::test]
async fn of_many_who_make_one_name_one_wins_and_the_others_hear_why() {
    let cluster = Cluster::found().await;

    let makers: Vec<_> = (0..8)
        .map(|_| {
            let control = cluster.control.clone();
            tokio::spawn(async move { control.create_service(spec("web")).await })
        })
        .collect();

    let mut made = 0;
    for maker in makers {
        match maker.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => {
                assert_eq!(error.kind, Kind::AlreadyExists);
                assert_eq!(
                    error.message,
                    "name conflicts with an existing object: service web already exists"
                );
            }
        }
    }
    assert_eq!((made, cluster.view().service_count()), (1, 1));
}

#[tokio::test]
async fn an_update_of_the_tasks_takes_a_new_version_and_one_of_the_number_does_not() {
    let cluster = Cluster::found().await;
    let id = cluster.control.create_service(spec("web x1")).await.unwrap();
    let version = || cluster.service("web").meta.version;

    cluster.control.update_service(id, version(), spec("web x5")).await.unwrap();
    let scaled = cluster.service("web");
    assert_eq!((scaled.spec_version, &scaled.spec.mode), (SpecVersion(1), &Mode::Replicated { replicas: 5 }));

    let mut next = spec("web x5");
    next.task.container.image = "other".into();
    cluster.control.update_service(id, version(), next.clone()).await.unwrap();
    let updated = cluster.service("web");
    assert_eq!((updated.spec_version, updated.spec_version_max), (SpecVersion(2), SpecVersion(2)));
    assert_eq!(updated.previous.as_deref(), Some(&(scaled.spec, SpecVersion(1))));
    let view = cluster.view();
    assert_eq!(view.specs_of_service(id).count(), 2, "tasks of the former version keep theirs");
    assert_eq!(view.spec(updated.spec_id()).unwrap().task, next.task);
}

#[tokio::test]
async fn a_rollback_swaps_the_two_and_versions_never_come_again() {
    let cluster = Cluster::found().await;
    let id = cluster.control.create_service(spec("web x1")).await.unwrap();
    let version = || cluster.service("web").meta.version;
    let without = cluster.control.rollback_service(id, version()).await.unwrap_err();
    assert_eq!(
        (without.kind, without.message.as_str()),
        (Kind::FailedPrecondition, "service web does not have a previous spec")
    );
    let mut next = spec("web x4");
    next.task.force_update = 1;
    cluster.control.update_service(id, version(), next.clone()).await.unwrap();

    cluster.control.rollback_service(id, version()).await.unwrap();

    let back = cluster.service("web");
    assert_eq!((back.spec_version, back.spec_version_max), (SpecVersion(1), SpecVersion(2)));
    assert_eq!(
        (back.spec, back.previous.as_deref()),
        (spec("web x1"), Some(&(next.clone(), SpecVersion(2))))
    );
    let status = back.update_status.unwrap();
    assert_eq!(
        (status.state, status.message.as_str()),
        (UpdateState::RollbackStarted, "manually requested rollback")
    );
    next.task.force_update = 2;
    cluster.control.update_service(id, version(), next).await.unwrap();
    let after = cluster.service("web");
    assert_eq!((after.spec_version, after.update_status), (SpecVersion(3), None));
    cluster.control.rollback_service(id, version()).await.unwrap();
    assert_eq!(cluster.service("web").spec_version, SpecVersion(1));
}

#[tokio::test]
async fn who_has_not_seen_the_latest_version_is_refused() {
    let cluster = Cluster::found().await;
    let id = cluster.control.create_service(spec("web")).await.unwrap();
    let stale = Version(1);

    let update = cluster.control.update_service(id, stale, spec("web")).await.unwrap_err();
    let rollback = cluster.control.rollback_service(id, stale).await.unwrap_err();

    for error in [update, rollback] {
        assert_eq!((error.kind, error.message.as_str()), (Kind::OutOfSequence, "update out of sequence"));
    }
}

#[tokio::test]
async fn of_many_who_update_one_version_one_wins() {
    let cluster = Cluster::found().await;
    let id = cluster.control.create_service(spec("web")).await.unwrap();
    let version = cluster.service("web").meta.version;

    let users: Vec<_> = (1..9)
        .map(|replicas| {
            let control = cluster.control.clone();
            let wanted = spec(&format!("web x{replicas}"));
            tokio::spawn(async move { control.update_service(id, version, wanted).await })
        })
        .collect();

    let mut done = 0;
    for user in users {
        match user.await.unwrap() {
            Ok(()) => done += 1,
            Err(error) => {
                assert_eq!(
                    (error.kind, error.message.as_str()),
                    (Kind::OutOfSequence, "update out of sequence")
                );
            }
        }
    }
    assert_eq!(done, 1);
}

#[tokio::test]
async fn what_a_service_cannot_become_is_refused() {
    let cluster = Cluster::found().await;
    let id = cluster.control.create_service(spec("web")).await.unwrap();
    let version = cluster.service("web").meta.version;
    let cases = [
        ("other", Kind::Unimplemented, "renaming services is not supported"),
        ("web global", Kind::Unimplemented, "only replicated services are supported"),
        ("web x1000001", Kind::Invalid, "1000001 replicas are asked for; a service may have 1000000"),
        ("web x18446744073709551615", Kind::Invalid, "18446744073709551615 replicas are asked for"),
        ("web publish=80:8080/sctp", Kind::Unimplemented, "port 8080/sctp cannot be published"),
        ("web on-name=none", Kind::NotFound, "could not find the corresponding predefined swarm network"),
        ("web on-name=host on-name=bridge", Kind::Invalid, "cannot be on others beside it"),
        ("web on-name=host publish=80:80", Kind::Invalid, "publish them with mode=host, or not at all"),
        ("web on-name=bridge on-name=bridge", Kind::Invalid, "named twice"),
        ("web on-name=nope", Kind::NotFound, "network nope not found"),
        (
            "web on-name=ingress",
            Kind::Invalid,
            "Service cannot be explicitly attached to the ingress network",
        ),
    ];

    for (words, kind, text) in cases {
        let update = cluster.control.update_service(id, version, spec(words)).await.unwrap_err();

        assert_eq!(update.kind, kind, "{words}: {update}");
        assert!(update.message.contains(text), "{words}: {update}");
    }
    let create = cluster.control.create_service(spec("huge x1000001")).await.unwrap_err();
    assert_eq!(create.kind, Kind::Invalid);
    assert_eq!(cluster.service("web").meta.version, version, "what is refused changes nothing");
    cluster.control.create_service(spec("large x1000000")).await.unwrap();
}

#[tokio::test]
async fn a_network_is_named_as_the_user_likes_and_kept_by_its_id() {
    let cluster = Cluster::found().await;
    cluster.put_words("net back").await;
    let id = cluster.view().network_by_name("back").unwrap().id.to_string();

    cluster.control.create_service(spec("web on-name=back")).await.unwrap();

    assert_eq!(cluster.service("web").spec.task.networks[0].target, id);
    cluster.control.create_service(spec("api on-name=host host=80:80")).await.unwrap();
    assert_eq!(cluster.service("api").spec.task.networks[0].target, Predefined::Host.id().to_string());
}

#[tokio::test]
async fn labels_of_ports_are_checked_and_change_without_a_restart() {
    let cluster = Cluster::found().await;
    let mut wanted = spec("web publish=80:8080");
    let id = cluster.control.create_service(wanted.clone()).await.unwrap();
    let version = || cluster.service("web").meta.version;
    wanted.labels.insert(port_label(8080, "app_protocol"), "http".into());

    cluster.control.update_service(id, version(), wanted.clone()).await.unwrap();
    wanted.labels.insert(port_label(8080, "proxy_protocol"), "v1".into());
    let refused = cluster.control.update_service(id, version(), wanted).await.unwrap_err();

    let service = cluster.service("web");
    assert_eq!(service.spec_version, SpecVersion(1), "the proxy alone needs to know");
    assert_eq!(PortTraffic::of(&service.spec.labels, 8080), PortTraffic::Http);
    assert_eq!(refused.kind, Kind::Invalid);
}

#[tokio::test]
async fn a_removed_service_is_gone_and_its_name_free() {
    let cluster = Cluster::found().await;
    cluster.control.create_service(spec("web publish=80:8080")).await.unwrap();

    cluster.control.remove_service("web").await.unwrap();

    let again = cluster.control.remove_service("web").await.unwrap_err();
    assert_eq!((again.kind, again.message.as_str()), (Kind::NotFound, "service web not found"));
    cluster.control.create_service(spec("web publish=80:8080")).await.unwrap();
}

#[tokio::test]
async fn a_service_too_large_for_the_log_is_refused_with_its_size() {
    let cluster = Cluster::found().await;
    let mut large = spec("web");
    large.task.container.env = vec!["x".repeat(2 << 20)];

    let error = cluster.control.create_service(large).await.unwrap_err();

    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.message.contains("one change may take"), "{error}");
}

//! Names, and what taking them away does.

use image::{Error, Force, InUse, Prune, PruneScope, Removed};

use crate::support::{Layer, Store, docker_archive};

async fn store() -> Store {
    let store = Store::open().await;
    let base = Layer::new().file("base", b"1").tar();
    let one = Layer::new().file("one", b"22").tar();
    let images: [(&[&str], &[Vec<u8>]); 2] = [(&["one:1"], &[base.clone(), one]), (&["two:1"], &[base])];
    store.load(docker_archive(&images)).await.unwrap();
    store
}

fn user(store: &Store, name: &str, is_running: bool) -> Vec<InUse> {
    let image = store.images.inspect(name).unwrap().id;
    vec![InUse { image, container: "0123456789abcdef".into(), is_running }]
}

#[tokio::test]
async fn images_are_found_by_name_id_and_beginning_of_id() {
    let store = store().await;
    let id = store.images.inspect("one:1").unwrap().id;

    for name in [
        "docker.io/library/one:1",
        &id.to_string(),
        &id.hex(),
        &id.short(),
        &format!("sha256:{}", id.short()),
    ] {
        assert_eq!(store.images.inspect(name).unwrap().id, id, "{name}");
    }
    for (name, shown) in
        [("one", "one:latest"), ("three:1", "three:1"), ("UPPER", "UPPER"), ("", ""), ("sha256:", "sha256:")]
    {
        let error = store.images.inspect(name).unwrap_err();
        assert_eq!(error.to_string(), format!("No such image: {shown}"));
    }
}

#[tokio::test]
async fn tag_moves_from_image_to_image() {
    let store = store().await;
    let (one, two) = (store.images.inspect("one:1").unwrap().id, store.images.inspect("two:1").unwrap().id);
    let name = "registry.example/app:prod".parse().unwrap();

    store.images.tag("one:1", &name).await.unwrap();
    assert_eq!(store.images.inspect("registry.example/app:prod").unwrap().id, one);
    store.images.tag(&two.short(), &name).await.unwrap();

    assert_eq!(store.images.inspect("registry.example/app:prod").unwrap().id, two);
    assert_eq!(store.images.inspect("one:1").unwrap().repo_tags, ["one:1"]);
    let pinned = name.pinned(one);
    assert!(matches!(store.images.tag("one:1", &pinned).await, Err(Error::TagWithDigest)));
}

#[tokio::test]
async fn image_goes_with_its_last_name_and_shared_layers_stay() {
    let store = store().await;
    let one = store.images.inspect("one:1").unwrap();
    store.images.tag("one:1", &"other:9".parse().unwrap()).await.unwrap();

    let first = store.images.remove("other:9", Force::No, Vec::new()).await.unwrap();
    let last = store.images.remove("one:1", Force::No, Vec::new()).await.unwrap();

    assert_eq!(first, [Removed::Untagged("other:9".into())]);
    let layer = Removed::Deleted(one.diff_ids[1].to_string());
    assert_eq!(last, [Removed::Untagged("one:1".into()), Removed::Deleted(one.id.to_string()), layer]);
    assert!(!one.layers[0].exists() && one.layers[1].exists());
    store.assert_clean(1);
}

async fn conflict(store: &Store, name: &str, force: Force, users: Vec<InUse>, expected: &str) {
    match store.images.remove(name, force, users).await {
        Err(Error::Conflict(text)) => assert_eq!(text, expected),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn used_images_are_kept_in_dockers_words() {
    let store = store().await;
    let id = store.images.inspect("one:1").unwrap().id.short();
    let (running, stopped) = (user(&store, "one:1", true), user(&store, "one:1", false));
    let by_name = format!(
        "conflict: unable to remove repository reference \"one:1\" (must force) - container 0123456789ab is using its referenced image {id}"
    );
    let by_id = format!(
        "conflict: unable to delete {id} (cannot be forced) - image is being used by running container 0123456789ab"
    );
    let by_id_stopped = format!(
        "conflict: unable to delete {id} (must be forced) - image is being used by stopped container 0123456789ab"
    );
    conflict(&store, "one:1", Force::No, running.clone(), &by_name).await;
    conflict(&store, &id, Force::Yes, running.clone(), &by_id).await;
    conflict(&store, &id, Force::No, stopped.clone(), &by_id_stopped).await;
    store.images.tag("one:1", &"elsewhere/one:1".parse().unwrap()).await.unwrap();
    let several = format!(
        "conflict: unable to delete {id} (must be forced) - image is referenced in multiple repositories"
    );
    conflict(&store, &id, Force::No, Vec::new(), &several).await;

    store.images.remove("elsewhere/one:1", Force::No, running.clone()).await.unwrap();
    store.images.remove("one:1", Force::Yes, running).await.unwrap();
    assert!(
        store.images.inspect(&id).unwrap().repo_tags.is_empty(),
        "a running container keeps the image, not its name"
    );
    store.images.remove(&id, Force::Yes, stopped).await.unwrap();
    store.assert_clean(1);
}

#[tokio::test]
async fn prune_takes_what_nobody_needs() {
    let store = store().await;
    let users = user(&store, "two:1", false);

    let nothing = store.images.prune(&Prune::default(), Vec::new()).await.unwrap();
    let unused = Prune { scope: PruneScope::Unused, ..Prune::default() };
    let pruned = store.images.prune(&unused, users).await.unwrap();

    assert!(nothing.removed.is_empty());
    assert_eq!(pruned.removed[0], Removed::Untagged("one:1".into()));
    assert_eq!(pruned.reclaimed_bytes, 2);
    assert_eq!(store.images.list().len(), 1);
    store.assert_clean(1);
}

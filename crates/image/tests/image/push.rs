//! Pushes to Debian's own registry, and what comes back from it.

use image::{Auth, Digest, Error, ErrorKind, Progress, Reference, Reporter};
use serde_json::Value;

use crate::support::proxy::{Cut, Proxy};
use crate::support::{Door, Layer, PASSWORD_LINE, Registry, Store, docker_archive, incompressible};

fn two_layers(name: &str) -> Vec<u8> {
    let base = Layer::new().file("base", &[b'b'; 100_000]).tar();
    let top = Layer::new().file("name", name.as_bytes()).tar();
    docker_archive(&[(&[name], &[base, top])])
}

fn named(address: &str, rest: &str) -> Reference {
    format!("{address}/{rest}").parse().unwrap()
}

/// Pushes, and returns what was told meanwhile.
async fn push(store: &Store, name: &Reference) -> (Result<image::Pushed, Error>, Vec<Progress>) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10_000);
    let outcome = store.images.push(name, None, &Reporter::to(sender)).await;
    let mut lines = Vec::new();
    while let Some(line) = receiver.recv().await {
        lines.push(line);
    }
    (outcome, lines)
}

fn count(lines: &[Progress], status: &str) -> usize {
    lines.iter().filter(|line| line.status == status).count()
}

#[tokio::test]
async fn all_tags_of_a_repository_are_pushed_at_once() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    let [one, two, other] =
        ["team/web:1", "team/web:2", "team/web2:1"].map(|name| named(&registry.address, name));
    store.load(two_layers("web:1")).await.unwrap();
    store.load(two_layers("web:2")).await.unwrap();
    for (source, name) in [("web:1", &one), ("web:2", &two), ("web:2", &other)] {
        store.images.tag(source, name).await.unwrap();
    }
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10_000);

    let names = store.images.tags_of(&named(&registry.address, "team/web")).unwrap();
    let pushed = store.images.push_all(&names, None, &Reporter::to(sender)).await.unwrap();

    let mut lines = Vec::new();
    while let Some(line) = receiver.recv().await {
        lines.push(line);
    }
    assert_eq!(names, [one, two]);
    assert_eq!(pushed.iter().map(|pushed| pushed.tag.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    let about = format!("The push refers to repository [{}/team/web]", registry.address);
    assert_eq!(count(&lines, &about), 1);
    for pushed in &pushed {
        assert_eq!(Digest::of(registry.get_manifest("team/web", &pushed.tag).as_bytes()), pushed.digest);
    }
    let missing = store.images.tags_of(&named(&registry.address, "team/none")).unwrap_err();
    assert!(matches!(missing, Error::NothingToPush(_)), "{missing}");
}

#[tokio::test]
async fn pushed_image_comes_back_the_same() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    let name = named(&registry.address, "team/web:1");
    store.load(two_layers("web:1")).await.unwrap();
    store.images.tag("web:1", &name).await.unwrap();

    let (pushed, lines) = push(&store, &name).await;

    let pushed = pushed.unwrap();
    assert_eq!(lines[0].status, format!("The push refers to repository [{}/team/web]", registry.address));
    assert_eq!((count(&lines, "Preparing"), count(&lines, "Pushed")), (2, 2), "{lines:?}");
    assert!(count(&lines, "Pushing") > 0, "{lines:?}");
    let last_but_one = format!("1: digest: {} size: {}", pushed.digest, pushed.size_bytes);
    assert_eq!(lines[lines.len() - 2].status, last_but_one);
    assert_eq!(lines.last().unwrap().pushed.as_ref(), Some(&pushed));
    let manifest = registry.get_manifest("team/web", "1");
    assert_eq!(Digest::of(manifest.as_bytes()), pushed.digest);
    let here = store.images.inspect("web:1").unwrap();
    assert_eq!(here.repo_digests, [format!("{}/team/web@{}", registry.address, pushed.digest)]);
    let other = Store::open().await;
    let there = other.images.pull(&name, None, None, &Reporter::none()).await.unwrap();
    assert_eq!(there.id, here.id);
    assert_eq!(there.diff_ids, here.diff_ids);
}

#[tokio::test]
async fn second_push_and_one_of_what_was_pulled_send_nothing() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    let name = named(&registry.address, "web:1");
    // Packed by another program, and so with other digests than ours.
    registry.push(&two_layers("web:1"), "web:1", &["--dest-compress-format", "zstd", "--format", "oci"]);
    let before = registry.get_manifest("web", "1");
    let blobs = registry.blobs();
    store.images.pull(&name, None, None, &Reporter::none()).await.unwrap();

    for _ in 0..2 {
        let (pushed, lines) = push(&store, &name).await;

        assert_eq!(pushed.unwrap().digest, Digest::of(before.as_bytes()), "the manifest is kept");
        assert_eq!((count(&lines, "Layer already exists"), count(&lines, "Pushed")), (2, 0), "{lines:?}");
    }
    assert_eq!(registry.blobs(), blobs);
}

#[tokio::test]
async fn layers_of_another_repository_are_mounted() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&two_layers("base:1"), "library/base:1", &[]);
    let base = named(&registry.address, "library/base:1");
    store.images.pull(&base, None, None, &Reporter::none()).await.unwrap();
    let blobs = registry.blobs();
    let other = named(&registry.address, "team/other:2");
    store.images.tag(&base.familiar(), &other).await.unwrap();

    let proxied = Proxy::start(&registry.address, Cut::NEVER);
    let (pushed, lines) = push(&store, &other).await;

    assert_eq!(count(&lines, "Mounted from library/base"), 2, "{lines:?}");
    assert_eq!(registry.blobs(), blobs, "neither layers nor configuration were sent again");
    let reread = registry.get_manifest("team/other", "2");
    assert_eq!(pushed.unwrap().digest, Digest::of(reread.as_bytes()));
    // Another address is another registry, which is not believed what this one says.
    let elsewhere = named(&proxied.address, "team/other:2");
    store.images.tag(&base.familiar(), &elsewhere).await.unwrap();
    let (pushed, lines) = push(&store, &elsewhere).await;
    assert!(pushed.is_ok());
    assert_eq!(count(&lines, "Pushed"), 2, "{lines:?}");
}

#[tokio::test]
async fn push_goes_on_after_its_connection_was_cut() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    store.load(incompressible("big:1")).await.unwrap();

    let proxy = Proxy::start(&registry.address, Cut { requests: 2 << 20, times: 2, ..Cut::NEVER });
    let name = named(&proxy.address, "big:1");
    store.images.tag("big:1", &name).await.unwrap();
    let (pushed, _) = push(&store, &name).await;

    pushed.unwrap();
    let fresh = Store::open().await;
    let image = fresh.images.pull(&named(&registry.address, "big:1"), None, None, &Reporter::none()).await;
    assert_eq!(image.unwrap().id, store.images.inspect("big:1").unwrap().id);
}

#[tokio::test]
async fn push_that_never_gets_through_is_given_up() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    store.load(incompressible("big:1")).await.unwrap();

    let proxy = Proxy::start(&registry.address, Cut { requests: 1 << 20, times: 1000, ..Cut::NEVER });
    let name = named(&proxy.address, "big:1");
    store.images.tag("big:1", &name).await.unwrap();
    let (pushed, _) = push(&store, &name).await;

    let error = pushed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.explain().contains("broke off"), "{}", error.explain());
}

#[tokio::test]
async fn push_wants_the_right_password_and_an_image() {
    let (registry, store) = (Registry::start(Door::Password(PASSWORD_LINE)), Store::open().await);
    store.load(two_layers("web:1")).await.unwrap();
    let name = named(&registry.address, "web:1");
    let nothing = push(&store, &name).await.0.unwrap_err();
    store.images.tag("web:1", &name).await.unwrap();
    let auth =
        |password: &str| Auth { username: "user".into(), password: password.into(), ..Auth::default() };

    let nobody = push(&store, &name).await.0.unwrap_err();
    let wrong = store.images.push(&name, Some(&auth("guess")), &Reporter::none()).await.unwrap_err();
    let right = store.images.push(&name, Some(&auth("secret")), &Reporter::none()).await;

    let shown = format!("An image does not exist locally with the tag: {}", name.familiar_name());
    assert_eq!(nothing.explain(), shown);
    assert_eq!(nobody.kind(), ErrorKind::Unauthorized, "{nobody:?}");
    assert!(nobody.explain().contains("docker login"), "{}", nobody.explain());
    assert_eq!(wrong.kind(), ErrorKind::Unauthorized, "{wrong:?}");
    right.unwrap();
}

#[tokio::test]
async fn layer_whose_files_were_changed_is_not_pushed() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    store.load(two_layers("web:1")).await.unwrap();
    let name = named(&registry.address, "web:1");
    store.images.tag("web:1", &name).await.unwrap();
    let top = &store.images.inspect("web:1").unwrap().layers[0];
    std::fs::write(top.join("name"), b"WEB:1").unwrap();

    let error = push(&store, &name).await.0.unwrap_err();

    assert!(error.explain().contains("does not come out with its digest"), "{}", error.explain());
    let answer = registry.get_manifest("web", "1");
    assert!(serde_json::from_str::<Value>(&answer).unwrap()["errors"].is_array(), "{answer}");
}

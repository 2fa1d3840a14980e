//! Pulls from Debian's own registry, pushed to by skopeo.

use std::fs;

use image::{Auth, Digest, ErrorKind, Platform, Reference, Reporter};
use serde_json::{Value, json};

use crate::support::proxy::{Cut, Proxy};
use crate::support::{
    Door, Layer, PASSWORD_LINE, Registry, Store, docker_archive, host_architecture, incompressible,
};

fn sample(text: &str) -> Vec<u8> {
    let base = Layer::new().file("base", &[b'b'; 100_000]).tar();
    let top = Layer::new().file("name", text.as_bytes()).whiteout(".wh.base").tar();
    docker_archive(&[(&["sample:1"], &[base, top])])
}

fn name(registry: &Registry, rest: &str) -> Reference {
    format!("{}/{rest}", registry.address).parse().unwrap()
}

async fn pull(store: &Store, name: &Reference) -> Result<image::Image, image::Error> {
    store.images.pull(name, None, None, &Reporter::none()).await
}

#[tokio::test]
async fn pull_tells_its_progress_and_a_second_one_finds_all_there() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&sample("one"), "web:1", &[]);
    let name = name(&registry, "web:1");
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1000);

    let image = store.images.pull(&name, None, None, &Reporter::to(sender)).await.unwrap();

    let mut lines = Vec::new();
    while let Some(line) = receiver.recv().await {
        lines.push(line);
    }
    assert_eq!(
        (lines[0].id.as_deref(), lines[0].status.clone()),
        (Some("1"), format!("Pulling from {}/web", registry.address))
    );
    for (status, count) in [("Pulling fs layer", 2), ("Download complete", 2), ("Pull complete", 2)] {
        assert_eq!(lines.iter().filter(|line| line.status == status).count(), count, "{status}: {lines:?}");
    }
    assert!(
        lines
            .iter()
            .any(|line| line.status == "Downloading" && line.detail.is_some_and(|detail| detail.total > 0))
    );
    assert_eq!(
        lines.last().unwrap().status,
        format!("Status: Downloaded newer image for {}", name.familiar())
    );
    assert_eq!(image.repo_tags, [name.familiar()]);
    assert!(image.repo_digests[0].starts_with(&format!("{}/web@sha256:", registry.address)));
    assert_eq!(fs::read(image.layers[0].join("name")).unwrap(), b"one");
    store.assert_clean(2);

    let (sender, mut receiver) = tokio::sync::mpsc::channel(1000);
    store.images.pull(&name, None, None, &Reporter::to(sender)).await.unwrap();
    let mut lines = Vec::new();
    while let Some(line) = receiver.recv().await {
        lines.push(line.status);
    }
    assert_eq!(lines.iter().filter(|line| *line == "Already exists").count(), 2, "{lines:?}");
    assert_eq!(*lines.last().unwrap(), format!("Status: Image is up to date for {}", name.familiar()));
}

#[tokio::test]
async fn moved_tag_leaves_the_old_image_its_digest() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    let name = name(&registry, "web:1");
    registry.push(&sample("old"), "web:1", &[]);
    let old = pull(&store, &name).await.unwrap();
    registry.push(&sample("new"), "web:1", &[]);

    let new = pull(&store, &name).await.unwrap();

    assert_ne!(old.id, new.id);
    let old = store.images.inspect(&old.id.to_string()).unwrap();
    assert!(old.repo_tags.is_empty() && old.repo_digests.len() == 1, "{old:?}");
    assert_eq!(store.images.inspect(&old.repo_digests[0]).unwrap().id, old.id);
    assert_eq!(store.images.find(&name.familiar()).unwrap().id, new.id);
    store.assert_clean(3);
}

#[tokio::test]
async fn pinned_names_are_pulled_and_found_by_their_digest() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&sample("one"), "web:1", &[]);
    let distribution = store.images.digest_of(&name(&registry, "web:1"), None).await.unwrap();
    let pinned = name(&registry, "web:1").pinned(distribution.digest);

    let image = pull(&store, &pinned).await.unwrap();

    assert_eq!(distribution.platforms.len(), 1);
    assert_eq!(distribution.platforms[0].architecture, host_architecture());
    assert!(distribution.media_type.contains("manifest"), "{distribution:?}");
    assert!(image.repo_tags.is_empty());
    assert_eq!(store.images.find(&pinned.to_string()).unwrap().id, image.id);
}

#[tokio::test]
async fn zstd_layers_are_pulled() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&sample("z"), "web:1", &["--dest-compress-format", "zstd", "--format", "oci"]);

    let image = pull(&store, &name(&registry, "web:1")).await.unwrap();

    assert_eq!(fs::read(image.layers[0].join("name")).unwrap(), b"z");
}

#[tokio::test]
async fn index_gives_each_platform_its_image() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let mut entries = Vec::new();
    for (tag, architecture) in [("here", host_architecture()), ("there", "s390x")] {
        registry.push(&sample(tag), &format!("web:{tag}"), &[]);
        let manifest = registry.get_manifest("web", tag);
        entries.push(
            json!({"mediaType": docker, "size": manifest.len(), "digest": Digest::of(manifest.as_bytes()),
            "platform": {"os": "linux", "architecture": architecture}}),
        );
    }
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let put = |tag: &str, entries: &[Value]| {
        let body = json!({"schemaVersion": 2, "mediaType": list, "manifests": entries}).to_string();
        registry.put_manifest("web", tag, list, body.as_bytes());
    };
    put("both", &entries);
    put("foreign", &entries[1..]);

    let image = pull(&store, &name(&registry, "web:both")).await.unwrap();
    let distribution = store.images.digest_of(&name(&registry, "web:both"), None).await.unwrap();
    let error = pull(&store, &name(&registry, "web:foreign")).await.unwrap_err();

    assert_eq!(fs::read(image.layers[0].join("name")).unwrap(), b"here");
    assert!(image.repo_digests[0].ends_with(&distribution.digest.to_string()), "the index is what is pinned");
    assert_eq!(distribution.platforms.len(), 2);
    assert_eq!(distribution.media_type, list);
    let expected = format!("no matching manifest for {} in the manifest list entries", Platform::host());
    assert_eq!(error.explain(), expected);
    let wanted: Platform = "linux/s390x".parse().unwrap();
    let other = store
        .images
        .pull(&name(&registry, "web:both"), None, Some(&wanted), &Reporter::none())
        .await
        .unwrap();
    assert_eq!(fs::read(other.layers[0].join("name")).unwrap(), b"there");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_pulls_fetch_each_layer_once() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&sample("one"), "web:1", &[]);
    registry.push(&sample("two"), "web:2", &[]);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10_000);
    let mut pulls = tokio::task::JoinSet::new();

    for number in 0..12 {
        let (images, reporter) = (store.images.clone(), Reporter::to(sender.clone()));
        let name = name(&registry, if number % 2 == 0 { "web:1" } else { "web:2" });
        pulls.spawn(async move { images.pull(&name, None, None, &reporter).await.map(drop) });
    }
    drop(sender);
    while let Some(pulled) = pulls.join_next().await {
        pulled.unwrap().unwrap();
    }

    let mut complete = 0;
    while let Some(line) = receiver.recv().await {
        complete += usize::from(line.status == "Pull complete");
    }
    assert_eq!(complete, 3, "three different layers");
    assert_eq!(store.images.list().len(), 2);
    store.assert_clean(3);
}

#[tokio::test]
async fn tls_registry_is_trusted_by_its_own_authority_alone() {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = parameters.self_signed(&authority).unwrap().pem();
    let issuer = rcgen::Issuer::new(parameters, authority);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf_pem = leaf.signed_by(&key, &issuer).unwrap().pem();
    let registry = Registry::start(Door::Tls(&leaf_pem, &key.serialize_pem()));
    registry.push(&sample("tls"), "web:1", &[]);
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("ca.pem");
    fs::write(&roots, authority_pem).unwrap();

    let trusting = Store::open_with(|config| config.extra_roots = vec![roots]).await;
    let strange = Store::open().await;
    let image = pull(&trusting, &name(&registry, "web:1")).await.unwrap();
    let error = pull(&strange, &name(&registry, "web:1")).await.unwrap_err();

    assert_eq!(fs::read(image.layers[0].join("name")).unwrap(), b"tls");
    assert!(error.explain().contains("certificate that is not trusted"), "{}", error.explain());
    strange.assert_clean(0);
}

#[tokio::test]
async fn private_registry_wants_the_right_password() {
    let registry = Registry::start(Door::Password(PASSWORD_LINE));
    let store = Store::open().await;
    registry.push(&sample("private"), "web:1", &["--dest-creds", "user:secret"]);
    let name = name(&registry, "web:1");
    let auth =
        |password: &str| Auth { username: "user".into(), password: password.into(), ..Auth::default() };

    let nobody = pull(&store, &name).await.unwrap_err();
    let wrong = store.images.pull(&name, Some(&auth("guess")), None, &Reporter::none()).await.unwrap_err();
    let right = store.images.pull(&name, Some(&auth("secret")), None, &Reporter::none()).await.unwrap();

    assert_eq!(nobody.kind(), ErrorKind::NotFound);
    let expected = format!(
        "pull access denied for {}/web, repository does not exist or may require 'docker login'",
        registry.address
    );
    assert!(nobody.explain().starts_with(&expected), "{}", nobody.explain());
    assert_eq!(wrong.kind(), ErrorKind::Unauthorized, "{wrong:?}");
    assert_eq!(right.repo_tags, [name.familiar()]);
}

#[tokio::test]
async fn unknown_images_and_dead_registries_are_named() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&sample("one"), "web:1", &[]);
    let address = registry.address.clone();

    let tag = pull(&store, &name(&registry, "web:none")).await.unwrap_err();
    let repository = pull(&store, &name(&registry, "nothing")).await.unwrap_err();
    let gone = name(&registry, "web:1");
    drop(registry);
    let dead = pull(&store, &gone).await.unwrap_err();

    assert_eq!(
        tag.explain(),
        format!("manifest for {address}/web:none not found: manifest unknown: manifest unknown")
    );
    assert_eq!((tag.kind(), repository.kind()), (ErrorKind::NotFound, ErrorKind::NotFound));
    assert!(dead.explain().contains(&format!("cannot reach registry {address}")), "{}", dead.explain());
    assert!(dead.explain().contains("Connection refused"), "{}", dead.explain());
    store.assert_clean(0);
}

#[tokio::test]
async fn content_that_was_changed_in_the_registry_is_refused() {
    for change in ["flip", "cut", "grow"] {
        let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
        registry.push(&sample("one"), "web:1", &[]);
        let manifest: Value = serde_json::from_str(&registry.get_manifest("web", "1")).unwrap();
        let blob = registry.blob(manifest["layers"][0]["digest"].as_str().unwrap());
        let mut bytes = fs::read(&blob).unwrap();
        match change {
            "flip" => *bytes.last_mut().unwrap() ^= 1,
            "cut" => bytes.truncate(bytes.len() - 10),
            _ => bytes.extend_from_slice(b"more"),
        }
        fs::write(&blob, &bytes).unwrap();

        let error = pull(&store, &name(&registry, "web:1")).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Invalid, "{change}: {error:?}");
        store.assert_clean(0);
    }
}

#[tokio::test]
async fn download_that_breaks_off_is_taken_up_where_it_was() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&incompressible("big:1"), "big:1", &["--dest-compress-format", "zstd", "--format", "oci"]);

    let proxy = Proxy::start(&registry.address, Cut { answers: 1 << 20, times: 2, ..Cut::NEVER });
    let image = pull(&store, &format!("{}/big:1", proxy.address).parse().unwrap()).await.unwrap();

    assert_eq!(image.size_bytes, 4_000_000);
    let requests = proxy.requests();
    let ranges = requests.to_ascii_lowercase().matches("\r\nrange: bytes=").count();
    assert_eq!(ranges, 2, "{requests}");
    assert!(proxy.answered() < 5_000_000, "{} bytes for one of four million", proxy.answered());
    store.assert_clean(1);
}

#[tokio::test]
async fn download_that_never_gets_far_is_given_up() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&incompressible("big:1"), "big:1", &[]);

    let proxy = Proxy::start(&registry.address, Cut { answers: 32 << 10, times: 1000, ..Cut::NEVER });
    let error = pull(&store, &format!("{}/big:1", proxy.address).parse().unwrap()).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.explain().contains("broke off"), "{}", error.explain());
    store.assert_clean(0);
}

#[tokio::test]
async fn pull_that_is_given_up_leaves_nothing() {
    let (registry, store) = (Registry::start(Door::Plain), Store::open().await);
    registry.push(&incompressible("big:1"), "big:1", &[]);
    let name = name(&registry, "big:1");
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1000);
    let images = store.images.clone();
    let pulling =
        tokio::spawn(async move { images.pull(&name, None, None, &Reporter::to(sender)).await.map(drop) });

    while let Some(line) = receiver.recv().await {
        if line.status == "Pulling fs layer" {
            pulling.abort();
        }
    }

    assert!(pulling.await.unwrap_err().is_cancelled());
    // A thread that was to unpack may only begin by now; it sees that nobody wants the layer, and takes all away.
    let left = |name: &str| fs::read_dir(store.root().join(name)).unwrap().count();
    store.images.gc().await.unwrap();
    crate::support::eventually("nothing is left", || left("tmp") + left("layers") + left("blobs") == 0);
}

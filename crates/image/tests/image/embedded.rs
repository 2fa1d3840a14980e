//! The image made of a program of this machine.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use image::Reference;

use crate::support::Store;

fn name() -> Reference {
    "drover/whoami".parse().unwrap()
}

fn write_program(store: &Store, content: &[u8]) -> std::path::PathBuf {
    let path = store.directory.path().join("program");
    let fresh = store.directory.path().join("program.new");
    fs::write(&fresh, content).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&fresh, &path).unwrap();
    path
}

#[tokio::test]
async fn program_becomes_an_image_that_shares_its_file() {
    let store = Store::open().await;
    let program = write_program(&store, &[7; 100_000]);

    let image = store.images.install_embedded(&name(), &program).await.unwrap();

    let inside = fs::metadata(image.layers[0].join("drover")).unwrap();
    assert_eq!(inside.ino(), fs::metadata(&program).unwrap().ino());
    assert_eq!(image.config.entrypoint.as_deref().unwrap(), ["/drover", "whoami"]);
    assert_eq!(image.config.exposed_ports, ["8080/tcp"]);
    assert_eq!(image.repo_tags, ["drover/whoami:latest"]);
    assert_eq!(store.images.find("drover/whoami").unwrap(), image);
    store.assert_clean(1);
}

#[tokio::test]
async fn same_program_is_recognised_without_being_read() {
    let store = Store::open().await;
    let program = write_program(&store, &[7; 100_000]);
    let first = store.images.install_embedded(&name(), &program).await.unwrap();
    let list = store.root().join("images.json");
    let before = fs::metadata(&list).unwrap().ino();

    let second = store.images.install_embedded(&name(), &program).await.unwrap();
    let elsewhere = Store::open().await;
    let third = elsewhere.images.install_embedded(&name(), &program).await.unwrap();

    assert_eq!(first, second);
    assert_eq!(fs::metadata(&list).unwrap().ino(), before, "nothing was written");
    assert_eq!(third.id, first.id);
}

#[tokio::test]
async fn changed_program_is_installed_again() {
    let store = Store::open().await;
    let old = store.images.install_embedded(&name(), &write_program(&store, b"old")).await.unwrap();

    let new = store.images.install_embedded(&name(), &write_program(&store, b"new")).await.unwrap();

    assert_ne!(old.id, new.id);
    assert_eq!(fs::read(new.layers[0].join("drover")).unwrap(), b"new");
    assert_eq!(fs::read(old.layers[0].join("drover")).unwrap(), b"old", "running containers keep theirs");
    assert_eq!(store.images.find("drover/whoami").unwrap().id, new.id);
}

#[tokio::test]
async fn embedded_image_saves_and_loads_like_any_other() {
    let store = Store::open().await;
    let image = store.images.install_embedded(&name(), &write_program(&store, &[3; 1000])).await.unwrap();
    let file = store.directory.path().join("saved.tar");
    store
        .images
        .save(&["drover/whoami".into()], tokio::fs::File::create(&file).await.unwrap())
        .await
        .unwrap();
    let elsewhere = Store::open().await;

    elsewhere.load(fs::read(&file).unwrap()).await.unwrap();

    let loaded = elsewhere.images.inspect("drover/whoami").unwrap();
    assert_eq!(loaded.id, image.id);
    assert_eq!(fs::metadata(loaded.layers[0].join("drover")).unwrap().mode() & 0o7777, 0o755);
}

#[tokio::test]
async fn missing_program_is_named() {
    let store = Store::open().await;

    let error =
        store.images.install_embedded(&name(), std::path::Path::new("/no/such/program")).await.unwrap_err();

    assert!(error.explain().contains("/no/such/program"), "{}", error.explain());
    store.assert_clean(0);
}

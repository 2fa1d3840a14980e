//! What a store looks like after crashes, damage and rivals.

use std::fs;

use image::{Config, Error, Images};
use tempfile::TempDir;

use crate::support::{Layer, Store, docker_archive};

async fn closed_store() -> (TempDir, Config, image::Image) {
    let Store { images, directory } = Store::open().await;
    let config = Config { root: directory.path().join("images"), ..Config::default() };
    let layers = [Layer::new().file("a", b"1").tar(), Layer::new().file("b", b"2").tar()];
    images
        .load(std::io::Cursor::new(docker_archive(&[(&["web:1"], &layers)])), &image::Reporter::none())
        .await
        .unwrap();
    let image = images.inspect("web:1").unwrap();
    (directory, config, image)
}

#[tokio::test]
async fn images_outlive_the_process() {
    let (_directory, config, before) = closed_store().await;

    let images = Images::open(config).await.unwrap();

    assert_eq!(images.inspect("web:1").unwrap(), before);
}

#[tokio::test]
async fn leftovers_of_a_crash_are_swept_out() {
    let (_directory, config, before) = closed_store().await;
    let root = &config.root;
    fs::create_dir_all(root.join("tmp/77-1/fs/deep")).unwrap();
    fs::write(root.join("tmp/77-1/fs/deep/file"), b"x").unwrap();
    fs::create_dir_all(root.join("layers/9/fs")).unwrap();
    fs::create_dir_all(root.join("layers/10/fs")).unwrap();
    fs::write(root.join("layers/10/layer.json"), b"{").unwrap();
    fs::write(root.join("blobs").join("ab".repeat(32)), b"unreferenced").unwrap();
    fs::write(root.join("images.half"), b"{").unwrap();

    let images = Images::open(config.clone()).await.unwrap();

    assert_eq!(images.list(), [before]);
    assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(root.join("layers")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(root.join("blobs")).unwrap().count(), 1);
}

#[tokio::test]
async fn image_without_its_layer_is_dropped() {
    let (_directory, config, before) = closed_store().await;
    fs::remove_dir_all(before.layers[0].parent().unwrap()).unwrap();

    let images = Images::open(config).await.unwrap();

    assert!(images.list().is_empty());
    assert!(images.find("web:1").is_none());
}

#[tokio::test]
async fn damaged_list_stops_the_start_and_is_named() {
    let (_directory, config, _) = closed_store().await;
    let path = config.root.join("images.json");
    fs::write(&path, b"{\"images\":").unwrap();

    let error = Images::open(config.clone()).await.unwrap_err();

    assert!(error.explain().contains(&path.display().to_string()), "{}", error.explain());
    assert_eq!(fs::read_dir(config.root.join("layers")).unwrap().count(), 2, "nothing is lost");
}

#[tokio::test]
async fn second_process_is_kept_out() {
    let (_directory, config, _) = closed_store().await;
    let first = Images::open(config.clone()).await.unwrap();

    let error = Images::open(config.clone()).await.unwrap_err();
    drop(first);

    assert!(matches!(error, Error::RootInUse { .. }), "{error:?}");
    Images::open(config).await.unwrap();
}

#[tokio::test]
async fn every_operation_may_move_between_threads() {
    fn assert_send<T: Send>(work: T) -> T {
        work
    }
    let store = Store::open().await;
    let images = &store.images;
    let (name, nobody) = ("127.0.0.1:1/x".parse().unwrap(), image::Reporter::none());

    assert!(assert_send(images.digest_of(&name, None)).await.is_err());
    assert!(assert_send(images.pull(&name, None, None, &nobody)).await.is_err());
    assert!(assert_send(images.push(&name, None, &nobody)).await.is_err());
    assert!(assert_send(images.login("127.0.0.1:1", &image::Auth::default())).await.is_err());
    assert!(assert_send(images.import(tokio::io::repeat(1), image::Import::default())).await.is_err());
    assert!(assert_send(images.collect(&[], image::Watermark::default())).await.is_ok());
    assert!(assert_send(images.load(tokio::io::empty(), &nobody)).await.is_err());
    assert!(assert_send(images.save(&["x".to_owned()], tokio::io::sink())).await.is_err());
    assert!(assert_send(images.tag("x", &name)).await.is_err());
    assert!(assert_send(images.remove("x", image::Force::No, Vec::new())).await.is_err());
    assert!(assert_send(images.prune(&image::Prune::default(), Vec::new())).await.is_ok());
    assert!(assert_send(images.gc()).await.is_ok());
    store.assert_clean(0);
}

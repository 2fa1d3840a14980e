//! Images made of a root directory's files.

use image::{Import, Platform};

use crate::support::{Layer, Store, gzip};

#[tokio::test]
async fn root_archive_becomes_an_image_that_starts_as_told() {
    let store = Store::open().await;
    let tar = Layer::new().directory("etc").file("etc/name", b"imported").tar();
    let import = Import {
        name: Some("made:1".parse().unwrap()),
        message: "by hand".to_owned(),
        changes: vec![r#"CMD ["/bin/app"]"#.to_owned(), "ENV A=b".to_owned(), "EXPOSE 80".to_owned()],
        platform: None,
    };

    let image = store.images.import(std::io::Cursor::new(gzip(&tar)), import).await.unwrap();

    assert_eq!(std::fs::read(image.layers[0].join("etc/name")).unwrap(), b"imported");
    assert_eq!(image.repo_tags, ["made:1"]);
    assert_eq!((image.comment.as_str(), image.diff_ids.len()), ("by hand", 1));
    assert_eq!(image.config.cmd.as_deref().unwrap(), ["/bin/app"]);
    assert_eq!(
        (image.config.env.join(" "), image.config.exposed_ports.join(" ")),
        ("A=b".into(), "80/tcp".into())
    );
    assert_eq!(image.platform.to_string(), Platform::host().to_string());
    assert!(image.created.starts_with("20"), "{}", image.created);
    let file = store.directory.path().join("saved.tar");
    let out = tokio::fs::File::create(&file).await.unwrap();
    store.images.save(&["made:1".to_owned()], out).await.unwrap();
    let elsewhere = Store::open().await;
    elsewhere.load(std::fs::read(&file).unwrap()).await.unwrap();
    assert_eq!(elsewhere.images.inspect("made:1").unwrap().id, image.id);
    store.assert_clean(1);
}

#[tokio::test]
async fn import_that_fails_leaves_nothing() {
    let store = Store::open().await;
    let import = |changes: &[&str]| Import {
        changes: changes.iter().map(|change| (*change).to_owned()).collect(),
        ..Import::default()
    };

    let bad_change = store.images.import(tokio::io::empty(), import(&["RUN x"])).await.unwrap_err();
    let bad_tar = store.images.import(&b"not a tar"[..], import(&[])).await.unwrap_err();

    assert_eq!(bad_change.explain(), "RUN is not a valid change command");
    assert!(bad_tar.explain().contains("the imported archive"), "{}", bad_tar.explain());
    assert_eq!((bad_change.kind(), bad_tar.kind()), (image::ErrorKind::Invalid, image::ErrorKind::Invalid));
    store.assert_clean(0);
}

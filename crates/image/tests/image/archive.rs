//! Archives of Docker and OCI, whole, packed, of several images, and broken.

use std::process::Command;

use crate::support::{Layer, Store, docker_archive, gzip, tar_of};

fn layer(text: &str) -> Vec<u8> {
    Layer::new().directory("etc/").file("etc/name", text.as_bytes()).symlink("link", "etc/name").tar()
}

#[tokio::test]
async fn several_images_of_one_archive_share_their_layers() {
    let store = Store::open().await;
    let (base, one, two) = (layer("base"), layer("one"), layer("two"));
    let images: [(&[&str], &[Vec<u8>]); 3] = [
        (&["one:1", "localhost:5000/one:latest"], &[base.clone(), one]),
        (&["two:1"], &[base.clone(), two]),
        (&[], &[base]),
    ];

    let loaded = store.load(gzip(&docker_archive(&images))).await.unwrap();

    let names: Vec<_> = loaded.iter().map(|loaded| loaded.name.as_deref()).collect();
    assert_eq!(names, [Some("one:1"), Some("localhost:5000/one:latest"), Some("two:1"), None]);
    let one = store.images.inspect("one:1").unwrap();
    assert_eq!(one.repo_tags, ["one:1", "localhost:5000/one:latest"]);
    assert_eq!(one.layers[1], store.images.inspect("two:1").unwrap().layers[1]);
    assert_eq!(one.config.cmd.unwrap(), ["/bin/app"]);
    assert_eq!((one.config.user.as_str(), one.config.working_dir.as_str()), ("7:8", "/srv"));
    assert_eq!(one.created, "2024-05-06T07:08:09Z");
    store.assert_clean(3);
}

#[tokio::test]
async fn oci_archives_of_a_real_tool_load_to_the_same_image() {
    let store = Store::open().await;
    let archive = docker_archive(&[(&["web:1"], &[layer("a"), layer("b")])]);
    let from = store.directory.path().join("docker.tar");
    std::fs::write(&from, &archive).unwrap();
    store.load(archive).await.unwrap();
    let expected = store.images.inspect("web:1").unwrap();

    for compression in ["gzip", "zstd"] {
        let to = store.directory.path().join(format!("{compression}.tar"));
        let copied = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--dest-compress-format", compression])
            .arg(format!("docker-archive:{}", from.display()))
            .arg(format!("oci-archive:{}:other/{compression}:2", to.display()))
            .output()
            .expect("run skopeo; apt-get install skopeo");
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let fresh = Store::open().await;

        let loaded = fresh.load(std::fs::read(&to).unwrap()).await.unwrap();

        assert_eq!(loaded[0].name.as_deref(), Some(format!("other/{compression}:2").as_str()));
        let image = fresh.images.inspect(&format!("other/{compression}:2")).unwrap();
        assert_eq!(image.diff_ids, expected.diff_ids);
        assert_eq!(std::fs::read(image.layers[0].join("etc/name")).unwrap(), b"b");
        fresh.assert_clean(2);
    }
}

#[tokio::test]
async fn saved_images_load_elsewhere_with_the_same_ids() {
    let store = Store::open().await;
    let odd = Layer::new()
        .pax(&[("SCHILY.xattr.user.x", b"y"), ("path", b"long-\xc3\xbc")])
        .file("short", &[9; 1000])
        .whiteout(".wh.gone")
        .hard_link("again", "long-\u{fc}")
        .tar();
    let archive = docker_archive(&[(&["one:1"], &[layer("base"), odd]), (&["two:1"], &[layer("base")])]);
    store.load(archive).await.unwrap();
    let file = store.directory.path().join("saved.tar");
    let out = tokio::fs::File::create(&file).await.unwrap();

    store.images.save(&["one:1".to_owned(), "two:1".to_owned()], out).await.unwrap();

    let elsewhere = Store::open().await;
    elsewhere.load(std::fs::read(&file).unwrap()).await.unwrap();
    for name in ["one:1", "two:1"] {
        assert_eq!(elsewhere.images.inspect(name).unwrap().id, store.images.inspect(name).unwrap().id);
    }
    let listed = Command::new("skopeo")
        .arg("inspect")
        .arg(format!("docker-archive:{}:one:1", file.display()))
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
}

async fn refuse(archive: Vec<u8>, expected: &str) {
    let store = Store::open().await;

    let error = store.load(archive).await.unwrap_err();

    assert!(error.explain().contains(expected), "{expected:?} is not in {:?}", error.explain());
    assert_eq!(error.kind(), image::ErrorKind::Invalid);
    store.assert_clean(0);
}

#[tokio::test]
async fn broken_archives_are_refused_with_nothing_left_behind() {
    let whole = docker_archive(&[(&["web:1"], &[layer("a")])]);
    refuse(Vec::new(), "holds no images").await;
    refuse(b"not a tar".to_vec(), "ends inside a header").await;
    refuse(tar_of(&[("readme".into(), b"x".to_vec())]), "holds no images").await;
    refuse(whole[..whole.len() / 2].to_vec(), "corrupt tar archive").await;
    let packed = gzip(&whole);
    refuse(packed[..packed.len() / 2].to_vec(), "read").await;
    refuse(tar_of(&[("manifest.json".into(), b"{".to_vec())]), "parse manifest.json").await;
    let manifest = br#"[{"Config":"c.json","RepoTags":["web:1"],"Layers":["l.tar"]}]"#.to_vec();
    refuse(tar_of(&[("manifest.json".into(), manifest.clone())]), "c.json is missing").await;
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":[]}}"#.to_vec();
    let files = [("manifest.json".into(), manifest), ("l.tar".into(), layer("a")), ("c.json".into(), config)];
    refuse(tar_of(&files), "differ in their number of layers").await;
    refuse(docker_archive(&[(&["Web:1"], &[layer("a")])]), "must be lowercase").await;
}

#[tokio::test]
async fn layer_that_is_not_what_the_image_says_is_refused() {
    let right = layer("a");
    let archive = docker_archive(&[(&["web:1"], &[right])]);
    let mut wrong = archive.clone();
    let place = wrong.windows(5).position(|window| window == b"link\0").unwrap();
    // The content of etc/name: the block after its header.
    let name = wrong.windows(9).position(|window| window == b"etc/name\0").unwrap();
    assert!(name < place);
    wrong[name + 512] = b'z';

    refuse(wrong, "the image is damaged").await;
}

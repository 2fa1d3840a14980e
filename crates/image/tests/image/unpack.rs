//! What layers may and may not do to the disk.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use crate::support::{Layer, Store, docker_archive, in_own_mounts, mount_overlay};
use tar::EntryType;

async fn load_one(store: &Store, layers: &[Vec<u8>]) -> image::Image {
    store.load(docker_archive(&[(&["test:1"], layers)])).await.unwrap();
    store.images.inspect("test:1").unwrap()
}

#[tokio::test]
async fn kinds_owners_modes_times_and_attributes_are_kept() {
    let store = Store::open().await;
    let layer = Layer::new()
        .directory("bin/")
        .special(|header| {
            header.set_path("bin/su").unwrap();
            header.set_mode(0o4755);
            header.set_uid(1000);
            header.set_gid(1001);
            header.set_mtime(1_234_567_890);
        })
        .symlink("bin/absolute", "/etc/passwd")
        .hard_link("bin/su2", "bin/su")
        .special(|header| {
            header.set_path("null").unwrap();
            header.set_entry_type(EntryType::Char);
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
            header.set_mode(0o666);
        })
        .entry(EntryType::Fifo, "pipe", "", b"")
        .pax(&[
            ("SCHILY.xattr.user.note", b"kept"),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/x"),
            ("mtime", b"12.5"),
        ])
        .file("noted", b"content")
        .special(|header| {
            header.set_path("tmp").unwrap();
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o1777);
            header.set_mtime(99);
        })
        .file("tmp/later", b"x")
        .tar();

    let image = load_one(&store, &[layer]).await;

    let root = &image.layers[0];
    let su = fs::metadata(root.join("bin/su")).unwrap();
    assert_eq!(
        (su.mode() & 0o7777, su.uid(), su.gid(), su.mtime(), su.nlink()),
        (0o4755, 1000, 1001, 1_234_567_890, 2)
    );
    assert_eq!(su.ino(), fs::metadata(root.join("bin/su2")).unwrap().ino());
    assert_eq!(fs::read_link(root.join("bin/absolute")).unwrap(), PathBuf::from("/etc/passwd"));
    let null = fs::metadata(root.join("null")).unwrap();
    assert!(null.file_type().is_char_device() && null.rdev() == nix::sys::stat::makedev(1, 3));
    assert!(fs::metadata(root.join("pipe")).unwrap().file_type().is_fifo());
    let noted = root.join("noted");
    assert_eq!(xattr::get(&noted, "user.note").unwrap().unwrap(), b"kept");
    assert_eq!(xattr::get(&noted, "trusted.overlay.redirect").unwrap(), None);
    assert_eq!(
        (fs::metadata(&noted).unwrap().mtime(), fs::metadata(&noted).unwrap().mtime_nsec()),
        (12, 500_000_000)
    );
    let tmp = fs::metadata(root.join("tmp")).unwrap();
    assert_eq!((tmp.mode() & 0o7777, tmp.mtime()), (0o1777, 99));
    assert_eq!(image.size_bytes, 8);
    store.assert_clean(1);
}

#[tokio::test]
async fn mounted_layers_show_what_upper_ones_deleted_and_replaced() {
    let store = Store::open().await;
    let lower = Layer::new()
        .directory("d/")
        .file("d/gone", b"1")
        .file("d/kept", b"2")
        .directory("opaque/")
        .file("opaque/hidden", b"3")
        .directory("redone/")
        .file("redone/old", b"4")
        .file("was-file", b"5")
        .tar();
    let upper = Layer::new()
        .directory("d/")
        .whiteout("d/.wh.gone")
        .whiteout("d/.wh.never-there")
        .directory("opaque/")
        .whiteout("opaque/.wh..wh..opq")
        .file("opaque/new", b"6")
        .whiteout(".wh.redone")
        .directory("redone/")
        .file("redone/new", b"7")
        .directory("was-file/")
        .file("was-file/inside", b"8")
        .whiteout(".wh..wh.plnk")
        .tar();

    let image = load_one(&store, &[lower, upper]).await;

    let target = store.directory.path().join("merged");
    let seen = in_own_mounts(|| {
        mount_overlay(&image.layers, &target);
        ["d", "opaque", "redone", "was-file", ""].map(|name| names_in(&target.join(name)))
    });
    assert_eq!(seen[0], ["kept"]);
    assert_eq!(seen[1], ["new"]);
    assert_eq!(seen[2], ["new"]);
    assert_eq!(seen[3], ["inside"]);
    assert_eq!(seen[4], ["d", "opaque", "redone", "was-file"]);
}

#[tokio::test]
async fn image_with_one_layer_twice_mounts_as_its_layers_say() {
    let store = Store::open().await;
    let twice = Layer::new().directory("d/").file("d/both", b"first").whiteout(".wh.middle").tar();
    let between = Layer::new()
        .directory("d/")
        .file("d/both", b"second")
        .file("d/between", b"")
        .file("middle", b"")
        .tar();

    let image = load_one(&store, &[twice.clone(), between, twice]).await;

    let target = store.directory.path().join("merged");
    let (root, inside, both) = in_own_mounts(|| {
        mount_overlay(&image.layers, &target);
        (names_in(&target), names_in(&target.join("d")), fs::read(target.join("d/both")).unwrap())
    });
    assert_eq!(image.diff_ids.len(), 3);
    assert_eq!((root, inside), (vec!["d".to_owned()], vec!["between".to_owned(), "both".to_owned()]));
    assert_eq!(both, b"first");
}

#[tokio::test]
async fn image_without_layers_has_an_empty_directory() {
    let store = Store::open().await;

    let image = load_one(&store, &[]).await;

    assert_eq!(image.layers.len(), 1);
    assert!(names_in(&image.layers[0]).is_empty());
    assert_eq!(image.size_bytes, 0);
}

fn names_in(path: &std::path::Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[tokio::test]
async fn links_are_followed_inside_the_layer_alone() {
    let store = Store::open().await;
    let outside = store.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let outside_text = outside.display().to_string();
    let up = format!("{}{outside_text}", "../".repeat(20).trim_end_matches('/'));
    let layer = Layer::new()
        .symlink("absolute", &outside_text)
        .directory(outside_text.trim_start_matches('/'))
        .file("absolute/inside", b"1")
        .symlink("up", &up)
        .file("up/too", b"2")
        .file("/leading/slash", b"3")
        .symlink("replaced", &outside_text)
        .file("replaced", b"4")
        .symlink("dir", &outside_text)
        .directory("dir/")
        .file("dir/own", b"5")
        .tar();

    let image = load_one(&store, &[layer]).await;

    let root = &image.layers[0];
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something was written outside");
    let inside = root.join(outside_text.trim_start_matches('/'));
    assert_eq!(names_in(&inside), ["inside", "too"]);
    assert_eq!(fs::read(root.join("leading/slash")).unwrap(), b"3");
    assert_eq!(fs::read(root.join("replaced")).unwrap(), b"4");
    assert_eq!(fs::read(root.join("dir/own")).unwrap(), b"5");
}

async fn refuse(layer: Vec<u8>, expected: &str) {
    let store = Store::open_with(|config| {
        config.limits.layer_bytes_max = 4 << 20;
        config.limits.entries_max = 500;
        config.limits.ratio_free_bytes = 64 << 10;
        config.limits.ratio_max = 100;
    })
    .await;
    let good = Layer::new().file("good", b"x").tar();

    let error = store.load(docker_archive(&[(&["bad:1"], &[good, layer])])).await.unwrap_err();

    assert!(error.explain().contains(expected), "{expected:?} is not in {:?}", error.explain());
    assert_eq!(error.kind(), image::ErrorKind::Invalid, "{error:?}");
    assert!(store.images.list().is_empty());
    store.assert_clean(0);
}

#[tokio::test]
async fn hostile_layers_are_refused_with_nothing_left_behind() {
    refuse(Layer::new().file("../escape", b"x").tar(), "\"../escape\": it leads out").await;
    refuse(Layer::new().file("a/../../escape", b"x").tar(), "leads out").await;
    refuse(Layer::new().hard_link("x", "../../etc/passwd").tar(), "leads out").await;
    refuse(
        Layer::new().hard_link("x", "/etc/passwd").tar(),
        "hard link to a file this archive does not have",
    )
    .await;
    refuse(Layer::new().directory("d").hard_link("x", "d").tar(), "hard link to a directory").await;
    refuse(Layer::new().file("d/.wh...", b"").tar(), "hides a directory's own name").await;
    refuse(Layer::new().file("d/.wh.", b"").tar(), "hides a directory's own name").await;
    refuse(Layer::new().file(".", b"x").tar(), "replaces the root directory").await;
    refuse(Layer::new().symlink("loop", "loop").file("loop/x", b"x").tar(), "its path is a loop of links")
        .await;
    refuse(
        Layer::new().file("f", b"x").file("f/below", b"x").tar(),
        "leads through something that is no directory",
    )
    .await;
    refuse(Layer::new().symlink("l", "/nowhere").file("l/x", b"x").tar(), "leads through a link to nothing")
        .await;
    let long = "n".repeat(300);
    refuse(Layer::new().pax(&[("path", long.as_bytes())]).file("x", b"").tar(), "longer than 255 bytes")
        .await;
    refuse(Layer::new().entry(EntryType::new(b'Z'), "x", "", b"").tar(), "unknown entry type").await;
    let deep = "d/".repeat(300);
    refuse(Layer::new().pax(&[("path", deep.as_bytes())]).directory("x").tar(), "nested deeper").await;
    refuse(Layer::new().pax(&[("path", &[b'p'; 5000])]).file("x", b"").tar(), "longer than 4096").await;
    refuse(Layer::new().pax(&[("path", b"a\0b")]).file("x", b"").tar(), "zero byte").await;
    refuse(Layer::new().pax(&[("path", b"../x")]).file("x", b"").tar(), "leads out").await;
}

#[tokio::test]
async fn links_cannot_nest_deeper_than_paths_can() {
    let half = "d/".repeat(200);
    let layer = Layer::new()
        .pax(&[("path", half.as_bytes())])
        .directory("x")
        .pax(&[("linkpath", half.as_bytes())])
        .symlink("short", "")
        .pax(&[("path", format!("short/{half}").as_bytes())])
        .directory("x")
        .tar();

    refuse(layer, "nested deeper").await;
}

#[tokio::test]
async fn bombs_are_refused_with_nothing_left_behind() {
    let zeros = vec![0; 5 << 20];
    refuse(Layer::new().file("big", &zeros).tar(), "more than 4194304 bytes").await;
    refuse(
        crate::support::gzip(&Layer::new().file("packed", &zeros[..1 << 20]).tar()),
        "more than 100 times its size",
    )
    .await;
    let many = (0..600).fold(Layer::new(), |layer, number| layer.file(&format!("f{number}"), b""));
    refuse(many.tar(), "more than 500 entries").await;
    let mut claims = tar::Header::new_gnu();
    claims.set_entry_type(EntryType::GNULongName);
    claims.set_size(1 << 40);
    claims.set_cksum();
    refuse(claims.as_bytes().to_vec(), "extension header is longer").await;
}

#[tokio::test]
async fn damaged_layers_are_refused_with_nothing_left_behind() {
    let whole = Layer::new().file("a", &[1; 3000]).file("b", &[2; 3000]).tar();
    let packed = crate::support::gzip(&whole);
    refuse(whole[..2000].to_vec(), "ends inside a file").await;
    refuse(whole[..700].to_vec(), "ends inside").await;
    let mut flipped = whole.clone();
    flipped[10] ^= 1;
    refuse(flipped, "wrong header checksum").await;
    refuse(packed[..packed.len() - 9].to_vec(), "read archive").await;
    refuse(b"BZh91AY&SY".to_vec(), "bzip2 compression is not supported").await;
}

#[test]
fn full_disk_is_named_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("images");
    fs::create_dir(&root).unwrap();
    in_own_mounts(|| {
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("tmpfs"), &root, Some("tmpfs"), flags, Some("size=3m")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = image::Config { root: root.clone(), ..image::Config::default() };
            let images = image::Images::open(config).await.unwrap();
            let random: Vec<u8> =
                (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let archive = docker_archive(&[(&["big:1"], &[Layer::new().file("big", &random).tar()])]);

            let error =
                images.load(std::io::Cursor::new(archive), &image::Reporter::none()).await.unwrap_err();

            let text = error.explain();
            assert!(text.contains(&root.display().to_string()) && text.contains("No space left"), "{text}");
            assert_eq!(error.kind(), image::ErrorKind::Internal);
            assert!(images.list().is_empty());
            assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 0);
            assert_eq!(fs::read_dir(root.join("layers")).unwrap().count(), 0);
        });
    });
}

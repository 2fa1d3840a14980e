//! What comes out is what went in.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use archive::Top;
use proptest::prelude::*;

use crate::support::{describe, names, pack, plant, plant_everything, root, unpack};

#[test]
fn packed_tree_is_unpacked_as_it_was() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant_everything(from.path());

    let archive = pack(from.path(), "/", Top::Dot).unwrap();
    unpack(to.path(), &archive).unwrap();

    assert_eq!(describe(to.path()), describe(from.path()));
    assert!(fs::metadata(to.path().join("sparse")).unwrap().blocks() < 100);
    // The same once more over itself, as an import into a volume that has it.
    unpack(to.path(), &archive).unwrap();
    assert_eq!(describe(to.path()), describe(from.path()));
    assert_eq!(pack(to.path(), "/", Top::Dot).unwrap(), archive);
}

#[test]
fn copied_tree_is_as_it_was() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(from.path().join("data")).unwrap();
    plant_everything(&from.path().join("data"));
    plant(from.path(), "link->data");

    root(from.path()).copy(Path::new("/link"), &root(to.path())).unwrap();

    assert_eq!(describe(to.path()), describe(&from.path().join("data")));
    assert!(fs::metadata(to.path().join("sparse")).unwrap().blocks() < 100);
    let bytes: u64 = root(to.path()).size_bytes(Path::new("/")).unwrap();
    assert!(bytes > 20 << 20 && bytes < 21 << 20, "{bytes}");
}

#[test]
fn gnu_tar_understands_our_archives_and_we_its() {
    let from = tempfile::tempdir().unwrap();
    plant_everything(from.path());
    let expected = describe(from.path());
    let to = tempfile::tempdir().unwrap();
    let archive = pack(from.path(), "/", Top::Dot).unwrap();
    let mut tar = Command::new("tar")
        .args(["-xp", "--xattrs", "--xattrs-include=*", "-C"])
        .arg(to.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut tar.stdin.take().unwrap(), &archive).unwrap();
    assert!(tar.wait().unwrap().success());
    assert_eq!(describe(to.path()), expected);

    for (format, keeps_all) in [("posix", true), ("gnu", false)] {
        let mut command = Command::new("tar");
        command.arg("-c").arg(format!("--format={format}"));
        if keeps_all {
            command.args(["--xattrs", "--xattrs-include=*"]);
        }
        let output = command.arg("-C").arg(from.path()).arg(".").output().unwrap();
        let to = tempfile::tempdir().unwrap();
        unpack(to.path(), &output.stdout).unwrap();
        if keeps_all {
            assert_eq!(describe(to.path()), expected);
        } else {
            assert_eq!(names(&pack(to.path(), "/", Top::Dot).unwrap()).len(), expected.lines().count());
        }
    }
}

fn any_name() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-cü]{1,3}|x{90,120}").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_tree_is_the_same_after_packing_and_after_copying(
        files in proptest::collection::vec(
            (proptest::collection::vec(any_name(), 1..4), 0..3u8, 0..9000usize, 0..0o7777u32), 0..12),
    ) {
        let from = tempfile::tempdir().unwrap();
        for (path, kind, size, mode) in &files {
            let path = from.path().join(path.join("/"));
            // A file may be where this one needs a directory.
            let Ok(()) = fs::create_dir_all(path.parent().unwrap()) else { continue };
            match kind {
                _ if fs::symlink_metadata(&path).is_ok() => {}
                0 => fs::create_dir(&path).unwrap(),
                1 => std::os::unix::fs::symlink("x".repeat(*size % 300 + 1), &path).unwrap(),
                _ => {
                    let content: Vec<u8> = (0..*size).map(|at| (at / 700 % 3) as u8).collect();
                    fs::write(&path, content).unwrap();
                    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(*mode)).unwrap();
                }
            }
        }
        let (unpacked, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

        unpack(unpacked.path(), &pack(from.path(), "/", Top::Dot).unwrap()).unwrap();
        root(from.path()).copy(Path::new("/"), &root(copied.path())).unwrap();

        prop_assert_eq!(describe(unpacked.path()), describe(from.path()));
        prop_assert_eq!(describe(copied.path()), describe(from.path()));
    }
}

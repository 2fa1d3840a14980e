//! What users of `docker cp` expect.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use archive::{Error, Mounts, Owner, Packing, Replace, Top, TopDirectory, Unpacking};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::{FAITHFUL, names, pack, plant, root};

#[test]
fn entries_begin_with_the_base_name() {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path(), "a/b/file=x a/link->b top->/a/b");
    let cases = [
        ("/a/b", Top::BaseName, "b/ b/file"),
        ("a/b/", Top::BaseName, "b/ b/file"),
        ("/a/b/.", Top::BaseName, "./ ./file"),
        ("/a/b/file", Top::BaseName, "file"),
        ("/a/link", Top::BaseName, "link"),
        ("/a/link/", Top::BaseName, "link/ link/file"),
        ("/top/file", Top::BaseName, "file"),
        ("/", Top::BaseName, "/ /a/ /a/b/ /a/b/file /a/link /top"),
        ("/a", Top::Dot, "./ ./b/ ./b/file ./link"),
        ("/", Top::Absent, "a/ a/b/ a/b/file a/link top"),
    ];
    for (path, top, expected) in cases {
        let archive = pack(folder.path(), path, top).unwrap();
        assert_eq!(names(&archive).join(" "), expected, "{path} {top:?}");
    }
    assert!(matches!(pack(folder.path(), "/gone", Top::BaseName), Err(Error::NotFound { .. })));
    assert!(matches!(pack(folder.path(), "/a/b/file/", Top::BaseName), Err(Error::NotADirectory { .. })));
}

#[test]
fn what_may_be_overwritten_depends() {
    let cases = [
        ("x=old", "x=new", Replace::SameKind, "x=new"),
        ("x->old", "x=new", Replace::SameKind, "x=new"),
        ("x/kept=1", "x/added=2", Replace::SameKind, "x/added x/kept"),
        (
            "x/kept=1",
            "x=new",
            Replace::SameKind,
            "cannot overwrite directory \"/x\" with non-directory \"x\"",
        ),
        ("x=old", "x/y=1", Replace::SameKind, "cannot overwrite non-directory \"/x\" with directory \"x/\""),
        ("x/gone/deep=1", "x=new", Replace::Anything, "x=new"),
        ("x=old", "x/y=1", Replace::Anything, "x/y"),
        ("x->y y/", "x/z=1", Replace::Anything, "x/z y"),
    ];
    for (present, archive, replace, expected) in cases {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        plant(from.path(), archive);
        plant(to.path(), present);
        let archive = pack(from.path(), "/", Top::Absent).unwrap();

        let result = root(to.path()).unpack(Path::new("/"), &*archive, Unpacking { replace, ..FAITHFUL });

        match result {
            Err(error) => assert_eq!(error.to_string(), expected, "{present}"),
            Ok(()) if expected.contains('=') => {
                assert_eq!(fs::read_to_string(to.path().join("x")).unwrap(), "new", "{present}");
                assert!(!fs::symlink_metadata(to.path().join("x")).unwrap().is_symlink());
            }
            Ok(()) => {
                let all = names(&pack(to.path(), "/", Top::Absent).unwrap());
                let leaves = all.iter().filter(|name| *name != "x/").map(|name| name.trim_end_matches('/'));
                assert_eq!(leaves.collect::<Vec<_>>().join(" "), expected, "{present}");
            }
        }
    }
}

#[test]
fn archive_goes_into_a_directory_that_is_there() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant(from.path(), "file=x");
    plant(to.path(), "dir/ plain=1 link->/dir");
    fs::set_permissions(to.path().join("dir"), std::os::unix::fs::PermissionsExt::from_mode(0o710)).unwrap();
    let archive = pack(from.path(), "/", Top::Dot).unwrap();
    let put = |path: &str| {
        let unpacking =
            Unpacking { owner: Owner::All { uid: 12, gid: 34 }, top: TopDirectory::Keep, ..FAITHFUL };
        root(to.path()).unpack(Path::new(path), &*archive, unpacking)
    };

    assert!(matches!(put("/gone"), Err(Error::NotFound { .. })));
    assert!(matches!(put("/plain"), Err(Error::NotADirectory { .. })));
    put("/link").unwrap();

    let file = fs::metadata(to.path().join("dir/file")).unwrap();
    assert_eq!((file.uid(), file.gid()), (12, 34));
    let directory = fs::metadata(to.path().join("dir")).unwrap();
    assert_eq!((directory.uid(), directory.mode() & 0o777), (0, 0o710));
}

#[test]
fn mounts_are_packed_empty_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path(), "data/ hosts=own plain=1 host=1");
    let at = |name: &str| folder.path().join(name);
    mount(Some("tmpfs"), &at("data"), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    fs::write(at("data/secret"), "x").unwrap();
    mount(Some(&at("plain")), &at("hosts"), None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    let packed = |mounts| {
        let mut archive = Vec::new();
        root(folder.path()).pack(Path::new("/"), Packing { top: Top::Absent, mounts }, &mut archive).unwrap();
        archive
    };

    let (crossing, empty) = (packed(Mounts::Cross), packed(Mounts::Empty));
    let _ = umount2(&at("hosts"), MntFlags::MNT_DETACH);
    let _ = umount2(&at("data"), MntFlags::MNT_DETACH);

    assert_eq!(names(&crossing).join(" "), "data/ data/secret host hosts plain");
    assert_eq!(names(&empty).join(" "), "data/ host hosts plain");
}

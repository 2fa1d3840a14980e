//! Archives made to reach outside.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use archive::{Error, Top};
use proptest::prelude::*;

use crate::support::{describe, names, pack, plant, root, unpack};

/// Writes an archive of raw names, which no honest writer makes: `kind name link`.
fn archive(entries: &[(char, String, String)]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (kind, name, link) in entries {
        let mut header = tar::Header::new_gnu();
        let content: &[u8] = if *kind == '0' { b"hostile" } else { b"" };
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind as u8));
        header.set_size(content.len() as u64);
        header.set_mode(0o4777);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_cksum();
        out.append(&header, content).unwrap();
    }
    out.into_inner().unwrap()
}

fn parse(text: &str) -> Vec<(char, String, String)> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap().chars().next().unwrap();
        (kind, words.next().unwrap().to_owned(), words.next().unwrap_or("").to_owned())
    };
    text.split(',').map(entry).collect()
}

/// Unpacks into `inside` of a folder and returns the error, if any, and whether its neighbours are as they were.
fn attack(entries: &[(char, String, String)]) -> (Option<Error>, bool) {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path(), "inside/ outside/file=kept outside/dir/");
    let inside = folder.path().join("inside");
    std::os::unix::fs::symlink(folder.path().join("outside"), inside.join("present")).unwrap();
    let before = describe(&folder.path().join("outside"));
    let error = unpack(&inside, &archive(entries)).err();
    let listing = fs::read_dir(folder.path()).unwrap().count();
    (error, describe(&folder.path().join("outside")) == before && listing == 2)
}

#[test]
fn nothing_outside_is_touched() {
    let cases = [
        ("0 ../outside/file", Some("leads out")),
        ("0 a/../../outside/file", Some("leads out")),
        ("0 /../outside/file", Some("leads out")),
        ("0 /outside/file", None),
        ("2 l ../outside,0 l/file", Some("link to nothing")),
        ("2 l /,0 l/outside/file", None),
        ("2 l .,0 l/l/l/../x", None),
        ("0 present/file", Some("link to nothing")),
        ("5 present,0 present/file", None),
        ("2 l ../outside/file,0 l", None),
        ("2 l ../outside/file,1 h l", None),
        ("1 h ../outside/file", Some("leads out")),
        ("1 h present/file", Some("not there")),
        ("1 h /etc/passwd", Some("not there")),
        ("5 d,1 h d", Some("hard link to a directory")),
        ("1 h .", Some("hard link to a directory")),
        ("0 .", Some("replaces the directory")),
        ("2 . ../outside", Some("replaces the directory")),
        ("2 /// ../outside", Some("replaces the directory")),
        ("3 null,0 null", None),
        ("6 pipe,0 pipe", None),
        ("2 a b,2 b a,0 a/x", Some("levels of symbolic links")),
        ("0 f,0 f/x", Some("not a directory")),
    ];
    for (text, expected) in cases {
        let (error, is_untouched) = attack(&parse(text));

        assert!(is_untouched, "{text}");
        let chain = error.map(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", source.unwrap_or_default())
        });
        match (chain, expected) {
            (None, None) => {}
            (Some(chain), Some(expected)) => assert!(chain.contains(expected), "{text}: {chain}"),
            (chain, _) => panic!("{text}: {chain:?}"),
        }
    }
}

#[test]
fn device_has_its_mode_and_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();

    unpack(folder.path(), &archive(&parse("3 null,6 pipe"))).unwrap();

    for name in ["null", "pipe"] {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder.path().join(name)).unwrap());
        assert_eq!(mode & 0o777, 0o777, "{name}");
    }
}

#[test]
fn names_with_zero_bytes_are_refused() {
    let mut out = tar::Builder::new(Vec::new());
    out.append_pax_extensions([("path", &b"a\0b"[..])]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_cksum();
    out.append(&header, &b""[..]).unwrap();
    let folder = tempfile::tempdir().unwrap();

    let error = unpack(folder.path(), &out.into_inner().unwrap()).unwrap_err();

    assert!(error.to_string().contains("zero byte"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn size_that_is_a_lie_leaves_no_file() {
    let mut header = tar::Header::new_gnu();
    header.set_path("big").unwrap();
    header.set_size(1 << 50);
    header.set_cksum();
    let folder = tempfile::tempdir().unwrap();
    let archive = [header.as_bytes().as_slice(), &[7; 3000]].concat();

    let error = unpack(folder.path(), &archive).unwrap_err();

    assert!(matches!(error, Error::Read(_)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn trees_that_are_too_deep_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("{}x=1", "d/".repeat(300));
    plant(folder.path(), &deep);

    assert!(matches!(pack(folder.path(), "/", Top::Dot), Err(Error::TooDeep { .. })));
    let (error, _) = attack(&[('5', "d/".repeat(45), String::new())]);
    assert!(error.is_none());
}

#[test]
fn links_are_packed_and_never_followed() {
    let folder = tempfile::tempdir().unwrap();
    plant(
        folder.path(),
        "outside/secret=x inside/dir->../outside inside/abs->/outside inside/proc->/proc/self/root",
    );
    let inside = folder.path().join("inside");

    assert_eq!(names(&pack(&inside, "/", Top::Dot).unwrap()).join(" "), "./ ./abs ./dir ./proc");
    for path in ["/dir/", "/abs/secret", "/proc/etc", "/../outside"] {
        assert!(pack(&inside, path, Top::BaseName).is_err(), "{path}");
        assert!(root(&inside).stat(Path::new(path)).is_err(), "{path}");
    }
    // Magic links lead outside whatever the root is.
    let proc = root(Path::new("/proc/self"));
    assert!(proc.stat(Path::new("root/etc")).is_err() && proc.stat(Path::new("cwd/")).is_err());
}

fn any_entry() -> impl Strategy<Value = (char, String, String)> {
    let part =
        prop_oneof![Just(".."), Just("."), Just(""), Just("a"), Just("b"), Just("present"), Just("outside")];
    let path = proptest::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"));
    (prop_oneof![Just('0'), Just('1'), Just('2'), Just('3'), Just('5'), Just('6')], path.clone(), path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn no_archive_touches_anything_outside(entries in proptest::collection::vec(any_entry(), 1..12)) {
        // The rest of an archive is tried even if one of its entries is refused.
        for start in 0..entries.len() {
            let (_, is_untouched) = attack(&entries[start..]);
            prop_assert!(is_untouched, "{entries:?}");
        }
    }

    #[test]
    fn no_bytes_do_harm(mut bytes in proptest::collection::vec(any::<u8>(), 512..2048), at in 0..512usize) {
        let honest = archive(&parse("5 a,0 a/b,2 c a"));
        let changed = bytes[0];
        bytes.splice(0..0, honest);
        bytes[at] = changed;
        let folder = tempfile::tempdir().unwrap();
        let _ = unpack(folder.path(), &bytes);
        prop_assert!(Path::new(std::ffi::OsStr::from_bytes(b"/")).exists());
    }
}

//! What volumes hold.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use archive::Root;
use volume::{Creation, Error, Onto, Volumes};

/// An image with data, and an opened folder of volumes.
fn with_image() -> (tempfile::TempDir, Volumes, Root) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("image/var/data");
    fs::create_dir_all(data.join("base")).unwrap();
    fs::write(data.join("base/1"), "table").unwrap();
    chown(&data, Some(999), Some(998)).unwrap();
    let volumes = Volumes::open(&folder.path().join("volumes")).unwrap();
    let image = Root::open(&folder.path().join("image")).unwrap();
    (folder, volumes, image)
}

#[test]
fn empty_volume_is_filled_once_and_gets_the_owner() {
    let (_folder, volumes, image) = with_image();
    volumes.create(Creation::named("mydata")).unwrap();
    let path = volumes.acquire("mydata", "a").unwrap();

    assert!(!volumes.fill("mydata", &image, Path::new("/var/missing")).unwrap());
    assert!(volumes.fill("mydata", &image, Path::new("/var/data")).unwrap());
    fs::write(path.join("base/1"), "changed").unwrap();
    assert!(!volumes.fill("mydata", &image, Path::new("/var/data")).unwrap());

    let top = fs::metadata(&path).unwrap();
    assert_eq!((top.uid(), top.gid()), (999, 998));
    assert_eq!(fs::read_to_string(path.join("base/1")).unwrap(), "changed");
    assert_eq!(volumes.usage_bytes("mydata").unwrap(), 7);
}

#[test]
fn filling_that_was_cut_off_is_begun_again() {
    let (folder, volumes, image) = with_image();
    volumes.create(Creation::named("mydata")).unwrap();
    let volume = folder.path().join("volumes/mydata");
    fs::write(volume.join("filling"), "").unwrap();
    fs::create_dir(volume.join("_data/base")).unwrap();

    assert!(volumes.fill("mydata", &image, Path::new("/var/data")).unwrap());

    assert_eq!(fs::read_to_string(volume.join("_data/base/1")).unwrap(), "table");
    assert!(!volumes.fill("mydata", &image, Path::new("/var/data")).unwrap());
}

#[test]
fn exported_volume_is_imported_elsewhere_as_it_was() {
    let (folder, volumes, image) = with_image();
    volumes.create(Creation::named("mydata")).unwrap();
    volumes.fill("mydata", &image, Path::new("/var/data")).unwrap();
    let mut archive = Vec::new();
    volumes.export("mydata", &mut archive).unwrap();

    let elsewhere = Volumes::open(&folder.path().join("elsewhere")).unwrap();
    let imported = elsewhere.import("other", Onto::Nothing, &*archive).unwrap();
    fs::write(imported.mount_point.join("base/1"), "changed").unwrap();
    elsewhere.import("other", Onto::Anything, &*archive).unwrap();

    assert_eq!(fs::read_to_string(imported.mount_point.join("base/1")).unwrap(), "table");
    assert_eq!(fs::metadata(&imported.mount_point).unwrap().uid(), 999);
    let mut again = Vec::new();
    elsewhere.export("other", &mut again).unwrap();
    assert_eq!(again, archive);
    assert!(matches!(elsewhere.export("gone", Vec::new()), Err(Error::NotFound { .. })));
    elsewhere.remove("other").unwrap();
}

#[test]
fn import_mixes_nothing_unless_told_to() {
    let (_folder, volumes, _image) = with_image();
    let mut archive = Vec::new();
    volumes.export("full", &mut archive).unwrap_err();
    let full = volumes.create(Creation::named("full")).unwrap();
    fs::write(full.mount_point.join("new"), "packed").unwrap();
    volumes.export("full", &mut archive).unwrap();
    let own = volumes.create(Creation::named("own")).unwrap();
    fs::write(own.mount_point.join("kept"), "own").unwrap();
    let held = || {
        let entries = fs::read_dir(&own.mount_point).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };

    let refused = volumes.import("own", Onto::Nothing, &*archive).unwrap_err();
    assert_eq!(held(), ["kept"]);
    volumes.import("own", Onto::Anything, &*archive).unwrap();

    assert!(matches!(refused, Error::NotEmpty { .. }), "{refused}");
    assert_eq!(held(), ["kept", "new"]);
}

#[test]
fn import_that_fails_leaves_no_new_volume() {
    let (_folder, volumes, _image) = with_image();
    volumes.create(Creation::named("old")).unwrap();
    let broken = [7; 1024];

    assert!(matches!(volumes.import("new", Onto::Nothing, &broken[..]), Err(Error::Content { .. })));
    assert!(matches!(volumes.import("old", Onto::Anything, &broken[..]), Err(Error::Content { .. })));

    assert_eq!(volumes.list().len(), 1);
}

//! Volumes come, stay and go.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use volume::{ANONYMOUS_LABEL, Creation, Error, Volumes};

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |word: &str| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    text.split_whitespace().filter_map(pair).collect()
}

fn names(volumes: &Volumes) -> String {
    volumes.list().iter().map(|volume| volume.name.clone()).collect::<Vec<_>>().join(" ")
}

fn files(root: &Path) -> usize {
    fs::read_dir(root).unwrap().count()
}

#[test]
fn volume_is_there_after_a_restart_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::open(folder.path()).unwrap();
    let creation = Creation {
        labels: pairs("a=b"),
        options: pairs("type=tmpfs device=tmpfs"),
        ..Creation::named("mydata")
    };
    let made = volumes.create(creation).unwrap();
    assert_eq!(made.mount_point, folder.path().join("mydata/_data"));
    assert!(SystemTime::now().duration_since(made.created).unwrap() < Duration::from_secs(60));

    let volumes = Volumes::open(folder.path()).unwrap();

    assert_eq!(volumes.get("mydata").unwrap(), made);
    assert_eq!(volumes.list(), [made]);
}

#[test]
fn name_that_is_taken_gives_the_volume_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::open(folder.path()).unwrap();
    let first = volumes.create(Creation { labels: pairs("a=b"), ..Creation::named("mydata") }).unwrap();

    let second = volumes.create(Creation { driver: "local".into(), ..Creation::named("mydata") }).unwrap();

    assert_eq!(second, first);
    let foreign =
        volumes.create(Creation { driver: "nfsvol".into(), ..Creation::named("mydata") }).unwrap_err();
    let expected = "create mydata: error looking up volume plugin nfsvol: plugin \"nfsvol\" not found";
    assert_eq!(foreign.to_string(), expected);
    assert!(matches!(volumes.create(Creation::named("../x")), Err(Error::BadName { .. })));
    assert_eq!(files(folder.path()), 1);
}

#[test]
fn volumes_nobody_named_have_names_and_a_label() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::open(folder.path()).unwrap();

    let one = volumes.create(Creation::default()).unwrap();
    let other = volumes.create(Creation { name: Some(String::new()), ..Creation::default() }).unwrap();

    assert!(one.name.len() == 64 && one.name != other.name);
    assert!(one.is_anonymous() && one.labels[ANONYMOUS_LABEL].is_empty());
    assert!(!volumes.create(Creation::named("mydata")).unwrap().is_anonymous());
}

#[test]
fn removed_volume_is_gone_with_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::open(folder.path()).unwrap();
    volumes.create(Creation::named("mydata")).unwrap();
    let path = volumes.acquire("mydata", "web").unwrap();
    fs::create_dir_all(path.join("a/b")).unwrap();
    fs::write(path.join("a/b/c"), "x").unwrap();

    let refused = volumes.remove("mydata").unwrap_err();
    assert_eq!(refused.to_string(), "remove mydata: volume is in use - [web]");
    volumes.release("mydata", "web").unwrap();
    volumes.remove("mydata").unwrap();

    assert_eq!(files(folder.path()), 0);
    for error in [volumes.get("mydata").unwrap_err(), volumes.remove("mydata").unwrap_err()] {
        assert_eq!(error.to_string(), "get mydata: no such volume");
    }
    let again = volumes.create(Creation::named("mydata")).unwrap();
    assert_eq!(files(&again.mount_point), 0);
}

#[test]
fn what_a_crash_left_is_removed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::open(folder.path()).unwrap();
    volumes.create(Creation::named("whole")).unwrap();
    fs::create_dir_all(folder.path().join(".draft-half/_data")).unwrap();
    fs::create_dir_all(folder.path().join(".trash-half/_data/a")).unwrap();
    fs::write(folder.path().join("whole/volume.draft"), "{\"created").unwrap();

    let volumes = Volumes::open(folder.path()).unwrap();

    assert_eq!((names(&volumes), files(folder.path())), ("whole".to_owned(), 1));
}

#[test]
fn folder_made_by_hand_is_a_volume() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("before/_data")).unwrap();
    fs::write(folder.path().join("before/_data/file"), "x").unwrap();
    fs::create_dir_all(folder.path().join("nothing")).unwrap();
    fs::create_dir_all(folder.path().join("bad name/_data")).unwrap();
    fs::write(folder.path().join("metadata.db"), "x").unwrap();

    let volumes = Volumes::open(folder.path()).unwrap();
    assert_eq!(names(&volumes), "before");
    fs::create_dir_all(folder.path().join("after/_data")).unwrap();

    assert!(volumes.get("after").is_ok());
    assert!(volumes.create(Creation::named("nothing")).unwrap().mount_point.is_dir());
    let first = volumes.get("before").unwrap();
    assert_eq!(fs::read_to_string(first.mount_point.join("file")).unwrap(), "x");
    assert_eq!(Volumes::open(folder.path()).unwrap().get("before").unwrap(), first);
}

#[test]
fn threads_that_create_and_remove_at_once_leave_a_whole_volume_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::open(folder.path()).unwrap();

    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let made = volumes.create(Creation::named("mydata")).unwrap();
                    assert_eq!(made.name, "mydata");
                    let _ = volumes.remove("mydata");
                }
            });
        }
    });

    assert_eq!((names(&volumes), files(folder.path())), (String::new(), 0));
}

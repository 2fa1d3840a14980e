//! What images take on disk, and what happens when there is no more.

use std::path::Path;
use std::time::Duration;

use image::{
    Config, ErrorKind, Images, Import, LabelFilter, Prune, PruneScope, Reference, Reporter, Watermark,
};
use nix::mount::{MsFlags, mount};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::{Door, Layer, Registry, Store, docker_archive, in_own_mounts, incompressible};

async fn two_images() -> Store {
    let store = Store::open().await;
    let base = Layer::new().file("base", &[b'b'; 1000]).tar();
    let one = Layer::new().file("one", &[b'1'; 10]).tar();
    let images: [(&[&str], &[Vec<u8>]); 2] = [(&["web:1"], &[base.clone(), one]), (&["web:2"], &[base])];
    store.load(docker_archive(&images)).await.unwrap();
    store
}

#[tokio::test]
async fn shared_layers_are_counted_once() {
    let store = two_images().await;

    let usage = store.images.usage();

    let of = |name: &str| usage.images[&store.images.inspect(name).unwrap().id];
    assert_eq!(usage.layers_bytes, 1010);
    assert_eq!(
        (of("web:1").size_bytes, of("web:1").shared_bytes, of("web:1").unique_bytes()),
        (1010, 1000, 10)
    );
    assert_eq!((of("web:2").size_bytes, of("web:2").shared_bytes), (1000, 1000));
}

#[tokio::test]
async fn save_of_a_repository_takes_all_its_tags() {
    let store = two_images().await;
    let file = store.directory.path().join("saved.tar");
    let out = tokio::fs::File::create(&file).await.unwrap();

    store.images.save(&["web".to_owned()], out).await.unwrap();

    let elsewhere = Store::open().await;
    let loaded = elsewhere.load(std::fs::read(&file).unwrap()).await.unwrap();
    let mut names: Vec<String> = loaded.into_iter().filter_map(|loaded| loaded.name).collect();
    names.sort();
    assert_eq!(names, ["web:1", "web:2"]);
}

#[tokio::test]
async fn prune_heeds_its_filters() {
    let store = two_images().await;
    let prune = |change: fn(&mut Prune)| {
        let mut prune = Prune { scope: PruneScope::Unused, ..Prune::default() };
        change(&mut prune);
        prune
    };
    // The images of the tests were built on 2024-05-06 and have the label x=y.
    let moment = |text: &str| Some(OffsetDateTime::parse(text, &Rfc3339).unwrap());
    let (early, late) = (moment("2024-05-06T00:00:00Z"), moment("2024-05-07T00:00:00Z"));
    let mut too_early = prune(|_| {});
    too_early.created_before = early;
    let mut all = prune(|_| {});
    all.created_before = late;

    for spared in [
        Prune::default(),
        too_early,
        prune(|prune| prune.labels.push(LabelFilter::With("x".into(), Some("z".into())))),
        prune(|prune| prune.labels.push(LabelFilter::Without("x".into(), None))),
    ] {
        let pruned = store.images.prune(&spared, Vec::new()).await.unwrap();
        assert!(pruned.removed.is_empty(), "{spared:?}");
    }
    all.labels.push(LabelFilter::With("x".into(), Some("y".into())));
    let pruned = store.images.prune(&all, Vec::new()).await.unwrap();

    assert_eq!((pruned.removed.len(), pruned.reclaimed_bytes), (4, 1010), "{pruned:?}");
    store.assert_clean(0);
}

/// Runs work on a filesystem of this size, on a runtime whose threads see it.
fn on_disk_of<F: Future<Output = ()>>(megabytes: u32, work: impl FnOnce(std::path::PathBuf) -> F + Send) {
    in_own_mounts(|| {
        let place = tempfile::tempdir().unwrap();
        let options = format!("size={megabytes}m");
        mount(Some("disk"), place.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work(place.path().to_owned()));
        drop(runtime);
        nix::mount::umount(place.path()).unwrap();
    });
}

async fn open(root: &Path) -> Images {
    Images::open(Config { root: root.to_owned(), ..Config::default() }).await.unwrap()
}

fn count(path: std::path::PathBuf) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

#[test]
fn full_disk_stops_pull_load_and_import_with_nothing_left() {
    let registry = Registry::start(Door::Plain);
    let archive = incompressible("big:1");
    registry.push(&archive, "big:1", &[]);
    let small = docker_archive(&[(&["small:1"], &[Layer::new().file("a", b"1").tar()])]);
    let name: Reference = format!("{}/big:1", registry.address).parse().unwrap();
    on_disk_of(2, async |disk| {
        let images = open(&disk).await;

        let pulled = images.pull(&name, None, None, &Reporter::none()).await.unwrap_err();
        let loaded = images.load(std::io::Cursor::new(archive.clone()), &Reporter::none()).await.unwrap_err();
        let big = Layer::new().file("big", &vec![7; 4_000_000]).tar();
        let imported = images.import(std::io::Cursor::new(big), Import::default()).await.unwrap_err();

        for error in [pulled, loaded, imported] {
            assert!(error.explain().contains("No space left on device"), "{}", error.explain());
            assert!(error.explain().contains(&disk.display().to_string()), "{}", error.explain());
            assert_eq!(error.kind(), ErrorKind::Internal, "{error:?}");
        }
        assert_eq!([count(disk.join("tmp")), count(disk.join("layers")), count(disk.join("blobs"))], [0; 3]);
        images.load(std::io::Cursor::new(small.clone()), &Reporter::none()).await.unwrap();
        assert_eq!(images.list().len(), 1);
    });
}

#[test]
fn nearly_full_disk_is_cleared_of_the_images_used_longest_ago() {
    on_disk_of(16, async |disk| {
        let images = open(&disk).await;
        let watermark = Watermark { age_min: Duration::ZERO, ..Watermark::default() };
        let mut ids = Vec::new();
        for name in ["kept:1", "old:1", "new:1"] {
            images.load(std::io::Cursor::new(incompressible(name)), &Reporter::none()).await.unwrap();
            ids.push(images.inspect(name).unwrap().id);
        }
        assert!(
            images.collect(&[], watermark).await.unwrap().removed.is_empty(),
            "12 of 16 MB are below the mark"
        );
        std::fs::write(disk.join("other"), vec![0; 2_500_000]).unwrap();

        let collected = images.collect(&ids[..1], watermark).await.unwrap();

        assert_eq!(collected.reclaimed_bytes, 4_000_000, "{collected:?}");
        let left: Vec<_> = images.list().into_iter().flat_map(|image| image.repo_tags).collect();
        assert_eq!(left.len(), 2);
        assert!(left.contains(&"kept:1".to_owned()) && left.contains(&"new:1".to_owned()), "{left:?}");
    });
}

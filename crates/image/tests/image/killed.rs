//! The process dies in the middle of its work, and the next one finds everything in order.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image::{Config, Force, Images, Reference, Reporter};

use crate::support::{Door, Layer, Registry, docker_archive};

/// A state of the directory in which the process is killed.
type Moment = (&'static str, fn(&Path) -> bool);

const MOMENTS: &[Moment] = &[
    ("something is being made", |root| any(root, "tmp", |_| true)),
    ("a layer is being unpacked", |root| any(root, "tmp", |path| any(&path, "fs", |_| true))),
    ("an archive is being read", |root| any(root, "tmp", |path| path.join("2").is_file())),
    ("a layer is deleted", |root| any(root, "tmp", |path| path.join("layer").exists())),
    ("one layer is there", |root| any(root, "layers", |_| true)),
    ("two layers are there", |root| entries(root, "layers").len() == 2),
    ("a document is there", |root| any(root, "blobs", |_| true)),
    ("a manifest is there", |root| any(root, "manifests", |_| true)),
    ("the list is being written", |root| root.join("images.half").exists()),
    ("the list names an image", |root| list(root).contains("web:1")),
];
const CHILD: &str = "IMAGE_TEST_WORK";
const KILLS_EACH: usize = 3;

fn entries(root: &Path, name: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(root.join(name)).into_iter().flatten();
    found.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn any(root: &Path, name: &str, is_so: impl Fn(PathBuf) -> bool) -> bool {
    entries(root, name).into_iter().any(is_so)
}

fn list(root: &Path) -> String {
    fs::read_to_string(root.join("images.json")).unwrap_or_default()
}

/// Works for ever; does nothing when run as a test of its own.
#[tokio::test]
async fn work_until_killed() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let mut lines = task.lines();
    let mut line = || lines.next().unwrap();
    let (root, archive, name) = (PathBuf::from(line()), PathBuf::from(line()), line());
    let name: Reference = name.parse().unwrap();
    let images = Images::open(Config { root, ..Config::default() }).await.unwrap();
    let nobody = Reporter::none();
    loop {
        let file = tokio::fs::File::open(&archive).await.unwrap();
        images.load(file, &nobody).await.unwrap();
        images.remove("web:1", Force::Yes, Vec::new()).await.unwrap();
        images.pull(&name, None, None, &nobody).await.unwrap();
        images.tag(&name.familiar(), &"other:1".parse().unwrap()).await.unwrap();
        images.remove(&name.familiar(), Force::Yes, Vec::new()).await.unwrap();
        images.remove("other:1", Force::Yes, Vec::new()).await.unwrap();
    }
}

struct Victim(Child);

impl Victim {
    fn start(root: &Path, archive: &Path, name: &Reference) -> Self {
        let child = Command::new("/proc/self/exe")
            .args(["--exact", "killed::work_until_killed"])
            .env(CHILD, format!("{}\n{}\n{name}", root.display(), archive.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn kill_when(mut self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < deadline, "never seen: {what}");
            assert!(self.0.try_wait().unwrap().is_none(), "the process ended by itself");
        }
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

async fn assert_in_order(root: &Path, what: &str) {
    let images = Images::open(Config { root: root.to_owned(), ..Config::default() }).await.unwrap();

    let list = images.list();
    let layers: BTreeSet<_> = list.iter().flat_map(|image| image.diff_ids.clone()).collect();
    assert_eq!(entries(root, "tmp").len(), 0, "{what}");
    assert_eq!(entries(root, "layers").len(), layers.len(), "{what}");
    assert_eq!(entries(root, "blobs").len(), list.len(), "{what}");
    for image in list {
        // Saving compares each layer with its digest.
        images.save(&[image.id.to_string()], tokio::io::sink()).await.unwrap();
    }
}

#[tokio::test]
async fn killed_process_leaves_what_the_next_one_cleans() {
    let registry = Registry::start(Door::Plain);
    let directory = tempfile::tempdir().unwrap();
    let layer = |text: &str| {
        let files = (0..40).fold(Layer::new().directory("d"), |layer, number| {
            layer.file(&format!("d/{text}{number}"), &[b'x'; 20_000])
        });
        files.tar()
    };
    let archive = docker_archive(&[(&["web:1"], &[layer("a"), layer("b")])]);
    registry.push(&archive, "web:1", &[]);
    let file = directory.path().join("web.tar");
    fs::write(&file, &archive).unwrap();
    let name: Reference = format!("{}/web:1", registry.address).parse().unwrap();
    let root = directory.path().join("images");

    for _ in 0..KILLS_EACH {
        for (what, is_so) in MOMENTS {
            Victim::start(&root, &file, &name).kill_when(what, || is_so(&root));
            assert_in_order(&root, what).await;
        }
    }

    let images = Images::open(Config { root, ..Config::default() }).await.unwrap();
    images.pull(&name, None, None, &Reporter::none()).await.unwrap();
}

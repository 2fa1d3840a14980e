//! Prints how fast an image of about 300 MB comes from a registry on this machine, beside `tar` alone.
//!
//! `cargo run --release -p image --example pull_speed [DIRECTORY]`, as root, with Debian's docker-registry.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image::{Config, Images, Reference, Reporter};

const LAYERS: usize = 3;
const FILES: usize = 2000;
const FILE_BYTES: usize = 50_000;

struct Registry(Child);

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = (self.0.kill(), self.0.wait());
    }
}

#[tokio::main]
async fn main() {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = parent.join(format!("pull-speed-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("make a directory");
    let (registry, address) = registry(&directory);
    let images = open(&directory.join("pushing")).await;
    let name: Reference = format!("{address}/big:1").parse().expect("a valid name");
    let archive = archive();
    images.load(std::io::Cursor::new(archive), &Reporter::none()).await.expect("load");
    images.tag("big:1", &name).await.expect("tag");
    let bytes = images.usage().layers_bytes;
    measure("push (gzip)", bytes, async { images.push(&name, None, &Reporter::none()).await.map(drop) })
        .await;
    measure("push again", bytes, async { images.push(&name, None, &Reporter::none()).await.map(drop) }).await;
    for attempt in ["pull", "pull, second time"] {
        let fresh = open(&directory.join(attempt)).await;
        measure(attempt, bytes, async { fresh.pull(&name, None, None, &Reporter::none()).await.map(drop) })
            .await;
    }
    floor(&directory, bytes);
    drop(registry);
    std::fs::remove_dir_all(&directory).expect("remove the directory");
}

async fn open(root: &Path) -> Images {
    Images::open(Config { root: root.to_owned(), ..Config::default() })
        .await
        .expect("open the store, as root")
}

async fn measure(what: &str, bytes: u64, work: impl Future<Output = Result<(), image::Error>>) {
    let start = Instant::now();
    work.await.expect("the registry of this machine answers");
    print(what, bytes, start.elapsed());
}

fn print(what: &str, bytes: u64, time: Duration) {
    let speed = bytes as f64 / 1e6 / time.as_secs_f64();
    println!("{what}: {:.2} s, {speed:.0} MB/s unpacked", time.as_secs_f64());
}

/// What is left of the work without a store: `tar` unpacks what the registry has, one layer after the other, and synced.
fn floor(directory: &Path, bytes: u64) {
    let mut packed: Vec<PathBuf> = Vec::new();
    collect(&directory.join("data"), &mut packed);
    packed.retain(|path| path.metadata().is_ok_and(|metadata| metadata.len() > 1 << 20));
    let start = Instant::now();
    for (number, blob) in packed.iter().enumerate() {
        let target = directory.join(format!("tar-{number}"));
        std::fs::create_dir(&target).expect("make a directory");
        let status = Command::new("tar").arg("-xzf").arg(blob).arg("-C").arg(&target).status();
        assert!(status.is_ok_and(|status| status.success()), "tar unpacks");
    }
    let synced = Command::new("sync").arg("-f").arg(directory).status();
    assert!(synced.is_ok_and(|status| status.success()), "sync");
    print("tar -xzf and sync, one layer after the other", bytes, start.elapsed());
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.file_name().is_some_and(|name| name == "data") {
            found.push(path);
        }
    }
}

fn registry(directory: &Path) -> (Registry, String) {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let address = format!("127.0.0.1:{port}");
    let config = serde_json::json!({
        "version": 0.1, "log": {"level": "error"}, "http": {"addr": address},
        "storage": {"filesystem": {"rootdirectory": directory.join("data")}},
    });
    let path = directory.join("config.yml");
    std::fs::write(&path, config.to_string()).expect("write the configuration");
    let mut command = Command::new("docker-registry");
    let process = command.arg("serve").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let registry = Registry(process.expect("start docker-registry; apt-get install docker-registry"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(&address).is_err() {
        assert!(Instant::now() < deadline, "the registry listens");
        std::thread::yield_now();
    }
    (registry, address)
}

/// A `docker save` archive whose content packs to about a half, as programs do.
fn archive() -> Vec<u8> {
    let layers: Vec<Vec<u8>> = (0..LAYERS).map(layer).collect();
    let diff_ids: Vec<String> = layers.iter().map(|layer| image::Digest::of(layer).to_string()).collect();
    let config = serde_json::json!({
        "architecture": image::Platform::host().architecture, "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let names: Vec<String> = (0..LAYERS).map(|number| format!("{number}.tar")).collect();
    let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": ["big:1"], "Layers": names}]);
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, "config.json", config.to_string().as_bytes());
    append(&mut builder, "manifest.json", manifest.to_string().as_bytes());
    for (name, layer) in names.iter().zip(&layers) {
        append(&mut builder, name, layer);
    }
    builder.into_inner().expect("memory takes all")
}

fn layer(seed: usize) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut state = seed as u32 + 1;
    for file in 0..FILES {
        let mut content = Vec::with_capacity(FILE_BYTES);
        while content.len() < FILE_BYTES {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Half of it is noise, half a text.
            content.write_all(&state.to_le_bytes()).expect("memory takes all");
            content.write_all(b"text").expect("memory takes all");
        }
        append(&mut builder, &format!("usr/lib/{seed}/{file}"), &content);
    }
    builder.into_inner().expect("memory takes all")
}

fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).expect("memory takes all");
}

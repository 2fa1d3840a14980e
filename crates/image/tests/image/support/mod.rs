//! Layers and archives to order, a real registry, and stores in directories of their own.

pub mod proxy;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image::{Config, Digest, Images};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A store in a directory that vanishes with it.
pub struct Store {
    pub images: Images,
    pub directory: TempDir,
}

impl Store {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        require_root();
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { root: directory.path().join("images"), ..Config::default() };
        change(&mut config);
        Self { images: Images::open(config).await.unwrap(), directory }
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("images")
    }

    pub async fn load(&self, archive: Vec<u8>) -> Result<Vec<image::Loaded>, image::Error> {
        self.images.load(std::io::Cursor::new(archive), &image::Reporter::none()).await
    }

    /// Nothing half-made may stay behind, whatever happened.
    pub fn assert_clean(&self, layers: usize) {
        let count = |name: &str| fs::read_dir(self.root().join(name)).unwrap().count();
        assert_eq!(count("tmp"), 0, "half-made directories");
        assert_eq!(count("layers"), layers, "layers");
        assert_eq!(count("blobs"), self.images.list().len(), "documents");
    }
}

pub fn require_root() {
    assert!(nix::unistd::geteuid().is_root(), "these tests need root: layers hold owners and devices");
}

/// A layer's tar stream, entry by entry.
pub struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Writes the name as it is, however bad.
    pub fn entry(mut self, kind: tar::EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = header(kind, content.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(tar::EntryType::Regular, name, "", content)
    }

    pub fn directory(self, name: &str) -> Self {
        self.entry(tar::EntryType::Directory, name, "", b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(tar::EntryType::Symlink, name, target, b"")
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(tar::EntryType::Link, name, target, b"")
    }

    pub fn whiteout(self, name: &str) -> Self {
        self.file(name, b"")
    }

    pub fn special(mut self, change: impl FnOnce(&mut tar::Header)) -> Self {
        let mut header = header(tar::EntryType::Regular, 0);
        change(&mut header);
        header.set_cksum();
        self.0.append(&header, std::io::empty()).unwrap();
        self
    }

    pub fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    pub fn tar(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn header(kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(if kind == tar::EntryType::Directory { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn config_of(layers: &[Vec<u8>], architecture: &str) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "created": "2024-05-06T07:08:09Z",
        "config": {"Cmd": ["/bin/app"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}, "User": "7:8",
                   "WorkingDir": "/srv", "Labels": {"x": "y"}, "StopSignal": "SIGQUIT"},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": "test"}],
    });
    config.to_string().into_bytes()
}

/// Files of an outer archive.
pub fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = header(tar::EntryType::Regular, content.len() as u64);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// What `docker save` writes of images given by their names and layers.
pub fn docker_archive(images: &[(&[&str], &[Vec<u8>])]) -> Vec<u8> {
    let mut files = Vec::new();
    let mut manifest = Vec::new();
    for (names, layers) in images {
        let config = config_of(layers, host_architecture());
        let config_name = format!("{}.json", Digest::of(&config).hex());
        files.push((config_name.clone(), config));
        let mut layer_names = Vec::new();
        for layer in *layers {
            let name = format!("{}/layer.tar", Digest::of(layer).hex());
            files.push((name.clone(), layer.clone()));
            layer_names.push(name);
        }
        manifest.push(json!({"Config": config_name, "RepoTags": names, "Layers": layer_names}));
    }
    files.push(("manifest.json".into(), Value::from(manifest).to_string().into_bytes()));
    tar_of(&files)
}

pub fn host_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// `user` with password `secret`.
pub const PASSWORD_LINE: &str = "user:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/// An archive of an image of four megabytes that does not get smaller by packing.
pub fn incompressible(name: &str) -> Vec<u8> {
    let random: Vec<u8> = (0..4_000_000).map(|_| rand::random()).collect();
    docker_archive(&[(&[name], &[Layer::new().file("big", &random).tar()])])
}

/// Debian's registry on a loopback port of its own.
pub struct Registry {
    process: Child,
    pub address: String,
    pub directory: TempDir,
}

pub enum Door<'a> {
    Plain,
    /// TLS with this certificate and key, both PEM.
    Tls(&'a str, &'a str),
    /// A password, as an htpasswd line.
    Password(&'a str),
}

impl Registry {
    pub fn start(door: Door<'_>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut config = json!({
            "version": 0.1, "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": path.join("data")}},
            "http": {"addr": address},
        });
        match door {
            Door::Plain => {}
            Door::Tls(certificate, key) => {
                fs::write(path.join("cert.pem"), certificate).unwrap();
                fs::write(path.join("key.pem"), key).unwrap();
                config["http"]["tls"] =
                    json!({"certificate": path.join("cert.pem"), "key": path.join("key.pem")});
            }
            Door::Password(line) => {
                fs::write(path.join("htpasswd"), line).unwrap();
                config["auth"] = json!({"htpasswd": {"realm": "test", "path": path.join("htpasswd")}});
            }
        }
        fs::write(path.join("config.yml"), config.to_string()).unwrap();
        let process = Command::new("/usr/bin/docker-registry")
            .arg("serve")
            .arg(path.join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start /usr/bin/docker-registry; apt-get install docker-registry");
        let registry = Self { process, address, directory };
        eventually("registry listens", || TcpStream::connect(&registry.address).is_ok());
        registry
    }

    /// Pushes a `docker save` archive with a real client.
    pub fn push(&self, archive: &[u8], name: &str, arguments: &[&str]) {
        let file = self.directory.path().join("push.tar");
        fs::write(&file, archive).unwrap();
        let pushed = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--dest-tls-verify=false"])
            .args(arguments)
            .arg(format!("docker-archive:{}", file.display()))
            .arg(format!("docker://{}/{name}", self.address))
            .output()
            .expect("run skopeo; apt-get install skopeo");
        assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    }

    pub fn put_manifest(&self, name: &str, tag: &str, media_type: &str, body: &[u8]) {
        let target = format!("/v2/{name}/manifests/{tag}");
        let answer = self.http("PUT", &target, &format!("Content-Type: {media_type}\r\n"), body);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    pub fn get_manifest(&self, name: &str, tag: &str) -> String {
        let accept = "Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json\r\n";
        let answer = self.http("GET", &format!("/v2/{name}/manifests/{tag}"), accept, b"");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn http(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n",
            self.address
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// How many blobs the registry keeps.
    pub fn blobs(&self) -> usize {
        let blobs = self.directory.path().join("data/docker/registry/v2/blobs/sha256");
        let parts = fs::read_dir(blobs).into_iter().flatten();
        parts.map(|part| fs::read_dir(part.unwrap().path()).unwrap().count()).sum()
    }

    /// Where the registry keeps a blob's bytes.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.directory.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// Runs work in a mount namespace of its own, which takes its mounts with it.
pub fn in_own_mounts<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    require_root();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

pub fn mount_overlay(layers: &[PathBuf], target: &Path) {
    fs::create_dir_all(target).unwrap();
    let lower: Vec<String> = layers.iter().map(|layer| layer.display().to_string()).collect();
    let options = format!("lowerdir={}", lower.join(":"));
    let flags = nix::mount::MsFlags::MS_RDONLY;
    nix::mount::mount(Some("overlay"), target, Some("overlay"), flags, Some(options.as_str())).unwrap();
}

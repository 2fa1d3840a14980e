//! The images of this machine: finding, naming and listing them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, try_join_all};
use nix::fcntl::{Flock, FlockArg};
use registry::configuration::ConfigFile;
use registry::manifest::parse_json;
use registry::{Digest, Reference};
use tokio_util::task::TaskTracker;

use crate::disk::{self, failed};
use crate::error::Error;
use crate::image::Image;
use crate::index::{Index, Record, Tables};
use crate::layers::{Layer, Layers, Pin};
use crate::moment;
use crate::unpack::Limits;

/// Stands in for the layers of an image that has none.
const EMPTY: &str = "empty";
/// Where the configuration documents are.
const BLOBS: &str = "blobs";
/// Where the manifests are by which images were pulled.
const MANIFESTS: &str = "manifests";

/// Uses within this time count as one; what is collected by them is days old.
const USE_NOTED_EVERY_MS: u64 = 60_000;

/// Where images are kept, and which registries are trusted how.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory of all images; no other process may use it.
    pub root: PathBuf,
    /// Registries (`host` or `host:port`) that may be spoken to without TLS; loopback hosts always may.
    pub insecure_registries: Vec<String>,
    /// PEM files with further certificate authorities, beside the system's.
    pub extra_roots: Vec<PathBuf>,
    /// Directories in which `HOST[:PORT]/*.crt` are further certificate authorities for that registry alone.
    pub certificate_directories: Vec<PathBuf>,
    /// How long a registry may be silent before it is given up.
    pub patience: Duration,
    /// How much archives may unpack to.
    pub limits: Limits,
    /// Layers fetched and unpacked at once, over all pulls; Docker's default is 3.
    pub parallel_layers: usize,
}

impl Default for Config {
    fn default() -> Self {
        let registry::Config { insecure_registries, extra_roots, certificate_directories, patience } =
            registry::Config::default();
        Self {
            root: PathBuf::from("/var/lib/drover/images"),
            insecure_registries,
            extra_roots,
            certificate_directories,
            patience,
            limits: Limits::default(),
            parallel_layers: 3,
        }
    }
}

impl Config {
    fn registry(&self) -> registry::Config {
        registry::Config {
            insecure_registries: self.insecure_registries.clone(),
            extra_roots: self.extra_roots.clone(),
            certificate_directories: self.certificate_directories.clone(),
            patience: self.patience,
        }
    }
}

/// The images of one root directory; cheap to clone.
#[derive(Debug, Clone)]
pub struct Images {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) registry: registry::Config,
    pub(crate) layers: Arc<Layers>,
    pub(crate) parallel: Arc<tokio::sync::Semaphore>,
    pub(crate) staging: PathBuf,
    state: Mutex<State>,
    /// Held as long as the root directory is in use.
    _lock: Flock<File>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) index: Index,
    configs: BTreeMap<Digest, Arc<ConfigFile>>,
}

/// An image whose layers are all there, about to be registered.
pub(crate) struct Complete<'a> {
    pub(crate) id: Digest,
    pub(crate) config: &'a [u8],
    /// The manifest it was pulled by.
    pub(crate) manifest: Option<&'a [u8]>,
    pub(crate) references: Vec<Reference>,
    /// Holds the layers until the image does.
    pub(crate) pins: Vec<Pin>,
}

impl Images {
    /// Opens the root directory, making it if need be, and sweeps out what a crash left half-made.
    pub async fn open(config: Config) -> Result<Self, Error> {
        blocking(move || Self::open_blocking(config)).await
    }

    fn open_blocking(config: Config) -> Result<Self, Error> {
        let root = &config.root;
        let staging = root.join("tmp");
        disk::make_directory(&root.join(BLOBS))?;
        disk::make_directory(&root.join(MANIFESTS))?;
        disk::make_directory(&root.join(EMPTY))?;
        let lock = lock_root(root)?;
        if staging.exists() {
            fs::remove_dir_all(&staging).map_err(failed("remove", &staging))?;
        }
        disk::make_directory(&staging)?;
        let layers = Layers::open(root.join("layers"), staging.clone())?;
        let mut index = Index::open(&root.join("images.json"))?;
        let configs = read_configs(root, &layers, &mut index)?;
        let images = Self {
            inner: Arc::new(Inner {
                parallel: Arc::new(tokio::sync::Semaphore::new(config.parallel_layers.max(1))),
                registry: config.registry(),
                config,
                layers: Arc::new(layers),
                staging,
                state: Mutex::new(State { index, configs }),
                _lock: lock,
            }),
        };
        images.gc_blocking()?;
        Ok(images)
    }

    /// Returns all images, in the order of their ids.
    pub fn list(&self) -> Vec<Image> {
        let state = self.inner.state();
        state.configs.keys().filter_map(|id| self.image(&state, *id)).collect()
    }

    /// Returns the image with this name, id or unique beginning of an id.
    pub fn inspect(&self, name_or_id: &str) -> Result<Image, Error> {
        let state = self.inner.state();
        let id = resolve(state.index.tables(), name_or_id)?;
        self.image(&state, id).ok_or_else(|| no_such_image(name_or_id))
    }

    /// Returns the image that a task with this image name starts from, if it is here.
    ///
    /// A name with tag and digest finds the digest alone: the tag may have moved on.
    pub fn find(&self, name: &str) -> Option<Image> {
        self.inspect(name).ok()
    }

    /// Remembers that a container is being made of an image, for whoever clears away what is not used.
    pub async fn note_use(&self, id: Digest) -> Result<(), Error> {
        let images = self.clone();
        blocking(move || {
            let now_ms = moment::now_ms();
            let mut state = images.inner.state();
            let known = state.index.tables().images.get(&id).map(|record| record.used_ms);
            let Some(used_ms) = known else { return Err(no_such_image(&id.to_string())) };
            // The list is written as a whole: a hundred containers in a minute are one use.
            if now_ms.saturating_sub(used_ms) >= USE_NOTED_EVERY_MS {
                state.index.change(|tables| {
                    if let Some(record) = tables.images.get_mut(&id) {
                        record.used_ms = now_ms;
                    }
                })?;
            }
            Ok(())
        })
        .await
    }

    /// Gives an image one more name, which it takes from whichever image had it.
    pub async fn tag(&self, source: &str, target: &Reference) -> Result<(), Error> {
        if target.digest().is_some() {
            return Err(Error::TagWithDigest);
        }
        let (images, source, target) = (self.clone(), source.to_owned(), target.to_string());
        blocking(move || {
            let mut state = images.inner.state();
            let id = resolve(state.index.tables(), &source)?;
            let now_ms = moment::now_ms();
            state.index.change(|tables| {
                tables.references.insert(target, id);
                if let Some(record) = tables.images.get_mut(&id) {
                    record.tagged_ms = now_ms;
                }
            })?;
            Ok(())
        })
        .await
    }

    /// Removes layers and documents that no image refers to, and returns how many bytes of layers that freed.
    pub async fn gc(&self) -> Result<u64, Error> {
        let images = self.clone();
        blocking(move || images.gc_blocking()).await
    }

    pub(crate) fn gc_blocking(&self) -> Result<u64, Error> {
        let layers = self.sweep()?;
        Ok(layers.iter().map(|layer| layer.size_bytes).sum())
    }

    /// Removes what no image refers to; returns the layers that went.
    pub(crate) fn sweep(&self) -> Result<Vec<Layer>, Error> {
        let taken = {
            let state = self.inner.state();
            let tables = state.index.tables();
            sweep_blobs(&self.inner.config.root, tables)?;
            self.inner.layers.take_unused(&tables.layers_in_use())?
        };
        // The files go when the graves are dropped, with no lock held.
        Ok(taken.into_iter().map(|(layer, _grave)| layer).collect())
    }

    pub(crate) fn image(&self, state: &State, id: Digest) -> Option<Image> {
        let config = state.configs.get(&id)?;
        let record = state.index.tables().images.get(&id)?;
        let layers: Option<Vec<Layer>> =
            record.layers.iter().map(|diff_id| self.inner.layers.get(*diff_id)).collect();
        let layers = layers?;
        let (digests, tags): (Vec<_>, Vec<_>) =
            state.index.tables().references_of(id).into_iter().partition(|name| name.digest().is_some());
        Some(Image {
            id,
            repo_tags: tags.iter().map(Reference::familiar).collect(),
            repo_digests: digests.iter().map(Reference::familiar).collect(),
            created: config.created.clone(),
            author: config.author.clone(),
            comment: config.comment.clone(),
            docker_version: config.docker_version.clone(),
            os_version: config.os_version.clone(),
            platform: config.platform(),
            size_bytes: layers.iter().map(|layer| layer.size_bytes).sum(),
            config: config.config.clone(),
            diff_ids: record.layers.clone(),
            layer_sizes_bytes: layers.iter().map(|layer| layer.size_bytes).collect(),
            tagged_at: moment::system(record.tagged_ms),
            used_at: moment::system(record.used_ms),
            layers: self.lower_directories(&layers),
            history: config.history.clone(),
        })
    }

    /// Overlayfs refuses a directory that is given twice, and none at all. An image may well have a layer twice: the
    /// upper one hides all that the lower one could show, so leaving that out changes nothing.
    fn lower_directories(&self, lowest_first: &[Layer]) -> Vec<PathBuf> {
        let mut seen = BTreeSet::new();
        let topmost_first = lowest_first.iter().rev().filter(|layer| seen.insert(layer.diff_id));
        let mut directories: Vec<PathBuf> = topmost_first.map(Layer::files).collect();
        if directories.is_empty() {
            directories.push(self.inner.config.root.join(EMPTY));
        }
        directories
    }

    /// Registers an image under its names; returns it and whether it is new here.
    pub(crate) fn register(&self, complete: Complete<'_>) -> Result<(Image, bool), Error> {
        let Complete { id, config, manifest, references, pins } = complete;
        let parsed: ConfigFile = parse_json("image configuration", config)?;
        self.inner.layers.sync(&parsed.rootfs.diff_ids)?;
        let mut state = self.inner.state();
        let is_new = !state.index.tables().images.contains_key(&id);
        if is_new {
            disk::write_whole(&blob_path(&self.inner.config.root, id), config)?;
        }
        let known = state.index.tables().images.get(&id).and_then(|record| record.manifest);
        let manifest = match manifest {
            Some(bytes) if known != Some(Digest::of(bytes)) => Some(self.keep_manifest(bytes)?),
            Some(_) | None => known,
        };
        let now_ms = moment::now_ms();
        let layers = parsed.rootfs.diff_ids.clone();
        let record = Record { layers, manifest, tagged_ms: now_ms, used_ms: now_ms };
        state.index.change(|tables| {
            tables.images.insert(id, record);
            tables.references.extend(references.iter().map(|name| (name.to_string(), id)));
        })?;
        state.configs.insert(id, Arc::new(parsed));
        drop(pins);
        let image = self.image(&state, id).ok_or_else(|| no_such_image(&id.to_string()))?;
        Ok((image, is_new))
    }

    fn keep_manifest(&self, bytes: &[u8]) -> Result<Digest, disk::Error> {
        let digest = Digest::of(bytes);
        disk::write_whole(&manifest_path(&self.inner.config.root, digest), bytes)?;
        Ok(digest)
    }

    /// Forgets an image that has no names left.
    pub(crate) fn forget(&self, state: &mut State, id: Digest) -> Result<(), Error> {
        state.index.change(|tables| {
            tables.images.remove(&id);
            tables.references.retain(|_, target| *target != id);
            tables.embedded.retain(|_, embedded| embedded.id != id);
        })?;
        state.configs.remove(&id);
        Ok(())
    }
}

impl Inner {
    /// A panic elsewhere cannot leave the tables half-changed: they are replaced as a whole.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that waits for the disk stays off the threads that serve the network.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Error> + Send + 'static,
{
    outcome(tokio::task::spawn_blocking(work).await)
}

pub(crate) fn outcome<T>(joined: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    match joined {
        Ok(answer) => answer,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => Err(Error::Stopped),
        },
    }
}

/// The layers of one image that are being unpacked. When one fails, the others are given up and waited for, so that
/// nothing half-made is there when the failure is told.
#[derive(Debug, Default)]
pub(crate) struct Unpackings(TaskTracker);

impl Unpackings {
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        outcome(self.0.spawn_blocking(work).await)
    }

    /// Waits for all layers, or clears away what the failure of one leaves.
    pub(crate) async fn all(
        &self,
        images: &Images,
        layers: Vec<BoxFuture<'_, Result<Pin, Error>>>,
    ) -> Result<Vec<Pin>, Error> {
        let failure = match try_join_all(layers).await {
            Ok(pins) => return Ok(pins),
            Err(failure) => failure,
        };
        self.0.close();
        self.0.wait().await;
        let images = images.clone();
        if let Err(error) = blocking(move || images.sweep()).await {
            tracing::warn!(%error, "layers of an image that failed stay behind");
        }
        Err(failure)
    }
}

/// A process that is being replaced may hold the lock for a moment longer.
fn lock_root(root: &Path) -> Result<Flock<File>, Error> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let path = root.join("lock");
    let start = Instant::now();
    let mut file = File::create(&path).map_err(failed("open", &path))?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) if start.elapsed() < PATIENCE => file = back,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(Error::RootInUse { root: root.to_owned() });
            }
            Err((_, errno)) => return Err(failed("lock", &path)(errno.into()).into()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn blob_path(root: &Path, digest: Digest) -> PathBuf {
    root.join(BLOBS).join(digest.hex())
}

pub(crate) fn manifest_path(root: &Path, digest: Digest) -> PathBuf {
    root.join(MANIFESTS).join(digest.hex())
}

/// Images whose documents or layers are damaged are dropped aloud: they can be pulled again, and must not be run.
fn read_configs(
    root: &Path,
    layers: &Layers,
    index: &mut Index,
) -> Result<BTreeMap<Digest, Arc<ConfigFile>>, Error> {
    let mut configs = BTreeMap::new();
    let mut damaged = BTreeSet::new();
    for (id, record) in &index.tables().images {
        let bytes = disk::read_if_present(&blob_path(root, *id))?.filter(|bytes| Digest::of(bytes) == *id);
        let config = bytes.and_then(|bytes| parse_json::<ConfigFile>("image configuration", &bytes).ok());
        match config {
            Some(config) if record.layers.iter().all(|diff_id| layers.get(*diff_id).is_some()) => {
                configs.insert(*id, Arc::new(config));
            }
            Some(_) | None => {
                damaged.insert(*id);
            }
        }
    }
    if !damaged.is_empty() {
        tracing::warn!(
            ?damaged,
            "dropping images whose configuration or layers are damaged; pull or load them again"
        );
        index.change(|tables| {
            tables.images.retain(|id, _| !damaged.contains(id));
            tables.references.retain(|_, id| !damaged.contains(id));
            tables.embedded.retain(|_, embedded| !damaged.contains(&embedded.id));
        })?;
    }
    Ok(configs)
}

fn sweep_blobs(root: &Path, tables: &Tables) -> Result<(), disk::Error> {
    let images = tables.images.keys().copied().collect();
    let manifests = tables.images.values().filter_map(|record| record.manifest).collect();
    sweep(&root.join(BLOBS), &images)?;
    sweep(&root.join(MANIFESTS), &manifests)
}

fn sweep(directory: &Path, keep: &BTreeSet<Digest>) -> Result<(), disk::Error> {
    for found in fs::read_dir(directory).map_err(failed("read", directory))? {
        let path = found.map_err(failed("read", directory))?.path();
        let digest = path.file_name().and_then(|name| name.to_str()).and_then(Digest::from_hex);
        if digest.is_none_or(|digest| !keep.contains(&digest)) {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

/// Names win over beginnings of ids, as with Docker.
pub(crate) fn resolve(tables: &Tables, name_or_id: &str) -> Result<Digest, Error> {
    let hex = name_or_id.strip_prefix("sha256:").unwrap_or(name_or_id);
    if let Some(id) = Digest::from_hex(hex) {
        return tables.images.contains_key(&id).then_some(id).ok_or_else(|| no_such_image(name_or_id));
    }
    if let Ok(name) = name_or_id.parse::<Reference>() {
        let wanted = match name.digest() {
            Some(digest) => name.by_digest(digest),
            None => name,
        };
        if let Some(id) = tables.references.get(&wanted.to_string()) {
            return Ok(*id);
        }
    }
    if hex.is_empty() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(no_such_image(name_or_id));
    }
    let mut found = tables.images.keys().filter(|id| id.hex().starts_with(hex));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(*id),
        (Some(_), Some(_)) => Err(Error::AmbiguousId(name_or_id.to_owned())),
        (None, _) => Err(no_such_image(name_or_id)),
    }
}

pub(crate) fn no_such_image(name_or_id: &str) -> Error {
    let shown =
        name_or_id.parse::<Reference>().map_or_else(|_| name_or_id.to_owned(), |name| name.familiar());
    Error::NoSuchImage(shown)
}

//! Brings an image from a registry: manifest, configuration, and the layers that are not here yet.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use registry::configuration::ConfigFile;
use registry::manifest::{Descriptor, Document, Manifest, media_type_of, parse_json};
use registry::{Access, Auth, Digest, Download, Login, Platform, Reference, Repository};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::image::Image;
use crate::layers::{self, Layer, Packed, Pin};
use crate::progress::{Detail, Reporter};
use crate::store::{Complete, Images, Unpackings, blocking};
use crate::unpack;

/// Pieces of a layer that wait to be unpacked; when full, the download waits.
const PIECES_MAX: usize = 16;
/// Byte counts are shown this often.
const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// What a registry knows of an image without giving it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The manifest's or index's media type.
    pub media_type: String,
    /// Its digest, to pin the image to.
    pub digest: Digest,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// What the image runs on.
    pub platforms: Vec<Platform>,
}

struct Source {
    repository: Repository,
    /// Of the index where there is one: what the name stands for on every platform.
    digest: Digest,
    manifest: Manifest,
    /// The bytes of the manifest, so that the same can be pushed again.
    document: Bytes,
    config: Vec<u8>,
    diff_ids: Vec<Digest>,
    unpackings: Unpackings,
}

impl Images {
    /// Brings an image from its registry, unless it is here already, and names it.
    ///
    /// Without `platform`, the best one for this machine is taken.
    pub async fn pull(
        &self,
        name: &Reference,
        auth: Option<&Auth>,
        platform: Option<&Platform>,
        reporter: &Reporter,
    ) -> Result<Image, Error> {
        let repository = Repository::connect(name, Access::Pull, auth, &self.inner.registry).await?;
        let source = self.source(repository, platform).await?;
        let shown_tag = name.tag().map_or_else(|| source.digest.to_string(), str::to_owned);
        let from = match name.registry() {
            "docker.io" => name.repository().to_owned(),
            _ => name.familiar_name(),
        };
        reporter.status(Some(&shown_tag), format!("Pulling from {from}")).await;
        let pins = self.fetch_layers(&source, reporter).await?;
        let mut references = vec![name.by_digest(source.digest)];
        if name.digest().is_none() {
            references.push(name.clone());
        }
        let (images, digest) = (self.clone(), source.digest);
        let (image, is_new) = blocking(move || {
            let id = source.manifest.config.digest;
            let manifest = Some(source.document.as_ref());
            images.register(Complete { id, config: &source.config, manifest, references, pins })
        })
        .await?;
        reporter.status(None, format!("Digest: {digest}")).await;
        let outcome = if is_new { "Downloaded newer image for" } else { "Image is up to date for" };
        reporter.status(None, format!("Status: {outcome} {}", name.familiar())).await;
        Ok(image)
    }

    /// Asks the registry which digest a name stands for and which platforms it serves.
    pub async fn digest_of(&self, name: &Reference, auth: Option<&Auth>) -> Result<Distribution, Error> {
        let repository = Repository::connect(name, Access::Pull, auth, &self.inner.registry).await?;
        let (bytes, digest) = repository.document(None).await?;
        let platforms = match Document::parse(&name.familiar(), &bytes)? {
            Document::Index(manifests) => {
                let platforms = manifests.iter().filter_map(|manifest| manifest.platform.as_ref());
                platforms.map(|json| json.platform()).filter(|platform| platform.os != "unknown").collect()
            }
            Document::Manifest(manifest) => {
                let config = repository.small_blob(&manifest.config).await?;
                let config: ConfigFile = parse_json("image configuration", &config)?;
                vec![config.platform()]
            }
        };
        Ok(Distribution {
            media_type: media_type_of(&bytes),
            digest,
            size_bytes: bytes.len() as u64,
            platforms,
        })
    }

    /// Asks a registry (`host[:port]`; empty for Docker Hub) whether it knows these credentials.
    pub async fn login(&self, server: &str, auth: &Auth) -> Result<Login, Error> {
        Ok(registry::login(server, auth, &self.inner.registry).await?)
    }

    async fn source(&self, repository: Repository, platform: Option<&Platform>) -> Result<Source, Error> {
        let shown = repository.name().familiar();
        let (bytes, digest) = repository.document(None).await?;
        let (manifest, document, is_chosen) = match Document::parse(&shown, &bytes)? {
            Document::Manifest(manifest) => (manifest, bytes, false),
            Document::Index(manifests) => {
                let (manifest, document) = choose(&repository, &manifests, platform).await?;
                (manifest, document, true)
            }
        };
        let config = repository.small_blob(&manifest.config).await?;
        let parsed: ConfigFile = parse_json("image configuration", &config)?;
        let actual = parsed.platform();
        if let Some(wanted) = platform.filter(|wanted| !is_chosen && !wanted.accepts(&actual)) {
            let (wanted, actual) = (wanted.to_string(), actual.to_string());
            return Err(Error::OtherPlatform { name: shown, wanted, actual });
        }
        let diff_ids = parsed.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() {
            return Err(invalid(&shown, "its manifest and configuration differ in their number of layers"));
        }
        self.check_layer_count(&shown, diff_ids.len())?;
        let unpackings = Unpackings::default();
        Ok(Source { repository, digest, manifest, document, config, diff_ids, unpackings })
    }

    pub(crate) fn check_layer_count(&self, shown: &str, count: usize) -> Result<(), Error> {
        let layers_max = self.inner.config.limits.layers_max;
        if count > layers_max {
            return Err(invalid(
                shown,
                &format!("it has {count} layers, more than the {layers_max} that can be stacked"),
            ));
        }
        Ok(())
    }

    async fn fetch_layers(&self, source: &Source, reporter: &Reporter) -> Result<Vec<Pin>, Error> {
        for (descriptor, diff_id) in source.manifest.layers.iter().zip(&source.diff_ids) {
            if self.inner.layers.get(*diff_id).is_none() {
                reporter.status(Some(&descriptor.digest.short()), "Pulling fs layer").await;
            }
        }
        let layers = source.manifest.layers.iter().zip(source.diff_ids.iter().copied());
        let mut fetches = Vec::new();
        for (descriptor, diff_id) in layers {
            // Boxed: the compiler cannot show that a pull may move between threads otherwise.
            fetches.push(self.fetch_layer(source, descriptor, diff_id, reporter).boxed());
        }
        source.unpackings.all(self, fetches).await
    }

    async fn fetch_layer(
        &self,
        source: &Source,
        descriptor: &Descriptor,
        diff_id: Digest,
        reporter: &Reporter,
    ) -> Result<Pin, Error> {
        let id = descriptor.digest.short();
        let pin = self.inner.layers.pin(diff_id);
        let lock = self.inner.layers.lock_of(diff_id);
        let _alone = lock.lock().await;
        if self.inner.layers.get(diff_id).is_some() {
            let (images, packed) = (self.clone(), Packed::pulled(descriptor, source.repository.name()));
            blocking(move || Ok(images.inner.layers.note_packed(diff_id, packed)?)).await?;
            reporter.status(Some(&id), "Already exists").await;
            return Ok(pin);
        }
        let _permit = self.inner.parallel.acquire().await.map_err(|_closed| Error::Stopped)?;
        let layer = self.download(source, descriptor, diff_id, reporter).await?;
        let size = Detail { current: layer.tar_bytes, total: layer.tar_bytes };
        reporter.count(&id, "Extracting", size);
        reporter.status(Some(&id), "Pull complete").await;
        Ok(pin)
    }

    /// Unpacks a layer as it comes from the registry; it is never on disk in packed form.
    async fn download(
        &self,
        source: &Source,
        descriptor: &Descriptor,
        diff_id: Digest,
        reporter: &Reporter,
    ) -> Result<Layer, Error> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let reader = PieceReader { receiver, current: Bytes::new(), is_ended: false };
        let images = self.clone();
        let what = format!("layer {} of {}", descriptor.digest.short(), source.repository.name().familiar());
        let packed = Packed::pulled(descriptor, source.repository.name());
        let unpacking =
            source.unpackings.run(move || images.unpack_layer(reader, diff_id, &what, Some(packed)));
        let feeding = feed(source.repository.download(descriptor), sender, descriptor, reporter);
        let (fed, unpacked) = tokio::join!(feeding, unpacking);
        // What broke the stream is the cause; that unpacking failed on it follows.
        fed?;
        unpacked
    }

    /// Unpacks a layer into its place, if it is the layer it should be.
    pub(crate) fn unpack_layer(
        &self,
        packed: impl Read + Send,
        diff_id: Digest,
        what: &str,
        form: Option<Packed>,
    ) -> Result<Layer, Error> {
        let staging = self.inner.layers.stage()?;
        let (files, skeleton) = (staging.path().join(layers::FILES), staging.path().join(layers::SKELETON));
        let unpacked = unpack::layer(packed, &files, &skeleton, self.inner.config.limits)
            .map_err(|source| Error::Unpack { what: what.to_owned(), source })?;
        if unpacked.diff_id != diff_id {
            let (expected, actual) = (diff_id.to_string(), unpacked.diff_id.to_string());
            return Err(Error::LayerDiffers { name: what.to_owned(), expected, actual });
        }
        // Whoever fetches it holds a pin of its own.
        let (layer, _pin) = self.inner.layers.commit(staging, unpacked, form)?;
        Ok(layer)
    }
}

async fn choose(
    repository: &Repository,
    manifests: &[Descriptor],
    platform: Option<&Platform>,
) -> Result<(Manifest, Bytes), Error> {
    let wanted = platform.cloned().unwrap_or_else(Platform::host);
    let chosen = wanted.choose(manifests);
    let chosen = chosen.ok_or_else(|| Error::NoMatchingPlatform { platform: wanted.to_string() })?;
    let shown = repository.name().familiar();
    let (bytes, _) = repository.document(Some(chosen.digest)).await?;
    match Document::parse(&shown, &bytes)? {
        Document::Manifest(manifest) => Ok((manifest, bytes)),
        Document::Index(_) => Err(invalid(&shown, "its index points at another index")),
    }
}

pub(crate) fn invalid(name: &str, reason: &str) -> Error {
    Error::InvalidImage { name: name.to_owned(), reason: reason.to_owned() }
}

/// Passes a blob on piece by piece and marks its good end.
async fn feed(
    mut pieces: Download<'_>,
    sender: mpsc::Sender<Piece>,
    descriptor: &Descriptor,
    reporter: &Reporter,
) -> Result<(), registry::Error> {
    let (id, total) = (descriptor.digest.short(), descriptor.size);
    let mut shown = Instant::now();
    let mut current = 0;
    while let Some(piece) = pieces.next().await? {
        current += piece.len() as u64;
        if shown.elapsed() >= COUNT_INTERVAL || current == total {
            shown = Instant::now();
            reporter.count(&id, "Downloading", Detail { current, total });
        }
        if sender.send(Piece::Bytes(piece)).await.is_err() {
            // The unpacking side has failed, and says why.
            return Ok(());
        }
    }
    // If nobody receives it, the unpacking side has failed, and says why.
    let _ = sender.send(Piece::End).await;
    reporter.status(Some(&id), "Download complete").await;
    Ok(())
}

enum Piece {
    Bytes(Bytes),
    /// All has come and is verified.
    End,
}

/// Lets a thread read what a task receives.
struct PieceReader {
    receiver: mpsc::Receiver<Piece>,
    current: Bytes,
    is_ended: bool,
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.is_ended {
                return Ok(0);
            }
            match self.receiver.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.is_ended = true,
                // A download that was given up must not look like a short, whole layer.
                None => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

//! Brings an image to a registry: the layers that are not there yet, the configuration, and at last the manifest.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use registry::manifest::{DOCKER_MANIFEST, Descriptor, Document, OCI_CONFIG, OCI_MANIFEST, media_type_of};
use registry::{Access, Auth, Blob, Content, Digest, Reference, Repository};
use serde_json::json;
use tokio::sync::mpsc;

use crate::disk::{self, failed};
use crate::error::Error;
use crate::layers::{Layer, Packed, Pin};
use crate::packed::Packing;
use crate::progress::{Detail, Pushed, Reporter};
use crate::store::{Images, blob_path, blocking, manifest_path, no_such_image};

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Layers that are pushed at once, as with Docker.
const UPLOADS_MAX: usize = 5;
/// Pieces of a packed layer that wait to be sent; when full, packing waits.
const PIECES_MAX: usize = 16;
const PIECE_BYTES: usize = 64 << 10;
const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// An image on its way out.
struct Outgoing {
    id: Digest,
    config: Bytes,
    /// Lowest first, as often as the image has them.
    layers: Vec<Layer>,
    /// The manifest it was pulled by.
    manifest: Option<Vec<u8>>,
    /// Nothing may be removed while it is being sent.
    _pins: Vec<Pin>,
}

impl Images {
    /// Brings an image to the registry it is named for, and names it by the digest it has there.
    ///
    /// What the registry has already is not sent: layers that came from it are known by the digests they had, and are
    /// taken over from whichever of its repositories has them. Others are packed as gzip, the same bytes each time.
    pub async fn push(
        &self,
        name: &Reference,
        auth: Option<&Auth>,
        reporter: &Reporter,
    ) -> Result<Pushed, Error> {
        let mut pushed = self.push_all(std::slice::from_ref(name), auth, reporter).await?;
        Ok(pushed.pop().expect("one name was pushed"))
    }

    /// Brings images of one repository to the registry, one after the other.
    pub async fn push_all(
        &self,
        names: &[Reference],
        auth: Option<&Auth>,
        reporter: &Reporter,
    ) -> Result<Vec<Pushed>, Error> {
        let mut pushed = Vec::new();
        for name in names {
            let (images, asked) = (self.clone(), name.clone());
            let outgoing = blocking(move || images.outgoing(&asked)).await?;
            if pushed.is_empty() {
                let repository = format!("{}/{}", name.registry(), name.repository());
                reporter.status(None, format!("The push refers to repository [{repository}]")).await;
            }
            pushed.push(self.push_one(name, outgoing, auth, reporter).await?);
        }
        Ok(pushed)
    }

    /// Returns the names in the repository of this one that differ from it in the tag at most.
    pub fn tags_of(&self, repository: &Reference) -> Result<Vec<Reference>, Error> {
        let state = self.inner.state();
        let names = state.index.tables().references.keys().filter_map(|name| name.parse::<Reference>().ok());
        let is_tag = |name: &Reference| name.same_repository(repository) && name.digest().is_none();
        let names: Vec<Reference> = names.filter(is_tag).collect();
        if names.is_empty() { Err(Error::NothingToPush(repository.familiar_name())) } else { Ok(names) }
    }

    async fn push_one(
        &self,
        name: &Reference,
        outgoing: Outgoing,
        auth: Option<&Auth>,
        reporter: &Reporter,
    ) -> Result<Pushed, Error> {
        let repository = Repository::connect(name, Access::Push, auth, &self.inner.registry).await?;
        let forms = self.push_layers(&repository, &outgoing, reporter).await?;
        if !repository.has_blob(outgoing.id).await? {
            repository.upload(&outgoing.config).await?;
        }
        let (media_type, manifest) = manifest_of(&outgoing, &forms);
        let digest = repository.put_document(&media_type, &manifest).await?;
        self.note_pushed(name, digest, outgoing.id).await?;
        let tag = name.tag().unwrap_or("latest").to_owned();
        let size_bytes = manifest.len() as u64;
        reporter.status(None, format!("{tag}: digest: {digest} size: {size_bytes}")).await;
        let pushed = Pushed { tag, digest, size_bytes };
        reporter.pushed(pushed.clone()).await;
        Ok(pushed)
    }

    fn outgoing(&self, name: &Reference) -> Result<Outgoing, Error> {
        if name.digest().is_some() {
            return Err(Error::PushDigest);
        }
        let root = &self.inner.config.root;
        let state = self.inner.state();
        let tables = state.index.tables();
        let missing = || Error::NothingToPush(name.familiar_name());
        let id = *tables.references.get(&name.to_string()).ok_or_else(missing)?;
        let record = tables.images.get(&id).ok_or_else(missing)?;
        let pins = record.layers.iter().map(|diff_id| self.inner.layers.pin(*diff_id)).collect();
        let layers: Option<Vec<Layer>> =
            record.layers.iter().map(|diff_id| self.inner.layers.get(*diff_id)).collect();
        let layers = layers.ok_or_else(|| no_such_image(&name.familiar()))?;
        let path = blob_path(root, id);
        let config = fs::read(&path).map_err(failed("read", &path))?.into();
        let manifest = match record.manifest {
            Some(digest) => disk::read_if_present(&manifest_path(root, digest))?,
            None => None,
        };
        Ok(Outgoing { id, config, layers, manifest, _pins: pins })
    }

    /// Sees to it that the repository has all layers; returns the form in which it has each, lowest first.
    async fn push_layers(
        &self,
        repository: &Repository,
        outgoing: &Outgoing,
        reporter: &Reporter,
    ) -> Result<Vec<Packed>, Error> {
        let different: BTreeMap<Digest, &Layer> =
            outgoing.layers.iter().map(|layer| (layer.diff_id, layer)).collect();
        for layer in outgoing.layers.iter().rev() {
            reporter.status(Some(&layer.diff_id.short()), "Preparing").await;
        }
        for layer in different.values().skip(UPLOADS_MAX) {
            reporter.status(Some(&layer.diff_id.short()), "Waiting").await;
        }
        // Boxed: the compiler cannot show that a push may move between threads otherwise.
        let pushes: Vec<_> = different
            .into_values()
            .map(|layer| self.push_layer(repository, layer, reporter).boxed())
            .collect();
        let pushed: BTreeMap<Digest, Packed> =
            stream::iter(pushes).buffer_unordered(UPLOADS_MAX).try_collect().await?;
        let forms = outgoing.layers.iter().filter_map(|layer| pushed.get(&layer.diff_id).cloned());
        Ok(forms.collect())
    }

    async fn push_layer(
        &self,
        repository: &Repository,
        layer: &Layer,
        reporter: &Reporter,
    ) -> Result<(Digest, Packed), Error> {
        let (id, diff_id) = (layer.diff_id.short(), layer.diff_id);
        let (status, form) = match there_already(repository, layer).await? {
            Some(found) => found,
            None => {
                let content = Packer { layer: layer.clone(), reporter: reporter.clone() };
                let blob = repository.upload(&content).await?;
                ("Pushed".to_owned(), Packed::pushed(blob, repository.name()))
            }
        };
        reporter.status(Some(&id), status).await;
        let (images, noted) = (self.clone(), form.clone());
        blocking(move || Ok(images.inner.layers.note_packed(diff_id, noted)?)).await?;
        Ok((diff_id, form))
    }

    async fn note_pushed(&self, name: &Reference, digest: Digest, id: Digest) -> Result<(), Error> {
        let (images, by_digest) = (self.clone(), name.by_digest(digest).to_string());
        blocking(move || {
            let mut state = images.inner.state();
            // It may have been removed meanwhile.
            if state.index.tables().images.contains_key(&id) {
                state.index.change(|tables| tables.references.insert(by_digest, id))?;
            }
            Ok(())
        })
        .await
    }
}

/// Finds a form of the layer that the repository has, or takes one over from another repository of the registry.
async fn there_already(repository: &Repository, layer: &Layer) -> Result<Option<(String, Packed)>, Error> {
    let name = repository.name();
    let is_known = |form: &&Packed| form.is_own || form.places_in(name.registry()).next().is_some();
    let forms: Vec<&Packed> = layer.packed.iter().rev().filter(is_known).collect();
    let here = |form: &Packed| {
        let blob = Blob { digest: form.digest, size_bytes: form.size_bytes };
        Packed { packing: form.packing, is_own: form.is_own, ..Packed::pushed(blob, name) }
    };
    for form in &forms {
        if repository.has_blob(form.digest).await? {
            return Ok(Some(("Layer already exists".to_owned(), here(form))));
        }
    }
    for form in &forms {
        for from in form.places_in(name.registry()).filter(|from| *from != name.repository()) {
            if repository.mount(form.digest, from).await? {
                return Ok(Some((format!("Mounted from {from}"), here(form))));
            }
        }
    }
    Ok(None)
}

/// Returns media type and bytes: those it was pulled by if they say what the repository has, so that the image keeps
/// its digest.
fn manifest_of(outgoing: &Outgoing, forms: &[Packed]) -> (String, Vec<u8>) {
    if let Some(bytes) = &outgoing.manifest
        && let Ok(Document::Manifest(manifest)) = Document::parse("manifest", bytes)
        && manifest.config.digest == outgoing.id
        && manifest.layers.iter().map(|layer| layer.digest).eq(forms.iter().map(|form| form.digest))
    {
        return (media_type_of(bytes), bytes.clone());
    }
    // Docker's own manifest cannot name what is packed as zstd.
    let is_docker = forms.iter().all(|form| form.packing != Packing::Zstd);
    let (media_type, config_type) =
        if is_docker { (DOCKER_MANIFEST, DOCKER_CONFIG) } else { (OCI_MANIFEST, OCI_CONFIG) };
    let layers: Vec<Descriptor> = forms
        .iter()
        .map(|form| Descriptor::of(layer_type(form.packing, is_docker), form.digest, form.size_bytes))
        .collect();
    let config = Descriptor::of(config_type, outgoing.id, outgoing.config.len() as u64);
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers });
    (media_type.to_owned(), manifest.to_string().into_bytes())
}

fn layer_type(packing: Packing, is_docker: bool) -> &'static str {
    match (packing, is_docker) {
        (Packing::Plain, true) => "application/vnd.docker.image.rootfs.diff.tar",
        (Packing::Gzip, true) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        (Packing::Plain, false) => "application/vnd.oci.image.layer.v1.tar",
        (Packing::Gzip, false) => "application/vnd.oci.image.layer.v1.tar+gzip",
        (Packing::Zstd, _) => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

/// Packs a layer from its files, as often as it takes; it is never on disk in packed form.
struct Packer {
    layer: Layer,
    reporter: Reporter,
}

impl Content for Packer {
    fn read(&self) -> BoxStream<'static, io::Result<Bytes>> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let (layer, reporter) = (self.layer.clone(), self.reporter.clone());
        tokio::task::spawn_blocking(move || {
            let out = PieceWriter { sender: sender.clone(), gathered: Vec::with_capacity(PIECE_BYTES) };
            let end = match pack(&layer, &reporter, out) {
                Ok(()) => Piece::End,
                Err(error) => Piece::Failed(error),
            };
            // A receiver that has gone away wants neither.
            let _ = sender.blocking_send(end);
        });
        let pieces = stream::unfold(Some(receiver), |receiver| async move {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
                Some(Piece::End) => None,
                Some(Piece::Failed(error)) => Some((Err(error), None)),
                // What was given up half-way must not look like a short, whole layer.
                None => Some((Err(io::ErrorKind::ConnectionAborted.into()), None)),
            }
        });
        pieces.boxed()
    }
}

fn pack(layer: &Layer, reporter: &Reporter, out: PieceWriter) -> io::Result<()> {
    let out = GzEncoder::new(out, Compression::default());
    let mut counting = Counting { out, layer, reporter, current: 0, shown: Instant::now() };
    layer.write_tar(&mut counting)?;
    counting.out.finish()?.flush()
}

/// Tells how much of a layer is packed, which is how much is sent but for a few pieces.
struct Counting<'a, W> {
    out: W,
    layer: &'a Layer,
    reporter: &'a Reporter,
    current: u64,
    shown: Instant,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.current += count as u64;
        let total = self.layer.tar_bytes;
        if self.shown.elapsed() >= COUNT_INTERVAL || self.current == total {
            self.shown = Instant::now();
            let detail = Detail { current: self.current, total };
            self.reporter.count(&self.layer.diff_id.short(), "Pushing", detail);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

enum Piece {
    Bytes(Bytes),
    End,
    Failed(io::Error),
}

/// Lets a task send what a thread writes.
struct PieceWriter {
    sender: mpsc::Sender<Piece>,
    gathered: Vec<u8>,
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.gathered, Vec::with_capacity(PIECE_BYTES));
        let sent = self.sender.blocking_send(Piece::Bytes(full.into()));
        sent.map_err(|_gone| io::ErrorKind::BrokenPipe.into())
    }
}

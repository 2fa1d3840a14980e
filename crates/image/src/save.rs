//! Writes images as an archive that `docker load` and OCI tools take alike.

use std::io::{self, Write};
use std::path::Path;

use registry::manifest::{Descriptor, OCI_CONFIG, OCI_INDEX, OCI_LAYER_TAR, OCI_MANIFEST};
use registry::{Digest, Reference};
use serde_json::{Value, json};
use tokio::io::AsyncWrite;
use tokio_util::io::SyncIoBridge;

use crate::disk::failed;
use crate::error::Error;
use crate::image::Image;
use crate::index::Tables;
use crate::layers::Layer;
use crate::store::{Images, blob_path, blocking, no_such_image, resolve};

/// An image to be written, with the names it was asked for by.
struct Chosen {
    image: Image,
    names: Vec<Reference>,
    config: Vec<u8>,
    layers: Vec<Layer>,
}

impl Images {
    /// Writes the images with these names or ids as one archive; what it holds loads to the same ids.
    pub async fn save(
        &self,
        names: &[String],
        out: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), Error> {
        let chosen = self.choose(names)?;
        // Nothing may be removed while it is being written.
        let pins: Vec<_> = chosen
            .iter()
            .flat_map(|one| &one.layers)
            .map(|layer| self.inner.layers.pin(layer.diff_id))
            .collect();
        let mut out = SyncIoBridge::new(out);
        blocking(move || {
            let written = write_archive(&chosen, &mut out).and_then(|()| out.shutdown());
            drop(pins);
            Ok(written.map_err(failed("write the archive of", Path::new(&shown(&chosen))))?)
        })
        .await
    }

    fn choose(&self, names: &[String]) -> Result<Vec<Chosen>, Error> {
        let state = self.inner.state();
        let mut chosen: Vec<Chosen> = Vec::new();
        for (asked, id, name) in wanted(state.index.tables(), names)? {
            if let Some(known) = chosen.iter_mut().find(|known| known.image.id == id) {
                known.names.extend(name.filter(|name| !known.names.contains(name)));
                continue;
            }
            let image = self.image(&state, id).ok_or_else(|| no_such_image(asked))?;
            let path = blob_path(&self.inner.config.root, id);
            let config = std::fs::read(&path).map_err(failed("read", &path))?;
            let layers: Option<Vec<Layer>> =
                image.diff_ids.iter().map(|diff_id| self.inner.layers.get(*diff_id)).collect();
            let layers = layers.ok_or_else(|| no_such_image(asked))?;
            chosen.push(Chosen { image, names: name.into_iter().collect(), config, layers });
        }
        Ok(chosen)
    }
}

/// What was asked for, what that is, and its name if it was asked for by name.
type Wanted<'a> = (&'a str, Digest, Option<Reference>);

/// Returns what is to be written: for the name of a repository without a tag, as with Docker, all its tags.
fn wanted<'a>(tables: &Tables, names: &'a [String]) -> Result<Vec<Wanted<'a>>, Error> {
    let mut wanted = Vec::new();
    for asked in names {
        let name = asked.parse::<Reference>().ok();
        let has_tag = asked.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
        let tagged =
            tables.references.iter().filter_map(|(known, id)| Some((known.parse::<Reference>().ok()?, *id)));
        let of_repository: Vec<_> = match &name {
            Some(name) if !has_tag => tagged
                .filter(|(known, _)| known.digest().is_none() && known.same_repository(name))
                .map(|(known, id)| (asked.as_str(), id, Some(known)))
                .collect(),
            Some(_) | None => Vec::new(),
        };
        if of_repository.is_empty() {
            let id = resolve(tables, asked)?;
            let is_its_name = |name: &Reference| tables.references.get(&name.to_string()) == Some(&id);
            wanted.push((asked.as_str(), id, name.filter(is_its_name)));
        }
        wanted.extend(of_repository);
    }
    Ok(wanted)
}

fn shown(chosen: &[Chosen]) -> String {
    let names: Vec<String> = chosen.iter().map(|one| one.image.id.short()).collect();
    names.join(", ")
}

fn write_archive(chosen: &[Chosen], out: &mut impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(out);
    let mut written = std::collections::BTreeSet::new();
    let mut docker = Vec::new();
    let mut index = Vec::new();
    for one in chosen {
        for layer in &one.layers {
            if written.insert(layer.diff_id) {
                append_layer(&mut archive, layer)?;
            }
        }
        append(&mut archive, &blob_name(one.image.id), &one.config)?;
        let manifest = manifest_of(one);
        let digest = Digest::of(&manifest);
        append(&mut archive, &blob_name(digest), &manifest)?;
        docker.push(json!({
            "Config": blob_name(one.image.id),
            "RepoTags": one.names.iter().map(Reference::familiar).collect::<Vec<_>>(),
            "Layers": one.layers.iter().map(|layer| blob_name(layer.diff_id)).collect::<Vec<_>>(),
        }));
        index.extend(index_entries(one, digest, manifest.len() as u64));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index });
    append(&mut archive, "index.json", index.to_string().as_bytes())?;
    append(&mut archive, "manifest.json", Value::from(docker).to_string().as_bytes())?;
    append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.into_inner()?.flush()
}

fn manifest_of(one: &Chosen) -> Vec<u8> {
    let config = Descriptor::of(OCI_CONFIG, one.image.id, one.config.len() as u64);
    let layers: Vec<Descriptor> = one
        .layers
        .iter()
        .map(|layer| Descriptor::of(OCI_LAYER_TAR, layer.diff_id, layer.tar_bytes))
        .collect();
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers });
    manifest.to_string().into_bytes()
}

fn index_entries(one: &Chosen, digest: Digest, size: u64) -> Vec<Descriptor> {
    let plain = Descriptor::of(OCI_MANIFEST, digest, size);
    if one.names.is_empty() {
        return vec![plain];
    }
    let named = one.names.iter().map(|name| {
        let mut entry = plain.clone();
        entry.annotations.insert("io.containerd.image.name".into(), name.to_string());
        let tag = name.tag().unwrap_or("latest").to_owned();
        entry.annotations.insert("org.opencontainers.image.ref.name".into(), tag);
        entry
    });
    named.collect()
}

fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = header_of(bytes.len() as u64);
    archive.append_data(&mut header, name, bytes)
}

fn header_of(size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

/// The layer's stream is rebuilt straight into the archive; its length is known from unpacking.
fn append_layer<W: Write>(archive: &mut tar::Builder<W>, layer: &Layer) -> io::Result<()> {
    let mut header = header_of(layer.tar_bytes);
    header.set_path(blob_name(layer.diff_id))?;
    header.set_cksum();
    let out = archive.get_mut();
    out.write_all(header.as_bytes())?;
    layer.write_tar(&mut *out)?;
    out.write_all(&vec![0; (layer.tar_bytes.wrapping_neg() % 512) as usize])
}

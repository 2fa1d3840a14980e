//! Takes the images of an archive in.

use std::path::PathBuf;

use futures_util::FutureExt;
use registry::configuration::ConfigFile;
use registry::manifest::parse_json;
use registry::{Digest, Platform, Reference};
use tokio::io::AsyncRead;
use tokio_util::io::SyncIoBridge;

use crate::archive::{Found, Spool};
use crate::disk::{Staging, failed};
use crate::error::Error;
use crate::layers::Pin;
use crate::progress::{Detail, Reporter};
use crate::pull::invalid;
use crate::store::{Complete, Images, Unpackings, blocking};

/// One image that was loaded, once for each of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The name as users write it; images in archives need not have one.
    pub name: Option<String>,
    /// The image's id.
    pub id: Digest,
}

impl Images {
    /// Takes in all images of an archive, as written by `docker save` or laid out as OCI says, packed or plain.
    ///
    /// Layers that are here already are not unpacked again. An archive that is damaged leaves nothing behind.
    pub async fn load(
        &self,
        archive: impl AsyncRead + Send + Unpin + 'static,
        reporter: &Reporter,
    ) -> Result<Vec<Loaded>, Error> {
        let archive = SyncIoBridge::new(archive);
        let images = self.clone();
        let (spool, found) = blocking(move || {
            let directory = Staging::make(&images.inner.staging)?;
            let spool = Spool::fill(archive, directory, images.inner.config.limits)?;
            let found = spool.images(&Platform::host())?;
            Ok((spool, found))
        })
        .await?;
        let mut loaded = Vec::new();
        for image in found {
            loaded.extend(self.load_image(image, reporter).await?);
        }
        blocking(move || {
            // A large archive takes a while to delete.
            drop(spool);
            Ok(())
        })
        .await?;
        Ok(loaded)
    }

    async fn load_image(&self, found: Found, reporter: &Reporter) -> Result<Vec<Loaded>, Error> {
        let Found { names, config, layers } = found;
        let id = Digest::of(&config);
        let shown = names.first().cloned().unwrap_or_else(|| id.short());
        let references: Result<Vec<Reference>, _> =
            names.iter().map(|name| name.parse::<Reference>()).collect();
        let references = references?;
        let parsed: ConfigFile = parse_json("image configuration", &config)?;
        let diff_ids = parsed.rootfs.diff_ids;
        if diff_ids.len() != layers.len() {
            return Err(invalid(&shown, "its manifest and configuration differ in their number of layers"));
        }
        self.check_layer_count(&shown, layers.len())?;
        let unpackings = Unpackings::default();
        let mut loads = Vec::new();
        for (file, diff_id) in layers.into_iter().zip(diff_ids) {
            loads.push(self.load_layer(&unpackings, (file, diff_id), &shown, reporter).boxed());
        }
        let pins = unpackings.all(self, loads).await?;
        let images = self.clone();
        blocking(move || {
            let mut loaded: Vec<Loaded> =
                references.iter().map(|name| Loaded { name: Some(name.familiar()), id }).collect();
            if loaded.is_empty() {
                loaded.push(Loaded { name: None, id });
            }
            images.register(Complete { id, config: &config, manifest: None, references, pins })?;
            Ok(loaded)
        })
        .await
    }

    async fn load_layer(
        &self,
        unpackings: &Unpackings,
        (file, diff_id): (PathBuf, Digest),
        shown: &str,
        reporter: &Reporter,
    ) -> Result<Pin, Error> {
        let pin = self.inner.layers.pin(diff_id);
        let lock = self.inner.layers.lock_of(diff_id);
        let _alone = lock.lock().await;
        if self.inner.layers.get(diff_id).is_some() {
            return Ok(pin);
        }
        let _permit = self.inner.parallel.acquire().await.map_err(|_closed| Error::Stopped)?;
        let (images, what) = (self.clone(), format!("layer {} of {shown}", diff_id.short()));
        let unpacking = unpackings.run(move || {
            let packed = std::fs::File::open(&file).map_err(failed("open", &file))?;
            // Gone once it is unpacked: what is not there need not reach the disk either.
            std::fs::remove_file(&file).map_err(failed("remove", &file))?;
            images.unpack_layer(packed, diff_id, &what, None)
        });
        let layer = unpacking.await?;
        let whole = Detail { current: layer.tar_bytes, total: layer.tar_bytes };
        reporter.count(&diff_id.short(), "Loading layer", whole);
        Ok(pin)
    }
}

//! Makes an image of one layer out of the files of a root directory.

use registry::configuration::ImageConfig;
use registry::{Digest, Platform, Reference};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::AsyncRead;
use tokio_util::io::SyncIoBridge;

use crate::error::Error;
use crate::image::Image;
use crate::layers;
use crate::store::{Complete, Images, blocking};
use crate::unpack;

/// What an imported image is to be beside its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// Its name; it can do without.
    pub name: Option<Reference>,
    /// What is noted about it.
    pub message: String,
    /// Instructions of a Dockerfile: `CMD`, `ENV`, `EXPOSE` and the like.
    pub changes: Vec<String>,
    /// What its programs run on; this machine if nothing is said.
    pub platform: Option<Platform>,
}

impl Images {
    /// Makes an image of a tar archive of a root directory, packed or plain.
    pub async fn import(
        &self,
        root: impl AsyncRead + Send + Unpin + 'static,
        import: Import,
    ) -> Result<Image, Error> {
        let mut config = ImageConfig::default();
        config.apply(&import.changes)?;
        let root = SyncIoBridge::new(root);
        let images = self.clone();
        blocking(move || {
            let staging = images.inner.layers.stage()?;
            let (files, skeleton) =
                (staging.path().join(layers::FILES), staging.path().join(layers::SKELETON));
            let unpacked = unpack::layer(root, &files, &skeleton, images.inner.config.limits)
                .map_err(|source| Error::Unpack { what: "the imported archive".to_owned(), source })?;
            let (layer, pin) = images.inner.layers.commit(staging, unpacked, None)?;
            let config = document(&import, &config, layer.diff_id);
            let id = Digest::of(&config);
            let references = import.name.into_iter().collect();
            let complete = Complete { id, config: &config, manifest: None, references, pins: vec![pin] };
            Ok(images.register(complete)?.0)
        })
        .await
    }
}

fn document(import: &Import, config: &ImageConfig, diff_id: Digest) -> Vec<u8> {
    let Platform { os, architecture, variant } = import.platform.clone().unwrap_or_else(Platform::host);
    let created = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let mut document = json!({
        "architecture": architecture,
        "comment": import.message,
        "config": config,
        "created": created,
        "history": [{ "created": created, "comment": import.message }],
        "os": os,
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    if let Some(variant) = variant {
        document["variant"] = variant.into();
    }
    document.to_string().into_bytes()
}

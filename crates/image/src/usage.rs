//! What images take on disk, and what they share.

use std::collections::BTreeMap;

use registry::Digest;

use crate::index::Tables;
use crate::store::Images;

/// What all images take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all layers, each once.
    pub layers_bytes: u64,
    /// What each image takes.
    pub images: BTreeMap<Digest, ImageUsage>,
}

/// What one image takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageUsage {
    /// Bytes of all its layers.
    pub size_bytes: u64,
    /// Bytes of layers that other images have, too.
    pub shared_bytes: u64,
}

impl ImageUsage {
    /// Returns the bytes that nothing but this image has.
    pub fn unique_bytes(&self) -> u64 {
        self.size_bytes - self.shared_bytes
    }
}

impl Images {
    /// Adds up what the images take on disk.
    pub fn usage(&self) -> Usage {
        let state = self.inner.state();
        usage(state.index.tables(), &self.inner.layers.sizes())
    }
}

fn usage(tables: &Tables, sizes: &BTreeMap<Digest, u64>) -> Usage {
    let mut users: BTreeMap<Digest, usize> = BTreeMap::new();
    for record in tables.images.values() {
        let mut layers = record.layers.clone();
        layers.sort();
        layers.dedup();
        for layer in layers {
            *users.entry(layer).or_default() += 1;
        }
    }
    let size = |layer: &Digest| sizes.get(layer).copied().unwrap_or(0);
    let is_shared = |layer: &&Digest| users.get(*layer).is_some_and(|count| *count > 1);
    let images = tables.images.iter().map(|(id, record)| {
        let size_bytes = record.layers.iter().map(size).sum();
        let shared_bytes = record.layers.iter().filter(is_shared).map(size).sum();
        (*id, ImageUsage { size_bytes, shared_bytes })
    });
    Usage { images: images.collect(), layers_bytes: sizes.values().sum() }
}

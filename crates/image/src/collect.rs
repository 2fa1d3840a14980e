//! Clears away images that nothing uses once the disk is nearly full, those first whose last use is longest ago.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use registry::Digest;

use crate::disk::failed;
use crate::error::Error;
use crate::index::Tables;
use crate::moment;
use crate::remove::{Pruned, Removal};
use crate::store::{Images, blocking};

/// How full the disk may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// Nothing is cleared away below this.
    pub high_percent: u8,
    /// Once begun, images are cleared away until it is this.
    pub low_percent: u8,
    /// An image that came or was used within this time stays: somebody may be about to start it.
    pub age_min: Duration,
}

impl Default for Watermark {
    fn default() -> Self {
        Self { high_percent: 85, low_percent: 80, age_min: Duration::from_secs(120) }
    }
}

/// How full a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Disk {
    used_bytes: u64,
    /// What ordinary users may have of it in all.
    total_bytes: u64,
}

impl Disk {
    fn bytes_at(&self, percent: u8) -> u64 {
        self.total_bytes / 100 * u64::from(percent)
    }
}

/// An image that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    id: Digest,
    used_ms: u64,
}

impl Images {
    /// Removes images that are not in `keep` if the disk is above its watermark, until it is below the lower one.
    ///
    /// Whoever calls it keeps the images of all containers, and the current and the previous one of each service.
    pub async fn collect(&self, keep: &[Digest], watermark: Watermark) -> Result<Pruned, Error> {
        let (images, keep) = (self.clone(), keep.iter().copied().collect::<BTreeSet<_>>());
        blocking(move || {
            let disk = images.disk()?;
            let sizes = images.inner.layers.sizes();
            let mut state = images.inner.state();
            let candidates = candidates(state.index.tables(), &keep, moment::now_ms(), watermark.age_min);
            let chosen = choose(&candidates, &layers_of(state.index.tables(), &sizes), disk, watermark);
            let mut removed = Vec::new();
            for id in chosen {
                let names = state.index.tables().references_of(id);
                removed.extend(images.carry_out(&mut state, id, &Removal { names, deletes: true })?);
            }
            drop(state);
            if removed.is_empty() {
                return Ok(Pruned::default());
            }
            let reclaimed_bytes = images.gc_blocking()?;
            tracing::info!(?removed, reclaimed_bytes, "cleared away images: the disk is nearly full");
            Ok(Pruned { removed, reclaimed_bytes })
        })
        .await
    }

    fn disk(&self) -> Result<Disk, Error> {
        let root = &self.inner.config.root;
        let figures = statvfs(root).map_err(|errno| failed("look at the disk of", root)(errno.into()))?;
        let bytes = |blocks: u64| blocks * figures.fragment_size();
        let used_bytes = bytes(figures.blocks() - figures.blocks_free());
        Ok(Disk { used_bytes, total_bytes: used_bytes + bytes(figures.blocks_available()) })
    }
}

/// Those that nobody wants kept; the one that is the program itself takes nothing.
fn candidates(tables: &Tables, keep: &BTreeSet<Digest>, now_ms: u64, age_min: Duration) -> Vec<Candidate> {
    let embedded: BTreeSet<Digest> = tables.embedded.values().map(|embedded| embedded.id).collect();
    let age_min_ms = u64::try_from(age_min.as_millis()).unwrap_or(u64::MAX);
    let may_go = tables.images.iter().filter(|(id, record)| {
        let is_old = now_ms.saturating_sub(record.used_ms) >= age_min_ms;
        is_old && !keep.contains(id) && !embedded.contains(id)
    });
    may_go.map(|(id, record)| Candidate { id: *id, used_ms: record.used_ms }).collect()
}

type LayersOf = BTreeMap<Digest, BTreeMap<Digest, u64>>;

fn layers_of(tables: &Tables, sizes: &BTreeMap<Digest, u64>) -> LayersOf {
    let sized = |layer: &Digest| (*layer, sizes.get(layer).copied().unwrap_or(0));
    tables.images.iter().map(|(id, record)| (*id, record.layers.iter().map(sized).collect())).collect()
}

/// Chooses what goes, oldest use first; a layer is free only once no image that stays has it.
fn choose(candidates: &[Candidate], layers: &LayersOf, disk: Disk, watermark: Watermark) -> Vec<Digest> {
    if disk.used_bytes <= disk.bytes_at(watermark.high_percent) {
        return Vec::new();
    }
    let mut surplus = disk.used_bytes.saturating_sub(disk.bytes_at(watermark.low_percent));
    let mut users: BTreeMap<Digest, usize> = BTreeMap::new();
    for layer in layers.values().flat_map(BTreeMap::keys) {
        *users.entry(*layer).or_default() += 1;
    }
    let mut oldest_first = candidates.to_vec();
    oldest_first.sort_by_key(|candidate| (candidate.used_ms, candidate.id));
    let mut chosen = Vec::new();
    for candidate in oldest_first {
        if surplus == 0 {
            break;
        }
        for (layer, size) in layers.get(&candidate.id).into_iter().flatten() {
            if let Some(count) = users.get_mut(layer) {
                *count -= 1;
                surplus = if *count == 0 { surplus.saturating_sub(*size) } else { surplus };
            }
        }
        chosen.push(candidate.id);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Record;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    /// Images as `name@last use: layer=size layer=size`; kept ones begin with `!`. The disk has 1000 bytes.
    fn check(images: &str, used_bytes: u64, expected: &str) {
        let (mut tables, mut sizes, mut names, mut keep) =
            (Tables::default(), BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for image in images.split('|').map(str::trim) {
            let (head, layers) = image.split_once(':').unwrap();
            let (name, used) = head.split_once('@').unwrap();
            let id = digest(name.trim_start_matches('!'));
            if name.starts_with('!') {
                keep.insert(id);
            }
            names.insert(id, name.to_owned());
            let mut record =
                Record { layers: Vec::new(), manifest: None, tagged_ms: 0, used_ms: used.parse().unwrap() };
            for layer in layers.split_whitespace() {
                let (layer, size) = layer.split_once('=').unwrap();
                sizes.insert(digest(layer), size.parse().unwrap());
                record.layers.push(digest(layer));
            }
            tables.images.insert(id, record);
        }
        let watermark = Watermark { age_min: Duration::from_millis(10), ..Watermark::default() };
        let candidates = candidates(&tables, &keep, 100, watermark.age_min);
        let disk = Disk { used_bytes, total_bytes: 1000 };

        let chosen = choose(&candidates, &layers_of(&tables, &sizes), disk, watermark);

        let shown: Vec<&str> = chosen.iter().map(|id| names[id].as_str()).collect();
        assert_eq!(shown.join(" "), expected, "{images} with {used_bytes} used");
    }

    #[test]
    fn oldest_images_go_until_the_lower_mark() {
        check("a@1: l=100 | b@2: m=100", 850, "");
        check("a@1: l=100 | b@2: m=100", 851, "a");
        check("a@2: l=100 | b@1: m=100", 900, "b");
        check("a@2: l=100 | b@1: m=99", 900, "b a");
        check("a@1: l=10 | b@2: m=10", 999, "a b");
        check("a@1: | b@2: m=200", 900, "a b");
    }

    #[test]
    fn kept_and_fresh_images_stay() {
        check("!a@1: l=500 | b@2: m=100", 990, "b");
        check("a@91: l=500 | b@90: m=100", 990, "b");
        check("!a@1: l=500", 990, "");
    }

    #[test]
    fn shared_layer_is_freed_with_its_last_image() {
        check("a@1: base=90 x=10 | b@2: base=90 y=10 | c@3: z=100", 900, "a b");
        check("a@1: base=90 x=10 | !b@2: base=90 y=10 | c@3: z=100", 900, "a c");
        check("a@1: l=100 l=100 | b@2: m=10", 900, "a");
    }
}

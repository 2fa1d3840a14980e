//! Packed forms of layers: what registries hold, and what this machine makes of a layer to push it.

use registry::manifest::Descriptor;
use registry::{Blob, Digest, Reference};
use serde::{Deserialize, Serialize};

/// Forms and repositories that are remembered of one layer; the oldest go first.
const REMEMBERED_MAX: usize = 8;

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// Docker's and OCI's media types say it at their ends, each in its way.
    fn of(media_type: &str) -> Self {
        match media_type {
            zstd if zstd.ends_with("zstd") => Self::Zstd,
            gzip if gzip.ends_with("gzip") => Self::Gzip,
            _ => Self::Plain,
        }
    }
}

/// One packed form of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packed {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    pub(crate) packing: Packing,
    /// Whether this machine packed it, and so knows what is in it. Of any other form only the registry says so that
    /// it came from, and only that registry is believed.
    pub(crate) is_own: bool,
    /// Where it is: `registry/repository`.
    pub(crate) repositories: Vec<String>,
}

impl Packed {
    /// Describes a layer as a registry has it.
    pub(crate) fn pulled(descriptor: &Descriptor, from: &Reference) -> Self {
        Self {
            digest: descriptor.digest,
            size_bytes: descriptor.size,
            packing: Packing::of(&descriptor.media_type),
            is_own: false,
            repositories: vec![repository(from)],
        }
    }

    /// Describes a layer as this machine has just pushed it.
    pub(crate) fn pushed(blob: Blob, to: &Reference) -> Self {
        let Blob { digest, size_bytes } = blob;
        Self { digest, size_bytes, packing: Packing::Gzip, is_own: true, repositories: vec![repository(to)] }
    }

    /// Returns the repositories of this registry that have it, as paths inside the registry.
    pub(crate) fn places_in(&self, registry: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{registry}/");
        self.repositories.iter().filter_map(move |name| name.strip_prefix(&prefix))
    }
}

fn repository(name: &Reference) -> String {
    format!("{}/{}", name.registry(), name.repository())
}

/// Adds what is new in `packed`; tells whether anything was.
pub(crate) fn note(known: &mut Vec<Packed>, packed: Packed) -> bool {
    let Some(same) = known.iter_mut().find(|same| same.digest == packed.digest) else {
        known.push(packed);
        drop_oldest(known);
        return true;
    };
    let is_new = |name: &String| !same.repositories.contains(name);
    let new: Vec<String> = packed.repositories.into_iter().filter(is_new).collect();
    let is_changed = !new.is_empty() || (packed.is_own && !same.is_own);
    same.is_own |= packed.is_own;
    same.repositories.extend(new);
    drop_oldest(&mut same.repositories);
    is_changed
}

fn drop_oldest<T>(list: &mut Vec<T>) {
    let surplus = list.len().saturating_sub(REMEMBERED_MAX);
    list.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &str, repository: &str, is_own: bool) -> Packed {
        let repositories = vec![repository.to_owned()];
        Packed {
            digest: Digest::of(text.as_bytes()),
            size_bytes: 1,
            packing: Packing::Gzip,
            is_own,
            repositories,
        }
    }

    #[test]
    fn forms_are_noted_once_and_places_are_added() {
        let mut known = Vec::new();

        assert!(note(&mut known, packed("a", "r/one", false)));
        assert!(!note(&mut known, packed("a", "r/one", false)));
        assert!(note(&mut known, packed("a", "r:5/two", true)));
        assert!(note(&mut known, packed("b", "r/one", false)));

        assert_eq!(known.len(), 2);
        assert!(known[0].is_own);
        assert_eq!(known[0].places_in("r").collect::<Vec<_>>(), ["one"]);
        assert_eq!(known[0].places_in("r:5").collect::<Vec<_>>(), ["two"]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Vec::new();
        for number in 0..20 {
            note(&mut known, packed(&number.to_string(), "r/one", false));
            note(&mut known, packed("same", &format!("r/{number}"), false));
        }

        assert_eq!(known.len(), REMEMBERED_MAX);
        assert!(known.iter().all(|packed| packed.repositories.len() <= REMEMBERED_MAX));
    }
}

//! Takes names and images away, as Docker does: names first, the image with its last name.

use std::collections::BTreeMap;

use registry::{Digest, Reference};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::Error;
use crate::image::Image;
use crate::index::Tables;
use crate::store::{Images, State, blocking, resolve};

/// Whether what is refused for safety is to be done all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Refuse.
    No,
    /// Do it, unless a running container needs the image.
    Yes,
}

/// A container that needs an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// The image's id.
    pub image: Digest,
    /// The container's id.
    pub container: String,
    /// Whether the container runs.
    pub is_running: bool,
}

/// One thing that was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name.
    Untagged(String),
    /// An image or a stack of layers, by its id.
    Deleted(String),
}

/// Which images a prune takes; all of it has to be so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prune {
    /// Whether those with a tag go, too.
    pub scope: PruneScope,
    /// Only those that were built before this moment.
    pub created_before: Option<OffsetDateTime>,
    /// Only those with, or without, these labels.
    pub labels: Vec<LabelFilter>,
}

/// Whether images with a tag are pruned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PruneScope {
    /// Those without a tag.
    #[default]
    Untagged,
    /// All that no container needs.
    Unused,
}

/// A condition on an image's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFilter {
    /// The label is there, with this value if one is given.
    With(String, Option<String>),
    /// The label is not there, or not with this value if one is given.
    Without(String, Option<String>),
}

/// What a prune took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names and images, in the order in which they went.
    pub removed: Vec<Removed>,
    /// Bytes of layers that went with them.
    pub reclaimed_bytes: u64,
}

impl Prune {
    fn takes(&self, image: &Image) -> bool {
        let is_in_scope = self.scope == PruneScope::Unused || image.repo_tags.is_empty();
        let is_old = self.created_before.is_none_or(|moment| {
            OffsetDateTime::parse(&image.created, &Rfc3339).is_ok_and(|created| created < moment)
        });
        is_in_scope && is_old && self.labels.iter().all(|filter| filter.fits(&image.config.labels))
    }
}

impl LabelFilter {
    fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |key: &String, value: &Option<String>| {
            labels.get(key).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        match self {
            Self::With(key, value) => has(key, value),
            Self::Without(key, value) => !has(key, value),
        }
    }
}

impl Images {
    /// Takes a name away, and the image with it if it was the last; by id, the image with all its names.
    ///
    /// Docker's "noprune" would spare parent images without a name; images here have layers, and no parents.
    pub async fn remove(
        &self,
        name_or_id: &str,
        force: Force,
        in_use: Vec<InUse>,
    ) -> Result<Vec<Removed>, Error> {
        let (images, asked) = (self.clone(), name_or_id.to_owned());
        blocking(move || {
            let mut state = images.inner.state();
            let id = resolve(state.index.tables(), &asked)?;
            let users = in_use.iter().filter(|user| user.image == id).collect();
            let plan = plan(state.index.tables(), &Request { id, asked: &asked, force, users })?;
            let mut removed = images.carry_out(&mut state, id, &plan)?;
            drop(state);
            if plan.deletes {
                removed.extend(images.delete_layers()?);
            }
            Ok(removed)
        })
        .await
    }

    /// Removes images that no container needs.
    pub async fn prune(&self, which: &Prune, in_use: Vec<InUse>) -> Result<Pruned, Error> {
        let (images, which) = (self.clone(), which.clone());
        blocking(move || {
            let mut state = images.inner.state();
            let is_free = |image: &Image| !in_use.iter().any(|user| user.image == image.id);
            let all = state.index.tables().images.keys().filter_map(|id| images.image(&state, *id));
            let unwanted: Vec<Digest> =
                all.filter(|image| is_free(image) && which.takes(image)).map(|image| image.id).collect();
            let mut removed = Vec::new();
            for id in unwanted {
                let names = state.index.tables().references_of(id);
                removed.extend(images.carry_out(&mut state, id, &Removal { names, deletes: true })?);
            }
            drop(state);
            let reclaimed_bytes = images.gc_blocking()?;
            Ok(Pruned { removed, reclaimed_bytes })
        })
        .await
    }

    pub(crate) fn carry_out(
        &self,
        state: &mut State,
        id: Digest,
        plan: &Removal,
    ) -> Result<Vec<Removed>, Error> {
        let mut removed: Vec<Removed> =
            plan.names.iter().map(|name| Removed::Untagged(name.familiar())).collect();
        if plan.deletes {
            self.forget(state, id)?;
            removed.push(Removed::Deleted(id.to_string()));
        } else {
            state.index.change(|tables| {
                for name in &plan.names {
                    tables.references.remove(&name.to_string());
                }
            })?;
        }
        Ok(removed)
    }

    fn delete_layers(&self) -> Result<Vec<Removed>, Error> {
        let layers = self.sweep()?;
        Ok(layers.iter().map(|layer| Removed::Deleted(layer.diff_id.to_string())).collect())
    }
}

/// What a removal takes away.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Removal {
    pub(crate) names: Vec<Reference>,
    pub(crate) deletes: bool,
}

/// What was asked for, and who would miss it.
struct Request<'a> {
    id: Digest,
    asked: &'a str,
    force: Force,
    users: Vec<&'a InUse>,
}

fn plan(tables: &Tables, request: &Request<'_>) -> Result<Removal, Error> {
    let names = tables.references_of(request.id);
    match named(tables, request.id, request.asked) {
        Some(name) => request.plan_of_name(&name, names),
        None => request.plan_of_id(names),
    }
}

/// Returns the name that was meant, if it was not the id.
fn named(tables: &Tables, id: Digest, asked: &str) -> Option<Reference> {
    let name = asked.parse::<Reference>().ok()?;
    let name = name.digest().map_or_else(|| name.clone(), |digest| name.by_digest(digest));
    (tables.references.get(&name.to_string()) == Some(&id)).then_some(name)
}

impl Request<'_> {
    fn plan_of_name(&self, name: &Reference, names: Vec<Reference>) -> Result<Removal, Error> {
        let Self { id, asked, force, users } = self;
        if *force == Force::No
            && is_single(&names)
            && let Some(user) = users.first()
        {
            return Err(Error::Conflict(format!(
                "conflict: unable to remove repository reference {asked:?} (must force) - container {} is using its referenced image {}",
                short(&user.container),
                id.short()
            )));
        }
        let (mut taken, mut left): (Vec<_>, Vec<_>) = names.into_iter().partition(|other| other == name);
        // Digests go with the last tag of their repository.
        let has_tag = left.iter().any(|other| other.digest().is_none() && other.same_repository(name));
        if name.digest().is_none() && !has_tag {
            let (with_it, others): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|other| other.same_repository(name));
            taken.extend(with_it);
            left = others;
        }
        // An image in use stays, without a name.
        let deletes = left.is_empty() && users.is_empty();
        Ok(Removal { names: taken, deletes })
    }

    fn plan_of_id(&self, names: Vec<Reference>) -> Result<Removal, Error> {
        let Self { id, asked: _, force, users } = self;
        let conflict = |how: &str, why: String| {
            Err(Error::Conflict(format!("conflict: unable to delete {} ({how}) - {why}", id.short())))
        };
        if let Some(user) = users.iter().find(|user| user.is_running) {
            let why = format!("image is being used by running container {}", short(&user.container));
            return conflict("cannot be forced", why);
        }
        if *force == Force::No {
            if !is_single(&names) {
                return conflict("must be forced", "image is referenced in multiple repositories".to_owned());
            }
            if let Some(user) = users.first() {
                let why = format!("image is being used by stopped container {}", short(&user.container));
                return conflict("must be forced", why);
            }
        }
        Ok(Removal { names, deletes: true })
    }
}

/// One tag, with whatever digests the same repository has, counts as one name.
fn is_single(names: &[Reference]) -> bool {
    let tags = names.iter().filter(|name| name.digest().is_none()).count();
    tags <= 1 && names.windows(2).all(|pair| pair[0].same_repository(&pair[1]))
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

//! Takes names and images away, as Docker does: names first, the image with its last name.

use registry::{Digest, Reference};

use crate::error::Error;
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

/// Which images a prune takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Those without a tag.
    Untagged,
    /// All that no container needs.
    Unused,
}

impl Images {
    /// Takes a name away, and the image with it if it was the last; by id, the image with all its names.
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

    /// Removes images that no container needs; returns what went and the bytes it freed.
    pub async fn prune(&self, which: Prune, in_use: Vec<InUse>) -> Result<(Vec<Removed>, u64), Error> {
        let images = self.clone();
        blocking(move || {
            let mut state = images.inner.state();
            let tables = state.index.tables();
            let is_wanted = |id: &Digest| {
                let has_tag = tables.references_of(*id).iter().any(|name| name.digest().is_none());
                in_use.iter().any(|user| user.image == *id) || (which == Prune::Untagged && has_tag)
            };
            let unwanted: Vec<Digest> = tables.images.keys().copied().filter(|id| !is_wanted(id)).collect();
            let mut removed = Vec::new();
            for id in unwanted {
                let names = state.index.tables().references_of(id);
                removed.extend(images.carry_out(&mut state, id, &Plan { names, deletes: true })?);
            }
            drop(state);
            let layers = images.sweep()?;
            Ok((removed, layers.iter().map(|layer| layer.size_bytes).sum()))
        })
        .await
    }

    fn carry_out(&self, state: &mut State, id: Digest, plan: &Plan) -> Result<Vec<Removed>, Error> {
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
struct Plan {
    names: Vec<Reference>,
    deletes: bool,
}

/// What was asked for, and who would miss it.
struct Request<'a> {
    id: Digest,
    asked: &'a str,
    force: Force,
    users: Vec<&'a InUse>,
}

fn plan(tables: &Tables, request: &Request<'_>) -> Result<Plan, Error> {
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
    fn plan_of_name(&self, name: &Reference, names: Vec<Reference>) -> Result<Plan, Error> {
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
        Ok(Plan { names: taken, deletes })
    }

    fn plan_of_id(&self, names: Vec<Reference>) -> Result<Plan, Error> {
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
        Ok(Plan { names, deletes: true })
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

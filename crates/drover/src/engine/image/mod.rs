//! Images for the Engine API.

mod shown;
mod transfer;

use ::image::{Auth, Force, InUse, LabelFilter, Prune, PruneScope, Reference, Removed};
use async_trait::async_trait;
use container_json::Summary;
use docker_api::engine::{ByteStream, Images, Import, ProgressStream, Removal};
use docker_api::{ApiError, Status};
use engine::{Action, Pruned, Sizes, Subject};
use engine_json as json;
use time::OffsetDateTime;

use super::Engine;
use super::refusal;
use crate::collector::tell_removed;
use transfer::Transfer;

pub use shown::list_with_usage;

#[async_trait]
impl Images for Engine {
    async fn images(&self) -> Result<Vec<json::ImageSummary>, ApiError> {
        Ok(shown::list(&self.images))
    }

    async fn image(&self, name: &str) -> Result<json::ImageInspect, ApiError> {
        shown::inspect(&self.images, name)
    }

    async fn image_history(&self, name: &str) -> Result<Vec<json::ImageHistory>, ApiError> {
        shown::history(&self.images, name)
    }

    async fn pull_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError> {
        self.transfer().pull(reference, auth, platform).await
    }

    async fn push_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        _platform: &str,
    ) -> Result<ProgressStream, ApiError> {
        self.transfer().push(reference, auth).await
    }

    async fn load_images(&self, archive: ByteStream, quiet: bool) -> Result<ProgressStream, ApiError> {
        Ok(self.transfer().load(archive, quiet))
    }

    async fn save_images(&self, names: Vec<String>, _platform: &str) -> Result<ByteStream, ApiError> {
        self.transfer().save(names)
    }

    async fn import_image(&self, import: Import, tree: ByteStream) -> Result<ProgressStream, ApiError> {
        self.transfer().import(import, tree).await
    }

    async fn tag_image(&self, source: &str, target: &str) -> Result<(), ApiError> {
        self.images.tag(source, &parse(target)?).await.map_err(|error| told(&error))?;
        self.tell_image(source, target, Action::Tag);
        Ok(())
    }

    async fn remove_image(&self, name: &str, removal: Removal) -> Result<Vec<json::DeletedImage>, ApiError> {
        let force = if removal.force { Force::Yes } else { Force::No };
        let removed = self.images.remove(name, force, self.images_in_use().await).await;
        Ok(self.removed(removed.map_err(|error| told(&error))?))
    }

    async fn prune_images(&self, filters: json::Filters) -> Result<json::ImagesPruned, ApiError> {
        let which = which(&filters)?;
        let pruned = self.images.prune(&which, self.images_in_use().await).await;
        let pruned = pruned.map_err(|error| told(&error))?;
        let reclaimed = [("reclaimed", pruned.reclaimed_bytes.to_string())];
        let images_deleted = self.removed(pruned.removed);
        self.engine.events().publish(Subject::pruned(Pruned::Images), Action::Prune, reclaimed);
        Ok(json::ImagesPruned { images_deleted, space_reclaimed: pruned.reclaimed_bytes })
    }

    async fn distribution(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
    ) -> Result<json::Distribution, ApiError> {
        shown::distribution(&self.images, reference, auth).await
    }
}

impl Engine {
    fn transfer(&self) -> Transfer {
        let (images, events) = (self.images.clone(), self.engine.events().clone());
        Transfer { images, events, collector: self.collector.clone() }
    }

    /// Returns the images that containers have, and may not lose.
    pub async fn images_in_use(&self) -> Vec<InUse> {
        let containers = self.engine.list(Sizes::Unknown).await;
        let of = |container: Summary| {
            let is_running = matches!(container.state.as_str(), "running" | "paused" | "restarting");
            Some(InUse { image: container.image_id.parse().ok()?, container: container.id, is_running })
        };
        containers.into_iter().filter_map(of).collect()
    }

    fn tell_image(&self, found_by: &str, name: &str, action: Action) {
        let Ok(image) = self.images.inspect(found_by) else { return };
        let subject = Subject::image(&image.id.to_string(), name, &image.config.labels);
        self.engine.events().publish(subject, action, []);
    }

    /// Tells of what was removed, and writes it down.
    fn removed(&self, removed: Vec<Removed>) -> Vec<json::DeletedImage> {
        tell_removed(self.engine.events(), &removed);
        let shown = removed.into_iter().map(|removed| match removed {
            Removed::Untagged(untagged) => json::DeletedImage { untagged, ..Default::default() },
            Removed::Deleted(deleted) => json::DeletedImage { deleted, ..Default::default() },
        });
        shown.collect()
    }

    /// Asks a registry whether it accepts credentials.
    pub async fn log_in(&self, auth: &json::RegistryAuth) -> Result<json::LoginAnswer, ApiError> {
        let given = credentials(auth).unwrap_or_default();
        let login = self.images.login(&auth.serveraddress, &given).await.map_err(|error| told(&error))?;
        Ok(json::LoginAnswer {
            status: login.status,
            identity_token: login.identity_token.unwrap_or_default(),
        })
    }
}

/// Reads which images a prune takes.
fn which(filters: &json::Filters) -> Result<Prune, ApiError> {
    let is_all =
        filters.flag("dangling").map_err(|error| ApiError::bad_request(error.to_string()))? == Some(false);
    let until = engine::until(filters).map_err(refusal::told)?;
    let created_before = until
        .map(|until| OffsetDateTime::from_unix_timestamp_nanos(i128::from(until.nanoseconds())))
        .transpose()
        .map_err(|error| ApiError::bad_request(format!("invalid filter 'until': {error}")))?;
    let split = |text: &String| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text.clone(), None),
    };
    let with = filters.values("label").iter().map(split).map(|(key, value)| LabelFilter::With(key, value));
    let without =
        filters.values("label!").iter().map(split).map(|(key, value)| LabelFilter::Without(key, value));
    Ok(Prune {
        scope: if is_all { PruneScope::Unused } else { PruneScope::Untagged },
        created_before,
        labels: with.chain(without).collect(),
    })
}

fn parse(reference: &str) -> Result<Reference, ApiError> {
    reference.parse().map_err(|error| ApiError::bad_request(format!("{error}")))
}

fn credentials(auth: &json::RegistryAuth) -> Option<Auth> {
    (!auth.is_anonymous()).then(|| Auth {
        username: auth.username.clone(),
        password: auth.password.clone(),
        identity_token: auth.identitytoken.clone(),
        registry_token: auth.registrytoken.clone(),
    })
}

/// Turns an error of the image store into what a client is told.
fn told(error: &::image::Error) -> ApiError {
    let status = match error.kind() {
        ::image::ErrorKind::NotFound => Status::NotFound,
        ::image::ErrorKind::Conflict => Status::Conflict,
        ::image::ErrorKind::Invalid => Status::BadRequest,
        ::image::ErrorKind::Unauthorized => Status::Unauthorized,
        ::image::ErrorKind::Unavailable | ::image::ErrorKind::Internal => Status::Internal,
    };
    ApiError::new(status, error.explain())
}

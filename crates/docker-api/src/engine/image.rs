//! Images on this host, and what registries say of others.

use async_trait::async_trait;
use engine_json as json;

use crate::engine::{ByteStream, ProgressStream};
use crate::error::ApiError;

/// Images on this host, and what registries say of others.
#[async_trait]
pub trait Images: Send + Sync + 'static {
    /// Lists the images on this host.
    async fn images(&self) -> Result<Vec<json::ImageSummary>, ApiError>;

    /// Describes an image on this host.
    async fn image(&self, name: &str) -> Result<json::ImageInspect, ApiError>;

    /// Tells how an image on this host was made.
    async fn image_history(&self, name: &str) -> Result<Vec<json::ImageHistory>, ApiError>;

    /// Fetches an image. What fails before the first progress is an error; what fails later ends the progress.
    async fn pull_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError>;

    /// Sends an image to its registry, with all its tags if the name has none. Fails as a fetch does.
    async fn push_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError>;

    /// Loads images from an archive.
    async fn load_images(&self, archive: ByteStream, quiet: bool) -> Result<ProgressStream, ApiError>;

    /// Saves images to an archive.
    async fn save_images(&self, names: Vec<String>, platform: &str) -> Result<ByteStream, ApiError>;

    /// Makes an image of one layer from a tree of files.
    async fn import_image(&self, import: Import, tree: ByteStream) -> Result<ProgressStream, ApiError>;

    /// Gives an image on this host one more name.
    async fn tag_image(&self, source: &str, target: &str) -> Result<(), ApiError>;

    /// Removes a name of an image, or the image.
    async fn remove_image(&self, name: &str, removal: Removal) -> Result<Vec<json::DeletedImage>, ApiError>;

    /// Removes images that no container uses: filters `dangling`, `until`, `label` and `label!`.
    async fn prune_images(&self, filters: json::Filters) -> Result<json::ImagesPruned, ApiError>;

    /// Asks a registry about an image, without fetching it.
    async fn distribution(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
    ) -> Result<json::Distribution, ApiError>;
}

/// How an image is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// Whether it is removed although it has several names.
    pub force: bool,
    /// Whether its parents without names stay.
    pub no_prune: bool,
}

/// What is made of a tree of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Import {
    /// The image's name with its tag; empty for none.
    pub reference: String,
    /// What is said of it in its history.
    pub message: String,
    /// Lines of a Dockerfile that change its configuration.
    pub changes: Vec<String>,
    /// The platform it is for; empty for this host's.
    pub platform: String,
}

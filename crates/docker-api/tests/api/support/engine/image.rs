//! Images that are only said to be there.

use async_trait::async_trait;
use docker_api::engine::{ByteStream, Images, Import, ProgressStream, Removal};
use docker_api::{ApiError, Status};
use engine_json as json;
use futures_util::{StreamExt, stream};

use super::{FakeEngine, drain};

#[async_trait]
impl Images for FakeEngine {
    async fn images(&self) -> Result<Vec<json::ImageSummary>, ApiError> {
        Ok(self.inner.lock().unwrap().images.clone())
    }

    async fn image(&self, name: &str) -> Result<json::ImageInspect, ApiError> {
        let image = self.found_image(name)?;
        Ok(json::ImageInspect { id: image.id, repo_tags: image.repo_tags, ..json::ImageInspect::default() })
    }

    async fn image_history(&self, name: &str) -> Result<Vec<json::ImageHistory>, ApiError> {
        let image = self.found_image(name)?;
        let step = json::ImageHistory { id: image.id, created_by: "COPY / /".into(), ..Default::default() };
        Ok(vec![step])
    }

    async fn pull_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError> {
        self.note(format!("pull {reference} {} {platform}", auth.username));
        if reference.contains("nowhere") {
            return Err(ApiError::not_found(format!("manifest for {reference} not found")));
        }
        let progress =
            [json::Progress::of("layer", "Pull complete"), json::Progress::status("Status: Downloaded")];
        Ok(stream::iter(progress).boxed())
    }

    async fn load_images(&self, mut archive: ByteStream, quiet: bool) -> Result<ProgressStream, ApiError> {
        let mut size = 0;
        while let Some(part) = archive.next().await {
            size += part.map_err(|error| ApiError::internal(error.to_string()))?.len();
        }
        self.note(format!("load {size} {quiet}"));
        let progress = [json::Progress::stream("Loaded image: drover/whoami:latest\n")];
        Ok(stream::iter(progress).boxed())
    }

    async fn tag_image(&self, source: &str, target: &str) -> Result<(), ApiError> {
        self.note(format!("tag {source} {target}"));
        self.found_image(source).map(|_| ())
    }

    async fn remove_image(&self, name: &str, removal: Removal) -> Result<Vec<json::DeletedImage>, ApiError> {
        self.note(format!("remove {name} {} {}", removal.force, removal.no_prune));
        let image = self.found_image(name)?;
        Ok(vec![
            json::DeletedImage { untagged: name.into(), ..Default::default() },
            json::DeletedImage { deleted: image.id, ..Default::default() },
        ])
    }

    async fn push_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        _: &str,
    ) -> Result<ProgressStream, ApiError> {
        self.note(format!("push {reference} {}", auth.username));
        self.found_image(reference)?;
        let progress = [json::Progress::of("layer", "Pushed"), json::Progress::status("1: digest: sha256:0")];
        Ok(stream::iter(progress).boxed())
    }

    async fn save_images(&self, names: Vec<String>, platform: &str) -> Result<ByteStream, ApiError> {
        self.note(format!("save {names:?} {platform}"));
        for name in &names {
            self.found_image(name)?;
        }
        Ok(stream::iter([Ok("an archive".into())]).boxed())
    }

    async fn import_image(&self, import: Import, tree: ByteStream) -> Result<ProgressStream, ApiError> {
        let size = drain(tree).await?.len();
        self.note(format!("import {} {:?} {:?} {size}", import.reference, import.message, import.changes));
        Ok(stream::iter([json::Progress::status("sha256:1")]).boxed())
    }

    async fn prune_images(&self, filters: json::Filters) -> Result<json::ImagesPruned, ApiError> {
        self.note(format!("prune images {}", filters.to_json()));
        let images_deleted = vec![json::DeletedImage { deleted: "sha256:1".into(), ..Default::default() }];
        Ok(json::ImagesPruned { images_deleted, space_reclaimed: 2_000_000 })
    }

    async fn distribution(
        &self,
        reference: &str,
        _: json::RegistryAuth,
    ) -> Result<json::Distribution, ApiError> {
        self.note(format!("distribution {reference}"));
        Err(ApiError::new(Status::Unauthorized, format!("no registry knows {reference}")))
    }
}

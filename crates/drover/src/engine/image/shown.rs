//! What images look like.

use std::collections::BTreeMap;

use ::image::{Image, Images, Platform, Usage};
use container_json::Summary;
use docker_api::ApiError;
use engine_json as json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{credentials, parse, told};

/// Lists the images, the newest first.
pub fn list(images: &Images) -> Vec<json::ImageSummary> {
    let mut shown: Vec<json::ImageSummary> = images.list().iter().map(summary).collect();
    shown.sort_by_key(|image| std::cmp::Reverse(image.created));
    shown
}

fn summary(image: &Image) -> json::ImageSummary {
    json::ImageSummary {
        containers: -1,
        created: created(&image.created),
        id: image.id.to_string(),
        labels: (!image.config.labels.is_empty()).then(|| image.config.labels.clone()),
        parent_id: String::new(),
        repo_digests: image.repo_digests.clone(),
        repo_tags: image.repo_tags.clone(),
        shared_size: -1,
        size: size(image),
    }
}

fn created(text: &str) -> i64 {
    OffsetDateTime::parse(text, &Rfc3339).map_or(0, OffsetDateTime::unix_timestamp)
}

fn size(image: &Image) -> i64 {
    i64::try_from(image.size_bytes).unwrap_or(i64::MAX)
}

/// Lists the images with what they share, and how many containers each has.
pub fn list_with_usage(images: &Images, usage: &Usage, containers: &[Summary]) -> Vec<json::ImageSummary> {
    let mut shown = list(images);
    for image in &mut shown {
        let own = image.id.parse().ok().and_then(|id: ::image::Digest| usage.images.get(&id));
        let shared = own.map_or(0, |own| own.shared_bytes);
        image.shared_size = i64::try_from(shared).unwrap_or(i64::MAX);
        let users = containers.iter().filter(|container| container.image_id == image.id).count();
        image.containers = i64::try_from(users).unwrap_or(i64::MAX);
    }
    shown
}

/// Describes an image.
pub fn inspect(images: &Images, name: &str) -> Result<json::ImageInspect, ApiError> {
    let image = images.inspect(name).map_err(|error| told(&error))?;
    let keys = |keys: &[String]| keys.iter().map(|key| (key.clone(), json::Nothing {})).collect();
    let config = json::ImageConfig {
        user: image.config.user.clone(),
        exposed_ports: keys(&image.config.exposed_ports),
        env: image.config.env.clone(),
        entrypoint: image.config.entrypoint.clone(),
        cmd: image.config.cmd.clone(),
        healthcheck: image.config.healthcheck.as_ref().map(healthcheck),
        volumes: keys(&image.config.volumes),
        working_dir: image.config.working_dir.clone(),
        labels: (!image.config.labels.is_empty()).then(|| image.config.labels.clone()),
        stop_signal: image.config.stop_signal.clone(),
        shell: image.config.shell.clone(),
    };
    Ok(json::ImageInspect {
        id: image.id.to_string(),
        repo_tags: image.repo_tags.clone(),
        repo_digests: image.repo_digests.clone(),
        created: image.created.clone(),
        author: image.author.clone(),
        config: Some(config),
        architecture: image.platform.architecture.clone(),
        variant: image.platform.variant.clone().unwrap_or_default(),
        os: image.platform.os.clone(),
        size: size(&image),
        root_fs: json::RootFs {
            layers: image.diff_ids.iter().map(ToString::to_string).collect(),
            ..json::RootFs::default()
        },
        metadata: BTreeMap::new(),
        ..json::ImageInspect::default()
    })
}

fn healthcheck(check: &::image::Healthcheck) -> json::Healthcheck {
    let ::image::Healthcheck { test, interval, timeout, start_period, start_interval, retries } =
        check.clone();
    json::Healthcheck { test, interval, timeout, start_period, start_interval, retries }
}

/// Tells how an image was made, the last step first.
pub fn history(images: &Images, name: &str) -> Result<Vec<json::ImageHistory>, ApiError> {
    let image = images.inspect(name).map_err(|error| told(&error))?;
    let steps = image.history.iter().rev().enumerate().map(|(at, step)| json::ImageHistory {
        comment: step.comment.clone(),
        created: created(&step.created),
        created_by: step.created_by.clone(),
        id: if at == 0 { image.id.to_string() } else { "<missing>".into() },
        size: 0,
        tags: (at == 0).then(|| image.repo_tags.clone()),
    });
    Ok(steps.collect())
}

/// Tells what an image is pinned to: its registry's digest or, for an image that never was in a
/// registry, its own id, which nodes that have it know it by.
pub async fn distribution(
    images: &Images,
    reference: &str,
    auth: json::RegistryAuth,
) -> Result<json::Distribution, ApiError> {
    if let Some(image) = images.find(reference)
        && image.repo_digests.is_empty()
    {
        return Ok(distributed(
            "application/vnd.oci.image.config.v1+json",
            image.id,
            size(&image),
            [image.platform],
        ));
    }
    let found = images.digest_of(&parse(reference)?, credentials(&auth).as_ref()).await;
    let found = found.map_err(|error| told(&error))?;
    let bytes = i64::try_from(found.size_bytes).unwrap_or(i64::MAX);
    Ok(distributed(&found.media_type, found.digest, bytes, found.platforms))
}

fn distributed(
    media_type: &str,
    digest: ::image::Digest,
    size: i64,
    platforms: impl IntoIterator<Item = Platform>,
) -> json::Distribution {
    let platform = |platform: Platform| json::OciPlatform {
        architecture: platform.architecture,
        os: platform.os,
        variant: platform.variant.unwrap_or_default(),
    };
    json::Distribution {
        descriptor: json::Descriptor { media_type: media_type.to_owned(), digest: digest.to_string(), size },
        platforms: platforms.into_iter().map(platform).collect(),
    }
}

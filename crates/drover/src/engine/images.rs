//! Images of this host for the Engine API.

use std::collections::BTreeMap;

use container::{Containers, Phase};
use docker_api::ApiError;
use docker_api::engine::{ByteStream, ProgressStream, Removal};
use engine_json as json;
use futures_util::StreamExt;
use image::{Auth, Force, Image, Images, InUse, Platform, Reference, Removed, Reporter};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;

use super::told;

/// How many lines of progress wait for the client.
const PROGRESS_WAITING: usize = 64;

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

fn healthcheck(check: &image::Healthcheck) -> json::Healthcheck {
    let image::Healthcheck { test, interval, timeout, start_period, start_interval, retries } = check.clone();
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

/// Fetches an image. What fails before the first line of progress is an answer of its own.
pub async fn pull(
    images: Images,
    reference: &str,
    auth: json::RegistryAuth,
    platform: &str,
) -> Result<ProgressStream, ApiError> {
    let reference = parse(reference)?;
    let platform: Option<Platform> = match platform {
        "" => None,
        text => Some(text.parse().map_err(|error| ApiError::bad_request(format!("{error}")))?),
    };
    let (reporter, lines) = mpsc::channel(PROGRESS_WAITING);
    let (ending, end) = mpsc::channel(1);
    let pulling = async move {
        let pulled = images
            .pull(&reference, credentials(&auth).as_ref(), platform.as_ref(), &Reporter::to(reporter))
            .await;
        if let Err(error) = pulled {
            // The reader is gone: nobody wants to know.
            let _gone = ending.send(error).await;
        }
    };
    // A client that goes away does not stop the pull: others may wait for the same layers.
    drop(tokio::spawn(pulling));
    let mut lines = ReceiverStream::new(lines).map(progress);
    let mut end = ReceiverStream::new(end);
    match lines.next().await {
        Some(first) => {
            let last = end.map(|error| json::Progress::error(error.explain()));
            Ok(Box::pin(futures_util::stream::iter([first]).chain(lines).chain(last)))
        }
        None => match end.next().await {
            Some(error) => Err(told(&error)),
            None => Ok(Box::pin(futures_util::stream::empty())),
        },
    }
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

fn progress(line: image::Progress) -> json::Progress {
    let detail =
        line.detail.map(|detail| json::ProgressDetail { current: detail.current, total: detail.total });
    let shown = match &detail {
        Some(json::ProgressDetail { current, total }) if *total > 0 => bar(*current, *total),
        Some(_) | None => String::new(),
    };
    let has_id = line.id.is_some();
    json::Progress {
        status: line.status,
        progress: shown,
        progress_detail: detail.or_else(|| has_id.then(json::ProgressDetail::default)),
        id: line.id.unwrap_or_default(),
        ..json::Progress::default()
    }
}

/// Draws progress as Docker does, for clients that print it as it comes.
fn bar(current: u64, total: u64) -> String {
    const WIDTH: usize = 50;
    let done = usize::try_from(current.min(total).saturating_mul(WIDTH as u64) / total).unwrap_or(WIDTH);
    let (full, rest) = ("=".repeat(done.saturating_sub(1)), " ".repeat(WIDTH - done));
    format!("[{full}>{rest}] {:.1}MB/{:.1}MB", current as f64 / 1e6, total as f64 / 1e6)
}

/// Loads images from an archive.
pub fn load(images: Images, archive: ByteStream, quiet: bool) -> ProgressStream {
    let (reporter, lines) = mpsc::channel(PROGRESS_WAITING);
    let loading = tokio::spawn(async move {
        let reporter = if quiet { Reporter::none() } else { Reporter::to(reporter) };
        images.load(StreamReader::new(archive), &reporter).await
    });
    let lines = ReceiverStream::new(lines).map(progress);
    let last = futures_util::stream::once(async move {
        let records = match loading.await {
            Ok(Ok(loaded)) => loaded
                .into_iter()
                .map(|loaded| match loaded.name {
                    Some(name) => json::Progress::stream(format!("Loaded image: {name}\n")),
                    None => json::Progress::stream(format!("Loaded image ID: {}\n", loaded.id)),
                })
                .collect(),
            Ok(Err(error)) => vec![json::Progress::error(error.explain())],
            Err(error) => vec![json::Progress::error(format!("loading broke off: {error}"))],
        };
        futures_util::stream::iter(records)
    });
    Box::pin(lines.chain(last.flatten()))
}

/// Gives an image one more name.
pub async fn tag(images: &Images, source: &str, target: &str) -> Result<(), ApiError> {
    images.tag(source, &parse(target)?).await.map_err(|error| told(&error))
}

/// Removes a name of an image, or the image; those of containers on this host are kept.
pub async fn remove(
    images: &Images,
    containers: &Containers,
    name: &str,
    removal: Removal,
) -> Result<Vec<json::DeletedImage>, ApiError> {
    let in_use = containers.list().into_iter().filter_map(|status| {
        let image = status.labels.get("drover.image.id")?.parse().ok()?;
        let is_running = !matches!(status.phase, Phase::Exited(_));
        Some(InUse { image, container: status.id, is_running })
    });
    let force = if removal.force { Force::Yes } else { Force::No };
    let removed = images.remove(name, force, in_use.collect()).await.map_err(|error| told(&error))?;
    let shown = removed.into_iter().map(|removed| match removed {
        Removed::Untagged(untagged) => json::DeletedImage { untagged, ..json::DeletedImage::default() },
        Removed::Deleted(deleted) => json::DeletedImage { deleted, ..json::DeletedImage::default() },
    });
    Ok(shown.collect())
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
    digest: image::Digest,
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

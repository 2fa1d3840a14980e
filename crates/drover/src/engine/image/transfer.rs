//! Images on their way in and out, with their progress.

use std::future::Future;
use std::sync::Arc;

use ::image::{Images, Platform, Reference, Reporter};
use docker_api::ApiError;
use docker_api::engine::{ByteStream, Import, ProgressStream};
use engine::{Action, Events, Subject};
use engine_json as json;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{ReaderStream, StreamReader};

use super::{credentials, parse, told};
use crate::collector::Collector;

/// How many lines of progress wait for the client.
const PROGRESS_WAITING: usize = 64;
/// How many bytes of an archive wait for the client.
const ARCHIVE_WAITING_BYTES: usize = 1 << 20;

/// Where images come from and go to, and where that is told.
pub struct Transfer {
    /// The images.
    pub images: Images,
    /// Where it is told.
    pub events: Events,
    /// What keeps them from filling the disk.
    pub collector: Arc<Collector>,
}

impl Transfer {
    /// Fetches an image. What fails before the first line of progress is an answer of its own.
    pub async fn pull(
        self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError> {
        let (reference, platform) = (parse(reference)?, platform_of(platform)?);
        followed(move |reporter| async move {
            let auth = credentials(&auth);
            let pulled = self.images.pull(&reference, auth.as_ref(), platform.as_ref(), &reporter).await;
            self.collector.look_soon();
            let image = pulled?;
            self.tell(&image.id.to_string(), &reference, Action::Pull);
            Ok(())
        })
        .await
    }

    /// Sends an image to its registry, or all of a repository if no tag is named. Fails as a fetch does.
    pub async fn push(self, reference: &str, auth: json::RegistryAuth) -> Result<ProgressStream, ApiError> {
        let named = parse(reference)?;
        let names = if has_tag(reference) {
            vec![named]
        } else {
            self.images.tags_of(&named).map_err(|error| told(&error))?
        };
        followed(move |reporter| async move {
            let auth = credentials(&auth);
            self.images.push_all(&names, auth.as_ref(), &reporter).await?;
            for name in &names {
                self.tell(&name.familiar(), name, Action::Push);
            }
            Ok(())
        })
        .await
    }

    fn tell(&self, id: &str, reference: &Reference, action: Action) {
        let labels = self.images.find(&reference.familiar()).map(|image| image.config.labels.clone());
        let subject = Subject::image(id, &reference.familiar(), &labels.unwrap_or_default());
        self.events.publish(subject, action, []);
    }

    /// Loads images from an archive.
    pub fn load(self, archive: ByteStream, quiet: bool) -> ProgressStream {
        let (reporter, lines) = mpsc::channel(PROGRESS_WAITING);
        let loading = tokio::spawn(async move {
            let reporter = if quiet { Reporter::none() } else { Reporter::to(reporter) };
            let loaded = self.images.load(StreamReader::new(archive), &reporter).await;
            self.collector.look_soon();
            let loaded = loaded?;
            for each in &loaded {
                let id = each.id.to_string();
                let name = each.name.as_ref().map_or_else(|| id.clone(), ToString::to_string);
                self.events.publish(Subject::image(&id, &name, &json::Labels::new()), Action::Load, []);
            }
            Ok::<_, ::image::Error>(loaded)
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

    /// Makes an image from a tree of files.
    pub async fn import(self, import: Import, tree: ByteStream) -> Result<ProgressStream, ApiError> {
        let Import { reference, message, changes, platform } = import;
        let name = if reference.is_empty() { None } else { Some(parse(&reference)?) };
        let import =
            ::image::Import { name: name.clone(), message, changes, platform: platform_of(&platform)? };
        let imported = self.images.import(StreamReader::new(tree), import).await;
        self.collector.look_soon();
        let image = imported.map_err(|error| told(&error))?;
        let id = image.id.to_string();
        let shown = name.map_or_else(|| id.clone(), |name| name.familiar());
        self.events.publish(Subject::image(&id, &shown, &image.config.labels), Action::Import, []);
        let last = json::Progress { status: id, ..json::Progress::default() };
        Ok(Box::pin(futures_util::stream::iter([last])))
    }

    /// Saves images to an archive. What is not there is an answer of its own.
    pub fn save(self, names: Vec<String>) -> Result<ByteStream, ApiError> {
        for name in &names {
            let image = self.images.inspect(name).map_err(|error| told(&error))?;
            let subject = Subject::image(&image.id.to_string(), name, &image.config.labels);
            self.events.publish(subject, Action::Save, []);
        }
        let (reader, writer) = tokio::io::duplex(ARCHIVE_WAITING_BYTES);
        let (failed, failure) = mpsc::channel(1);
        // Ends with the archive, or with its reader.
        drop(tokio::spawn(async move {
            if let Err(error) = self.images.save(&names, writer).await {
                let _gone = failed.send(Err(std::io::Error::other(error.explain()))).await;
            }
        }));
        // A failure breaks the answer off, so that nobody takes a part for the whole.
        Ok(Box::pin(ReaderStream::new(reader).chain(ReceiverStream::new(failure))))
    }
}

/// Claims that a name has a tag, which comes after its last slash, or a digest.
fn has_tag(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']))
}

fn platform_of(text: &str) -> Result<Option<Platform>, ApiError> {
    match text {
        "" => Ok(None),
        text => Ok(Some(text.parse().map_err(|error| ApiError::bad_request(format!("{error}")))?)),
    }
}

/// Does something that reports its progress, and goes on with it if the client goes away: others may wait for the
/// same layers. What fails before the first line is an answer of its own.
async fn followed<F>(work: impl FnOnce(Reporter) -> F) -> Result<ProgressStream, ApiError>
where
    F: Future<Output = Result<(), ::image::Error>> + Send + 'static,
{
    let (reporter, lines) = mpsc::channel(PROGRESS_WAITING);
    let (ending, end) = mpsc::channel(1);
    let working = work(Reporter::to(reporter));
    drop(tokio::spawn(async move {
        if let Err(error) = working.await {
            // The reader is gone: nobody wants to know.
            let _gone = ending.send(error).await;
        }
    }));
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

fn progress(line: ::image::Progress) -> json::Progress {
    let detail =
        line.detail.map(|detail| json::ProgressDetail { current: detail.current, total: detail.total });
    let shown = match &detail {
        Some(json::ProgressDetail { current, total }) if *total > 0 => bar(*current, *total),
        Some(_) | None => String::new(),
    };
    let has_id = line.id.is_some();
    let aux = line.pushed.map(|pushed| json::Pushed {
        tag: pushed.tag,
        digest: pushed.digest.to_string(),
        size: pushed.size_bytes,
    });
    json::Progress {
        status: line.status,
        progress: shown,
        progress_detail: detail.or_else(|| (has_id || aux.is_some()).then(json::ProgressDetail::default)),
        aux,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_from_ports() {
        for (name, expected) in [
            ("web", false),
            ("web:1", true),
            ("localhost:5000/web", false),
            ("localhost:5000/web:1", true),
            ("team/web@sha256:ab", true),
        ] {
            assert_eq!(has_tag(name), expected, "{name}");
        }
    }
}

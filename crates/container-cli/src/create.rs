//! `create`, and what `run` shares with it

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::{ArgAction, Args};
use client::{Context, Exit, Route, credentials};
use container_flags::{Creation, Surroundings};
use container_json::{CreateBody, Created};
use format::reference::{Reference, with_tag};

use crate::progress::{self, Show};

/// The exit code when the command itself fails, and not what it starts.
const FAILED: u8 = 125;

/// What a new container is, and where its image comes from.
#[derive(Debug, Args)]
// `run` has these beside its own, of whose group this would have the name.
#[group(skip)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) creation: Creation,
    /// Without effect: images are known by their digests
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
    /// Show this help
    #[arg(long, action = ArgAction::HelpLong)]
    help: Option<bool>,
    /// Its name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Another platform's variant of the image, such as `linux/arm64`
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Whether the image is fetched first: `always`, `missing` or `never`
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pull: String,
    /// Show no progress of the fetch
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let id = async {
        let body = arguments.body()?;
        create(context, &arguments, &body).await
    };
    let id = id.await.map_err(|error| failed("create", error))?;
    Ok(context.console.line(&id)?)
}

/// Says that a command failed before anything ran, with Docker's exit code for that.
pub(crate) fn failed(verb: &str, error: anyhow::Error) -> anyhow::Error {
    refused(verb, FAILED, error)
}

/// Says that a command failed, with an exit code.
pub(crate) fn refused(verb: &str, code: u8, error: anyhow::Error) -> anyhow::Error {
    if error.is::<Exit>() {
        return error;
    }
    let message = format!("drover: {error:#}\n\nRun 'drover {verb} --help' for more information");
    Exit { code, message }.into()
}

impl Arguments {
    /// Builds the body of the creation.
    pub(crate) fn body(&self) -> Result<CreateBody> {
        if !["always", "missing", "never"].contains(&self.pull.as_str()) {
            bail!(
                "invalid pull option: '{}': must be one of \"always\", \"missing\" or \"never\"",
                self.pull
            );
        }
        let directory = std::env::current_dir().unwrap_or_default();
        let variable = |name: &str| std::env::var(name).ok();
        Ok(self.creation.body(Surroundings { variable: &variable, directory: &directory })?)
    }

    /// Returns the image with the tag that is meant when none is written.
    fn image(&self) -> Result<String> {
        let image = self.creation.image();
        let name = Reference::of(image).name;
        // An id is no name, and may be written as it likes.
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) && !name.contains(['.', ':']) {
            let path = Reference::of(image).canonical();
            let path = path.strip_prefix("docker.io/").unwrap_or(&path);
            bail!("invalid reference format: repository name ({path}) must be lowercase");
        }
        Ok(with_tag(image))
    }
}

/// Creates a container, fetching its image if that is wanted, and returns its id.
pub(crate) async fn create(
    context: &mut Context,
    arguments: &Arguments,
    body: &CreateBody,
) -> Result<String> {
    let image = arguments.image()?;
    let id_file = arguments.creation.id_file();
    if let Some(file) = id_file.filter(|file| Path::new(file).exists()) {
        bail!("container ID file found, make sure the other container isn't running or delete {file}");
    }
    let show = if arguments.quiet { Show::Nothing } else { Show::Errors };
    let platform = arguments.platform.as_deref();
    if arguments.pull == "always" {
        pull(context, &image, platform, show).await?;
    }
    let created = match post(context, arguments, body).await {
        Err(error) if error.is_not_found() && arguments.pull == "missing" => {
            if !arguments.quiet {
                context.console.complain(&format!("Unable to find image '{image}' locally"));
            }
            pull(context, &image, platform, show).await?;
            post(context, arguments, body).await
        }
        other => other,
    };
    let Created { id, warnings } = created?;
    warnings.iter().for_each(|warning| context.console.complain(&format!("WARNING: {warning}")));
    if let Some(file) = id_file {
        std::fs::write(file, &id).with_context(|| format!("failed to write the container ID to {file}"))?;
    }
    Ok(id)
}

async fn post(context: &Context, arguments: &Arguments, body: &CreateBody) -> Result<Created, client::Error> {
    let mut route = Route::new("/containers/create");
    if let Some(name) = &arguments.name {
        route = route.with("name", name);
    }
    if let Some(platform) = &arguments.platform {
        route = route.with("platform", platform);
    }
    context.engine.post(route, body).await
}

/// Fetches an image.
pub async fn pull(context: &mut Context, image: &str, platform: Option<&str>, show: Show) -> Result<()> {
    let reference = Reference::of(image);
    let version = reference.digest.or(reference.tag).unwrap_or("latest");
    let mut route =
        Route::new("/images/create").with("fromImage", reference.canonical()).with("tag", version);
    if let Some(platform) = platform {
        route = route.with("platform", platform);
    }
    let lines = context.engine.post_lines(route.authorized(credentials::header(image))).await?;
    progress::follow(&mut context.console, lines, show).await.map(drop)
}

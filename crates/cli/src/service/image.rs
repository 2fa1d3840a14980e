//! Pins an image by the digest that its registry knows.

use client::{Context, Error, Route, credentials, escape_path};
use engine_json::{Distribution, Platform, ServiceSpec};
use format::reference::{Reference, with_tag};

/// Writes the image's digest and platforms into a spec; if the registry cannot be asked, warns and leaves the spec.
pub(super) async fn pin(context: &mut Context, spec: &mut ServiceSpec) -> Result<(), Error> {
    let Some(container) = &mut spec.task_template.container_spec else { return Ok(()) };
    let image = with_tag(&container.image);
    let route = Route::new(format!("/distribution/{}/json", escape_path(&image)))
        .authorized(credentials::header(&image));
    let known = match context.engine.get::<Distribution>(route).await {
        Ok(known) => known,
        Err(error @ Error::Unreachable { .. }) => return Err(error),
        Err(_) => {
            context.console.complain(&format!(
                "image {image} could not be accessed on a registry to record\n\
                 its digest. Each node will access {image} independently,\n\
                 possibly leading to different nodes running different\n\
                 versions of the image.\n"
            ));
            return Ok(());
        }
    };
    if Reference::of(&image).digest.is_none() && !known.descriptor.digest.is_empty() {
        container.image = format!("{image}@{}", known.descriptor.digest);
    }
    let platforms = known.platforms.into_iter().map(|platform| Platform {
        // A registry's word for 32-bit ARM says too little to compare nodes with.
        architecture: if platform.architecture == "arm" { String::new() } else { platform.architecture },
        os: platform.os,
    });
    spec.task_template.placement.get_or_insert_default().platforms = platforms.collect();
    Ok(())
}

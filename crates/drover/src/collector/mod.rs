//! Clears away images that nothing needs before they fill the disk.
//!
//! It looks from time to time, and whenever images have come. Which of the unused ones go, the crate `image` decides;
//! which are used is known here: those of all containers, and the last two of each service that this node runs or ran.

mod services;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use engine::{Action, Events, Subject};
use image::{Digest, Images, Removed, Watermark};
use tokio::sync::{Notify, watch};

use crate::causes;
use crate::clock;
use services::ServiceImages;

/// How often the disk is looked at: often enough for what grows by itself, and one call to the kernel.
const PERIOD: Duration = Duration::from_secs(300);
/// The label by which a container names its service.
const SERVICE_LABEL: &str = "com.docker.swarm.service.id";

/// Keeps the disk from filling up with images.
pub struct Collector {
    images: Images,
    engine: engine::Engine,
    services: ServiceImages,
    watermark: Watermark,
    wake: Notify,
}

impl Collector {
    /// Makes a collector, which remembers in this file what services had.
    pub fn open(
        images: Images,
        engine: engine::Engine,
        file: PathBuf,
        watermark: Watermark,
    ) -> anyhow::Result<Self> {
        Ok(Self { images, engine, services: ServiceImages::open(file)?, watermark, wake: Notify::new() })
    }

    /// Notes that a container is about to be made of an image: it stays for the time being.
    pub async fn note_use(&self, image: Digest) {
        if let Err(error) = self.images.note_use(image).await {
            // The container is made all the same, unless the image has just gone, which that will tell.
            tracing::warn!(%image, error = error.explain(), "the use of an image is not noted");
        }
    }

    /// Notes that a service runs an image on this node.
    pub async fn note_service(&self, service: &str, image: Digest) {
        self.note_use(image).await;
        if let Err(error) = self.services.note(service, image, seconds_now()) {
            tracing::warn!(service, %error, "the image of a service is not noted: it may be cleared away once it is not used");
        }
    }

    /// Looks at the disk soon, as images have come.
    pub fn look_soon(&self) {
        self.wake.notify_one();
    }

    /// Looks at the disk again and again, until told to stop.
    pub async fn run(&self, mut stopped: watch::Receiver<bool>) {
        loop {
            self.collect().await;
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = self.wake.notified() => {}
                // A sender that is gone means stop, too.
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn collect(&self) {
        let kept = match self.services.kept(&self.services_present(), seconds_now()) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "the images of services are not known: none is cleared away");
                return;
            }
        };
        let of_containers = self.engine.images_in_use().into_iter().map(|used| used.image);
        let kept: Vec<Digest> = kept.into_iter().chain(of_containers).collect();
        match self.images.collect(&kept, self.watermark).await {
            Ok(pruned) => tell_removed(self.engine.events(), &pruned.removed),
            Err(error) => {
                tracing::warn!(error = causes::written(&error), "unused images are not cleared away")
            }
        }
    }

    fn services_present(&self) -> BTreeSet<String> {
        let containers = self.engine.containers().list().into_iter();
        containers.filter_map(|mut container| container.labels.remove(SERVICE_LABEL)).collect()
    }
}

/// Tells whoever listens which images and names have gone.
pub fn tell_removed(events: &Events, removed: &[Removed]) {
    for each in removed {
        let (name, action) = match each {
            Removed::Untagged(name) => (name, Action::Untag),
            Removed::Deleted(name) => (name, Action::Delete),
        };
        events.publish(Subject::image(name, name, &engine_json::Labels::new()), action, []);
    }
}

fn seconds_now() -> u64 {
    u64::try_from(clock::now().0 / 1_000_000_000).unwrap_or_default()
}

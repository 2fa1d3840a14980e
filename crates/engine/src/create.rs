//! Making containers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use container_config::address::mac_wanted;
use container_config::mounts::{self, Making, Mount, Source};
use container_config::spec::{self, Given, HostFiles, Reach};
use container_config::{check, complete, names};
use container_json::{Config, CreateBody, Created, HostConfig};
use engine_json::Time;
use image::Image;

use crate::engine::{blocking, now};
use crate::events::Action;
use crate::exec::new_id;
use crate::life::Life;
use crate::record::{Origin, Record, Stage};
use crate::table::Entry;
use crate::{Engine, Error, Kind};

impl Engine {
    /// Makes a container; `name` is none if one is to be made up. The image must be on this host.
    pub async fn create(&self, name: Option<&str>, body: CreateBody) -> Result<Created, Error> {
        let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
        self.whole(|engine| async move { engine.create_whole(name.as_deref(), body).await }).await
    }

    async fn create_whole(&self, name: Option<&str>, body: CreateBody) -> Result<Created, Error> {
        if let Some(name) = name {
            names::checked(name)?;
        }
        let CreateBody { config, host_config, networking_config } = body;
        let asked = check::Asked {
            config: &config,
            host_config: &host_config,
            networking: &networking_config,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        };
        check::all(&asked).map_err(|error| not_the_image(error.into()))?;
        let image = self.image(&config.image)?;
        let id = new_id();
        let written = config.image.clone();
        let config = complete::config(spec::merge(config, &image.config)?, &host_config, &id)?;
        let record = Record {
            mounts: named(self.wanted_mounts(&config, &host_config).map_err(not_the_image)?),
            name: String::new(),
            id,
            created: now(),
            image: written,
            image_id: image.id.to_string(),
            config,
            host_config: complete::host_config(host_config),
            networking: networking_config,
            restart_count: 0,
            stopped_by_hand: false,
            origin: Origin::User,
            stage: Stage::Making,
            started_at: Time::default(),
            failure: None,
        };
        // Everything is decided once before anything is made, so that what cannot be is refused here.
        decide_unreached(&record, &image, &BTreeMap::new(), Mounts::Left)?;
        mac_wanted(&record.config, &record.networking)?;
        self.make(name, record, &image).await
    }

    /// Makes what was decided, or leaves nothing behind.
    async fn make(&self, name: Option<&str>, mut record: Record, image: &Image) -> Result<Created, Error> {
        record.name = self.table().claim(name, &record.id)?;
        let entry = Arc::new(Entry::new(record, Life::default()));
        let made = self.make_parts(&entry, image).await;
        if made.is_ok() {
            self.note(&entry, |record| record.stage = Stage::Whole);
            self.table().insert(entry.clone());
        }
        // From here on the table tells whose they are.
        let record = entry.record().clone();
        self.release_volumes(&record, making(&record.id)).await;
        match made {
            Ok(()) => {
                self.tell(&entry, Action::Create, []);
                Ok(Created { id: entry.id.clone(), warnings: Vec::new() })
            }
            Err(error) => {
                self.discard(&entry, true).await;
                Err(error)
            }
        }
    }

    async fn make_parts(&self, entry: &Entry, image: &Image) -> Result<(), Error> {
        let record = entry.record().clone();
        let root = &self.inner.config.root;
        record.write(root).map_err(|error| {
            Error::internal(&error).within(format!("write the container's record into {}", root.display()))
        })?;
        let points = self.make_mounts(record.mounts.clone(), making(&record.id)).await?;
        let spec = decide_unreached(&record, image, &points, Mounts::Left)?;
        self.containers().lay_out(&spec).await?;
        if record.mounts.is_empty() {
            return Ok(());
        }
        self.fill(&record).await?;
        let spec = decide_unreached(&record, image, &points, Mounts::Included)?;
        Ok(self.containers().redefine(&spec).await?)
    }

    /// Makes missing volumes and sources of binds, and takes all volumes into use; returns where they are.
    pub(crate) async fn make_mounts(
        &self,
        mounts: Vec<Mount>,
        user: String,
    ) -> Result<BTreeMap<String, PathBuf>, Error> {
        let engine = self.clone();
        blocking(move || {
            let mut points = BTreeMap::new();
            for mount in mounts {
                match mount.source {
                    Source::Bind { path, is_made, .. } => make_source(&path, is_made)?,
                    Source::Tmpfs { .. } => {}
                    Source::Volume { name, making, .. } => {
                        let Making { driver, options, labels } = making;
                        let creation = volume::Creation { name: Some(name), driver, options, labels };
                        let volume = engine.make_volume(creation)?;
                        points.insert(volume.name.clone(), engine.volumes().acquire(&volume.name, &user)?);
                    }
                }
            }
            Ok(points)
        })
        .await
    }

    /// Gives empty volumes what the image has at their paths; they are in use already.
    pub(crate) async fn fill(&self, record: &Record) -> Result<(), Error> {
        let volumes: Vec<(String, String)> = record
            .mounts
            .iter()
            .filter_map(|mount| match &mount.source {
                Source::Volume { name, subpath, is_filled: true, .. } if subpath.is_empty() => {
                    Some((name.clone(), mount.target.clone()))
                }
                Source::Volume { .. } | Source::Bind { .. } | Source::Tmpfs { .. } => None,
            })
            .collect();
        if volumes.is_empty() {
            return Ok(());
        }
        let engine = self.clone();
        let filled = move |root: &std::fs::File| -> Result<(), Error> {
            let root = archive::Root::of(root).map_err(|error| Error::internal(&error))?;
            for (name, target) in &volumes {
                engine.volumes().fill(name, &root, Path::new(target))?;
            }
            Ok(())
        };
        self.containers().visit_root(&record.id, filled).await?
    }

    fn wanted_mounts(&self, config: &Config, host_config: &HostConfig) -> Result<Vec<Mount>, Error> {
        let mut others = Vec::new();
        for written in &host_config.volumes_from {
            let (name, _) = mounts::volumes_from(written)?;
            others.push(self.entry(name)?.record().mounts.clone());
        }
        for mode in [&host_config.network_mode, &host_config.ipc_mode, &host_config.pid_mode] {
            if let Some(name) = check::peer(mode) {
                self.entry(name)?;
            }
        }
        let mounts = mounts::wanted(config, host_config, &others)?;
        for mount in &mounts {
            if let Source::Bind { path, is_made: false, .. } = &mount.source {
                present(path)?;
            }
        }
        Ok(mounts)
    }

    /// Finds an image of this host.
    pub(crate) fn image(&self, name: &str) -> Result<Image, Error> {
        if name.is_empty() {
            return Err(Error::invalid("no image is given"));
        }
        self.images().inspect(name).map_err(|error| match error.kind() {
            image::ErrorKind::NotFound => Error::not_found(format!("No such image: {}", tagged(name))),
            _ => Error::invalid(error.to_string()),
        })
    }
}

/// Whether the mounts of a container are in place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mounts {
    Included,
    Left,
}

/// Decides what a container is made of that does not run.
fn decide_unreached(
    record: &Record,
    image: &Image,
    volumes: &BTreeMap<String, PathBuf>,
    mounts: Mounts,
) -> Result<container::Spec, Error> {
    let mounts = match mounts {
        Mounts::Included => record.mounts.as_slice(),
        Mounts::Left => &[],
    };
    let spec = spec::decide(&Given {
        id: &record.id,
        config: &record.config,
        host_config: &record.host_config,
        mounts,
        layers: image.layers.clone(),
        volumes,
        reach: Reach::Nowhere,
        pid_peer: None,
        ipc_peer: None,
        host: &HostFiles::default(),
    })?;
    Ok(spec)
}

/// Returns who uses the volumes of a container that is being made, and is in no table yet.
fn making(id: &str) -> String {
    format!("{id}/making")
}

/// Clients take what is not found for the image, and would fetch that again.
fn not_the_image(error: Error) -> Error {
    if error.kind() == Kind::NotFound { Error::new(Kind::Invalid, error.text()) } else { error }
}

/// Returns an image's name with the tag it has if none is written.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let is_id = name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit());
    if last.contains([':', '@']) || is_id { name.to_owned() } else { format!("{name}:latest") }
}

/// Makes up names for volumes that were given none, so that the record knows them before they are there.
pub(crate) fn named(mut mounts: Vec<Mount>) -> Vec<Mount> {
    for mount in &mut mounts {
        if let Source::Volume { name, making, .. } = &mut mount.source
            && name.is_empty()
        {
            *name = new_id();
            making.labels.insert(volume::ANONYMOUS_LABEL.to_owned(), String::new());
        }
    }
    mounts
}

fn present(path: &str) -> Result<(), Error> {
    if Path::new(path).exists() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "invalid mount config for type \"bind\": bind source path does not exist: {path}"
    )))
}

/// Makes sure that the source of a bind mount is there.
pub(crate) fn make_source(path: &str, is_made: bool) -> Result<(), Error> {
    if !is_made {
        return present(path);
    }
    if Path::new(path).exists() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(|error| {
        Error::internal(&error).within(format!("error while creating mount source path '{path}'"))
    })
}

/// Returns when a time was, in seconds.
pub(crate) fn seconds(time: Time) -> i64 {
    time.nanoseconds().div_euclid(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_with_their_tags() {
        for (name, shown) in [
            ("busybox", "busybox:latest"),
            ("host:5000/busybox", "host:5000/busybox:latest"),
            ("busybox:1", "busybox:1"),
            ("busybox@sha256:00", "busybox@sha256:00"),
        ] {
            assert_eq!(tagged(name), shown);
        }
    }
}

//! Verbs on volumes, and who uses them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use container_json::{Volume as Json, VolumeBody, VolumeUsage, VolumesPruned};
use engine_json::Filters;
use tokio::sync::mpsc;
use volume::{Creation, DRIVER, Onto, Volume};

use crate::engine::{blocking, json_time};
use crate::events::{Action, Pruned, Subject};
use crate::files::{PIECES_MAX, Pieces, Sender};
use crate::inspect::Sizes;
use crate::{Engine, Error};

const PRUNE_FILTERS: &[&str] = &["label", "label!", "all"];

impl Engine {
    /// Lists the volumes, each with how many containers use it; without their sizes, which take a while.
    pub async fn volumes_list(&self, sizes: Sizes) -> Result<Vec<Json>, Error> {
        let engine = self.clone();
        blocking(move || {
            let users = engine.volume_users();
            let list = engine.volumes().list().into_iter().map(|volume| {
                let size = match sizes {
                    // One that goes meanwhile holds nothing.
                    Sizes::Measured => engine.volumes().usage_bytes(&volume.name).unwrap_or_default(),
                    Sizes::Unknown => return (volume, -1),
                };
                (volume, i64::try_from(size).unwrap_or(i64::MAX))
            });
            let json = list.map(|(volume, size)| {
                let ref_count = users.get(&volume.name).map_or(0, BTreeSet::len);
                let ref_count = i64::try_from(ref_count).unwrap_or(i64::MAX);
                Json { usage_data: Some(VolumeUsage { ref_count, size }), ..json(volume) }
            });
            Ok(json.collect())
        })
        .await
    }

    /// Describes a volume.
    pub async fn volume_inspect(&self, name: &str) -> Result<Json, Error> {
        Ok(json(self.volumes().get(name)?))
    }

    /// Makes a volume, or returns the one that has this name.
    pub async fn volume_create(&self, body: VolumeBody) -> Result<Json, Error> {
        let VolumeBody { driver, driver_opts, labels, name } = body;
        let name = Some(name).filter(|name| !name.is_empty());
        let creation = Creation { name, driver, options: driver_opts, labels };
        let engine = self.clone();
        blocking(move || Ok(json(engine.make_volume(creation)?))).await
    }

    /// Makes a volume and tells of it, or returns the one that has this name.
    pub(crate) fn make_volume(&self, creation: Creation) -> Result<Volume, Error> {
        let is_there = creation.name.as_ref().is_some_and(|name| self.volumes().get(name).is_ok());
        let volume = self.volumes().create(creation)?;
        if !is_there {
            self.events().publish(Subject::volume(&volume.name, DRIVER), Action::Create, []);
        }
        Ok(volume)
    }

    /// Removes a volume that no container uses; with `force`, one that is not there is no error.
    pub async fn volume_remove(&self, name: &str, force: bool) -> Result<(), Error> {
        let users = self.users_of(name);
        if !users.is_empty() {
            return Err(Error::conflict(format!("remove {name}: volume is in use - [{}]", users.join(", "))));
        }
        let (engine, name) = (self.clone(), name.to_owned());
        blocking(move || match engine.volumes().remove(&name) {
            Err(volume::Error::NotFound { .. }) if force => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => {
                engine.events().publish(Subject::volume(&name, DRIVER), Action::Destroy, []);
                Ok(())
            }
        })
        .await
    }

    /// Removes volumes that no container uses: those that nobody named, or with the filter `all` all of them.
    pub async fn volumes_prune(&self, filters: Filters) -> Result<VolumesPruned, Error> {
        filters.check(PRUNE_FILTERS).map_err(|error| Error::invalid(error.to_string()))?;
        let engine = self.clone();
        let pruned = blocking(move || {
            let users = engine.volume_users();
            let is_meant = |volume: &Volume| {
                !users.contains_key(&volume.name)
                    && is_pruned(&filters, volume.is_anonymous(), &volume.labels)
            };
            let mut pruned = VolumesPruned::default();
            for volume in engine.volumes().list().into_iter().filter(is_meant) {
                let size = engine.volumes().usage_bytes(&volume.name).unwrap_or_default();
                match engine.volumes().remove(&volume.name) {
                    Ok(()) => {
                        engine.events().publish(Subject::volume(&volume.name, DRIVER), Action::Destroy, []);
                        pruned.space_reclaimed += size;
                        pruned.volumes_deleted.push(volume.name);
                    }
                    // Somebody uses it or has removed it by now.
                    Err(error) => tracing::debug!(volume = volume.name, %error, "a volume is not pruned"),
                }
            }
            pruned
        })
        .await;
        let reclaimed = [("reclaimed", pruned.space_reclaimed.to_string())];
        self.events().publish(Subject::pruned(Pruned::Volumes), Action::Prune, reclaimed);
        Ok(pruned)
    }

    /// Packs what is in a volume.
    pub async fn volume_export(&self, name: &str) -> Result<Pieces, Error> {
        self.volumes().get(name)?;
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let (engine, name) = (self.clone(), name.to_owned());
        // Ends with the archive, or with its receiver.
        tokio::task::spawn_blocking(move || {
            let failed = sender.clone();
            let mut out = Sender::buffered(sender);
            let exported = engine.volumes().export(&name, &mut out).map_err(Error::from);
            let flushed = exported.and_then(|()| out.flush().map_err(|error| Error::internal(&error)));
            if let Err(error) = flushed {
                // Nobody listens any more, or hears it.
                let _ = failed.blocking_send(Err(std::io::Error::other(error)));
            }
        });
        Ok(receiver)
    }

    /// Unpacks a plain tar stream into a volume, made if there is none of this name.
    pub async fn volume_import(
        &self,
        name: &str,
        onto: Onto,
        archive: impl Read + Send + 'static,
    ) -> Result<Json, Error> {
        let (engine, name) = (self.clone(), name.to_owned());
        blocking(move || Ok(json(engine.volumes().import(&name, onto, archive)?))).await
    }

    /// Returns the ids of the containers that use each volume.
    fn volume_users(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for entry in self.table().all() {
            let record = entry.record();
            for name in record.mounts.iter().filter_map(|mount| mount.volume()) {
                users.entry(name.to_owned()).or_default().insert(record.id.clone());
            }
        }
        users
    }
}

fn is_pruned(filters: &Filters, is_anonymous: bool, labels: &BTreeMap<String, String>) -> bool {
    let all = filters.values("all").iter().any(|value| matches!(value.as_str(), "1" | "true"));
    let is_kept = filters.has("label!") && filters.has_labels("label!", labels);
    (all || is_anonymous) && filters.has_labels("label", labels) && !is_kept
}

fn json(volume: Volume) -> Json {
    Json {
        created_at: json_time(volume.created),
        driver: DRIVER.to_owned(),
        labels: volume.labels,
        mountpoint: volume.mount_point.display().to_string(),
        name: volume.name,
        options: volume.options,
        scope: "local".to_owned(),
        ..Json::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prune_takes_what_its_filters_mean() {
        let labels: BTreeMap<_, _> = [("keep".to_owned(), "1".to_owned())].into();
        for (json, is_anonymous, expected) in [
            ("", true, true),
            ("", false, false),
            (r#"{"all":["1"]}"#, false, true),
            (r#"{"label":["keep"]}"#, true, true),
            (r#"{"label":["other"]}"#, true, false),
            (r#"{"label!":["keep=1"]}"#, true, false),
            (r#"{"label!":["keep=2"]}"#, true, true),
        ] {
            let filters = Filters::parse(json).unwrap();
            assert_eq!(is_pruned(&filters, is_anonymous, &labels), expected, "{json} {is_anonymous}");
        }
    }
}

//! What is kept on disk of a container.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use container_config::mounts::Mount;
use container_json::{Config, HostConfig, NetworkingConfig};
use engine_json::{Lenient, Time};
use serde::de::{self, DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A container as it was asked for, and what happened to it since.
///
/// It is written whole, beside its place and then renamed there. Nothing is synced: after a loss of power a record
/// may be that of a moment before, and what the crate `container` knows is what counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name, without a slash.
    pub name: String,
    /// When it was made.
    pub created: Time,
    /// The image as it was asked for.
    pub image: String,
    /// The id of the image, `sha256:…`.
    pub image_id: String,
    /// What runs in it: what the client wrote, and the image's word where it is silent.
    #[serde(deserialize_with = "as_clients_write")]
    pub config: Config,
    /// What it has of its host, as the client wrote it.
    #[serde(deserialize_with = "as_clients_write")]
    pub host_config: HostConfig,
    /// Its networks, as the client wrote them.
    #[serde(deserialize_with = "as_clients_write")]
    pub networking: NetworkingConfig,
    /// What is mounted in it.
    pub mounts: Vec<Mount>,
    /// How often it was restarted by its policy since it was last started by hand.
    pub restart_count: u32,
    /// Whether the user stopped it, so that its policy leaves it alone.
    pub stopped_by_hand: bool,
    /// Who made it.
    pub origin: Origin,
    /// How far its making or removal is, for the next process if this one dies.
    pub stage: Stage,
    /// When it was last started.
    pub started_at: Time,
    /// Why it could not be started the last time.
    pub failure: Option<Failure>,
}

/// Who made a container and decides on its restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// A user of this host.
    User,
    /// A service, whose task it is: its networks come from there, and nothing here restarts it.
    Task,
}

/// How far the making or the removal of a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It is being made, and nobody knows it; what there is of it is of no use.
    Making,
    /// It is there.
    Whole,
    /// It is being removed.
    Going {
        /// Whether its volumes without names go too.
        with_volumes: bool,
    },
}

/// Why a container could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// 127 if its program is missing, 126 if that is none, 128 for all else.
    pub code: i32,
    /// What is told.
    pub text: String,
    /// When it was.
    pub at: Time,
}

const ENDING: &str = "json";
const UNFINISHED: &str = "tmp";

impl Record {
    /// Returns a record to test with.
    #[cfg(test)]
    pub(crate) fn sample(id: &str, name: &str) -> Record {
        Record {
            id: id.to_owned(),
            name: name.to_owned(),
            created: Time::default(),
            image: "busybox".to_owned(),
            image_id: String::new(),
            config: Config::default(),
            host_config: HostConfig::default(),
            networking: NetworkingConfig::default(),
            mounts: Vec::new(),
            restart_count: 0,
            stopped_by_hand: false,
            origin: Origin::User,
            stage: Stage::Whole,
            started_at: Time::default(),
            failure: None,
        }
    }

    /// Writes it into the folder of all records.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let path = path(folder, &self.id);
        let unfinished = path.with_extension(UNFINISHED);
        let written = serde_json::to_vec(self).map_err(io::Error::from).and_then(|text| {
            fs::write(&unfinished, text)?;
            fs::rename(&unfinished, path)
        });
        written.inspect_err(|_| {
            // On a full disk it is there, and empty.
            let _ = fs::remove_file(unfinished);
        })
    }

    /// Removes it from the folder; nothing happens if it is not there.
    pub(crate) fn remove(folder: &Path, id: &str) -> io::Result<()> {
        match fs::remove_file(path(folder, id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads all records of the folder, made if it is missing; what was being written is removed.
    pub(crate) fn read_all(folder: &Path) -> io::Result<Vec<Record>> {
        fs::create_dir_all(folder)?;
        let mut records = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if ending == Some(UNFINISHED) {
                fs::remove_file(&path)?;
            } else if ending == Some(ENDING) {
                match serde_json::from_slice::<Record>(&fs::read(&path)?) {
                    Ok(record) => records.push(record),
                    // It stays where it is: what a later version wrote is not for this one to throw away.
                    Err(error) => tracing::warn!(%error, "skip {}, which is no record", path.display()),
                }
            }
        }
        Ok(records)
    }
}

/// The types of the API write null for what is empty, which only their own reader takes.
fn as_clients_write<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(Lenient(Value::deserialize(deserializer)?)).map_err(de::Error::custom)
}

fn path(folder: &Path, id: &str) -> PathBuf {
    folder.join(id).with_extension(ENDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let sample = Record::sample("aa11", "web");
        let failure = Failure { code: 127, text: "gone".to_owned(), at: Time::from_nanoseconds(1) };
        let stage = Stage::Going { with_volumes: true };
        let record = Record { stage, origin: Origin::Task, failure: Some(failure), ..sample };

        record.write(folder.path()).unwrap();
        fs::write(folder.path().join("bb22.tmp"), "{").unwrap();
        fs::write(folder.path().join("cc33.json"), "{").unwrap();

        assert_eq!(Record::read_all(folder.path()).unwrap(), [record]);
        assert!(!folder.path().join("bb22.tmp").exists() && folder.path().join("cc33.json").exists());
        Record::remove(folder.path(), "aa11").unwrap();
        Record::remove(folder.path(), "aa11").unwrap();
        assert_eq!(Record::read_all(folder.path()).unwrap(), []);
    }
}

//! Files in and out of containers, running or not.

use std::io::{self, Read, Write};
use std::path::Path;

use archive::{Mounts, Owner, Packing, Replace, Root, Stat, Top, TopDirectory, Unpacking};
use container_config::mounts::clean;
use container_json::{Change, PathStat};
use tokio::sync::mpsc;

use crate::engine::json_time;
use crate::events::Action;
use crate::record::Record;
use crate::{Engine, Error};

/// How much of an archive is passed on at a time.
const PIECE_BYTES: usize = 128 << 10;
/// Pieces on their way to a client; whoever packs waits for room.
pub(crate) const PIECES_MAX: usize = 8;

/// An archive as it is packed; a failure is its last piece.
pub type Pieces = mpsc::Receiver<io::Result<Vec<u8>>>;

/// How an archive is unpacked into a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Putting {
    /// Whether directories and what is none may not replace each other.
    pub same_kind: bool,
    /// Whether the files become those of the container's user.
    pub to_user: bool,
}

impl Engine {
    /// Describes a file of a container.
    pub async fn path_stat(&self, name: &str, path: &str) -> Result<PathStat, Error> {
        let entry = self.entry(name)?;
        let wanted = Path::new("/").join(path);
        let stat = self.containers().visit_root(&entry.id, move |root| Root::of(root)?.stat(&wanted)).await?;
        Ok(json(stat.map_err(|error| told(&error, name, path))?))
    }

    /// Packs a file of a container, or a directory with all it holds.
    pub async fn get_archive(&self, name: &str, path: &str) -> Result<(PathStat, Pieces), Error> {
        let stat = self.path_stat(name, path).await?;
        let entry = self.entry(name)?;
        let packing = Packing { top: Top::BaseName, mounts: Mounts::Cross };
        self.tell(&entry, Action::ArchivePath, []);
        Ok((stat, self.packed(&entry.id, path, packing)))
    }

    /// Packs the whole root of a container; what is mounted in it is left out.
    pub async fn export(&self, name: &str) -> Result<Pieces, Error> {
        let entry = self.entry(name)?;
        let packing = Packing { top: Top::Absent, mounts: Mounts::Empty };
        self.tell(&entry, Action::Export, []);
        Ok(self.packed(&entry.id, "/", packing))
    }

    fn packed(&self, id: &str, path: &str, packing: Packing) -> Pieces {
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        let (engine, id, path) = (self.clone(), id.to_owned(), Path::new("/").join(path));
        // Ends with the archive, or with its receiver.
        tokio::spawn(async move {
            let failed = pieces.clone();
            let pack =
                move |root: &std::fs::File| Root::of(root)?.pack(&path, packing, Sender::buffered(pieces));
            let packed = engine.containers().visit_root(&id, pack).await;
            let error = match packed {
                Ok(Ok(())) => return,
                Ok(Err(error)) => Error::internal(&error),
                Err(error) => error.into(),
            };
            // Nobody listens any more, or hears it.
            let _ = failed.send(Err(io::Error::other(error))).await;
        });
        receiver
    }

    /// Unpacks a plain tar stream into a directory of a container.
    pub async fn put_archive(
        &self,
        name: &str,
        path: &str,
        how: Putting,
        archive: impl Read + Send + 'static,
    ) -> Result<(), Error> {
        let entry = self.entry(name)?;
        let record = entry.record().clone();
        writable(&record, path)?;
        let unpacking = Unpacking {
            owner: owner(&record, how),
            replace: if how.same_kind { Replace::SameKind } else { Replace::Anything },
            top: TopDirectory::Keep,
        };
        let target = Path::new("/").join(path);
        let put = move |root: &std::fs::File| Root::of(root)?.unpack(&target, archive, unpacking);
        let put = self.containers().visit_root(&entry.id, put).await?;
        put.map_err(|error| match error {
            archive::Error::NotADirectory { .. } => Error::invalid("extraction point is not a directory"),
            error => told(&error, name, path),
        })?;
        self.tell(&entry, Action::ExtractToDir, [("path", path.to_owned())]);
        Ok(())
    }

    /// Tells what a container changed of its image.
    pub async fn changes(&self, name: &str) -> Result<Vec<Change>, Error> {
        let entry = self.entry(name)?;
        let changes = self.containers().changes(&entry.id).await?;
        let json = |change: container::Change| Change {
            kind: match change.kind {
                container::ChangeKind::Modified => container_json::ChangeKind::Modified,
                container::ChangeKind::Added => container_json::ChangeKind::Added,
                container::ChangeKind::Deleted => container_json::ChangeKind::Deleted,
            },
            path: change.path.display().to_string(),
        };
        Ok(changes.into_iter().map(json).collect())
    }
}

/// Passes what is written on, in pieces.
pub(crate) struct Sender(mpsc::Sender<io::Result<Vec<u8>>>);

impl Sender {
    /// Gathers what is written into pieces of a good size.
    pub(crate) fn buffered(pieces: mpsc::Sender<io::Result<Vec<u8>>>) -> io::BufWriter<Sender> {
        io::BufWriter::with_capacity(PIECE_BYTES, Sender(pieces))
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(bytes.to_vec()));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Refuses to write where the container itself could not.
fn writable(record: &Record, path: &str) -> Result<(), Error> {
    let path = clean(path);
    let covers = |target: &str| Path::new(&path).starts_with(target);
    let mount = record.mounts.iter().filter(|mount| covers(&mount.target));
    let nearest = mount.max_by_key(|mount| mount.target.len());
    match nearest {
        Some(mount) if mount.read_only => {
            Err(Error::new(crate::Kind::Forbidden, "mounted volume is marked read-only"))
        }
        None if record.host_config.readonly_rootfs => {
            Err(Error::new(crate::Kind::Forbidden, "container rootfs is marked read-only"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns whose the files become: the container's user must be a number, as names are known inside only.
fn owner(record: &Record, how: Putting) -> Owner {
    let (user, group) = record.config.user.split_once(':').unwrap_or((&record.config.user, ""));
    match user.parse::<u32>() {
        Ok(uid) if how.to_user => Owner::All { uid, gid: group.parse().unwrap_or(uid) },
        Ok(_) | Err(_) => Owner::AsPacked,
    }
}

fn json(stat: Stat) -> PathStat {
    PathStat {
        name: stat.name.to_string_lossy().into_owned(),
        size: i64::try_from(stat.size).unwrap_or(i64::MAX),
        mode: stat.mode,
        mtime: json_time(stat.mtime),
        link_target: stat.link_target.to_string_lossy().into_owned(),
    }
}

/// Says in Docker's words why nothing was found.
fn told(error: &archive::Error, name: &str, path: &str) -> Error {
    match error {
        archive::Error::NotFound { .. } => {
            Error::not_found(format!("Could not find the file {path} in container {name}"))
        }
        archive::Error::NotADirectory { .. } => Error::invalid(format!("{path}: not a directory")),
        archive::Error::Overwrite { .. } | archive::Error::Refused { .. } => {
            Error::invalid(error.to_string())
        }
        _ => Error::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use container_config::mounts;

    use super::*;

    #[test]
    fn what_the_container_cannot_write_to_is_refused() {
        let mut record = Record::sample("aa11", "web");
        record.host_config.binds = ["/srv:/data:ro", "/own:/data/own"].map(str::to_owned).into();
        record.mounts = mounts::wanted(&record.config, &record.host_config, &[]).unwrap();
        let said =
            |record: &Record, path: &str| writable(record, path).err().map(|error| error.text().to_owned());

        assert_eq!(said(&record, "/data/x").as_deref(), Some("mounted volume is marked read-only"));
        assert_eq!(said(&record, "/data/own/x"), None);
        assert_eq!(said(&record, "/database"), None);
        record.host_config.readonly_rootfs = true;
        assert_eq!(said(&record, "/data/own"), None);
        assert_eq!(said(&record, "/etc").as_deref(), Some("container rootfs is marked read-only"));
    }

    #[test]
    fn users_by_number_may_get_the_files() {
        let mut record = Record::sample("aa11", "web");
        let to_user = Putting { to_user: true, ..Putting::default() };
        for (user, expected) in [
            ("", Owner::AsPacked),
            ("www", Owner::AsPacked),
            ("33", Owner::All { uid: 33, gid: 33 }),
            ("33:5", Owner::All { uid: 33, gid: 5 }),
        ] {
            record.config.user = user.into();
            assert_eq!(owner(&record, to_user), expected);
            assert_eq!(owner(&record, Putting::default()), Owner::AsPacked);
        }
    }
}

//! Which images the services had last on this node, so that going back to the one before needs no registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use anyhow::Context;
use image::Digest;
use serde::{Deserialize, Serialize};

/// A service that has run nothing here for this long is taken for gone: nobody tells a node that it was removed.
const REMEMBERED_S: u64 = 30 * DAY_S;
/// The table is written again after this time, though nothing but the time has changed.
const DAY_S: u64 = 24 * 60 * 60;

/// The images of the services, and the file that always says the same.
pub struct ServiceImages {
    path: PathBuf,
    table: Mutex<Table>,
}

/// The images of each service, by the services' ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Table(BTreeMap<String, Had>);

/// What a service had last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Had {
    current: Digest,
    previous: Option<Digest>,
    /// Seconds since 1970 at which it last ran something here, to within a day.
    seen_s: u64,
}

impl ServiceImages {
    /// Reads the file, if there is one.
    pub fn open(path: PathBuf) -> anyhow::Result<Self> {
        let table = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("read {}: move it away to start without it", path.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Table::default(),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        Ok(Self { path, table: Mutex::new(table) })
    }

    /// Notes that a service runs this image here.
    pub fn note(&self, service: &str, image: Digest, now_s: u64) -> io::Result<()> {
        self.change(|table| table.note(service, image, now_s))
    }

    /// Returns the images to be kept; services that have gone are forgotten.
    pub fn kept(&self, present: &BTreeSet<String>, now_s: u64) -> io::Result<BTreeSet<Digest>> {
        self.change(|table| table.forget(present, now_s))?;
        Ok(self.lock().kept())
    }

    /// Changes the table, unless the file cannot be written.
    fn change(&self, change: impl FnOnce(&mut Table)) -> io::Result<()> {
        let mut table = self.lock();
        let mut changed = table.clone();
        change(&mut changed);
        if changed != *table {
            write(&self.path, &changed)?;
            *table = changed;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }
}

impl Table {
    fn note(&mut self, service: &str, image: Digest, now_s: u64) {
        let fresh = || Had { current: image, previous: None, seen_s: now_s };
        let had = self.0.entry(service.to_owned()).or_insert_with(fresh);
        if had.current != image {
            had.previous = Some(std::mem::replace(&mut had.current, image));
            had.seen_s = now_s;
        } else if now_s.saturating_sub(had.seen_s) >= DAY_S {
            had.seen_s = now_s;
        }
    }

    /// Forgets services that have no container here and have not had one for long.
    fn forget(&mut self, present: &BTreeSet<String>, now_s: u64) {
        self.0.retain(|service, had| {
            present.contains(service) || now_s.saturating_sub(had.seen_s) < REMEMBERED_S
        });
    }

    fn kept(&self) -> BTreeSet<Digest> {
        self.0.values().flat_map(|had| [Some(had.current), had.previous]).flatten().collect()
    }
}

fn write(path: &Path, table: &Table) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(&serde_json::to_vec(table)?)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes of the form `day:service=image`; what is kept on the day given, with the services present then.
    fn check(notes: &str, day: u64, present: &str, expected: &str) {
        let mut table = Table::default();
        let mut names = BTreeMap::new();
        for note in notes.split_whitespace() {
            let (at, what) = note.split_once(':').unwrap();
            let (service, image) = what.split_once('=').unwrap();
            let digest = Digest::of(image.as_bytes());
            names.insert(digest, image);
            table.note(service, digest, at.parse::<u64>().unwrap() * DAY_S);
        }
        table.forget(&present.split_whitespace().map(str::to_owned).collect(), day * DAY_S);

        let mut kept: Vec<&str> = table.kept().iter().map(|digest| names[digest]).collect();
        kept.sort_unstable();

        assert_eq!(kept.join(" "), expected, "{notes} on day {day}");
    }

    #[test]
    fn current_and_previous_image_of_each_service_are_kept() {
        check("", 1, "", "");
        check("1:web=a", 1, "", "a");
        check("1:web=a 1:web=a 1:web=b", 1, "", "a b");
        check("1:web=a 1:web=b 1:web=c", 1, "", "b c");
        check("1:web=a 1:web=b 1:web=a", 1, "", "a b");
        check("1:web=a 1:web=b 1:web=a 1:web=c", 1, "", "a c");
        check("1:web=a 1:db=x 1:web=b 1:db=y", 1, "", "a b x y");
    }

    #[test]
    fn services_that_have_gone_are_forgotten() {
        check("1:web=a 20:db=x", 31, "", "x");
        check("1:web=a 20:db=x", 31, "web", "a x");
        check("1:web=a 29:web=a", 40, "", "a");
        check("1:web=a 1:web=b", 500, "web", "a b");
    }

    #[test]
    fn table_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("services.json");
        let (first, second) = (Digest::of(b"1"), Digest::of(b"2"));
        let images = ServiceImages::open(path.clone()).unwrap();
        images.note("web", first, 1).unwrap();
        images.note("web", second, 1).unwrap();

        let again = ServiceImages::open(path.clone()).unwrap();

        assert_eq!(again.kept(&BTreeSet::new(), 1).unwrap(), [first, second].into());
        fs::write(&path, "{").unwrap();
        assert!(ServiceImages::open(path).is_err());
    }
}

//! What is mounted in a container: read from all the forms in which clients write it.

mod bind;
mod long;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use container_json::{Config, HostConfig};
use engine_json::Labels;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Something mounted in a container, decided when the container was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The absolute path inside.
    pub target: String,
    /// What is there.
    pub source: Source,
    /// Whether the container can only read it.
    pub read_only: bool,
    /// The options as they were written, for inspect.
    pub mode: String,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A path of the host.
    Bind {
        /// The absolute path.
        path: String,
        /// Docker's word for how mounts travel; empty means `rprivate`.
        propagation: String,
        /// What becomes of mounts below it.
        submounts: Submounts,
        /// Whether it is made if it is missing.
        is_made: bool,
    },
    /// A volume.
    Volume {
        /// Its name; empty until one is made up for a volume that was given none.
        name: String,
        /// Whether the volume is this container's alone, and goes with it.
        is_anonymous: bool,
        /// A path inside the volume.
        subpath: String,
        /// Whether it gets what the image has at the target, if it is empty.
        is_filled: bool,
        /// How it is made if there is none.
        making: Making,
    },
    /// Memory.
    Tmpfs {
        /// Its size.
        size_bytes: Option<u64>,
        /// The mode of its root.
        mode: Option<u32>,
        /// Further options of `mount`.
        options: Vec<String>,
    },
}

/// What becomes of mounts below the source of a bind mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Submounts {
    /// They come along, read-only if the mount is.
    #[default]
    Included,
    /// They come along, and stay writable.
    Writable,
    /// They stay behind.
    Excluded,
}

/// How a volume is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Making {
    /// Its driver; empty means `local`.
    pub driver: String,
    /// The driver's options.
    pub options: Labels,
    /// Its labels.
    pub labels: Labels,
}

impl Mount {
    /// Returns it as another container has it; what it holds is for its first owner to care for.
    fn shared(&self, mode: &str) -> Mount {
        let mut source = self.source.clone();
        if let Source::Volume { is_filled, .. } = &mut source {
            *is_filled = false;
        }
        let read_only = self.read_only || mode == "ro";
        Mount { source, read_only, mode: mode.to_owned(), target: self.target.clone() }
    }

    /// Returns the name of the volume, if it is one.
    pub fn volume(&self) -> Option<&str> {
        match &self.source {
            Source::Volume { name, .. } => Some(name),
            Source::Bind { .. } | Source::Tmpfs { .. } => None,
        }
    }
}

/// Returns everything a container wants mounted, in the order of the paths inside.
///
/// `others` are the mounts of the containers named in `VolumesFrom`, in the same order. What is said later wins over
/// what is said before, except that the user may not say two things of one path.
pub fn wanted(config: &Config, host_config: &HostConfig, others: &[Vec<Mount>]) -> Result<Vec<Mount>, Error> {
    let mut mounts: BTreeMap<String, Mount> = BTreeMap::new();
    for (written, theirs) in host_config.volumes_from.iter().zip(others) {
        let (_, mode) = volumes_from(written)?;
        for mount in theirs {
            mounts.insert(mount.target.clone(), mount.shared(mode));
        }
    }
    let own = host_config.binds.iter().map(|text| bind::parse(text, &host_config.volume_driver));
    let own = own.chain(host_config.mounts.iter().map(long::parse));
    let tmpfs = host_config.tmpfs.iter().map(|(target, options)| short_tmpfs(target, options));
    let mut own_targets = Vec::new();
    for mount in own.chain(tmpfs) {
        let mount = mount?;
        if own_targets.contains(&mount.target) {
            return Err(Error::invalid(format!("Duplicate mount point: {}", mount.target)));
        }
        own_targets.push(mount.target.clone());
        mounts.insert(mount.target.clone(), mount);
    }
    for target in config.volumes.keys() {
        let target = target_of(target).map_err(|reason| {
            Error::invalid(format!("invalid volume specification: '{target}': {reason}"))
        })?;
        mounts.entry(target.clone()).or_insert_with(|| anonymous(target, &host_config.volume_driver));
    }
    Ok(mounts.into_values().collect())
}

/// Returns container and mode of an entry of `VolumesFrom`.
pub fn volumes_from(written: &str) -> Result<(&str, &str), Error> {
    let (name, mode) = written.split_once(':').unwrap_or((written, "rw"));
    if name.is_empty() {
        return Err(Error::invalid("volumes-from must not be an empty string"));
    }
    let words: Vec<&str> = mode.split(',').collect();
    if words.iter().any(|word| !matches!(*word, "rw" | "ro" | "z" | "Z")) {
        return Err(Error::invalid(format!("invalid mode: {mode}")));
    }
    Ok((name, if words.contains(&"ro") { "ro" } else { mode }))
}

fn anonymous(target: String, driver: &str) -> Mount {
    let making = Making { driver: driver.to_owned(), ..Making::default() };
    let source = Source::Volume {
        name: String::new(),
        is_anonymous: true,
        subpath: String::new(),
        is_filled: true,
        making,
    };
    Mount { target, source, read_only: false, mode: String::new() }
}

/// Reads a path of `--tmpfs`, whose options are those of `mount`.
fn short_tmpfs(target: &str, options: &str) -> Result<Mount, Error> {
    let target = target_of(target)
        .map_err(|reason| Error::invalid(format!("invalid tmpfs option {target:?}: {reason}")))?;
    let mut tmpfs = (None, None, Vec::new());
    let mut read_only = false;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", size)) if format_bytes(size).is_some() => tmpfs.0 = format_bytes(size),
            Some(("mode", mode)) => {
                let mode = u32::from_str_radix(mode, 8);
                tmpfs.1 = Some(mode.map_err(|_| Error::invalid(format!("invalid tmpfs option {option:?}")))?);
            }
            None if option == "ro" => read_only = true,
            None if option == "rw" => read_only = false,
            Some(_) | None => tmpfs.2.push(option.to_owned()),
        }
    }
    let (size_bytes, mode, options) = tmpfs;
    Ok(Mount { target, source: Source::Tmpfs { size_bytes, mode, options }, read_only, mode: String::new() })
}

/// Reads a size such as `64m`; none if it is something else, such as a share of the memory.
pub(crate) fn format_bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let number = lower.strip_suffix('b').unwrap_or(&lower);
    let (digits, shift) = match number.char_indices().last()? {
        (at, 'k') => (&number[..at], 10),
        (at, 'm') => (&number[..at], 20),
        (at, 'g') => (&number[..at], 30),
        (at, 't') => (&number[..at], 40),
        _ => (number, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Returns a target as it is kept, without `.`, `..` and needless slashes, or why it cannot be one.
fn target_of(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("invalid mount path: '{text}' mount path must be absolute"));
    }
    let target = clean(text);
    if target == "/" {
        return Err("invalid specification: destination can't be '/'".to_owned());
    }
    Ok(target)
}

/// Resolves `.` and `..` by the letter, as Go's `path.Clean` does with an absolute path.
pub fn clean(path: &str) -> String {
    let mut clean = PathBuf::from("/");
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => drop(clean.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use container_json::Config;
    use engine_json::Nothing;

    use super::*;

    /// Writes mounts shortly: `target=kind:source(ro)`.
    fn shown(mounts: &[Mount]) -> String {
        let one = |mount: &Mount| {
            let source = match &mount.source {
                Source::Bind { path, .. } => format!("bind:{path}"),
                Source::Volume { name, is_anonymous: false, .. } => format!("volume:{name}"),
                Source::Volume { .. } => "anonymous".to_owned(),
                Source::Tmpfs { .. } => "tmpfs".to_owned(),
            };
            format!("{}={source}{}", mount.target, if mount.read_only { "(ro)" } else { "" })
        };
        mounts.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn config(volumes: &[&str]) -> Config {
        let volumes = volumes.iter().map(|path| ((*path).to_owned(), Nothing {})).collect();
        Config { volumes, ..Config::default() }
    }

    fn host(binds: &[&str], from: &[&str], tmpfs: &[(&str, &str)]) -> HostConfig {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let tmpfs = tmpfs.iter().map(|(path, options)| ((*path).to_owned(), (*options).to_owned()));
        HostConfig {
            binds: words(binds),
            volumes_from: words(from),
            tmpfs: tmpfs.collect(),
            ..HostConfig::default()
        }
    }

    #[test]
    fn later_words_win_and_anonymous_volumes_fill_the_rest() {
        let theirs = wanted(&config(&["/data"]), &host(&["named:/more"], &[], &[]), &[]).unwrap();
        let own = host(&["/srv:/data/", "logs:/var/./log:ro"], &["other:ro"], &[("/run", "size=64m,exec")]);

        let mounts = wanted(&config(&["/data", "/extra", "/run"]), &own, &[theirs]).unwrap();

        assert_eq!(
            shown(&mounts),
            "/data=bind:/srv /extra=anonymous /more=volume:named(ro) /run=tmpfs /var/log=volume:logs(ro)"
        );
    }

    #[test]
    fn one_path_is_said_one_thing_of() {
        for host in [host(&["a:/x", "/b:/x/"], &[], &[]), host(&["a:/x"], &[], &[("/x", "")])] {
            assert_eq!(wanted(&config(&[]), &host, &[]).unwrap_err().text(), "Duplicate mount point: /x");
        }
    }

    #[test]
    fn tmpfs_options_are_parted() {
        let mounts = wanted(&config(&[]), &host(&[], &[], &[("/t", "rw,noexec,size=1k,mode=1770")]), &[]);

        let Source::Tmpfs { size_bytes, mode, options } = &mounts.unwrap()[0].source else { panic!() };
        assert_eq!((*size_bytes, *mode, options.join(",").as_str()), (Some(1024), Some(0o1770), "noexec"));
        assert!(wanted(&config(&[]), &host(&[], &[], &[("t", "")]), &[]).is_err());
        assert!(wanted(&config(&[]), &host(&[], &[], &[("/t", "mode=9")]), &[]).is_err());
    }

    #[test]
    fn volumes_from_has_a_mode() {
        assert_eq!(volumes_from("data").unwrap(), ("data", "rw"));
        assert_eq!(volumes_from("data:ro").unwrap(), ("data", "ro"));
        assert_eq!(volumes_from("data:x").unwrap_err().text(), "invalid mode: x");
        assert!(volumes_from("").is_err());
    }

    #[test]
    fn sizes_have_dockers_units() {
        for (text, bytes) in [
            ("64m", Some(64 << 20)),
            ("1KB", Some(1024)),
            ("512", Some(512)),
            ("2g", Some(2 << 30)),
            ("50%", None),
            ("", None),
            ("m", None),
        ] {
            assert_eq!(format_bytes(text), bytes, "{text}");
        }
    }

    #[test]
    fn paths_are_cleaned_by_the_letter() {
        for (path, cleaned) in [("/a/../b/./c//", "/b/c"), ("/../..", "/"), ("/", "/")] {
            assert_eq!(clean(path), cleaned);
        }
    }
}

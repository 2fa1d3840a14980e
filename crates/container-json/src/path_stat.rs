//! A file in a container, as the header of archives tells it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine_json::Time;
use serde::{Deserialize, Serialize};

/// A file in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PathStat {
    /// Its name, without the path.
    pub name: String,
    /// Its bytes.
    pub size: i64,
    /// Its mode, with the bits of Go: see [`PathStat::from_unix_mode`].
    pub mode: u32,
    /// When it was changed last.
    pub mtime: Time,
    /// Where it points, if it is a symbolic link.
    #[serde(rename = "linkTarget")]
    pub link_target: String,
}

/// A header that does not describe a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid X-Docker-Container-Path-Stat header: {0}")]
pub struct InvalidPathStat(String);

/// Bits of Unix above the permissions, and those of Go that mean the same.
const BITS: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
const UNIX_KIND: u32 = 0o170_000;
/// Kinds of files of Unix, and the bits of Go that mean the same; a regular file has none.
const KINDS: [(u32, u32); 6] = [
    (0o040_000, GO_DIRECTORY),
    (0o120_000, GO_LINK),
    (0o010_000, 1 << 25),
    (0o140_000, 1 << 24),
    (0o060_000, GO_DEVICE),
    (0o020_000, GO_DEVICE | GO_CHARACTER_DEVICE),
];
const GO_DIRECTORY: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;
const GO_DEVICE: u32 = 1 << 26;
const GO_CHARACTER_DEVICE: u32 = 1 << 21;

impl PathStat {
    /// Returns the mode as Go writes it, from one of `stat`.
    pub fn from_unix_mode(mode: u32) -> u32 {
        let kind = KINDS.iter().find(|(unix, _)| mode & UNIX_KIND == *unix).map_or(0, |(_, go)| *go);
        let special = BITS.iter().filter(|(unix, _)| mode & unix != 0).map(|(_, go)| go);
        special.fold(kind | mode & 0o777, |mode, bit| mode | bit)
    }

    /// Claims that it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & GO_DIRECTORY != 0
    }

    /// Claims that it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode & GO_LINK != 0
    }

    /// Reads the header.
    pub fn from_header(header: &str) -> Result<Self, InvalidPathStat> {
        let json = STANDARD.decode(header).map_err(|error| InvalidPathStat(error.to_string()))?;
        engine_json::decode(&json).map_err(|error| InvalidPathStat(error.to_string()))
    }

    /// Writes the header.
    pub fn to_header(&self) -> String {
        STANDARD.encode(serde_json::to_vec(self).expect("strings and numbers are always JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_go() {
        for (unix, go) in [
            (0o100_644, 0o644),
            (0o040_755, GO_DIRECTORY | 0o755),
            (0o041_777, GO_DIRECTORY | 1 << 20 | 0o777),
            (0o104_755, 1 << 23 | 0o755),
            (0o120_777, GO_LINK | 0o777),
            (0o020_666, GO_DEVICE | GO_CHARACTER_DEVICE | 0o666),
            (0o060_660, GO_DEVICE | 0o660),
        ] {
            assert_eq!(PathStat::from_unix_mode(unix), go, "{unix:o}");
        }
    }

    #[test]
    fn headers_are_dockers_and_come_back() {
        let stat = PathStat {
            name: "tmp".into(),
            size: 4096,
            mode: PathStat::from_unix_mode(0o041_777),
            mtime: "2023-11-14T22:13:20Z".parse().unwrap(),
            link_target: String::new(),
        };

        let header = stat.to_header();

        assert_eq!(
            STANDARD.decode(&header).unwrap(),
            br#"{"name":"tmp","size":4096,"mode":2148532735,"mtime":"2023-11-14T22:13:20Z","linkTarget":""}"#
        );
        assert_eq!(PathStat::from_header(&header), Ok(stat));
        assert!(PathStat::from_header("!").is_err());
    }
}

//! Operating system and processor, and which of an index's manifests suits them best.

use std::fmt;
use std::str::FromStr;

use crate::manifest::Descriptor;

/// Names what an image runs on: `os/architecture[/variant]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The operating system, `linux` here.
    pub os: String,
    /// The processor in Go's words: `amd64`, `arm64`, `arm`, …
    pub architecture: String,
    /// The processor's generation: `v7` of `arm`, `v8` of `arm64`.
    pub variant: Option<String>,
}

/// Tells that a text names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid platform {0:?}: expected os/architecture or os/architecture/variant")]
pub struct ParseError(String);

impl Platform {
    /// Returns the platform this program was built for.
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Self { os: "linux".into(), architecture: architecture.into(), variant: variant.map(str::to_owned) }
    }

    /// Returns how well an image for `other` runs here: lower is better, `None` is not at all.
    fn distance_to(&self, other: &Platform) -> Option<u32> {
        if self.os != other.os || self.architecture != other.architecture {
            return None;
        }
        let generation = |platform: &Platform, default: u32| {
            let text = platform.variant.as_deref().filter(|text| !text.is_empty());
            text.map_or(Some(default), |text| text.trim_start_matches('v').parse().ok())
        };
        let default = match self.architecture.as_str() {
            "arm64" => 8,
            "arm" => 7,
            _ => 1,
        };
        generation(self, default)?.checked_sub(generation(other, default)?)
    }

    /// Tells whether an image for `other` runs here.
    pub fn accepts(&self, other: &Platform) -> bool {
        self.distance_to(other).is_some()
    }

    /// Returns the manifest of an index that suits best.
    pub fn choose<'a>(&self, manifests: &'a [Descriptor]) -> Option<&'a Descriptor> {
        let rated = manifests.iter().filter_map(|manifest| {
            let distance = self.distance_to(&manifest.platform.as_ref()?.platform())?;
            Some((distance, manifest))
        });
        rated.min_by_key(|(distance, _)| *distance).map(|(_, manifest)| manifest)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            Some(variant) if !variant.is_empty() => write!(f, "/{variant}"),
            Some(_) | None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        if !parts.iter().all(is_word) {
            return Err(ParseError(text.to_owned()));
        }
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some((*variant).to_owned())),
            [] | [_] | [_, _, _, ..] => return Err(ParseError(text.to_owned())),
        };
        let architecture = match architecture.to_ascii_lowercase().as_str() {
            "x86_64" | "x86-64" => "amd64".to_owned(),
            "aarch64" => "arm64".to_owned(),
            "armhf" => "arm".to_owned(),
            other => other.to_owned(),
        };
        Ok(Self { os: os.to_ascii_lowercase(), architecture, variant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::manifest::PlatformJson;

    fn check(host: &str, offered: &str, expected: Option<&str>) {
        let host: Platform = host.parse().unwrap();
        let manifests: Vec<Descriptor> = offered
            .split(' ')
            .map(|text| {
                let platform = text.parse::<Platform>().unwrap();
                let mut descriptor = Descriptor::of("x", Digest::of(text.as_bytes()), 1);
                descriptor.platform = Some(PlatformJson::from(&platform));
                descriptor
            })
            .collect();

        let chosen = host.choose(&manifests).map(|found| found.digest);

        assert_eq!(chosen, expected.map(|text| Digest::of(text.as_bytes())), "{host} of {offered}");
    }

    #[test]
    fn nearest_platform_is_chosen() {
        check("linux/amd64", "linux/arm64 linux/amd64", Some("linux/amd64"));
        check("linux/amd64", "linux/arm64 windows/amd64 unknown/unknown", None);
        check("linux/arm64/v8", "linux/amd64 linux/arm64", Some("linux/arm64"));
        check("linux/arm64", "linux/arm64/v8", Some("linux/arm64/v8"));
        check("linux/arm/v7", "linux/arm/v5 linux/arm/v6", Some("linux/arm/v6"));
        check("linux/arm/v6", "linux/arm/v7 linux/arm/v5", Some("linux/arm/v5"));
        check("linux/amd64", "linux/amd64/v3 linux/amd64", Some("linux/amd64"));
    }

    #[test]
    fn words_that_are_no_platform_are_refused() {
        for text in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/am d64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}

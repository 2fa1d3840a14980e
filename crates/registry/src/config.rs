//! How registries are reached from this machine, and which of them are trusted how.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Certificate;

use crate::error::Error;

/// Which registries are trusted how, and how long one waits for them.
#[derive(Debug, Clone)]
pub struct Config {
    /// Registries (`host` or `host:port`) that may be spoken to without TLS; loopback hosts always may.
    pub insecure_registries: Vec<String>,
    /// PEM files with further certificate authorities, beside the system's, for all registries.
    pub extra_roots: Vec<PathBuf>,
    /// Directories in which `HOST[:PORT]/*.crt` are further certificate authorities for that registry alone.
    pub certificate_directories: Vec<PathBuf>,
    /// How long a registry may be silent, or send next to nothing, before it is given up.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            insecure_registries: Vec::new(),
            extra_roots: Vec::new(),
            certificate_directories: vec!["/etc/docker/certs.d".into(), "/etc/drover/certs.d".into()],
            // A slow registry sends little, but something.
            patience: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// What comes from this machine needs no protection from the network.
    pub(crate) fn may_be_plain(&self, registry: &str) -> bool {
        let host = match registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => registry.split(':').next().unwrap_or(registry),
        };
        let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let mut listed = self.insecure_registries.iter();
        host == "localhost" || is_loopback || listed.any(|known| known == registry || known == host)
    }

    /// Reads the authorities that may vouch for this registry.
    pub(crate) fn roots_for(&self, registry: &str) -> Result<Vec<Certificate>, Error> {
        let mut paths = self.extra_roots.clone();
        for directory in &self.certificate_directories {
            paths.extend(certificate_files(&directory.join(registry))?);
        }
        let mut roots = Vec::new();
        for path in paths {
            let failed = |source| Error::Roots { path: path.clone(), source };
            let text = std::fs::read(&path).map_err(failed)?;
            let read = Certificate::from_pem_bundle(&text);
            roots.extend(read.map_err(|error| failed(std::io::Error::other(error)))?);
        }
        Ok(roots)
    }
}

/// A registry without a directory of its own is the common case.
fn certificate_files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Roots { path: directory.to_owned(), source };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_listed_registries_may_be_plain() {
        let insecure_registries = vec!["registry.lan:5000".to_owned(), "10.0.0.7".to_owned()];
        let config = Config { insecure_registries, ..Config::default() };
        let check = |registry: &str| config.may_be_plain(registry);

        assert!(
            ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"]
                .into_iter()
                .all(check)
        );
        assert!(["registry.lan:5000", "10.0.0.7", "10.0.0.7:80"].into_iter().all(check));
        let outside = ["registry.lan", "docker.io", "localhost.evil.org", "127.evil.org", "10.0.0.70"];
        assert!(!outside.into_iter().any(check));
    }
}

//! Who is asked for names that are none of ours.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

const PORT: u16 = 53;

/// Who is asked for a container's foreign names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// Nobody: the container has no way out, and neither has what it asks.
    Nobody,
    /// The servers that the host itself asks.
    Host,
    /// These servers, in this order.
    Servers(Vec<SocketAddr>),
}

impl Upstream {
    /// Makes it from the addresses a user gave, if any.
    pub fn of(servers: &[IpAddr]) -> Self {
        if servers.is_empty() {
            return Self::Host;
        }
        Self::Servers(servers.iter().map(|server| SocketAddr::new(*server, PORT)).collect())
    }
}

/// The servers that the host asks, as its file says; read again when that changes.
#[derive(Debug)]
pub(crate) struct HostServers {
    path: PathBuf,
    known: Mutex<(Option<SystemTime>, Vec<SocketAddr>)>,
}

impl HostServers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, known: Mutex::default() }
    }

    pub(crate) fn get(&self) -> Vec<SocketAddr> {
        let changed = std::fs::metadata(&self.path).and_then(|file| file.modified()).ok();
        // The servers are put there whole.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.is_none() || known.0 != changed {
            *known = (changed, servers(&std::fs::read_to_string(&self.path).unwrap_or_default()));
        }
        known.1.clone()
    }
}

/// Reads the servers in the text of a `resolv.conf`.
fn servers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    // An address that is bound to a link cannot be written here.
    let mut servers: Vec<SocketAddr> =
        lines.filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, PORT))).collect();
    let mut seen = std::collections::BTreeSet::new();
    servers.retain(|server| seen.insert(*server));
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_resolvers_do() {
        let text = "# made\nnameserver 127.0.0.53\n nameserver\t192.0.2.1 # office\nnameserver fe80::1%eth0\n\
                    nameserver 2001:db8::1\nsearch nameserver 9.9.9.9\nnameserver 192.0.2.1\nnameserver\n";

        let servers: Vec<String> = servers(text).iter().map(SocketAddr::to_string).collect();

        assert_eq!(servers, ["127.0.0.53:53", "192.0.2.1:53", "[2001:db8::1]:53"]);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        let host = HostServers::new(path.clone());
        assert_eq!(host.get(), []);

        std::fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        assert_eq!(host.get().len(), 1);
        std::fs::write(&path, "nameserver 192.0.2.1\nnameserver 192.0.2.2\n").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(host.get().len(), 2);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(host.get(), []);
    }
}

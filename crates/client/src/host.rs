//! Where the daemon is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// On a unix socket.
    Unix(PathBuf),
    /// On a TCP port, as `address:port`.
    Tcp(String),
}

/// A text that does not say where a daemon is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse host {0:?}: expected unix:///PATH or tcp://HOST:PORT")]
pub struct InvalidHost(String);

impl Host {
    /// Where the daemon listens unless told otherwise.
    pub const DEFAULT: &'static str = "unix:///run/drover.sock";
    /// The port of a TCP host that names none.
    const TCP_PORT: u16 = 2375;

    /// Returns the host that a flag or one of two variables asks for, in this order, or the default.
    pub fn choose(
        flag: Option<&str>,
        drover_host: Option<&str>,
        docker_host: Option<&str>,
    ) -> Result<Self, InvalidHost> {
        let asked = [flag, drover_host, docker_host].into_iter().flatten().find(|host| !host.is_empty());
        asked.unwrap_or(Self::DEFAULT).parse()
    }
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if let Some(path) = text.strip_prefix("unix://").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let address = text.strip_prefix("tcp://").map(|address| address.trim_end_matches('/'));
        match address {
            Some(address) if !address.is_empty() && !address.contains('/') => {
                let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                let port = Self::TCP_PORT;
                Ok(Self::Tcp(if has_port { address.to_owned() } else { format!("{address}:{port}") }))
            }
            _ => Err(InvalidHost(text.to_owned())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_read_and_the_flag_wins() {
        for (text, shown) in [
            ("unix:///run/x.sock", "unix:///run/x.sock"),
            ("tcp://1.2.3.4:5", "tcp://1.2.3.4:5"),
            ("tcp://manager", "tcp://manager:2375"),
            ("tcp://[::1]:5/", "tcp://[::1]:5"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), shown);
        }
        for bad in ["", "unix://", "tcp://", "http://x", "/run/x.sock", "tcp://a/b"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
        let choose = |a, b, c| Host::choose(a, b, c).unwrap().to_string();
        assert_eq!(choose(Some("tcp://a:1"), Some("tcp://b:1"), None), "tcp://a:1");
        assert_eq!(choose(None, Some(""), Some("tcp://c:1")), "tcp://c:1");
        assert_eq!(choose(None, None, None), Host::DEFAULT);
    }
}

//! What is remembered of each container across restarts, one small text file per container.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::host_port::Protocol;
use crate::{Attachment, Bridge, Error, HostPort, Mac, OverlayAddress, Resolver, Uplink};

/// Is what a container was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) uplink: Uplink,
    pub(crate) bridge_address: Option<Ipv4Addr>,
    pub(crate) overlays: Vec<OverlayAddress>,
    /// As asked for and as given; they differ where the kernel chose the port.
    pub(crate) host_ports: Vec<(HostPort, HostPort)>,
    /// Set when its questions for names were led to sockets of ours.
    pub(crate) resolver: Option<Resolver>,
}

impl Record {
    /// Tells whether the container has what is asked for.
    pub(crate) fn answers(&self, attachment: &Attachment, uplink: Uplink) -> bool {
        let Attachment { overlays, egress, host_ports } = attachment;
        self.overlays == *overlays
            && self.uplink == uplink
            && self.bridge_address.is_some() == (*egress || !host_ports.is_empty())
            && self.host_ports.iter().map(|(asked, _)| asked).eq(host_ports)
    }

    /// Writes the record so that a crash leaves either the former or this one.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        // An id never starts with a dot, so a draft is never taken for a record.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.draft"));
        fs::write(&draft, self.to_text()).map_err(Error::file("write", &draft))?;
        fs::rename(&draft, path).map_err(Error::file("write", path))
    }

    /// Reads a record; `None` if there is none or it is not readable as one.
    pub(crate) fn read(path: &Path) -> Result<Option<Record>, Error> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Record::from_text(&text)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                Ok(None)
            }
            Err(error) => Err(Error::file("read", path)(error)),
        }
    }

    /// Removes a record if there is one.
    pub(crate) fn remove(path: &Path) -> Result<(), Error> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn to_text(&self) -> String {
        let mut lines = Vec::new();
        let Uplink { bridge, mac } = self.uplink;
        lines.push(format!("on {}\n", bridge.word()));
        lines.extend(mac.map(|mac| format!("mac {}\n", format_mac(mac))));
        lines.extend(self.bridge_address.map(|address| format!("bridge {address}\n")));
        for OverlayAddress { network_id, address, prefix, mac } in &self.overlays {
            let mac = format_mac(*mac);
            lines.push(format!("overlay {network_id} {address} {prefix} {mac}\n"));
        }
        for (asked, given) in &self.host_ports {
            let HostPort { host_ip, published, target, protocol } = given;
            lines.push(format!(
                "port {host_ip} {} {published} {target} {}\n",
                asked.published,
                protocol.name()
            ));
        }
        if let Some(Resolver { servers }) = &self.resolver {
            let servers: String = servers.iter().map(|server| format!(" {server}")).collect();
            lines.push(format!("resolver{servers}\n"));
        }
        lines.push("end\n".to_owned());
        lines.concat()
    }

    fn from_text(text: &str) -> Option<Record> {
        // Records without a line for it are of a time when there was one bridge.
        let uplink = Uplink::default();
        let mut record = Record {
            uplink,
            bridge_address: None,
            overlays: Vec::new(),
            host_ports: Vec::new(),
            resolver: None,
        };
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["end"] => return Some(record),
                ["on", bridge] => record.uplink.bridge = Bridge::from_word(bridge)?,
                ["mac", mac] => record.uplink.mac = Some(parse_mac(mac)?),
                ["bridge", address] => record.bridge_address = Some(address.parse().ok()?),
                ["overlay", network, address, prefix, mac] => record.overlays.push(OverlayAddress {
                    network_id: network.to_owned(),
                    address: address.parse().ok()?,
                    prefix: prefix.parse().ok()?,
                    mac: parse_mac(mac)?,
                }),
                ["port", host_ip, asked, published, target, protocol] => {
                    let given = HostPort {
                        host_ip: host_ip.parse().ok()?,
                        published: published.parse().ok()?,
                        target: target.parse().ok()?,
                        protocol: Protocol::from_name(protocol)?,
                    };
                    record.host_ports.push((HostPort { published: asked.parse().ok()?, ..given }, given));
                }
                ["resolver", ref servers @ ..] => {
                    let servers = servers.iter().map(|server| server.parse::<IpAddr>().ok());
                    record.resolver = Some(Resolver { servers: servers.collect::<Option<_>>()? });
                }
                _ => return None,
            }
        }
        // A file without its last line was cut off.
        None
    }
}

fn format_mac(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn parse_mac(text: &str) -> Option<Mac> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        let asked =
            HostPort { host_ip: Ipv4Addr::UNSPECIFIED, published: 0, target: 80, protocol: Protocol::Tcp };
        Record {
            uplink: Uplink { bridge: Bridge::Open, mac: Some([2, 0, 0, 0, 0, 7]) },
            bridge_address: Some(Ipv4Addr::new(172, 31, 0, 2)),
            overlays: vec![OverlayAddress {
                network_id: "n1".into(),
                address: Ipv4Addr::new(10, 0, 0, 5),
                prefix: 24,
                mac: [2, 0x42, 10, 0, 0, 5],
            }],
            host_ports: vec![(asked, HostPort { published: 40000, ..asked })],
            resolver: Some(Resolver { servers: vec!["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()] }),
        }
    }

    #[test]
    fn record_is_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c1");

        sample().write(&path).unwrap();

        assert_eq!(Record::read(&path).unwrap(), Some(sample()));
        Record::remove(&path).unwrap();
        Record::remove(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), None);
    }

    #[test]
    fn cut_off_or_foreign_text_is_no_record() {
        let text = sample().to_text();
        for length in 0..text.len() - 1 {
            assert_eq!(Record::from_text(&text[..length]), None, "{length}");
        }
        assert_eq!(Record::from_text("bridge x\nend\n"), None);
        assert_eq!(Record::from_text("wat\nend\n"), None);
    }

    #[test]
    fn chosen_port_answers_the_request_for_any() {
        let record = sample();
        let mut attachment = Attachment {
            overlays: record.overlays.clone(),
            egress: true,
            host_ports: record.host_ports.iter().map(|(asked, _)| *asked).collect(),
        };

        assert!(record.answers(&attachment, record.uplink));
        assert!(!record.answers(&attachment, Uplink::default()));
        attachment.host_ports[0].published = 40000;
        assert!(!record.answers(&attachment, record.uplink));
    }
}

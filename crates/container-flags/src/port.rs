//! Published and exposed ports.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use container_json::PortBinding;
use engine_json::Nothing;
use flags::text::commas;
use flags::{Invalid, Result, refuse};

/// Ports of a container, and where they are reached.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    /// Ports it listens on, such as `80/tcp`.
    pub exposed: BTreeMap<String, Nothing>,
    /// Where they are reached.
    pub bindings: BTreeMap<String, Vec<PortBinding>>,
}

impl Ports {
    /// Adds what one `--publish` says: `[[ADDRESS:][PUBLISHED]:]PORT[/PROTOCOL]`, or `published=,target=,protocol=`.
    pub(crate) fn publish(&mut self, text: &str) -> Result<()> {
        let short = if text.contains('=') { shortened(text)? } else { text.to_owned() };
        let (ports, protocol) = short.rsplit_once('/').unwrap_or((&short, "tcp"));
        let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_ascii_lowercase() };
        let (address, host, inside) = cut(ports);
        let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        if !address.is_empty() && address.parse::<IpAddr>().is_err() {
            return refuse(format!("invalid IP address: {address}"));
        }
        if inside.is_empty() {
            return refuse(format!("no port specified: {ports}<empty>"));
        }
        let targets =
            range(inside).ok_or_else(|| Invalid::because(format!("invalid containerPort: {inside}")))?;
        let hosts = match host {
            "" => None,
            host => Some(range(host).ok_or_else(|| Invalid::because(format!("invalid hostPort: {host}")))?),
        };
        if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
            return refuse(format!("invalid proto: {protocol}"));
        }
        let is_one = targets.start() == targets.end();
        if hosts.as_ref().is_some_and(|hosts| hosts.len() != targets.len() && !is_one) {
            return refuse(format!(
                "invalid ranges specified for container and host Ports: {inside} and {host}"
            ));
        }
        for (at, target) in targets.enumerate() {
            let host_port = match &hosts {
                None => String::new(),
                // One port of the container at any one of several: the daemon chooses.
                Some(hosts) if is_one && hosts.len() > 1 => host.to_owned(),
                Some(hosts) => (usize::from(*hosts.start()) + at).to_string(),
            };
            let key = format!("{target}/{protocol}");
            self.exposed.insert(key.clone(), Nothing {});
            self.bindings
                .entry(key)
                .or_default()
                .push(PortBinding { host_ip: address.to_owned(), host_port });
        }
        Ok(())
    }

    /// Adds what one `--expose` says: `PORT[-PORT][/PROTOCOL]`.
    pub(crate) fn expose(&mut self, text: &str) -> Result<()> {
        if text.contains(':') {
            return refuse(format!("invalid port format for --expose: {text}"));
        }
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let ports = range(ports).ok_or_else(|| {
            Invalid::because(format!(
                "invalid range format for --expose: {text}, error: strconv.ParseUint: parsing {ports:?}: invalid syntax"
            ))
        })?;
        for port in ports {
            self.exposed.insert(format!("{port}/{}", protocol.to_ascii_lowercase()), Nothing {});
        }
        Ok(())
    }
}

/// Cuts into address, ports outside and ports inside.
fn cut(text: &str) -> (&str, &str, &str) {
    let Some((rest, inside)) = text.rsplit_once(':') else { return ("", "", text) };
    match rest.rsplit_once(':') {
        Some((address, host)) => (address, host, inside),
        None => ("", rest, inside),
    }
}

/// Writes the long form in the short one.
fn shortened(text: &str) -> Result<String> {
    let (mut published, mut target, mut protocol) = (String::new(), String::new(), "tcp".to_owned());
    for field in commas(text)? {
        let Some((key, value)) = field.split_once('=') else {
            return refuse(format!("invalid publish opts format (should be name=value but got '{field}')"));
        };
        match key {
            "published" => published = value.to_owned(),
            "target" => target = value.to_owned(),
            "protocol" => protocol = value.to_owned(),
            // Whether a swarm's proxy answers is of no meaning for one container.
            "mode" => {}
            key => {
                return refuse(format!("invalid field key {key}: use published, target, protocol or mode"));
            }
        }
    }
    Ok(if published.is_empty() {
        format!("{target}/{protocol}")
    } else {
        format!("{published}:{target}/{protocol}")
    })
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

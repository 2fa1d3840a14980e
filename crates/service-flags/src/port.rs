//! Published ports, in the short and the long form.

use engine_json::PortConfig;
use flags::text::commas;
use flags::{Invalid, Result, refuse};

/// How a port is carried to its replicas: the field of the flag, which is also the name of the label that keeps it, and
/// what it may say.
const TRAFFIC: [(&str, &[&str]); 2] = [("app_protocol", &["http", "tcp"]), ("proxy_protocol", &["v1", "v2"])];

/// The ports of one flag, which may name a range.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    pub configs: Vec<PortConfig>,
    /// Labels of the service that say how they are carried.
    pub labels: Vec<(String, String)>,
}

impl Ports {
    /// Reads one `--publish`: `[[PUBLISHED:]TARGET[/PROTOCOL]` with ranges, or
    /// `published=,target=,protocol=,mode=,app_protocol=,proxy_protocol=`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.contains('=') {
            return long(text);
        }
        Ok(Self { configs: short(text)?, labels: Vec::new() })
    }

    /// Returns the names of the labels that say how the ports may be carried.
    pub(crate) fn label_names(&self) -> impl Iterator<Item = String> {
        let labels = |port: &PortConfig| TRAFFIC.map(|(name, _)| label(port.target_port, name));
        self.configs.iter().flat_map(labels)
    }
}

fn label(target: u32, name: &str) -> String {
    engine_json::port_label(u16::try_from(target).unwrap_or_default(), name)
}

fn long(text: &str) -> Result<Ports> {
    let mut config =
        PortConfig { protocol: "tcp".into(), publish_mode: "ingress".into(), ..PortConfig::default() };
    let mut traffic = Vec::new();
    for field in commas(text)? {
        let Some((key, value)) = field.split_once('=') else {
            return refuse(format!("invalid field: {field}"));
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "protocol" => config.protocol = protocol(value)?,
            "mode" if matches!(value, "ingress" | "host") => config.publish_mode = value.to_owned(),
            "mode" => {
                return refuse(format!(
                    "invalid publish mode value ({value}): must be either 'ingress' or 'host'"
                ));
            }
            "target" => config.target_port = number(value, "target")?,
            "published" => config.published_port = number(value, "published")?,
            key => {
                let Some((name, words)) = TRAFFIC.iter().find(|(name, _)| *name == key) else {
                    return refuse(format!("invalid field key: {key}"));
                };
                if !words.contains(&value) {
                    let words = words.join("' or '");
                    return refuse(format!("invalid {name} value ({value}): must be either '{words}'"));
                }
                traffic.push((*name, value.to_owned()));
            }
        }
    }
    if config.target_port == 0 {
        return refuse("missing mandatory field 'target'");
    }
    let labels = traffic.into_iter().map(|(name, value)| (label(config.target_port, name), value)).collect();
    Ok(Ports { configs: vec![config], labels })
}

fn short(text: &str) -> Result<Vec<PortConfig>> {
    let (ports, protocol_name) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol(protocol_name)?;
    let (published, target) = match ports.split(':').collect::<Vec<_>>().as_slice() {
        [target] => (None, *target),
        [published, target] => (Some(*published).filter(|text| !text.is_empty()), *target),
        _ => return refuse("hostip is not supported"),
    };
    let targets =
        range(target).ok_or_else(|| Invalid::because(format!("invalid containerPort: {target}")))?;
    let published = published
        .map(|text| range(text).ok_or_else(|| Invalid::because(format!("invalid hostPort: {text}"))))
        .transpose()?;
    let config = |target: u32, published: u32| PortConfig {
        protocol: protocol.clone(),
        target_port: target,
        published_port: published,
        publish_mode: "ingress".into(),
        ..PortConfig::default()
    };
    match published {
        None => Ok(targets.map(|target| config(target, 0)).collect()),
        Some(published) if published.clone().count() == targets.clone().count() => {
            Ok(targets.zip(published).map(|(target, published)| config(target, published)).collect())
        }
        Some(published) if targets.start() == targets.end() => {
            Ok(published.map(|published| config(*targets.start(), published)).collect())
        }
        Some(_) => refuse(format!("invalid ranges specified for container and host Ports: {ports}")),
    }
}

fn protocol(text: &str) -> Result<String> {
    let lower = text.to_ascii_lowercase();
    if ["tcp", "udp", "sctp"].contains(&lower.as_str()) {
        Ok(lower)
    } else {
        refuse(format!("invalid protocol value '{text}': use tcp, udp or sctp"))
    }
}

fn number(text: &str, field: &str) -> Result<u32> {
    text.parse::<u16>().map(u32::from).map_err(|_| {
        Invalid::because(format!("invalid {field} port ({text}): value must be an integer from 0 to 65535"))
    })
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: u16 = first.parse().ok().filter(|port| *port != 0)?;
    let last: u16 = last.parse().ok()?;
    (first <= last).then(|| u32::from(first)..=u32::from(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let ports = Ports::parse(text).map_err(|error| error.to_string())?;
        let labels = ports.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let show = |port: &PortConfig| {
            format!("{}:{}/{}/{}", port.published_port, port.target_port, port.protocol, port.publish_mode)
        };
        Ok(ports.configs.iter().map(show).chain(labels).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn both_forms_read_as_in_docker() {
        for (text, expected) in [
            ("80", "0:80/tcp/ingress"),
            ("8080:80", "8080:80/tcp/ingress"),
            ("53:53/udp", "53:53/udp/ingress"),
            ("8000-8001:80-81/udp", "8000:80/udp/ingress 8001:81/udp/ingress"),
            ("8000-8001:80", "8000:80/tcp/ingress 8001:80/tcp/ingress"),
            ("published=9,target=10,mode=host", "9:10/tcp/host"),
            ("target=80,protocol=UDP", "0:80/udp/ingress"),
            (
                "published=80,target=8080,app_protocol=http",
                "80:8080/tcp/ingress drover.port.8080.app_protocol=http",
            ),
            ("proxy_protocol=v2,target=90", "0:90/tcp/ingress drover.port.90.proxy_protocol=v2"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("a:b", "invalid containerPort: b"),
            ("a:80", "invalid hostPort: a"),
            ("127.0.0.1:80:80", "hostip is not supported"),
            ("80/icmp", "protocol"),
            ("1-3:1-2", "invalid ranges"),
            ("0:0", "invalid containerPort"),
            ("70000", "invalid containerPort"),
            ("published=80", "missing mandatory field 'target'"),
            ("target=80,mode=x", "publish mode"),
            ("target=80,x=y", "invalid field key: x"),
            ("target=80,app_protocol=h3", "invalid app_protocol value (h3): must be either 'http' or 'tcp'"),
            ("target=80,proxy_protocol=1", "invalid proxy_protocol value (1): must be either 'v1' or 'v2'"),
            ("target=99999", "target port"),
        ] {
            assert!(shown(text).unwrap_err().contains(says), "{text}: {:?}", shown(text));
        }
    }
}

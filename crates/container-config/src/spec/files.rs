//! The small files that every container finds: hosts, resolver, hostname.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use container::FileInRoot;
use container_json::HostConfig;

use super::{Given, Reach};
use crate::Error;

/// Stands for the host's address towards the container.
const HOST_GATEWAY: &str = "host-gateway";
const LOCAL_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
                           ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// Returns the files.
pub(super) fn of(given: &Given<'_>, hostname: &str) -> Result<Vec<FileInRoot>, Error> {
    let config = given.host_config;
    let (hosts, resolv_conf) = match &given.reach {
        Reach::Joined { files, .. } => return Ok(files.clone()),
        Reach::Nowhere => return Ok(Vec::new()),
        Reach::Host => {
            let more = extra_hosts(config, Ipv4Addr::LOCALHOST)?;
            (format!("{}{more}", given.host.hosts), resolv_conf(config, &given.host.resolv_conf, true))
        }
        Reach::Own { addresses, gateway, .. } => {
            let more = extra_hosts(config, *gateway)?;
            let names = match given.config.domainname.as_str() {
                "" => hostname.to_owned(),
                domain => format!("{hostname}.{domain} {hostname}"),
            };
            let own: String = addresses.iter().map(|address| format!("{address}\t{names}\n")).collect();
            let text = format!("{LOCAL_HOSTS}{more}{own}");
            (text, resolv_conf(config, &given.host.resolv_conf, false))
        }
    };
    let file = |target: &str, contents: String| FileInRoot {
        target: PathBuf::from(target),
        contents,
        mode: 0o644,
        read_only: false,
    };
    Ok(vec![
        file("/etc/hosts", hosts),
        file("/etc/hostname", format!("{hostname}\n")),
        file("/etc/resolv.conf", resolv_conf),
    ])
}

/// Returns the lines for hosts that are written `NAME:ADDRESS`.
fn extra_hosts(config: &HostConfig, gateway: Ipv4Addr) -> Result<String, Error> {
    let mut lines = String::new();
    for written in &config.extra_hosts {
        let (name, address) = extra_host(written)?;
        match address {
            Some(address) => lines.push_str(&format!("{address}\t{name}\n")),
            None => lines.push_str(&format!("{gateway}\t{name}\n")),
        }
    }
    Ok(lines)
}

/// Reads a further host; no address is the host's own.
pub(crate) fn extra_host(written: &str) -> Result<(&str, Option<IpAddr>), Error> {
    let refuse = || Error::invalid(format!("bad format for add-host: \"{written}\""));
    let (name, address) = written.split_once([':', '=']).ok_or_else(refuse)?;
    if name.is_empty() {
        return Err(refuse());
    }
    if address == HOST_GATEWAY {
        return Ok((name, None));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match bare.parse() {
        Ok(address) => Ok((name, Some(address))),
        Err(_) => Err(Error::invalid(format!("invalid IP address in add-host: \"{address}\""))),
    }
}

/// Returns the resolver's file: what the client says, and the host's word for what it leaves open. Resolvers on the
/// host's loopback are left out where they cannot be reached.
fn resolv_conf(config: &HostConfig, of_host: &str, is_on_host: bool) -> String {
    let lines = |key: &'static str| {
        let rest = of_host.lines().filter_map(move |line| line.trim().strip_prefix(key));
        rest.filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim)
    };
    let is_reachable =
        |text: &&str| text.parse::<IpAddr>().is_ok_and(|address| is_on_host || !address.is_loopback());
    let servers: Vec<&str> = if config.dns.is_empty() {
        lines("nameserver").filter(is_reachable).collect()
    } else {
        config.dns.iter().map(String::as_str).collect()
    };
    let or_host = |own: &[String], key| {
        if own.is_empty() { lines(key).next_back().map(str::to_owned) } else { Some(own.join(" ")) }
    };
    let mut text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if let Some(search) = or_host(&config.dns_search, "search").filter(|search| search != ".") {
        text.push_str(&format!("search {search}\n"));
    }
    if let Some(options) = or_host(&config.dns_options, "options") {
        text.push_str(&format!("options {options}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(dns: &[&str], search: &[&str], extra: &[&str]) -> HostConfig {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        HostConfig {
            dns: words(dns),
            dns_search: words(search),
            extra_hosts: words(extra),
            ..HostConfig::default()
        }
    }

    #[test]
    fn the_hosts_resolvers_serve_unless_others_are_given() {
        let of_host =
            "# made\nnameserver 192.0.2.1\nnameserver 127.0.0.53\nsearch example.org\noptions edns0\n";
        for (config, is_on_host, text) in [
            (host(&[], &[], &[]), false, "nameserver 192.0.2.1\nsearch example.org\noptions edns0\n"),
            (host(&[], &["."], &[]), true, "nameserver 192.0.2.1\nnameserver 127.0.0.53\noptions edns0\n"),
            (
                host(&["192.0.2.9"], &["a", "b"], &[]),
                false,
                "nameserver 192.0.2.9\nsearch a b\noptions edns0\n",
            ),
        ] {
            assert_eq!(resolv_conf(&config, of_host, is_on_host), text);
        }
    }

    #[test]
    fn further_hosts_are_named() {
        let config = host(&[], &[], &["db:192.0.2.7", "six:[fe80::1]", "up:host-gateway", "v6:::1"]);

        let lines = extra_hosts(&config, Ipv4Addr::new(172, 31, 0, 1)).unwrap();

        assert_eq!(lines, "192.0.2.7\tdb\nfe80::1\tsix\n172.31.0.1\tup\n::1\tv6\n");
        for (written, said) in [
            ("db", "bad format for add-host: \"db\""),
            (":1.2.3.4", "bad format for add-host: \":1.2.3.4\""),
            ("db:x", "invalid IP address in add-host: \"x\""),
        ] {
            assert_eq!(extra_host(written).unwrap_err().text(), said);
        }
    }
}

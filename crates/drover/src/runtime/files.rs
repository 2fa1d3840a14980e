//! The small files that every container finds: hosts, resolver, hostname.

use std::net::IpAddr;
use std::path::PathBuf;

use container::FileInRoot;
use model::Dns;

/// What the files say.
pub struct Content<'a> {
    /// The container's hostname.
    pub hostname: &'a str,
    /// Its addresses; the first is its own name's.
    pub addresses: &'a [IpAddr],
    /// Lines for `/etc/hosts`, `ADDRESS NAME [NAME..]`.
    pub hosts: &'a [String],
    /// What the service says of name resolution.
    pub dns: Option<&'a Dns>,
    /// The host's `resolv.conf`.
    pub host_resolv_conf: &'a str,
}

/// Returns the files.
pub fn of(content: &Content<'_>) -> Vec<FileInRoot> {
    let file = |target: &str, contents: String| FileInRoot {
        target: PathBuf::from(target),
        contents,
        mode: 0o644,
        read_only: false,
    };
    vec![
        file("/etc/hosts", hosts(content)),
        file("/etc/hostname", format!("{}\n", content.hostname)),
        file("/etc/resolv.conf", resolv_conf(content)),
    ]
}

fn hosts(content: &Content<'_>) -> String {
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    );
    for line in content.hosts {
        text.push_str(&line.split_whitespace().collect::<Vec<_>>().join("\t"));
        text.push('\n');
    }
    for address in content.addresses {
        text.push_str(&format!("{address}\t{}\n", content.hostname));
    }
    text
}

/// Returns the resolver's file: what the service says, and the host's for what it leaves open.
/// Resolvers on the host's loopback are left out, since they cannot be reached from a container.
fn resolv_conf(content: &Content<'_>) -> String {
    let given = content.dns.cloned().unwrap_or_default();
    let of_host = |key: &str| {
        let lines = content.host_resolv_conf.lines().map(str::trim);
        lines
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix([' ', '\t']))
            .map(str::trim)
            .collect::<Vec<_>>()
    };
    let is_reachable = |text: &&str| text.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback());
    let mut nameservers: Vec<&str> = given.nameservers.iter().map(String::as_str).collect();
    if nameservers.is_empty() {
        nameservers = of_host("nameserver").into_iter().filter(is_reachable).collect();
    }
    let or_host = |list: &[String], key: &str| {
        if list.is_empty() {
            of_host(key).last().map(|line| (*line).to_owned())
        } else {
            Some(list.join(" "))
        }
    };
    let mut text: String = nameservers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if let Some(search) = or_host(&given.search, "search").filter(|search| search != ".") {
        text.push_str(&format!("search {search}\n"));
    }
    if let Some(options) = or_host(&given.options, "options") {
        text.push_str(&format!("options {options}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(dns: Option<&Dns>, host: &str) -> String {
        let content = Content { hostname: "web", addresses: &[], hosts: &[], dns, host_resolv_conf: host };
        resolv_conf(&content)
    }

    #[test]
    fn the_hosts_resolvers_serve_unless_others_are_given() {
        let host = "# made by hand\nnameserver 192.0.2.1\nnameserver 127.0.0.53\nsearch example.org\noptions edns0\n";
        let given = Dns {
            nameservers: vec!["192.0.2.9".into()],
            search: vec!["a".into(), "b".into()],
            options: vec![],
        };

        assert_eq!(text(None, host), "nameserver 192.0.2.1\nsearch example.org\noptions edns0\n");
        assert_eq!(text(Some(&given), host), "nameserver 192.0.2.9\nsearch a b\noptions edns0\n");
        assert_eq!(text(None, "search .\n"), "");
    }

    #[test]
    fn hosts_name_the_container_and_what_the_service_adds() {
        let content = Content {
            hostname: "web",
            addresses: &["10.0.0.5".parse().unwrap()],
            hosts: &["192.0.2.7 db  database".into()],
            dns: None,
            host_resolv_conf: "",
        };

        let text = hosts(&content);

        assert!(text.ends_with("192.0.2.7\tdb\tdatabase\n10.0.0.5\tweb\n"), "{text}");
    }
}

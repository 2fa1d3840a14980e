//! Where a copy goes, and what it is called there: the rules of `docker cp`.

use std::path::Path;

use anyhow::{Result, bail};

use super::rename::Rename;

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What the archive calls it; nothing if that is only what a directory holds.
    pub name: Option<String>,
    /// What it is to be called where it keeps its name, if that differs.
    pub shown: Option<String>,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The path as it is written, links followed.
    pub path: String,
    /// Whether something is there.
    pub exists: bool,
    /// Whether that is a directory.
    pub is_directory: bool,
}

/// Where an archive is unpacked, and how it is changed before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// The directory.
    pub directory: String,
    /// The change of names, if one is needed.
    pub rename: Option<Rename>,
}

/// Decides where a copy goes.
pub(super) fn place(source: &Source, target: &Target) -> Result<Placement> {
    let shown = source.shown.as_ref().or(source.name.as_ref());
    let rename = |to: Option<&String>| {
        let needed = to.is_some() && to != source.name.as_ref();
        needed.then(|| Rename { from: source.name.clone(), to: to.cloned().unwrap_or_default() })
    };
    if target.is_directory {
        let rename = if source.name.is_some() { rename(shown) } else { None };
        return Ok(Placement { directory: target.path.clone(), rename });
    }
    if target.exists && source.is_directory {
        bail!("cannot copy directory");
    }
    if !target.exists && !source.is_directory && asserts_directory(&target.path) {
        bail!("no such directory");
    }
    let (directory, name) = split(&target.path);
    Ok(Placement { directory, rename: rename(Some(&name)) })
}

/// Reads one end of a copy: a container and a path in it, or a path here.
pub(super) fn end(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((container, path)) if !container.contains('/') && !container.starts_with('.') => {
            (Some(container), path)
        }
        _ => (None, text),
    }
}

/// Returns what an archive calls a path; nothing for the root, and where only the content of a directory is meant.
pub(super) fn base(path: &str) -> Option<String> {
    if path.ends_with("/.") || path == "." {
        return None;
    }
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned())
}

/// Claims that a path can only mean a directory.
fn asserts_directory(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.") || path == "."
}

/// Cuts a path into its directory and its name.
fn split(path: &str) -> (String, String) {
    let path = path.strip_suffix("/.").unwrap_or(path).trim_end_matches('/');
    match path.rsplit_once('/') {
        Some(("", name)) => ("/".to_owned(), name.to_owned()),
        Some((directory, name)) => (directory.to_owned(), name.to_owned()),
        None => (".".to_owned(), path.to_owned()),
    }
}

/// Returns where a link at a path points, as a path of the same tree.
pub(super) fn followed(path: &str, link: &str) -> String {
    if link.starts_with('/') {
        return link.to_owned();
    }
    let (directory, _) = split(path);
    format!("{}/{link}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(source: &str, is_directory: bool, target: &str, kind: &str) -> String {
        let source = Source { name: base(source), shown: None, is_directory };
        let target =
            Target { path: target.into(), exists: kind != "absent", is_directory: kind == "directory" };
        match place(&source, &target) {
            Ok(Placement { directory, rename: None }) => directory,
            Ok(Placement { directory, rename: Some(Rename { from, to }) }) => {
                format!("{directory} {}→{to}", from.unwrap_or_default())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn copies_go_where_docker_puts_them() {
        for (source, is_directory, target, kind, expected) in [
            ("/a/x", false, "/b", "directory", "/b"),
            ("/a/x", false, "/b/y", "absent", "/b x→y"),
            ("/a/x", false, "/b/x", "absent", "/b"),
            ("/a/x", false, "/b/y", "file", "/b x→y"),
            ("/a/x", false, "/b/y/", "absent", "no such directory"),
            ("/a/x", false, "y", "absent", ". x→y"),
            ("/a/x", true, "/b", "directory", "/b"),
            ("/a/x", true, "/b/y", "absent", "/b x→y"),
            ("/a/x/", true, "/y/", "absent", "/ x→y"),
            ("/a/x/.", true, "/b", "directory", "/b"),
            ("/a/x/.", true, "/b/y", "absent", "/b →y"),
            ("/", true, "/b/y", "absent", "/b →y"),
            ("/a/x", true, "/b/y", "file", "cannot copy directory"),
        ] {
            assert_eq!(placed(source, is_directory, target, kind), expected, "{source} {target} {kind}");
        }
    }

    #[test]
    fn a_followed_link_keeps_its_name() {
        let source = Source { name: Some("real".into()), shown: Some("link".into()), is_directory: false };
        let target = Target { path: "/b".into(), exists: true, is_directory: true };

        let placement = place(&source, &target).unwrap();

        assert_eq!(placement.rename, Some(Rename { from: Some("real".into()), to: "link".into() }));
        assert_eq!(followed("/a/link", "real"), "/a/real");
        assert_eq!(followed("/link", "real"), "/real");
        assert_eq!(followed("/a/link", "/c"), "/c");
    }

    #[test]
    fn ends_are_told_apart() {
        for (text, expected) in [
            ("web:/a", (Some("web"), "/a")),
            ("web:", (Some("web"), "")),
            ("/a:b", (None, "/a:b")),
            ("./a:b", (None, "./a:b")),
            ("a", (None, "a")),
            ("-", (None, "-")),
        ] {
            assert_eq!(end(text), expected, "{text}");
        }
    }
}

//! Another name for the top of an archive.

use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

/// Another name for the top of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rename {
    /// What the top is called; nothing if the archive holds the content of a directory only.
    pub from: Option<String>,
    /// What it is called afterwards.
    pub to: String,
}

impl Rename {
    /// Copies an archive, with the other name.
    pub(super) fn apply(&self, input: impl Read, out: impl Write) -> Result<()> {
        let mut archive = tar::Archive::new(input);
        let mut builder = tar::Builder::new(out);
        for entry in archive.entries()? {
            let mut entry = entry.context("read the archive")?;
            let mut header = entry.header().clone();
            let path = self.path(&entry.path()?);
            let extensions = entry.pax_extensions()?.into_iter().flatten();
            let kept: Vec<(String, Vec<u8>)> = extensions
                .filter_map(Result::ok)
                .filter_map(|pair| Some((pair.key().ok()?.to_owned(), pair.value_bytes().to_vec())))
                .filter(|(key, _)| !["path", "linkpath", "size"].contains(&key.as_str()))
                .collect();
            if !kept.is_empty() {
                builder.append_pax_extensions(
                    kept.iter().map(|(key, value)| (key.as_str(), value.as_slice())),
                )?;
            }
            match entry.link_name()? {
                Some(link) => {
                    let is_hard = header.entry_type().is_hard_link();
                    let link = if is_hard { self.path(&link) } else { link.into_owned() };
                    builder.append_link(&mut header, &path, &link)?;
                }
                None => {
                    header.set_size(entry.size());
                    builder.append_data(&mut header, &path, &mut entry)?;
                }
            }
        }
        builder.into_inner()?.flush().context("write the archive")
    }

    fn path(&self, path: &Path) -> PathBuf {
        let mut parts = path
            .components()
            .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
            .peekable();
        if self.from.is_some() {
            parts.next();
        }
        Path::new(&self.to).components().chain(parts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_at_the_top_only() {
        let path = |from: Option<&str>, path: &str| {
            let rename = Rename { from: from.map(str::to_owned), to: "new".into() };
            rename.path(Path::new(path)).to_string_lossy().into_owned()
        };

        assert_eq!(path(Some("old"), "old"), "new");
        assert_eq!(path(Some("old"), "old/a/old"), "new/a/old");
        assert_eq!(path(None, "./"), "new");
        assert_eq!(path(None, "./a/b"), "new/a/b");
        assert_eq!(path(None, "a"), "new/a");
    }

    #[test]
    fn content_links_and_long_names_come_through() {
        let mut builder = tar::Builder::new(Vec::new());
        let long = format!("old/{}", "n".repeat(180));
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o640);
        builder.append_data(&mut header, &long, &b"abc"[..]).unwrap();
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Link);
        link.set_size(0);
        builder.append_link(&mut link, "old/hard", &long).unwrap();
        let packed = builder.into_inner().unwrap();
        let mut out = Vec::new();

        Rename { from: Some("old".into()), to: "new".into() }.apply(&packed[..], &mut out).unwrap();

        let mut archive = tar::Archive::new(&out[..]);
        let mut entries = archive.entries().unwrap();
        let mut first = entries.next().unwrap().unwrap();
        let mut text = String::new();
        first.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), first.header().mode().unwrap()), ("abc", 0o640));
        let name = long.replace("old", "new");
        assert_eq!(first.path().unwrap().to_str(), Some(name.as_str()));
        let second = entries.next().unwrap().unwrap();
        assert_eq!(second.path().unwrap().to_str(), Some("new/hard"));
        assert_eq!(second.link_name().unwrap().unwrap().to_str(), Some(name.as_str()));
    }
}

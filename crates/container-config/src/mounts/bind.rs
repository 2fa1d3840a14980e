//! Mounts as `source:target[:options]`, the form of `--volume`.

use super::{Making, Mount, Source, Submounts, target_of};
use crate::Error;

const PROPAGATIONS: &[&str] = &["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// Reads one entry of `Binds`.
pub(super) fn parse(text: &str, volume_driver: &str) -> Result<Mount, Error> {
    let refuse = || Error::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [target] => ("", target, ""),
        // `target:ro` names no source; a target is a path, which no mode is.
        [source, target] if !is_mode(target) => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(refuse()),
    };
    if target.is_empty() || (parts.len() > 1 && source.is_empty()) {
        return Err(refuse());
    }
    if !is_mode(mode) {
        return Err(Error::invalid(format!("invalid mode: {mode}")));
    }
    let kind = if source.starts_with('/') { "bind" } else { "volume" };
    let target = target_of(target).map_err(|reason| {
        let text =
            format!("invalid volume specification: '{text}': invalid mount config for type \"{kind}\"");
        Error::invalid(format!("{text}: {reason}"))
    })?;
    let words: Vec<&str> = mode.split(',').collect();
    let propagation = words.iter().find(|word| PROPAGATIONS.contains(word)).copied().unwrap_or_default();
    let is_filled = !words.contains(&"nocopy");
    let source = match kind {
        "bind" if !is_filled => return Err(Error::invalid(format!("invalid mode: {mode}"))),
        "bind" => Source::Bind {
            path: super::clean(source),
            propagation: propagation.to_owned(),
            submounts: Submounts::Included,
            is_made: true,
        },
        _ if !propagation.is_empty() => return Err(Error::invalid(format!("invalid mode: {mode}"))),
        _ => Source::Volume {
            name: source.to_owned(),
            is_anonymous: source.is_empty(),
            subpath: String::new(),
            is_filled,
            making: Making { driver: volume_driver.to_owned(), ..Making::default() },
        },
    };
    let mode = if mode.is_empty() && kind == "volume" { "z" } else { mode };
    Ok(Mount { target, source, read_only: words.contains(&"ro"), mode: mode.to_owned() })
}

/// Tells whether a text is options, at most one of each kind.
fn is_mode(text: &str) -> bool {
    const KINDS: [&[&str]; 5] =
        [&["ro", "rw"], &["z", "Z"], PROPAGATIONS, &["nocopy"], &["consistent", "cached", "delegated"]];
    if text.is_empty() {
        return true;
    }
    let words: Vec<&str> = text.split(',').collect();
    let is_known = |word: &&str| KINDS.iter().any(|kind| kind.contains(word));
    let count = |kind: &[&str]| words.iter().filter(|word| kind.contains(word)).count();
    words.iter().all(is_known) && KINDS.iter().all(|kind| count(kind) < 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(path: &str, propagation: &str) -> Source {
        let (path, propagation) = (path.to_owned(), propagation.to_owned());
        Source::Bind { path, propagation, submounts: Submounts::Included, is_made: true }
    }

    fn volume(name: &str, is_filled: bool) -> Source {
        Source::Volume {
            name: name.to_owned(),
            is_anonymous: name.is_empty(),
            subpath: String::new(),
            is_filled,
            making: Making::default(),
        }
    }

    #[test]
    fn short_forms_are_read_as_in_docker() {
        for (text, target, source, read_only, mode) in [
            ("/srv:/data", "/data", bind("/srv", ""), false, ""),
            ("/srv/../x:/data:ro", "/data", bind("/x", ""), true, "ro"),
            ("/srv:/data:ro,rshared,z", "/data", bind("/srv", "rshared"), true, "ro,rshared,z"),
            ("db:/data", "/data", volume("db", true), false, "z"),
            ("db:/data:nocopy", "/data", volume("db", false), false, "nocopy"),
            ("/data", "/data", volume("", true), false, "z"),
        ] {
            let expected = Mount { target: target.into(), source, read_only, mode: mode.into() };
            assert_eq!(parse(text, ""), Ok(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        for (text, said) in [
            ("a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
            (":/x", "invalid volume specification: ':/x'"),
            ("/x:", "invalid volume specification: '/x:'"),
            ("/x:ro", "invalid volume specification: '/x:ro'"),
            ("/a:/b:rox", "invalid mode: rox"),
            ("/a:/b:ro,rw", "invalid mode: ro,rw"),
            ("/a:/b:nocopy", "invalid mode: nocopy"),
            ("v:/b:rshared", "invalid mode: rshared"),
            (
                "/a:b",
                "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: \
                 'b' mount path must be absolute",
            ),
            (
                "v:/",
                "invalid volume specification: 'v:/': invalid mount config for type \"volume\": invalid \
                 specification: destination can't be '/'",
            ),
        ] {
            assert_eq!(parse(text, "").unwrap_err().text(), said);
        }
    }
}

//! Names of images as Docker writes and reads them.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_NAMESPACE: &str = "library/";
const NAME_LENGTH_MAX: usize = 255;
const TAG_LENGTH_MAX: usize = 128;

/// Names an image in a registry: `registry/repository[:tag][@digest]`, always with a tag or a digest.
///
/// Two texts that mean the same image give equal references: `nginx` and `docker.io/library/nginx:latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Tells why a text is not a reference, in Docker's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// The repository has upper-case letters.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// The name cannot be told from an image id.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    LooksLikeId(String),
    /// The repository is longer than registries allow.
    #[error("repository name must not be more than {NAME_LENGTH_MAX} characters")]
    TooLong,
    /// The digest is of another algorithm than sha256.
    #[error("unsupported digest algorithm")]
    DigestAlgorithm,
}

impl Reference {
    /// Returns the registry's host and port; `docker.io` where none was written.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the path inside the registry, `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag; `latest` where neither tag nor digest was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest the reference is pinned to.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Returns registry and repository without what users need not write: `nginx`, `localhost:5000/web`.
    pub fn familiar_name(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return format!("{}/{}", self.registry, self.repository);
        }
        match self.repository.strip_prefix(DEFAULT_NAMESPACE) {
            Some(short) if !short.contains('/') => short.to_owned(),
            Some(_) | None => self.repository.clone(),
        }
    }

    /// Returns the shortest form that means the same: `nginx:latest`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), Suffix(self))
    }

    /// Returns the same name with this digest, keeping the tag: `nginx:latest@sha256:…`.
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// Returns the name under which a pulled image keeps its digest: `nginx@sha256:…`, without a tag.
    pub fn by_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Returns the repository with this tag and no digest.
    pub fn with_tag(&self, tag: &str) -> Result<Self, Error> {
        if !is_tag(tag) {
            return Err(Error::Format);
        }
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// Tells whether both name images of one repository.
    pub fn same_repository(&self, other: &Self) -> bool {
        self.registry == other.registry && self.repository == other.repository
    }
}

struct Suffix<'a>(&'a Reference);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = &self.0.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.0.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Prints the complete form: `docker.io/library/nginx:latest`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.registry, self.repository, Suffix(self))
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if Digest::from_hex(text).is_some() {
            return Err(Error::LooksLikeId(text.to_owned()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
            None => (text, None),
        };
        let (registry, rest) = split_registry(rest);
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        let repository = match (registry.as_str(), path.contains('/')) {
            (DEFAULT_REGISTRY, false) => format!("{DEFAULT_NAMESPACE}{path}"),
            (_, _) => path.to_owned(),
        };
        check_name(&registry, &repository, path)?;
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(Error::Format);
        }
        let tag = tag.or_else(|| digest.is_none().then_some("latest")).map(str::to_owned);
        Ok(Self { registry, repository, tag, digest })
    }
}

/// The first part is a registry only if it cannot be a namespace.
fn split_registry(text: &str) -> (String, &str) {
    let is_registry = |first: &str| {
        first.contains(['.', ':'])
            || first == "localhost"
            || first.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    match text.split_once('/') {
        Some(("index.docker.io", rest)) => (DEFAULT_REGISTRY.to_owned(), rest),
        Some((first, rest)) if is_registry(first) => (first.to_owned(), rest),
        Some(_) | None => (DEFAULT_REGISTRY.to_owned(), text),
    }
}

fn check_name(registry: &str, repository: &str, path: &str) -> Result<(), Error> {
    if path.is_empty() || !is_registry(registry) {
        return Err(Error::Format);
    }
    if !repository.split('/').all(is_component) {
        let lower = repository.to_ascii_lowercase();
        let only_case = lower != repository && lower.split('/').all(is_component);
        return Err(if only_case { Error::Uppercase(repository.to_owned()) } else { Error::Format });
    }
    if registry.len() + 1 + repository.len() > NAME_LENGTH_MAX {
        return Err(Error::TooLong);
    }
    Ok(())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, rest)) = rest.split_once(']') else { return false };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            match rest.strip_prefix(':') {
                Some(port) => return is_port(port),
                None => return rest.is_empty(),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let edges = bytes.first().zip(bytes.last());
        edges.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Runs of lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let edges = bytes.first().zip(bytes.last());
    if !edges.is_some_and(|(first, last)| is_word(*first) && is_word(*last)) {
        return false;
    }
    let mut separators = bytes.split(|byte| is_word(*byte)).filter(|run| !run.is_empty());
    separators.all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= TAG_LENGTH_MAX
        && bytes.first().is_some_and(|first| is_word(*first))
        && bytes.iter().all(|byte| is_word(*byte) || matches!(byte, b'.' | b'-'))
}

fn parse_digest(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|error| match error {
        crate::digest::ParseError::Malformed(_) => Error::Format,
        crate::digest::ParseError::Unsupported(_) => Error::DigestAlgorithm,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, complete: &str, familiar: &str) {
        let parsed: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));

        assert_eq!(parsed.to_string(), complete, "{text}");
        assert_eq!(parsed.familiar(), familiar, "{text}");
        assert_eq!(complete.parse(), Ok(parsed), "{text}");
    }

    #[test]
    fn short_names_are_completed_and_shortened_again() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let pinned = format!("docker.io/library/nginx:1@{digest}");
        let untagged = format!("docker.io/library/nginx@{digest}");
        check("nginx", "docker.io/library/nginx:latest", "nginx:latest");
        check("nginx:1.25-alpine", "docker.io/library/nginx:1.25-alpine", "nginx:1.25-alpine");
        check("drover/whoami", "docker.io/drover/whoami:latest", "drover/whoami:latest");
        check("index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest");
        check("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest");
        check("localhost/web", "localhost/web:latest", "localhost/web:latest");
        check("localhost:5000/a/b:v1", "localhost:5000/a/b:v1", "localhost:5000/a/b:v1");
        check("127.0.0.1:5000/web", "127.0.0.1:5000/web:latest", "127.0.0.1:5000/web:latest");
        check("[::1]:5000/web", "[::1]:5000/web:latest", "[::1]:5000/web:latest");
        check("Registry.Example/web", "Registry.Example/web:latest", "Registry.Example/web:latest");
        check("a__b/c---d.e_f", "docker.io/a__b/c---d.e_f:latest", "a__b/c---d.e_f:latest");
        check("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest");
        check(&format!("nginx:1@{digest}"), &pinned, &format!("nginx:1@{digest}"));
        check(&format!("nginx@{digest}"), &untagged, &format!("nginx@{digest}"));
    }

    fn refuse(text: &str, expected: Error) {
        assert_eq!(text.parse::<Reference>(), Err(expected), "{text}");
    }

    #[test]
    fn bad_names_are_refused_in_dockers_words() {
        for text in [
            "",
            ":",
            "@",
            "nginx:",
            "nginx@",
            "/nginx",
            "nginx/",
            "a//b",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "a._b",
            "nginx:-x",
            "nginx:a b",
            "ngi nx",
            "nginx@sha256:12",
            "https://x/y",
            "x.y:port/z",
            "x.y:99999/z",
            "-x.y/z",
            "[::1/web",
            "[nope]/web",
            "a:b:c",
            "nginx:tag/more",
            "ümlaut",
        ] {
            refuse(text, Error::Format);
        }
        refuse(&format!("nginx:{}", "t".repeat(129)), Error::Format);
        refuse("Nginx", Error::Uppercase("library/Nginx".into()));
        refuse("localhost:5000/Web", Error::Uppercase("Web".into()));
        refuse(&"ab".repeat(32), Error::LooksLikeId("ab".repeat(32)));
        refuse(&format!("a/{}", "b".repeat(250)), Error::TooLong);
        refuse("nginx@sha512:00", Error::DigestAlgorithm);
        assert_eq!(
            "Nginx".parse::<Reference>().unwrap_err().to_string(),
            "invalid reference format: repository name (library/Nginx) must be lowercase"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Reference>();
        }

        #[test]
        fn what_parses_prints_to_the_same_reference(text in "([A-Za-z0-9.-]{1,8}(:[0-9]{1,4})?/)?[a-z0-9._/-]{1,20}(:[a-z.]{1,4})?") {
            if let Ok(parsed) = text.parse::<Reference>() {
                prop_assert_eq!(parsed.to_string().parse::<Reference>(), Ok(parsed.clone()));
                prop_assert_eq!(parsed.familiar().parse::<Reference>(), Ok(parsed));
            }
        }
    }
}

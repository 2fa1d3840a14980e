//! Names of images as the docker CLI reads and shows them.

/// A name of an image, cut into its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Everything before tag and digest.
    pub name: &'a str,
    /// The tag, if one is written.
    pub tag: Option<&'a str>,
    /// The digest, if one is written.
    pub digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Cuts a name.
    pub fn of(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon before a slash separates a registry's port.
        match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => Self { name, tag: Some(tag), digest },
            _ => Self { name: rest, tag: None, digest },
        }
    }

    /// Returns the name in full, with the registry that is meant when none is written.
    pub fn canonical(&self) -> String {
        match self.name.split_once('/') {
            None => format!("docker.io/library/{}", self.name),
            Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => self.name.to_owned(),
            Some(_) => format!("docker.io/{}", self.name),
        }
    }
}

/// Adds `latest` to a name that has neither tag nor digest.
pub fn with_tag(text: &str) -> String {
    match Reference::of(text) {
        Reference { name, tag: None, digest: None } => format!("{name}:latest"),
        Reference { .. } => text.to_owned(),
    }
}

/// Takes the digest from a name that has a tag.
pub fn without_digest(text: &str) -> String {
    match Reference::of(text) {
        Reference { name, tag: Some(tag), digest: Some(_) } => format!("{name}:{tag}"),
        Reference { .. } => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_the_right_colon() {
        for (text, name, tag, canonical) in [
            ("nginx", "nginx", None, "docker.io/library/nginx"),
            ("nginx:1", "nginx", Some("1"), "docker.io/library/nginx"),
            ("localhost:5000/x", "localhost:5000/x", None, "localhost:5000/x"),
            ("localhost:5000/x:v", "localhost:5000/x", Some("v"), "localhost:5000/x"),
            ("a/b:v@sha256:ab", "a/b", Some("v"), "docker.io/a/b"),
        ] {
            let reference = Reference::of(text);

            assert_eq!((reference.name, reference.tag), (name, tag));
            assert_eq!(reference.canonical(), canonical);
        }
        assert_eq!(with_tag("a/b"), "a/b:latest");
        assert_eq!(with_tag("a@sha256:ab"), "a@sha256:ab");
        assert_eq!(without_digest("a:v@sha256:ab"), "a:v");
        assert_eq!(without_digest("a@sha256:ab"), "a@sha256:ab");
    }
}

//! `--volume`.

use flags::{Result, refuse};

use crate::Surroundings;

/// What one `--volume` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    /// A path of the container that gets a volume without a name.
    Anonymous(String),
    /// `source:target[:options]`; a source that is a path is complete.
    Named(String),
}

/// Reads `[SOURCE:]TARGET[:OPTIONS]`.
pub(crate) fn parse(text: &str, surroundings: Surroundings<'_>) -> Result<Bind> {
    if text.is_empty() {
        return refuse("invalid empty volume spec");
    }
    let Some((source, rest)) = text.split_once(':').filter(|_| text.len() > 2) else {
        return Ok(Bind::Anonymous(text.to_owned()));
    };
    let parts: Vec<&str> = text.split(':').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return refuse(format!("invalid spec: {text}: empty section between colons"));
    }
    if parts.len() > 3 {
        return refuse(format!("invalid spec: {text}: too many colons"));
    }
    Ok(Bind::Named(format!("{}:{rest}", surroundings.absolute(source))))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn mistakes_are_named() {
        let here = Surroundings { variable: &|_| None, directory: Path::new("/here") };

        for (text, says) in [
            ("", "invalid empty volume spec"),
            ("/a:", "invalid spec: /a:: empty section between colons"),
            (":/a", "invalid spec: :/a: empty section between colons"),
            ("/a:/b:c:d", "invalid spec: /a:/b:c:d: too many colons"),
        ] {
            assert_eq!(parse(text, here).unwrap_err().to_string(), says);
        }
        assert_eq!(parse("/a", here), Ok(Bind::Anonymous("/a".into())));
        assert_eq!(parse("./x:/b:ro", here), Ok(Bind::Named("/here/x:/b:ro".into())));
    }
}

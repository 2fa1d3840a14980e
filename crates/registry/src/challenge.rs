//! What a registry wants to see before it answers: the `WWW-Authenticate` header.

/// How a registry wants to be convinced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, which an authority gives out for a purpose.
    Bearer {
        /// Where the authority is asked.
        realm: String,
        /// What the authority calls the registry.
        service: Option<String>,
    },
}

impl Challenge {
    /// Chooses among all challenges of an answer; tokens before passwords.
    pub(crate) fn best<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let all: Vec<Self> = headers.into_iter().flat_map(parse).collect();
        let bearer = all.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(all.first()).cloned()
    }
}

/// Reads `Scheme key="value",key=value, Scheme …`; what is malformed is passed over.
fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for part in split_outside_quotes(header) {
        let part = part.trim();
        let (key, value) = match part.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim())),
            None => (part, None),
        };
        // A scheme stands before its first parameter, parted by a space.
        let (scheme, key) = match key.split_once(char::is_whitespace) {
            Some((scheme, key)) => (Some(scheme), key.trim()),
            None if value.is_none() => (Some(key), ""),
            None => (None, key),
        };
        if let Some(scheme) = scheme.filter(|scheme| !scheme.is_empty()) {
            challenges.push((scheme.to_ascii_lowercase(), Vec::new()));
        }
        if let (Some((_, parameters)), Some(value)) = (challenges.last_mut(), value) {
            parameters.push((key.to_ascii_lowercase(), unquote(value)));
        }
    }
    challenges.into_iter().filter_map(|(scheme, parameters)| challenge_of(&scheme, &parameters)).collect()
}

fn challenge_of(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let value =
        |wanted: &str| parameters.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone());
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer { realm: value("realm")?, service: value("service") }),
        _ => None,
    }
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unquote(value: &str) -> String {
    value.trim_matches('"').replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], expected: Option<Challenge>) {
        assert_eq!(Challenge::best(headers.iter().copied()), expected, "{headers:?}");
    }

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
    }

    #[test]
    fn challenges_of_real_registries_are_understood() {
        check(&[r#"Basic realm="test""#], Some(Challenge::Basic));
        check(&["basic"], Some(Challenge::Basic));
        check(
            &[r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#],
            bearer("https://auth.docker.io/token", Some("registry.docker.io")),
        );
        check(
            &[
                r#"Bearer realm="https://a/t",service="s",scope="repository:a:pull,push",error="invalid_token""#,
            ],
            bearer("https://a/t", Some("s")),
        );
        check(&["bearer realm=https://a/t"], bearer("https://a/t", None));
        check(&[r#"Basic realm="x", Bearer realm="https://a/t""#], bearer("https://a/t", None));
        check(&[r#"Basic realm="x""#, r#"Bearer realm="https://a/t""#], bearer("https://a/t", None));
    }

    #[test]
    fn what_is_not_understood_is_no_challenge() {
        for header in ["", ",", "Negotiate", r#"Bearer service="s""#, "=", r#"realm="x""#, "\""] {
            check(&[header], None);
        }
    }
}

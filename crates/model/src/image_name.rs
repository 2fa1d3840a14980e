//! Which texts name an image.

const NAME_LENGTH_MAX: usize = 255;
const TAG_LENGTH_MAX: usize = 128;
const DIGEST_DIGITS: usize = 64;

/// Tells whether a text is `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, as Docker demands of a service's image.
pub(crate) fn is_image(text: &str) -> bool {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // A host may have a port, so the tag's colon comes after the last slash.
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last..].find(':') {
        Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
        None => (rest, None),
    };
    let path = match name.split_once('/') {
        Some((host, path)) if is_host(host) => path,
        Some(_) | None => name,
    };
    let is_id = name.len() == DIGEST_DIGITS && is_hex(name);
    name.len() <= NAME_LENGTH_MAX
        && !is_id
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

fn is_host(text: &str) -> bool {
    let is_marked =
        text.contains(['.', ':']) || text == "localhost" || text.bytes().any(|b| b.is_ascii_uppercase());
    is_marked && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

fn is_component(text: &str) -> bool {
    let is_end =
        |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    is_end(text.bytes().next())
        && is_end(text.bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= TAG_LENGTH_MAX
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == DIGEST_DIGITS && is_hex(digits))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_from_other_texts() {
        let hex = "a".repeat(DIGEST_DIGITS);
        let pinned = format!("nginx:1.27@sha256:{hex}");
        let good = [
            "nginx",
            "nginx:1.27",
            "drover/whoami",
            "a/b/c",
            "localhost/a",
            "m1:5000/box:1",
            "[::1]:5000/a",
            "a__b/c-d.e",
            "Host/a",
            &pinned,
        ];
        let short = "nginx@sha256:aa";
        let bad = ["", "UPPER", "a//b", "/a", "a/", "a:", "a:-x", "a b", "a@b", "-a", "a/B", short, &hex];

        for text in good {
            assert!(is_image(text), "{text:?} is an image");
        }
        for text in bad {
            assert!(!is_image(text), "{text:?} is no image");
        }
    }
}

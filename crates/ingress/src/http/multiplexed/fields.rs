//! The fields of requests and responses on their way between the versions of HTTP. Pure.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Uri, Version};
use http1::Caller;

use crate::backend::Dialect;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Returns the host that a request is for; `None` if it has none that all would read in the same way.
pub(super) fn host(parts: &Parts) -> Option<Authority> {
    let named = || parts.headers.get(HOST)?.to_str().ok()?.parse().ok();
    let host = parts.uri.authority().cloned().or_else(named)?;
    http1::is_host(host.as_str().as_bytes()).then_some(host)
}

/// Makes a client's request one of the proxy: says who asked, as the fields of HTTP/1 do.
pub(super) fn announce(parts: &mut Parts, caller: &Caller, host: &Authority) {
    let headers = &mut parts.headers;
    headers.remove(HOST);
    remove_hop_by_hop(headers);
    let (mut address, mut element) = (Vec::new(), Vec::new());
    caller.write_address(&mut address);
    caller.write_element(host.as_str().as_bytes(), &mut element);
    append(headers, FORWARDED_FOR, &address);
    append(headers, FORWARDED, &element);
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    if let Ok(host) = HeaderValue::from_str(host.as_str()) {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
}

/// Puts a request into the words of a version.
pub(super) fn translate(parts: &mut Parts, host: &Authority, dialect: Dialect) {
    let path = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    match dialect {
        Dialect::Http2 => {
            parts.version = Version::HTTP_2;
            let mut uri = http::uri::Parts::default();
            (uri.scheme, uri.authority, uri.path_and_query) =
                (Some(Scheme::HTTP), Some(host.clone()), Some(path));
            parts.uri = Uri::from_parts(uri).unwrap_or_default();
        }
        Dialect::Http1 => {
            parts.version = Version::HTTP_11;
            parts.uri = Uri::from(path);
            parts.headers.remove(TE);
            if let Ok(host) = HeaderValue::from_str(host.as_str()) {
                parts.headers.insert(HOST, host);
            }
            join_cookies(&mut parts.headers);
        }
    }
}

/// Takes away what is for a connection of HTTP/1 only.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| *name != CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
}

/// Adds to a list, in one field, behind what it has.
fn append(headers: &mut HeaderMap, name: HeaderName, item: &[u8]) {
    let known = headers.get_all(&name).iter().map(HeaderValue::as_bytes);
    let all: Vec<&[u8]> = known.chain([item]).collect();
    if let Ok(value) = HeaderValue::from_bytes(&all.join(b", ".as_slice())) {
        headers.insert(name, value);
    }
}

/// Joins cookies, which HTTP/2 may bring apart and HTTP/1 may not (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(value) = HeaderValue::from_bytes(&all.join(b"; ".as_slice()))
    {
        headers.insert(COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get("http://shop:80/a?b");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn check(fields: &[(&str, &str)], dialect: Dialect, uri: &str, expected: &[(&str, &str)]) {
        let mut parts = request(fields);
        let host = host(&parts).unwrap();
        announce(&mut parts, &Caller { client: "[fd00::1]:5".parse().unwrap() }, &host);
        translate(&mut parts, &host, dialect);
        let mut seen: Vec<_> =
            parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        seen.sort_unstable();
        assert_eq!((parts.uri.to_string().as_str(), seen.as_slice()), (uri, expected));
    }

    #[test]
    fn request_says_who_asked_in_the_words_of_its_version() {
        check(
            &[("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-forwarded-for", "1.1.1.1")],
            Dialect::Http1,
            "/a?b",
            &[
                ("cookie", "a=1; b=2"),
                ("forwarded", "for=\"[fd00::1]\";host=\"shop:80\";proto=http"),
                ("host", "shop:80"),
                ("x-forwarded-for", "1.1.1.1, fd00::1"),
                ("x-forwarded-host", "shop:80"),
                ("x-forwarded-proto", "http"),
            ],
        );
        check(
            &[("te", "trailers"), ("x-forwarded-proto", "https"), ("host", "other")],
            Dialect::Http2,
            "http://shop:80/a?b",
            &[
                ("forwarded", "for=\"[fd00::1]\";host=\"shop:80\";proto=http"),
                ("te", "trailers"),
                ("x-forwarded-for", "fd00::1"),
                ("x-forwarded-host", "shop:80"),
                ("x-forwarded-proto", "https"),
            ],
        );
    }

    #[test]
    fn response_loses_what_was_for_one_connection() {
        let mut headers = request(&[
            ("connection", "close, x-hop, content-length"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("server", "a"),
        ])
        .headers;

        remove_hop_by_hop(&mut headers);

        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "server"]);
    }
}

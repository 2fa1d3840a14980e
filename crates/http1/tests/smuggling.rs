//! Whatever comes in: what goes on is read by everybody in the same way.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use http1::{Caller, Reply, Version, read_request, read_response};
use proptest::prelude::*;

fn caller() -> Caller {
    Caller { client: "[fd00::1]:5".parse().unwrap() }
}

/// Builds heads out of what attacks are made of.
fn head(first: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("Host: h".to_owned()),
        Just("Content-Length: 5".to_owned()),
        Just("content-length: 0".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("transfer-encoding: identity".to_owned()),
        Just("Connection: close, content-length, x-a".to_owned()),
        Just("Connection: upgrade".to_owned()),
        Just("Upgrade: websocket".to_owned()),
        Just("X-A: b".to_owned()),
        Just("X-Forwarded-For: 1.2.3.4".to_owned()),
        Just("Expect: 100-continue".to_owned()),
        Just(" folded".to_owned()),
        "[ -~\t\r\n]{0,12}",
        "[A-Za-z-]{1,6}: [ -~]{0,6}",
    ];
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    (proptest::sample::select(first), proptest::collection::vec((line, end), 0..8), any::<bool>()).prop_map(
        |(first, lines, is_whole)| {
            let mut head = first.as_bytes().to_vec();
            for (line, end) in lines {
                head.extend(line.into_bytes());
                head.extend(end.as_bytes());
            }
            if is_whole {
                head.extend(b"\r\n");
            }
            head.extend(b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
            head
        },
    )
}

/// Checks that a head is lines that end properly, each a field, with at most one length.
fn check_head(out: &[u8]) {
    let text = String::from_utf8_lossy(out);
    let lines = text.strip_suffix("\r\n\r\n").unwrap_or_else(|| panic!("no end: {text:?}"));
    let mut lengths = 0;
    for line in lines.split("\r\n").skip(1) {
        assert!(!line.contains(['\r', '\n', '\0']) && !line.starts_with([' ', '\t']), "{text:?}");
        let name =
            line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}")).0.to_ascii_lowercase();
        lengths += usize::from(name == "content-length" || name == "transfer-encoding");
        assert!(!["keep-alive", "te", "trailer", "proxy-connection"].contains(&name.as_str()), "{text:?}");
    }
    assert!(lengths <= 1, "{text:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn request_that_goes_on_is_plain(
        input in head(&["GET / HTTP/1.1\r\n", "POST /a HTTP/1.1\r\n", "POST http://h/ HTTP/1.0\r\n", "\r\nGET / HTTP/1.1\r\n"]),
    ) {
        let mut out = Vec::new();
        if let Ok(Some(request)) = read_request(&input, &caller(), &mut out) {
            check_head(&out);
            // The next reader sees the same body, and would pass on the same again.
            let again = read_request(&out, &caller(), &mut Vec::new()).unwrap().unwrap();
            prop_assert_eq!(again.head_bytes, out.len());
            prop_assert_eq!((again.body, again.offers_upgrade), (request.body, request.offers_upgrade));
            // Nothing behind the head was looked at.
            let alone = read_request(&input[..request.head_bytes], &caller(), &mut Vec::new());
            prop_assert_eq!(alone, Ok(Some(request)));
        }
    }

    #[test]
    fn response_that_goes_on_is_plain(
        input in head(&["HTTP/1.1 200 OK\r\n", "HTTP/1.0 404 \r\n", "HTTP/1.1 304 Not\r\n", "HTTP/1.1 100 C\r\n"]),
        is_head: bool,
        keeps_alive: bool,
    ) {
        let reply = Reply { version: Version::Http11, is_head, offers_upgrade: false, keeps_alive };
        let mut out = Vec::new();
        if let Ok(Some(response)) = read_response(&input, &reply, &mut out) {
            check_head(&out);
            let again = read_response(&out, &reply, &mut Vec::new()).unwrap().unwrap();
            prop_assert_eq!((again.status, again.body), (response.status, response.body));
        }
    }

    #[test]
    fn no_bytes_break_the_reader(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_request(&input, &caller(), &mut Vec::new());
    }
}

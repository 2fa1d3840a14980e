//! Says whether bytes a client sent may be sent to a second backend after the first one gave no answer. Pure.

/// Requests that do the same when they are done twice; the rest may have been carried out by the backend that failed.
const SAFE_METHODS: [&[u8]; 3] = [b"GET ", b"HEAD ", b"OPTIONS "];
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Tells whether what was sent is nothing, or (the beginning of) one HTTP/1 request that is safe to repeat.
pub(crate) fn may_repeat(sent: &[u8]) -> bool {
    if sent.is_empty() {
        return true;
    }
    let is_safe = SAFE_METHODS.iter().any(|method| sent.starts_with(method));
    let first_end = sent.windows(HEAD_END.len()).position(|window| window == HEAD_END);
    // Bytes after the head are a body or a second request.
    is_safe && first_end.is_none_or(|at| at + HEAD_END.len() == sent.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_safe_request_is_repeated() {
        let cases: [(&[u8], bool); 9] = [
            (b"", true),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            (b"GET / HTTP/1.1\r\nHo", true),
            (b"HEAD / HTTP/1.1\r\n\r\n", true),
            (b"POST / HTTP/1.1\r\n\r\n", false),
            (b"GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\n", false),
            (b"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", false),
            (b"*1\r\n$4\r\nINCR\r\n", false),
            (b"\x16\x03\x01", false),
        ];
        for (sent, expected) in cases {
            assert_eq!(may_repeat(sent), expected, "{:?}", String::from_utf8_lossy(sent));
        }
    }
}

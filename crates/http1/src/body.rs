//! Where a message ends, and what of its body goes on.

use crate::chunks::{BadChunk, Chunks, Piece};

/// Follows the body of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Length(u64),
    Chunked(Chunks, Chunking),
    UntilClose,
}

/// Says how a chunked body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunking {
    /// In chunks.
    Kept,
    /// As bare data, for a reader of HTTP/1.0.
    Removed,
}

/// Is how bytes that were read go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// So many of them belong to the body and go on as they are.
    AsIs(usize),
    /// So many of them belong to the body; what goes on was written out.
    Rewritten(usize),
}

impl Body {
    /// Returns the body of a message without one.
    pub fn empty() -> Body {
        Body(Kind::Length(0))
    }

    pub(crate) fn of_length(bytes: u64) -> Body {
        Body(Kind::Length(bytes))
    }

    pub(crate) fn chunked(chunking: Chunking) -> Body {
        Body(Kind::Chunked(Chunks::new(), chunking))
    }

    pub(crate) fn until_close() -> Body {
        Body(Kind::UntilClose)
    }

    /// Tells whether all of the body has been seen.
    pub fn is_done(&self) -> bool {
        match &self.0 {
            Kind::Length(left) => *left == 0,
            Kind::Chunked(chunks, _) => chunks.is_done(),
            Kind::UntilClose => false,
        }
    }

    /// Tells whether the body ends with its connection.
    pub fn ends_with_connection(&self) -> bool {
        self.0 == Kind::UntilClose
    }

    /// Returns how many further bytes belong to the body and go on as they are, whatever they say.
    pub fn plain_bytes(&self) -> u64 {
        match &self.0 {
            Kind::Length(left) => *left,
            Kind::Chunked(..) => 0,
            Kind::UntilClose => u64::MAX,
        }
    }

    /// Follows the body over bytes that went on without being looked at; at most [`Body::plain_bytes`] of them.
    pub fn skip(&mut self, bytes: u64) {
        if let Kind::Length(left) = &mut self.0 {
            *left = left.saturating_sub(bytes);
        }
    }

    /// Follows the body through bytes that were read; what does not go on as it is, is written to `out`.
    pub fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Passed, BadChunk> {
        match &mut self.0 {
            Kind::Length(left) => {
                let here = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= here as u64;
                Ok(Passed::AsIs(here))
            }
            Kind::UntilClose => Ok(Passed::AsIs(bytes.len())),
            Kind::Chunked(chunks, chunking) => {
                let mut again = *chunks;
                let followed = chunks.follow(bytes, |_| {})?;
                if followed.is_plain && *chunking == Chunking::Kept {
                    return Ok(Passed::AsIs(followed.bytes));
                }
                again.follow(&bytes[..followed.bytes], |piece| write(piece, *chunking, out))?;
                Ok(Passed::Rewritten(followed.bytes))
            }
        }
    }
}

fn write(piece: Piece<'_>, chunking: Chunking, out: &mut Vec<u8>) {
    match (piece, chunking) {
        (Piece::Data(data), _) => out.extend_from_slice(data),
        (_, Chunking::Removed) => {}
        (Piece::Begin(size), Chunking::Kept) => out.extend_from_slice(format!("{size:x}\r\n").as_bytes()),
        (Piece::End, Chunking::Kept) => out.extend_from_slice(b"\r\n"),
        (Piece::Last, Chunking::Kept) => out.extend_from_slice(b"0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a body in pieces of `step` bytes and returns what goes on, and what was left of the input.
    fn pass(mut body: Body, input: &[u8], step: usize) -> Result<(Vec<u8>, usize), BadChunk> {
        let (mut out, mut at) = (Vec::new(), 0);
        while at < input.len() && !body.is_done() {
            let piece = &input[at..input.len().min(at + step)];
            match body.pass(piece, &mut out)? {
                Passed::AsIs(bytes) => {
                    out.extend_from_slice(&piece[..bytes]);
                    at += bytes;
                }
                Passed::Rewritten(bytes) => at += bytes,
            }
        }
        Ok((out, input.len() - at))
    }

    /// Checks a body in chunks, cut in every way: what goes on in chunks, what without, and what was left.
    fn check(input: &str, kept: &str, removed: &str, left: usize) {
        for step in 1..=input.len() {
            for (chunking, expected) in [(Chunking::Kept, kept), (Chunking::Removed, removed)] {
                let (out, rest) = pass(Body::chunked(chunking), input.as_bytes(), step).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{input:?} in steps of {step}");
                assert_eq!(rest, left, "{input:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn chunks_go_on_without_extensions_and_trailers() {
        check("5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", 0);
        check("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET /", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", 5);
        check("0\r\n\r\n", "0\r\n\r\n", "", 0);
        check("5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", 0);
        check("5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\nx", "5\r\nhello\r\n0\r\n\r\n", "hello", 1);
        check("2\r\n\r\n\r\n0\r\n\r\n", "2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0);
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for bad in [
            "\r\n",
            "g\r\n",
            "0x5\r\n",
            "+5\r\n",
            "-1\r\n",
            " 5\r\n",
            "5 \r\n",
            "5\n",
            "5\rx",
            ";a\r\n",
            "5\r\nhelloX",
            "5\r\nhello\n",
            "5\r\nhello\rX",
            "5\r\nhello0\r\n",
            "1000000000000000\r\n",
            "5;a\nb\r\n",
            "5;\0\r\n",
            "0\r\n\n",
            "0\r\nA: b\n",
            "0\r\n A: b\r\n",
            "0\r\n\rX",
        ] {
            for step in [1, 2, 100] {
                assert!(
                    pass(Body::chunked(Chunking::Kept), bad.as_bytes(), step).is_err(),
                    "{bad:?} by {step}"
                );
            }
        }
        let long = format!("5;{}", "a".repeat(20_000));
        assert!(pass(Body::chunked(Chunking::Kept), long.as_bytes(), 1000).is_err());
    }

    #[test]
    fn length_and_close_pass_bytes_as_they_are() {
        assert_eq!(pass(Body::of_length(3), b"abcdef", 2), Ok((b"abc".to_vec(), 3)));
        assert_eq!(pass(Body::until_close(), b"abc", 2), Ok((b"abc".to_vec(), 0)));
        assert_eq!(pass(Body::empty(), b"abc", 2), Ok((vec![], 3)));
        let mut body = Body::of_length(5);
        body.skip(3);
        assert_eq!((body.plain_bytes(), body.is_done()), (2, false));
        body.skip(2);
        assert!(body.is_done());
        assert_eq!(Body::chunked(Chunking::Kept).plain_bytes(), 0);
    }

    /// Writes data in chunks of these sizes, with an extension where one is given.
    fn chunked(data: &[u8], sizes: &[(usize, Option<String>)]) -> Vec<u8> {
        let (mut written, mut rest) = (Vec::new(), data);
        for (size, extension) in sizes {
            let (chunk, further) = rest.split_at(rest.len().min(*size));
            rest = further;
            if !chunk.is_empty() {
                let extension = extension.as_ref().map(|text| format!(";{text}")).unwrap_or_default();
                written.extend(format!("{:X}{extension}\r\n", chunk.len()).into_bytes());
                written.extend(chunk);
                written.extend(b"\r\n");
            }
        }
        if !rest.is_empty() {
            written.extend(format!("{:03x}\r\n", rest.len()).into_bytes());
            written.extend(rest);
            written.extend(b"\r\n");
        }
        written.extend(b"0\r\n\r\n");
        written
    }

    proptest! {
        #[test]
        fn data_arrives_however_it_is_cut(
            data in proptest::collection::vec(any::<u8>(), 0..300),
            sizes in proptest::collection::vec((1..60usize, proptest::option::of("[a-z=]{0,5}")), 0..8),
            step in 1..100usize,
        ) {
            let written = chunked(&data, &sizes);
            let (bare, left) = pass(Body::chunked(Chunking::Removed), &written, step).unwrap();
            prop_assert_eq!((&bare, left), (&data, 0));

            // What goes on in chunks is read by a strict reader as the same data, and holds nothing else.
            let (kept, left) = pass(Body::chunked(Chunking::Kept), &written, step).unwrap();
            prop_assert_eq!(left, 0);
            prop_assert!(!kept.is_empty());
            let (again, left) = pass(Body::chunked(Chunking::Removed), &kept, kept.len()).unwrap();
            prop_assert_eq!((&again, left), (&data, 0));
            let mut body = Body::chunked(Chunking::Kept);
            prop_assert_eq!(body.pass(&kept, &mut Vec::new()), Ok(Passed::AsIs(kept.len())));
            prop_assert!(body.is_done());
        }

        #[test]
        fn garbage_is_read_the_same_however_it_is_cut(
            input in "[0-9a-f;\r\nA: ]{0,40}",
            step in 1..10usize,
        ) {
            let body = Body::chunked(Chunking::Kept);
            let (whole, cut) = (pass(body, input.as_bytes(), 100), pass(body, input.as_bytes(), step));
            match (whole, cut) {
                (Ok(whole), Ok(cut)) => {
                    // Unfinished lines may wait for their end; what went on is the beginning of one another.
                    let lower = |bytes: Vec<u8>| bytes.to_ascii_lowercase();
                    prop_assert_eq!(whole.1, cut.1);
                    let (whole, cut) = (lower(whole.0), lower(cut.0));
                    prop_assert!(whole.starts_with(&cut) || cut.starts_with(&whole));
                }
                (whole, cut) => prop_assert_eq!(whole.is_err(), cut.is_err()),
            }
        }
    }
}

//! A snapshot: a header, then object after object, so that both ends handle one object at a time.

use prost::Message;
use store::{Object, View};

use crate::{Error, pb};

/// What [`encode`] writes.
const FORMAT: u32 = 1;
/// Room for one object; most are tasks of about 200 bytes.
const BYTES_PER_OBJECT: usize = 224;

/// Returns the bytes of everything in the view.
pub fn encode(view: &View) -> Vec<u8> {
    let count = view.object_count();
    let mut bytes = Vec::with_capacity(BYTES_PER_OBJECT.saturating_mul(count));
    let header = pb::SnapshotHeader { format: FORMAT, index: view.index(), object_count: count as u64 };
    append(&header, &mut bytes);
    for object in view.objects() {
        append(&pb::Object::from(&object), &mut bytes);
    }
    bytes
}

/// Returns the view that these bytes hold, with the versions and times that its objects had.
pub fn decode(bytes: &[u8]) -> Result<View, Error> {
    let mut rest = bytes;
    let header = pb::SnapshotHeader::decode_length_delimited(&mut rest)
        .map_err(|source| Error::Garbled { what: "snapshot header", source })?;
    let pb::SnapshotHeader { format, index, object_count } = header;
    if format == 0 || format > FORMAT {
        return Err(Error::Format { what: "snapshot", found: format, known: FORMAT });
    }
    let mut objects = Objects { rest, read: 0, failure: None };
    let view = View::restore(index, &mut objects).map_err(Error::Contradiction);
    let Objects { rest: _, read, failure } = objects;
    match failure {
        Some(failure) => Err(failure),
        None if read != object_count => {
            Err(Error::Length { what: "snapshot", found: read, expected: object_count })
        }
        None => view,
    }
}

fn append(message: &impl Message, bytes: &mut Vec<u8>) {
    message.encode_length_delimited(bytes).expect("a vector grows as needed");
}

/// The objects that follow a header; it ends at the first that cannot be read.
struct Objects<'a> {
    rest: &'a [u8],
    read: u64,
    failure: Option<Error>,
}

impl Objects<'_> {
    fn read(&mut self) -> Result<Object, Error> {
        let object = pb::Object::decode_length_delimited(&mut self.rest)
            .map_err(|source| Error::Garbled { what: "object of a snapshot", source })?;
        object.try_into().map_err(|error: Error| error.within(&format!("objects[{}]", self.read)))
    }
}

impl Iterator for Objects<'_> {
    type Item = Object;

    fn next(&mut self) -> Option<Object> {
        if self.rest.is_empty() || self.failure.is_some() {
            return None;
        }
        match self.read() {
            Ok(object) => {
                self.read += 1;
                Some(object)
            }
            Err(failure) => {
                self.failure = Some(failure);
                None
            }
        }
    }
}

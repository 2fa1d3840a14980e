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
    let view = View::restore(index, &mut objects);
    let Objects { rest: _, read, failure } = objects;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let view = view.map_err(Error::Contradiction)?;
    if read != object_count {
        return Err(Error::Length { what: "snapshot", found: read, expected: object_count });
    }
    Ok(view)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    /// Returns a view of those objects that do not exclude an earlier one.
    fn view_of(index: u64, objects: Vec<Object>) -> View {
        let mut taken: Vec<Object> = Vec::new();
        for object in objects {
            taken.push(object);
            if View::restore(index, taken.iter().cloned()).is_err() {
                taken.pop();
            }
        }
        View::restore(index, taken).unwrap()
    }

    fn any_view() -> impl Strategy<Value = View> {
        let objects = proptest::collection::vec(samples::object(), 0..12);
        (any::<u64>(), objects).prop_map(|(index, objects)| view_of(index, objects))
    }

    fn framed(messages: &[pb::Object], header: pb::SnapshotHeader) -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&header, &mut bytes);
        for message in messages {
            append(message, &mut bytes);
        }
        bytes
    }

    #[test]
    fn a_newer_format_says_what_to_do() {
        let header = pb::SnapshotHeader { format: 2, index: 1, object_count: 0 };

        let refused = decode(&framed(&[], header)).unwrap_err();

        assert_eq!(
            refused.to_string(),
            "the snapshot has format 2, this version reads up to 1: upgrade this node"
        );
    }

    #[test]
    fn a_wrong_object_is_named() {
        let header = pb::SnapshotHeader { format: 1, index: 1, object_count: 1 };
        let task = pb::Object { kind: Some(pb::object::Kind::Task(pb::Task::default())) };

        let refused = decode(&framed(&[task], header)).unwrap_err();

        assert_eq!(
            refused.to_string(),
            "objects[0].task.id: is missing, or is of a kind that this version does not know"
        );
    }

    #[test]
    fn nothing_is_not_a_snapshot() {
        assert!(matches!(decode(&[]), Err(Error::Garbled { what: "snapshot header", .. })));
        assert!(matches!(decode(&[0]), Err(Error::Format { found: 0, .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_view_comes_back_as_it_was(view in any_view()) {
            let bytes = encode(&view);

            let decoded = decode(&bytes).unwrap();

            prop_assert_eq!(encode(&decoded), bytes);
            prop_assert_eq!(decoded, view);
        }

        #[test]
        fn a_cut_or_doubled_snapshot_is_refused(view in any_view(), place in any::<prop::sample::Index>()) {
            let bytes = encode(&view);
            let objects: Vec<pb::Object> = view.objects().map(|object| (&object).into()).collect();
            let header = |object_count| pb::SnapshotHeader { format: 1, index: 1, object_count };

            let less = framed(&objects, header(objects.len() as u64 + 1));
            let doubled = [objects.clone(), objects.clone()].concat();

            prop_assert!(decode(&bytes[..place.index(bytes.len())]).is_err());
            let is_length = matches!(decode(&less), Err(Error::Length { .. }));
            prop_assert!(is_length);
            if !objects.is_empty() {
                let doubled = framed(&doubled, header(doubled.len() as u64));
                prop_assert!(matches!(decode(&doubled), Err(Error::Contradiction(_))));
            }
        }

        #[test]
        fn damaged_bytes_do_not_make_it_panic(
            view in any_view(), place in any::<prop::sample::Index>(), damage in any::<u8>(),
        ) {
            let mut bytes = encode(&view);
            let place = place.index(bytes.len());
            bytes[place] ^= damage;
            let _ = decode(&bytes);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }
    }
}

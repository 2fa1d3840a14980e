//! Taking one field of a message, with the field's name in the error.

use crate::Error;

/// Takes a field that must be there.
pub(crate) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, Error> {
    value.ok_or_else(|| Error::field(field, "is missing, or is of a kind that this version does not know"))
}

/// Takes a message that must be there.
pub(crate) fn nested<P, M>(value: Option<P>, field: &'static str) -> Result<M, Error>
where
    P: TryInto<M>,
    Error: From<P::Error>,
{
    inside(required(value, field)?, field)
}

/// Takes a message that may be absent.
pub(crate) fn optional<P, M>(value: Option<P>, field: &'static str) -> Result<Option<M>, Error>
where
    P: TryInto<M>,
    Error: From<P::Error>,
{
    value.map(|value| inside(value, field)).transpose()
}

/// Takes a message.
pub(crate) fn inside<P, M>(value: P, field: &'static str) -> Result<M, Error>
where
    P: TryInto<M>,
    Error: From<P::Error>,
{
    value.try_into().map_err(|error| Error::from(error).within(field))
}

/// Takes a list of messages.
pub(crate) fn each<P, M>(values: Vec<P>, field: &'static str) -> Result<Vec<M>, Error>
where
    P: TryInto<M>,
    Error: From<P::Error>,
{
    let convert = |(at, value): (usize, P)| {
        value.try_into().map_err(|error| Error::from(error).within(&format!("{field}[{at}]")))
    };
    values.into_iter().enumerate().map(convert).collect()
}

/// Takes a number that must fit into a smaller type.
pub(crate) fn number<N: TryFrom<u32>>(value: u32, field: &'static str) -> Result<N, Error> {
    N::try_from(value).map_err(|_| Error::field(field, format!("{value} is too large")))
}

/// A set of words that are numbers on the wire.
pub(crate) trait Choice: Sized {
    /// Returns the word with this number, if this version knows it.
    fn from_number(number: i32) -> Option<Self>;
}

/// Takes a word that must be known.
pub(crate) fn choice<C: Choice>(number: i32, field: &'static str) -> Result<C, Error> {
    C::from_number(number).ok_or_else(|| Error::field(field, format!("the value {number} is unknown")))
}

/// Returns the messages for a list.
pub(crate) fn all<'a, M, P: From<&'a M>>(items: &'a [M]) -> Vec<P> {
    items.iter().map(P::from).collect()
}

/// Returns the message for what may be absent.
pub(crate) fn maybe<'a, M, P: From<&'a M>>(item: &'a Option<M>) -> Option<P> {
    item.as_ref().map(P::from)
}

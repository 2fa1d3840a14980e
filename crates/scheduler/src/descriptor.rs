//! What the words by which users speak of nodes stand for.

use std::borrow::Cow;

use model::Node;

/// Returns what a word such as `node.role` stands for; nothing if nobody knows the word.
///
/// A label that the node lacks is empty. The label itself keeps its case, the rest of the word does not matter in it.
pub(crate) fn value_of<'a>(word: &str, node: &'a Node) -> Option<Cow<'a, str>> {
    if let Some(value) = label_of(word, node) {
        return Some(Cow::Borrowed(value));
    }
    let description = node.description.as_ref();
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    if is("node.id") {
        Some(Cow::Owned(node.id.to_string()))
    } else if is("node.role") {
        Some(Cow::Borrowed(node.role.as_str()))
    } else if is("node.hostname") {
        Some(Cow::Borrowed(description.map_or("", |it| &it.hostname)))
    } else if is("node.platform.os") {
        Some(Cow::Borrowed(description.map_or("", |it| &it.platform.os)))
    } else if is("node.platform.arch") {
        Some(Cow::Borrowed(description.map_or("", |it| &it.platform.architecture)))
    } else {
        None
    }
}

/// Returns the label of the node, or of its engine, that a word stands for; nothing if it stands for none.
pub(crate) fn label_of<'a>(word: &str, node: &'a Node) -> Option<&'a str> {
    if let Some(label) = without_prefix(word, "node.labels.") {
        return Some(node.spec.labels.get(label).map_or("", String::as_str));
    }
    let label = without_prefix(word, "engine.labels.")?;
    let labels = node.description.as_ref().map(|description| &description.engine.labels);
    Some(labels.and_then(|labels| labels.get(label)).map_or("", String::as_str))
}

fn without_prefix<'a>(word: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = word.split_at_checked(prefix.len())?;
    (head.eq_ignore_ascii_case(prefix) && !tail.is_empty()).then_some(tail)
}

//! Numbers nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::Node;
use store::{Draft, Touched};

/// The highest number: it makes the last two bytes of an address below 198.18.0.0/16, of which the last is a broadcast.
const NUMBER_MAX: u32 = 65_534;

/// Gives each node the smallest free number.
pub(crate) fn plan(draft: &mut Draft, touched: &Touched) {
    let without: Vec<Arc<Node>> = match touched {
        Touched::Everything => draft.view().nodes().filter(|node| node.number.is_none()).cloned().collect(),
        Touched::These { nodes, .. } => {
            let nodes = nodes.iter().filter_map(|id| draft.view().node(*id));
            nodes.filter(|node| node.number.is_none()).cloned().collect()
        }
    };
    if without.is_empty() {
        return;
    }
    let taken: BTreeSet<u32> = draft.view().nodes().filter_map(|node| node.number).collect();
    let mut free = (1..=NUMBER_MAX).filter(|number| !taken.contains(number));
    for mut node in without {
        let Some(number) = free.next() else { return };
        Arc::make_mut(&mut node).number = Some(number);
        draft.put(node);
    }
}

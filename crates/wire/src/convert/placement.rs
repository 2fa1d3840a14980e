//! Which nodes a task may run on.

use model::Placement;

use crate::field::all;
use crate::pb;

impl From<&Placement> for pb::Placement {
    fn from(placement: &Placement) -> Self {
        let Placement { constraints, spread, max_replicas, platforms } = placement;
        Self {
            constraints: constraints.clone(),
            spread: spread.clone(),
            max_replicas: *max_replicas,
            platforms: all(platforms),
        }
    }
}

impl From<pb::Placement> for Placement {
    fn from(placement: pb::Placement) -> Self {
        let pb::Placement { constraints, spread, max_replicas, platforms } = placement;
        let platforms = platforms.into_iter().map(Into::into).collect();
        Self { constraints, spread, max_replicas, platforms }
    }
}

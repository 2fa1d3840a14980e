//! The networks that a service is on.

use model::{Predefined, ServiceSpec};
use store::View;

use crate::{Error, error::Kind, find};

/// Puts ids in the place of the names and the beginnings of ids by which a user wants networks.
pub(crate) fn resolve(view: &View, spec: &mut ServiceSpec) -> Result<(), Error> {
    for wish in &mut spec.task.networks {
        if let Some(predefined) = Predefined::find(&wish.target) {
            wish.target = predefined.id().to_string();
            continue;
        }
        if wish.target == "none" {
            return Err(Error::new(
                Kind::NotFound,
                "could not find the corresponding predefined swarm network: network none not found",
            ));
        }
        let network = find::network(view, &wish.target)?;
        if network.spec.ingress {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "Service cannot be explicitly attached to the ingress network {:?}: publish a port instead",
                    network.spec.name
                ),
            ));
        }
        wish.target = network.id.to_string();
    }
    // One network may have been named in two ways.
    Ok(spec.validate()?)
}

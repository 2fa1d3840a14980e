//! What a service may ask by Docker's rules and Drover does not do.

use model::{Mode, MountKind, Protocol, ServiceSpec};

use crate::{Error, error::Kind};

/// Refuses what would keep the service from running as asked.
pub(crate) fn refuse(spec: &ServiceSpec) -> Result<(), Error> {
    let refused = |message: String| Err(Error::new(Kind::Unimplemented, message));
    match spec.mode {
        Mode::Replicated { .. } => {}
        Mode::Global | Mode::ReplicatedJob { .. } | Mode::GlobalJob => {
            return refused(
                "only replicated services are supported: leave out --mode, or use --mode replicated".into(),
            );
        }
    }
    if let Some(port) = spec.endpoint.ingress_ports().find(|port| port.protocol != Protocol::Tcp) {
        return refused(format!(
            "port {}/{} cannot be published on every node, only tcp can: use mode=host",
            port.target,
            port.protocol.as_str()
        ));
    }
    for mount in &spec.task.container.mounts {
        match mount.kind {
            MountKind::Bind(_) | MountKind::Tmpfs(_) | MountKind::Volume(_) => {}
            MountKind::Image { .. } => {
                return refused(format!(
                    "the mount at {} is not supported: mount type=volume, type=bind or type=tmpfs",
                    mount.target
                ));
            }
        }
    }
    Ok(())
}

//! What services and networks may ask by Docker's rules and Drover does not do.

use model::{Mode, MountKind, NetworkSpec, Protocol, ServiceSpec};

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
    if let Some(port) = spec.endpoint.ports.iter().find(|port| port.protocol == Protocol::Sctp) {
        return refused(format!("port {}/sctp cannot be published: use tcp or udp", port.target));
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

/// How large a packet may be: what every IPv4 host takes, up to what devices take.
const MTU: std::ops::RangeInclusive<u32> = 576..=65_000;

/// Refuses what would keep the network from being as asked.
pub(crate) fn refuse_network(spec: &NetworkSpec) -> Result<(), Error> {
    let refused = |message: String| Err(Error::new(Kind::Unimplemented, message));
    if !spec.is_overlay() {
        let driver = &spec.driver;
        return refused(format!("the driver of a cluster's network cannot be {driver}: use overlay"));
    }
    if !matches!(spec.ipam.driver.as_str(), "" | "default") {
        return refused(format!("the ipam driver {} is not supported: use default", spec.ipam.driver));
    }
    if spec.driver_opts.contains_key("encrypted") {
        return refused(
            "--opt encrypted is not supported: traffic between nodes is not encrypted".to_owned(),
        );
    }
    if let Some(mtu) = spec.driver_opts.get("com.docker.network.driver.mtu")
        && !mtu.parse().is_ok_and(|mtu| MTU.contains(&mtu))
    {
        let (least, most) = (MTU.start(), MTU.end());
        let text = format!("com.docker.network.driver.mtu={mtu} must be a number from {least} to {most}");
        return Err(Error::new(Kind::Invalid, text));
    }
    Ok(())
}

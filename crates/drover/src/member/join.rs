//! Joining a cluster.

use std::time::Duration;

use anyhow::Context;
use consensus::Start;
use docker_api::{ApiError, Status};
use engine_json::JoinRequest;
use identity::{JoinToken, NodeIdentity, Role};

use super::addresses::{Addresses, PORT_DEFAULT, Wanted};
use super::folder::Place;
use super::{Active, Member, WayIn, already_member, listen};

/// How long joining may take.
const DEADLINE: Duration = Duration::from_secs(60);

impl Member {
    /// Makes this host part of a cluster.
    pub async fn join(&self, request: JoinRequest) -> Result<(), ApiError> {
        let mut active = self.active.lock().await;
        if active.is_some() {
            return Err(already_member());
        }
        let availability = request.availability()?;
        let token: JoinToken =
            request.join_token.parse().map_err(|_| ApiError::bad_request("invalid join token"))?;
        let remotes: Vec<String> = request.remote_addrs.iter().map(|remote| with_port(remote)).collect();
        let Some(first) = remotes.first() else {
            return Err(ApiError::bad_request("at least 1 RemoteAddr is required to join"));
        };
        let addresses = Addresses::choose(Wanted {
            listen: &request.listen_addr,
            advertise: &request.advertise_addr,
            data_path: &request.data_path_addr,
            towards: Some(first),
        })?;
        let identity = admitted(&remotes, &token, availability.as_str()).await?;
        let entered =
            tokio::time::timeout(DEADLINE, self.take_place(identity, addresses, remotes.clone())).await;
        let entered = entered.unwrap_or_else(|_| {
            Err(anyhow::anyhow!(
                "{} let this node in, but it was not ready within {} s",
                remotes.join(", "),
                DEADLINE.as_secs()
            ))
        });
        match entered {
            Ok(started) => {
                self.enter(&mut active, started);
                Ok(())
            }
            Err(error) => {
                if let Err(error) = self.folder.remove() {
                    tracing::warn!(%error, "a half-made place in a cluster is not removed");
                }
                Err(ApiError::internal(format!("{error:#}")))
            }
        }
    }

    async fn take_place(
        &self,
        identity: NodeIdentity,
        addresses: Addresses,
        managers: Vec<String>,
    ) -> anyhow::Result<Active> {
        self.folder.make().with_context(|| format!("make {}", self.folder.path().display()))?;
        identity.save(self.folder.path())?;
        let listener = match identity.role() {
            Role::Manager => Some(listen(&addresses).await?),
            Role::Worker => None,
        };
        let place = Place { addresses, managers: managers.clone() };
        let way_in = WayIn { start: Start::Join { via: managers }, listener, founding: None };
        let active = self.start(identity, place, way_in).await?;
        self.folder.write(&active.place).context("write this node's place in the cluster")?;
        Ok(active)
    }
}

/// Asks one manager after the other for a certificate; what one refuses for good, all refuse.
async fn admitted(
    remotes: &[String],
    token: &JoinToken,
    availability: &str,
) -> Result<NodeIdentity, ApiError> {
    let mut last = None;
    for remote in remotes {
        match identity::join(remote, token, availability).await {
            Ok(identity) => return Ok(identity),
            Err(error) => last = Some(error),
        }
    }
    let error = last.map(|error| format!("{:#}", anyhow::Error::from(error))).unwrap_or_default();
    Err(ApiError::new(Status::Internal, error))
}

fn with_port(remote: &str) -> String {
    let has_port = remote.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    if has_port { remote.to_owned() } else { format!("{remote}:{PORT_DEFAULT}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_managers_may_be_left_out() {
        assert_eq!(with_port("192.0.2.1"), "192.0.2.1:2377");
        assert_eq!(with_port("192.0.2.1:99"), "192.0.2.1:99");
        assert_eq!(with_port("m1"), "m1:2377");
        assert_eq!(with_port("[2001:db8::1]:99"), "[2001:db8::1]:99");
        assert_eq!(with_port("[2001:db8::1]"), "[2001:db8::1]:2377");
    }
}

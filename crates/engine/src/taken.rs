//! Tells which volumes and networks a run takes and gives back.

use container_config::check::NetworkMode;

use crate::Engine;
use crate::events::{Action, Subject};
use crate::inspect::NETWORK_IDS;
use crate::record::{Origin, Record};

/// The driver of all volumes of this host.
const DRIVER: &str = "local";

/// Whether a run begins or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    Begins,
    HasEnded,
}

impl Engine {
    /// Tells of the networks and volumes of a run that begins or has ended.
    pub(crate) fn tell_taken(&self, record: &Record, run: Run) {
        for (subject, action, more) in happenings(record, run) {
            self.inner.events.publish(subject.with(more), action, [("container", record.id.clone())]);
        }
    }
}

type Attributes = Vec<(&'static str, String)>;

fn happenings(record: &Record, run: Run) -> Vec<(Subject, Action, Attributes)> {
    let mut all = Vec::new();
    // What concerns the networks of tasks is told by those who make them.
    if let (Origin::User, Some((name, driver))) = (record.origin, network(record)) {
        let id = NETWORK_IDS.iter().find(|(known, _)| *known == name).map_or("", |(_, id)| id);
        let action = match run {
            Run::Begins => Action::Connect,
            Run::HasEnded => Action::Disconnect,
        };
        all.push((Subject::network(id, name, driver), action, Vec::new()));
    }
    for mount in &record.mounts {
        let Some(name) = mount.volume() else { continue };
        let (action, more) = match run {
            Run::Begins => {
                let more = vec![
                    ("destination", mount.target.clone()),
                    ("read/write", (!mount.read_only).to_string()),
                    ("propagation", String::new()),
                ];
                (Action::Mount, more)
            }
            Run::HasEnded => (Action::Unmount, Vec::new()),
        };
        all.push((Subject::volume(name, DRIVER), action, more));
    }
    all
}

/// Returns the name and driver of the network a container joins itself.
fn network(record: &Record) -> Option<(&'static str, &'static str)> {
    match NetworkMode::parse(&record.host_config.network_mode) {
        Ok(NetworkMode::Bridge) => Some(("bridge", "bridge")),
        Ok(NetworkMode::Host) => Some(("host", "host")),
        Ok(NetworkMode::None) => Some(("none", "null")),
        Ok(NetworkMode::Container(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_as_they_are_taken() {
        for (mode, run, expected) in [
            ("bridge", Run::Begins, Some(Action::Connect)),
            ("host", Run::HasEnded, Some(Action::Disconnect)),
            ("container:web", Run::Begins, None),
        ] {
            let mut record = Record::sample("aa11", "web");
            record.host_config.network_mode = mode.to_owned();

            let told: Vec<Action> =
                happenings(&record, run).into_iter().map(|(_, action, _)| action).collect();

            assert_eq!(told, Vec::from_iter(expected));
        }
    }
}

//! What happens to containers, images, volumes and networks of this host, told as Docker's events.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use container_config::health;
use engine_json::{Actor, Event, Labels, Time};
use tokio::sync::broadcast;

/// How many past events a listener may ask for; Docker's number.
const KEPT_MAX: usize = 256;
/// How far a listener may fall behind before it misses events.
const BEHIND_MAX: usize = 1024;

/// The hub: whoever causes an event publishes it here; clones share it.
#[derive(Clone)]
pub struct Events {
    shared: Arc<Shared>,
}

struct Shared {
    /// Held while an event is sent, so that what is past and what is to come neither overlap nor have a gap.
    past: Mutex<VecDeque<Event>>,
    live: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Events {
        let (live, _) = broadcast::channel(BEHIND_MAX);
        Events { shared: Arc::new(Shared { past: Mutex::default(), live }) }
    }
}

impl Events {
    /// Tells that something happened to `subject`, with further attributes.
    pub fn publish<const N: usize>(&self, subject: Subject, action: Action, more: [(&str, String); N]) {
        let Subject { kind, id, mut attributes } = subject;
        attributes.extend(more.map(|(name, value)| (name.to_owned(), value)));
        let action = action.to_string();
        let from = match kind {
            Kind::Container => attributes.get("image").cloned().unwrap_or_default(),
            Kind::Image | Kind::Volume | Kind::Network => String::new(),
        };
        let has_old_names = matches!(kind, Kind::Container | Kind::Image);
        let mut event = Event {
            status: if has_old_names { action.clone() } else { String::new() },
            id: if has_old_names { id.clone() } else { String::new() },
            from,
            kind: kind.as_str().to_owned(),
            action,
            actor: Actor { id, attributes },
            scope: "local".to_owned(),
            ..Event::default()
        };
        let mut past = self.past();
        // Taken under the lock, so that times grow along the list; a clock that is set back does not shuffle it.
        let latest = past.back().map_or(0, |event| event.time_nano);
        event.time_nano = nanoseconds_now().max(latest + 1);
        event.time = event.time_nano.div_euclid(1_000_000_000);
        if past.len() == KEPT_MAX {
            past.pop_front();
        }
        past.push_back(event.clone());
        // Nobody listening is fine.
        let _ = self.shared.live.send(event);
    }

    /// Listens from `since` on, as far back as events are kept; none means from the next event on.
    pub fn listen(&self, since: Option<Time>) -> Listener {
        let past = self.past();
        let live = self.shared.live.subscribe();
        let waiting = match since {
            None => VecDeque::new(),
            Some(since) => {
                past.iter().filter(|event| event.time_nano >= since.nanoseconds()).cloned().collect()
            }
        };
        Listener { waiting, live }
    }

    fn past(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.shared.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who listens to events.
pub struct Listener {
    waiting: VecDeque<Event>,
    live: broadcast::Receiver<Event>,
}

impl Listener {
    /// Returns the next event; none once the hub is gone. Nothing is lost if it is dropped while it waits.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.waiting.pop_front() {
            return Some(event);
        }
        loop {
            match self.live.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "a listener to events is too slow");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Returns the next event that has happened already; none if there is none.
    pub fn next_past(&mut self) -> Option<Event> {
        if let Some(event) = self.waiting.pop_front() {
            return Some(event);
        }
        loop {
            match self.live.try_recv() {
                Ok(event) => return Some(event),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                    return None;
                }
            }
        }
    }
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    kind: Kind,
    id: String,
    attributes: Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Container,
    Image,
    Volume,
    Network,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Container => "container",
            Kind::Image => "image",
            Kind::Volume => "volume",
            Kind::Network => "network",
        }
    }
}

impl Subject {
    /// A container, by its name without a slash, its image as it was asked for, and its labels.
    pub fn container(id: &str, name: &str, image: &str, labels: &Labels) -> Subject {
        let mut attributes = labels.clone();
        if !image.is_empty() {
            attributes.insert("image".to_owned(), image.to_owned());
        }
        attributes.insert("name".to_owned(), name.to_owned());
        Subject { kind: Kind::Container, id: id.to_owned(), attributes }
    }

    /// An image, by the name in question, or its id where it has none.
    pub fn image(id: &str, name: &str, labels: &Labels) -> Subject {
        let mut attributes = labels.clone();
        attributes.insert("name".to_owned(), name.to_owned());
        Subject { kind: Kind::Image, id: id.to_owned(), attributes }
    }

    /// A volume.
    pub fn volume(name: &str, driver: &str) -> Subject {
        let attributes = [("driver".to_owned(), driver.to_owned())].into();
        Subject { kind: Kind::Volume, id: name.to_owned(), attributes }
    }

    /// A network; `driver` is such as `bridge`.
    pub fn network(id: &str, name: &str, driver: &str) -> Subject {
        let attributes =
            [("name".to_owned(), name.to_owned()), ("type".to_owned(), driver.to_owned())].into();
        Subject { kind: Kind::Network, id: id.to_owned(), attributes }
    }

    /// Adds attributes.
    pub(crate) fn with(mut self, more: Vec<(&str, String)>) -> Subject {
        self.attributes.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// All containers, images, volumes or networks at once, as a clean-up names them.
    pub fn pruned(of: Pruned) -> Subject {
        let kind = match of {
            Pruned::Containers => Kind::Container,
            Pruned::Images => Kind::Image,
            Pruned::Volumes => Kind::Volume,
            Pruned::Networks => Kind::Network,
        };
        Subject { kind, id: String::new(), attributes: Labels::new() }
    }
}

/// What was cleaned up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruned {
    /// Containers that do not run.
    Containers,
    /// Unused images.
    Images,
    /// Unused volumes.
    Volumes,
    /// Unused networks.
    Networks,
}

/// What happened; displays as Docker writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is Docker's word for itself")]
pub enum Action {
    ArchivePath,
    Attach,
    Commit,
    Connect,
    Copy,
    Create,
    Delete,
    Destroy,
    Detach,
    Die,
    Disconnect,
    /// With the command line.
    ExecCreate(String),
    ExecDetach,
    ExecDie,
    /// With the command line.
    ExecStart(String),
    Export,
    ExtractToDir,
    HealthStatus(health::Status),
    Import,
    Kill,
    Load,
    Mount,
    Oom,
    Pause,
    Prune,
    Pull,
    Push,
    Rename,
    Resize,
    Restart,
    Save,
    Start,
    Stop,
    Tag,
    Top,
    Unmount,
    Unpause,
    Untag,
    Update,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Action::ArchivePath => "archive-path",
            Action::Attach => "attach",
            Action::Commit => "commit",
            Action::Connect => "connect",
            Action::Copy => "copy",
            Action::Create => "create",
            Action::Delete => "delete",
            Action::Destroy => "destroy",
            Action::Detach => "detach",
            Action::Die => "die",
            Action::Disconnect => "disconnect",
            Action::ExecCreate(command) => return write!(f, "exec_create: {command}"),
            Action::ExecDetach => "exec_detach",
            Action::ExecDie => "exec_die",
            Action::ExecStart(command) => return write!(f, "exec_start: {command}"),
            Action::Export => "export",
            Action::ExtractToDir => "extract-to-dir",
            Action::HealthStatus(status) => return write!(f, "health_status: {}", status.as_str()),
            Action::Import => "import",
            Action::Kill => "kill",
            Action::Load => "load",
            Action::Mount => "mount",
            Action::Oom => "oom",
            Action::Pause => "pause",
            Action::Prune => "prune",
            Action::Pull => "pull",
            Action::Push => "push",
            Action::Rename => "rename",
            Action::Resize => "resize",
            Action::Restart => "restart",
            Action::Save => "save",
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Tag => "tag",
            Action::Top => "top",
            Action::Unmount => "unmount",
            Action::Unpause => "unpause",
            Action::Untag => "untag",
            Action::Update => "update",
        };
        f.write_str(word)
    }
}

fn nanoseconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Subject {
        Subject::container("c1", "web", "nginx", &[("tier".to_owned(), "front".to_owned())].into())
    }

    fn actions(listener: &mut Listener) -> Vec<String> {
        std::iter::from_fn(|| listener.next_past()).map(|event| event.action).collect()
    }

    #[test]
    fn container_event_has_dockers_attributes() {
        let events = Events::default();
        let mut listener = events.listen(None);

        events.publish(web(), Action::Die, [("exitCode", "3".to_owned())]);

        let event = listener.next_past().unwrap();
        assert_eq!((&*event.status, &*event.id, &*event.from), ("die", "c1", "nginx"));
        assert_eq!((&*event.kind, &*event.action, &*event.scope), ("container", "die", "local"));
        let attributes: Vec<_> = event.actor.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(attributes, ["exitCode=3", "image=nginx", "name=web", "tier=front"]);
        assert_eq!(event.time, event.time_nano / 1_000_000_000);
    }

    #[test]
    fn volumes_and_networks_have_no_old_names() {
        let events = Events::default();
        let mut listener = events.listen(None);

        events.publish(Subject::volume("data", "local"), Action::Create, []);
        events.publish(
            Subject::network("n1", "web", "bridge"),
            Action::Connect,
            [("container", "c1".to_owned())],
        );

        let [volume, network] = [(); 2].map(|()| listener.next_past().unwrap());
        assert_eq!((&*volume.status, &*volume.id, &*volume.actor.id), ("", "", "data"));
        assert_eq!((&*network.kind, &*network.actor.attributes["container"]), ("network", "c1"));
    }

    #[test]
    fn past_and_coming_events_neither_overlap_nor_have_a_gap() {
        let events = Events::default();
        events.publish(web(), Action::Create, []);
        events.publish(web(), Action::Start, []);
        let second = events.past()[1].time_nano;

        let mut all = events.listen(Some(Time::default()));
        let mut some = events.listen(Some(Time::from_nanoseconds(second)));
        let mut coming = events.listen(None);
        events.publish(web(), Action::HealthStatus(health::Status::Healthy), []);

        assert_eq!(actions(&mut all), ["create", "start", "health_status: healthy"]);
        assert_eq!(actions(&mut some), ["start", "health_status: healthy"]);
        assert_eq!(actions(&mut coming), ["health_status: healthy"]);
    }

    #[test]
    fn the_last_256_are_kept_in_the_order_of_their_times() {
        let events = Events::default();
        for _ in 0..300 {
            events.publish(web(), Action::Top, []);
        }

        let past = events.past();

        assert_eq!(past.len(), KEPT_MAX);
        assert!(past.iter().zip(past.iter().skip(1)).all(|(a, b)| a.time_nano < b.time_nano));
    }
}

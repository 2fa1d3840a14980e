//! What happens to the cluster's objects, told as Docker's events.

use std::collections::VecDeque;
use std::time::Duration;

use engine_json as json;
use model::Mode;
use store::{Difference, Object, View};
use tokio::sync::watch;

use crate::moment;
use crate::request::App;

/// How soon a host that becomes a manager begins to tell what happens.
const MEMBERSHIP_CHECK: Duration = Duration::from_secs(1);

/// Watches the cluster's objects on a manager; elsewhere nothing happens that is told.
pub(super) struct ClusterEvents {
    app: App,
    source: Option<(watch::Receiver<View>, View)>,
    waiting: VecDeque<json::Event>,
}

impl ClusterEvents {
    /// Begins to watch: what happens from here on is told, even if it is asked for only later.
    pub fn watch(app: App) -> Self {
        let mut events = Self { app, source: None, waiting: VecDeque::new() };
        events.look();
        events
    }

    /// Returns the next event. Nothing is lost if it is dropped while it waits.
    pub async fn next(&mut self) -> json::Event {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            match &mut self.source {
                None => tokio::time::sleep(MEMBERSHIP_CHECK).await,
                Some((views, _)) => {
                    if views.changed().await.is_err() {
                        self.source = None;
                    }
                }
            }
            self.look();
        }
    }

    /// Collects what lies between the view seen last and the latest one.
    fn look(&mut self) {
        let Some((views, seen)) = &mut self.source else {
            let control = self.app.engine.membership().control;
            self.source = control.map(|control| {
                let mut views = control.proposer().views();
                let seen = views.borrow_and_update().clone();
                (views, seen)
            });
            return;
        };
        let view = views.borrow_and_update().clone();
        self.waiting.extend(store::differences(seen, &view).iter().filter_map(event));
        *seen = view;
    }
}

/// Tells a difference as Docker's events do; tasks have none.
fn event(difference: &Difference) -> Option<json::Event> {
    let (action, before, after, at) = match difference {
        Difference::Added(object) => ("create", None, object, object.meta().updated_at),
        Difference::Changed { before, after } => ("update", Some(before), after, after.meta().updated_at),
        // The log does not keep when an object went.
        Difference::Removed(object) => ("remove", None, object, moment::now()),
    };
    let (kind, id, attributes) = match after {
        Object::Service(service) => {
            let before = before.and_then(as_service);
            ("service", service.id.to_string(), service_attributes(before, service))
        }
        Object::Node(node) => {
            let before = before.and_then(as_node);
            ("node", node.id.to_string(), node_attributes(before, node))
        }
        // What the allocator notes in a network is no news to anybody, and users cannot change one.
        Object::Network(_) if before.is_some() => return None,
        Object::Network(network) => {
            ("network", network.id.to_string(), [("name".to_owned(), network.spec.name.clone())].into())
        }
        Object::Task(_) | Object::Spec(_) | Object::Cluster(_) => return None,
    };
    Some(json::Event {
        kind: kind.into(),
        action: action.into(),
        actor: json::Actor { id, attributes },
        scope: "swarm".into(),
        time: at.0.div_euclid(1_000_000_000),
        time_nano: at.0,
        ..json::Event::default()
    })
}

fn as_service(object: &Object) -> Option<&model::Service> {
    if let Object::Service(service) = object { Some(service) } else { None }
}

fn as_node(object: &Object) -> Option<&model::Node> {
    if let Object::Node(node) = object { Some(node) } else { None }
}

fn service_attributes(before: Option<&model::Service>, after: &model::Service) -> json::Labels {
    let mut attributes = json::Labels::from([("name".to_owned(), after.spec.name.clone())]);
    let Some(before) = before else { return attributes };
    let replicas = |service: &model::Service| match service.spec.mode {
        Mode::Replicated { replicas } => Some(replicas.to_string()),
        Mode::Global | Mode::ReplicatedJob { .. } | Mode::GlobalJob => None,
    };
    let update = |service: &model::Service| {
        service.update_status.as_ref().map(|status| json::UpdateStatus::from(status).state)
    };
    let image = |service: &model::Service| Some(service.spec.task.container.image.clone());
    note(&mut attributes, "image", image(before), image(after));
    note(&mut attributes, "replicas", replicas(before), replicas(after));
    note(&mut attributes, "updatestate", update(before), update(after));
    attributes
}

fn node_attributes(before: Option<&model::Node>, after: &model::Node) -> json::Labels {
    let hostname = after.description.as_ref().map(|described| described.hostname.clone()).unwrap_or_default();
    let mut attributes = json::Labels::from([("name".to_owned(), hostname)]);
    let Some(before) = before else { return attributes };
    let state = |node: &model::Node| Some(node.status.state.as_str().to_owned());
    let availability = |node: &model::Node| Some(node.spec.availability.as_str().to_owned());
    let role = |node: &model::Node| Some(node.spec.role.as_str().to_owned());
    note(&mut attributes, "state", state(before), state(after));
    note(&mut attributes, "availability", availability(before), availability(after));
    note(&mut attributes, "role", role(before), role(after));
    attributes
}

/// Notes a value that changed.
fn note(attributes: &mut json::Labels, name: &str, before: Option<String>, after: Option<String>) {
    if before == after {
        return;
    }
    for (side, value) in [("old", before), ("new", after)] {
        if let Some(value) = value {
            attributes.insert(format!("{name}.{side}"), value);
        }
    }
}

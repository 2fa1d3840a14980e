//! What lies between two views, in words.

use model::{Network, NetworkId, Node, NodeId, Service, ServiceId, Spec, Task, UpdateState};
use store::{Difference, Object, View, differences};

use crate::notation::{name_of, word_of};

/// Returns one line for every object that differs.
///
/// `+web.2 running` was made, `-web.2→a` is gone, `web.1→a to-shutdown` was changed. A changed task shows its node
/// only by the arrow; assigning it changes nothing else.
pub fn describe(before: &View, after: &View) -> Vec<String> {
    let names = Names { before, after };
    differences(before, after).iter().filter_map(|difference| names.line(difference)).collect()
}

struct Names<'a> {
    before: &'a View,
    after: &'a View,
}

impl Names<'_> {
    fn line(&self, difference: &Difference) -> Option<String> {
        match difference {
            Difference::Added(Object::Task(task)) => Some(self.added_task(task)),
            Difference::Added(object) => Some(format!("+{}", self.label(object))),
            Difference::Removed(object) => Some(format!("-{}", self.label(object))),
            Difference::Changed { before: Object::Task(before), after: Object::Task(after) } => {
                self.changed_task(before, after)
            }
            Difference::Changed { before: Object::Node(_), after: Object::Node(after) } => {
                Some(format!("node {} #{}", node_name(after), after.number.unwrap_or(0)))
            }
            // What only tells the allocator where to go on shows in what it gives out.
            Difference::Changed { before: Object::Cluster(before), after: Object::Cluster(after) }
                if before.spec == after.spec =>
            {
                None
            }
            Difference::Changed { before: Object::Network(before), after: Object::Network(after) } => {
                let line = network_line(after);
                (line != network_line(before)).then_some(line)
            }
            Difference::Changed { before: Object::Service(before), after: Object::Service(after) } => {
                self.changed_service(before, after)
            }
            Difference::Changed { before: _, after } => Some(format!("{} changed", self.label(after))),
        }
    }

    fn label(&self, object: &Object) -> String {
        match object {
            Object::Cluster(_) => "cluster".into(),
            Object::Node(node) => format!("node {}", node_name(node)),
            Object::Service(service) => service.spec.name.clone(),
            Object::Spec(spec) => spec_label(spec),
            Object::Task(task) => self.task_label(task),
            Object::Network(network) => format!("net {}", network.spec.name),
        }
    }

    fn service_name(&self, id: ServiceId) -> String {
        let service = self.after.service(id).or_else(|| self.before.service(id));
        let spec = || self.before.specs_of_service(id).next().map(|spec| spec.service_name.clone());
        service.map(|service| service.spec.name.clone()).or_else(spec).unwrap_or_else(|| name_of(id.bits()))
    }

    fn network_name(&self, id: NetworkId) -> String {
        self.after.network(id).map_or_else(|| name_of(id.bits()), |network| network.spec.name.clone())
    }

    fn task_label(&self, task: &Task) -> String {
        let arrow = task.node.map(|node: NodeId| format!("→{}", name_of(node.bits()))).unwrap_or_default();
        format!("{}.{}{arrow}", self.service_name(task.service), task.slot)
    }

    fn added_task(&self, task: &Task) -> String {
        let version =
            if task.spec_version.0 == 1 { String::new() } else { format!(" v{}", task.spec_version.0) };
        format!("+{} {}{version}", self.task_label(task), word_of(task.desired))
    }

    fn changed_task(&self, before: &Task, after: &Task) -> Option<String> {
        let mut line = self.task_label(after);
        let assigned = before.node != after.node;
        if before.desired != after.desired {
            line += &format!(" to-{}", word_of(after.desired));
        }
        if before.status.state != after.status.state && !assigned {
            line += &format!(" {}", word_of(after.status.state));
        }
        if before.addresses != after.addresses {
            for address in &after.addresses {
                line += &format!(" {}", address.address);
            }
        }
        if before.status.err != after.status.err && !after.status.err.is_empty() {
            line += &format!(" ({})", after.status.err);
        }
        (line != self.task_label(after) || assigned).then_some(line)
    }

    fn changed_service(&self, before: &Service, after: &Service) -> Option<String> {
        let mut line = after.spec.name.clone();
        if before.spec_version != after.spec_version {
            line += &format!(" v{}", after.spec_version.0);
        }
        if before.update_status != after.update_status
            && let Some(status) = &after.update_status
        {
            line += &format!(" {}", update_word(status.state));
        }
        if before.endpoint != after.endpoint {
            for port in &after.endpoint.ports {
                line += &format!(" {}:{}/{}", port.published, port.target, port.protocol.as_str());
            }
            for vip in &after.endpoint.virtual_ips {
                line += &format!(" {} {}", self.network_name(vip.network), vip.address);
            }
            if after.endpoint.ports.is_empty() && after.endpoint.virtual_ips.is_empty() {
                line += " endpoint";
            }
        }
        Some(line)
    }
}

fn node_name(node: &Node) -> String {
    name_of(node.id.bits())
}

fn network_line(network: &Network) -> String {
    let subnet = network.subnet.map_or("none".into(), |subnet| subnet.to_string());
    format!("net {} {subnet} vni {}", network.spec.name, network.vni.unwrap_or(0))
}

fn spec_label(spec: &Spec) -> String {
    format!("{} v{}", spec.service_name, spec.id.version.0)
}

fn update_word(state: UpdateState) -> &'static str {
    match state {
        UpdateState::Updating => "updating",
        UpdateState::Paused => "paused",
        UpdateState::Completed => "completed",
        UpdateState::RollbackStarted => "rollback_started",
        UpdateState::RollbackPaused => "rollback_paused",
        UpdateState::RollbackCompleted => "rollback_completed",
    }
}

//! What changed since the last pass of a stage.

use std::collections::BTreeSet;

use model::{NodeId, ServiceId};

use crate::{Object, View, differences};

/// What changed since the last pass. A stage may look at this alone and must come to the same plan as if it looked
/// at everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Nothing is known; everything must be looked at.
    Everything,
    /// Only these.
    These {
        /// Services that were written, or of which a task or a spec was.
        services: BTreeSet<ServiceId>,
        /// Nodes that were written, or on which a task was.
        nodes: BTreeSet<NodeId>,
        /// Whether a network was written.
        networks: bool,
        /// Whether the cluster was written.
        cluster: bool,
    },
}

impl Default for Touched {
    fn default() -> Self {
        Self::nothing()
    }
}

impl Touched {
    /// Returns what touches nothing.
    pub fn nothing() -> Self {
        Self::These { services: BTreeSet::new(), nodes: BTreeSet::new(), networks: false, cluster: false }
    }

    /// Returns what differs between two views, at the cost of what was written between them.
    pub fn between(before: &View, after: &View) -> Self {
        let mut touched = Self::nothing();
        for difference in differences(before, after) {
            let (before, after) = difference.sides();
            for object in [before, after].into_iter().flatten() {
                touched.add(object);
            }
        }
        touched
    }

    /// Adds an object that was written.
    pub fn add(&mut self, object: &Object) {
        let Self::These { services, nodes, networks, cluster } = self else {
            return;
        };
        match object {
            Object::Cluster(_) => *cluster = true,
            Object::Node(node) => {
                nodes.insert(node.id);
            }
            Object::Service(service) => {
                services.insert(service.id);
            }
            Object::Spec(spec) => {
                services.insert(spec.id.service);
            }
            Object::Task(task) => {
                services.insert(task.service);
                nodes.extend(task.node);
            }
            Object::Network(_) => *networks = true,
        }
    }

    /// Adds what the other touches.
    pub fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Everything, _) => {}
            (Self::These { .. }, Self::Everything) => *self = Self::Everything,
            (
                Self::These { services, nodes, networks, cluster },
                Self::These {
                    services: more_services,
                    nodes: more_nodes,
                    networks: more_networks,
                    cluster: more_cluster,
                },
            ) => {
                services.extend(more_services);
                nodes.extend(more_nodes);
                *networks |= more_networks;
                *cluster |= more_cluster;
            }
        }
    }

    /// Claims that the service, one of its tasks or one of its specs changed.
    pub fn service(&self, id: ServiceId) -> bool {
        match self {
            Self::Everything => true,
            Self::These { services, .. } => services.contains(&id),
        }
    }

    /// Claims that the node or a task on it changed.
    pub fn node(&self, id: NodeId) -> bool {
        match self {
            Self::Everything => true,
            Self::These { nodes, .. } => nodes.contains(&id),
        }
    }

    /// Claims that any node, or a task on one, changed.
    pub fn any_node(&self) -> bool {
        match self {
            Self::Everything => true,
            Self::These { nodes, .. } => !nodes.is_empty(),
        }
    }

    /// Claims that any service, or a task or spec of one, changed.
    pub fn any_service(&self) -> bool {
        match self {
            Self::Everything => true,
            Self::These { services, .. } => !services.is_empty(),
        }
    }

    /// Claims that a network changed.
    pub fn networks(&self) -> bool {
        match self {
            Self::Everything => true,
            Self::These { networks, .. } => *networks,
        }
    }

    /// Claims that the cluster changed.
    pub fn cluster(&self) -> bool {
        match self {
            Self::Everything => true,
            Self::These { cluster, .. } => *cluster,
        }
    }

    /// Claims that nothing changed.
    pub fn is_nothing(&self) -> bool {
        !(self.any_service() || self.any_node() || self.networks() || self.cluster())
    }
}

#[cfg(test)]
mod tests {
    use model::{NodeId, Task};
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{any_wishes, extend, task, view_with};

    #[test]
    fn a_moved_task_touches_both_nodes() {
        let on = |node| Task { node: Some(NodeId::from_bits(node)), ..task(1, 2) };
        let before = View::restore(1, [on(3).into()]).unwrap();
        let after = View::restore(1, [on(4).into()]).unwrap();

        let touched = Touched::between(&before, &after);

        assert!(touched.service(ServiceId::from_bits(2)));
        assert!(touched.node(NodeId::from_bits(3)) && touched.node(NodeId::from_bits(4)));
        assert!(!touched.node(NodeId::from_bits(5)) && !touched.networks() && !touched.cluster());
    }

    #[test]
    fn everything_swallows_the_rest() {
        let mut everything = Touched::Everything;
        everything.merge(Touched::nothing());
        let mut nothing = Touched::nothing();
        nothing.merge(Touched::Everything);

        assert_eq!((everything, nothing), (Touched::Everything, Touched::Everything));
        assert!(Touched::default().is_nothing() && !Touched::Everything.is_nothing());
    }

    proptest! {
        #[test]
        fn every_difference_is_covered(wishes in any_wishes(), more in any_wishes()) {
            let before = view_with(&wishes);
            let mut after = before.clone();
            extend(&mut after, &more);

            let touched = Touched::between(&before, &after);

            for difference in differences(&before, &after) {
                let (was, is) = difference.sides();
                for object in [was, is].into_iter().flatten() {
                    let covered = match object {
                        Object::Cluster(_) => touched.cluster(),
                        Object::Node(node) => touched.node(node.id),
                        Object::Service(service) => touched.service(service.id),
                        Object::Spec(spec) => touched.service(spec.id.service),
                        Object::Task(task) => {
                            touched.service(task.service) && task.node.is_none_or(|node| touched.node(node))
                        }
                        Object::Network(_) => touched.networks(),
                    };
                    prop_assert!(covered);
                }
            }
            prop_assert_eq!(touched.is_nothing(), before.objects().eq(after.objects()));
        }

        #[test]
        fn merged_steps_cover_the_whole_way(
            wishes in any_wishes(), more in any_wishes(), most in any_wishes(),
        ) {
            let first = view_with(&wishes);
            let mut second = first.clone();
            extend(&mut second, &more);
            let mut third = second.clone();
            extend(&mut third, &most);

            let mut steps = Touched::between(&first, &second);
            steps.merge(Touched::between(&second, &third));
            let mut with_whole = steps.clone();
            with_whole.merge(Touched::between(&first, &third));

            prop_assert_eq!(with_whole, steps);
        }
    }
}

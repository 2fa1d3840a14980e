//! An object of any kind.

use model::{Cluster, Service, Spec};
use store::Object;

use crate::field::{inside, required};
use crate::{Error, pb};

impl From<&Object> for pb::Object {
    fn from(object: &Object) -> Self {
        use pb::object::Kind;
        let kind = match object {
            Object::Cluster(cluster) => Kind::Cluster(Box::new(cluster.as_ref().into())),
            Object::Node(node) => Kind::Node(node.as_ref().into()),
            Object::Service(service) => Kind::Service(Box::new(service.as_ref().into())),
            Object::Spec(spec) => Kind::Spec(Box::new(spec.as_ref().into())),
            Object::Task(task) => Kind::Task(task.as_ref().into()),
            Object::Network(network) => Kind::Network(network.as_ref().into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::Object> for Object {
    type Error = Error;

    fn try_from(object: pb::Object) -> Result<Self, Error> {
        use pb::object::Kind;
        let pb::Object { kind } = object;
        Ok(match required(kind, "kind")? {
            Kind::Cluster(cluster) => inside::<_, Cluster>(*cluster, "cluster")?.into(),
            Kind::Node(node) => inside::<_, model::Node>(node, "node")?.into(),
            Kind::Service(service) => inside::<_, Service>(*service, "service")?.into(),
            Kind::Spec(spec) => inside::<_, Spec>(*spec, "spec")?.into(),
            Kind::Task(task) => inside::<_, model::Task>(task, "task")?.into(),
            Kind::Network(network) => inside::<_, model::Network>(network, "network")?.into(),
        })
    }
}

//! A version of a service's task template.

use model::Spec;

use crate::field::nested;
use crate::{Error, pb};

impl From<&Spec> for pb::Spec {
    fn from(spec: &Spec) -> Self {
        let Spec { id, meta, service_name, service_labels, task, endpoint } = spec;
        Self {
            id: Some((*id).into()),
            meta: Some(meta.into()),
            service_name: service_name.clone(),
            service_labels: service_labels.clone(),
            task: Some(task.into()),
            endpoint: Some(endpoint.into()),
        }
    }
}

impl TryFrom<pb::Spec> for Spec {
    type Error = Error;

    fn try_from(spec: pb::Spec) -> Result<Self, Error> {
        let pb::Spec { id, meta, service_name, service_labels, task, endpoint } = spec;
        Ok(Self {
            id: nested(id, "id")?,
            meta: nested(meta, "meta")?,
            service_name,
            service_labels,
            task: nested(task, "task")?,
            endpoint: nested(endpoint, "endpoint")?,
        })
    }
}

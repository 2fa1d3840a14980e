//! Limits that change while a container lives.

use cgroup::{Cgroups, Moment, Resources};
use tokio::task::spawn_blocking;

use crate::check::check;
use crate::{Containers, Error, Spec};

impl Containers {
    /// Gives a container other limits, at once and for its next starts; none means no limit.
    ///
    /// What the kernel refuses, such as less memory than is in use, changes nothing.
    pub async fn update(&self, id: &str, resources: Resources) -> Result<(), Error> {
        let entry = self.entry(id)?;
        let former = entry.spec();
        let spec = Spec { resources, ..Spec::clone(&former) };
        check(&spec)?;
        let changed = spawn_blocking(move || {
            let cgroups =
                Cgroups::find(&entry.cgroup).map_err(Error::io("find the cgroups of", &entry.id))?;
            if cgroups.exist() {
                cgroups.limit(&spec.resources, Moment::Living).map_err(|reason| {
                    // The first error tells what is wrong.
                    let _ = cgroups.limit(&former.resources, Moment::Living);
                    Error::Limits { id: entry.id.clone(), reason }
                })?;
            }
            entry.redefine(spec)
        });
        changed.await.expect("setting limits does not panic")
    }
}

//! Drops what a client's version of the API does not have yet.

use crate::{ApiVersion, ContainerSpec, ServiceSpec};

/// Drops fields of a service that are later than `version`, silently, as Docker does.
pub fn gate(spec: &mut ServiceSpec, version: ApiVersion) {
    if version < ApiVersion::new(1, 41) {
        spec.mode.replicated_job = None;
        spec.mode.global_job = None;
    }
    let task = &mut spec.task_template;
    if version < ApiVersion::new(1, 41)
        && let Some(limits) = task.resources.as_mut().and_then(|resources| resources.limits.as_mut())
    {
        limits.pids = 0;
    }
    if version < ApiVersion::new(1, 40)
        && let Some(placement) = &mut task.placement
    {
        placement.max_replicas = 0;
    }
    if let Some(container) = &mut task.container_spec {
        gate_container(container, version);
    }
}

fn gate_container(container: &mut ContainerSpec, version: ApiVersion) {
    if version < ApiVersion::new(1, 40) {
        container.sysctls.clear();
        container.configs.retain(|config| config.runtime.is_none());
    }
    if version < ApiVersion::new(1, 41) {
        container.capability_add.clear();
        container.capability_drop.clear();
        container.ulimits.clear();
    }
    if version < ApiVersion::new(1, 44) {
        if let Some(privileges) = &mut container.privileges {
            privileges.seccomp = None;
            privileges.app_armor = None;
            privileges.no_new_privileges = false;
        }
        if let Some(healthcheck) = &mut container.healthcheck {
            healthcheck.start_interval = 0;
        }
    }
    if version < ApiVersion::new(1, 46) {
        container.oom_score_adj = 0;
        for options in container.mounts.iter_mut().filter_map(|mount| mount.tmpfs_options.as_mut()) {
            options.options.clear();
        }
    }
}

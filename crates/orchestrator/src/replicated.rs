//! Services of a number of tasks that run for ever.

use std::sync::Arc;

use model::{Mode, Service};
use store::{Draft, Env};

use crate::slots::Slots;
use crate::{parked, restart, rollout, scale};

/// Plans one service.
///
/// Failures are judged first, since an update that is undone changes what everything after it aims at. Parked tasks are
/// looked at last, since restarts and updates park some.
pub(crate) fn plan(draft: &mut Draft, service: Arc<Service>, env: &mut Env<'_>) {
    let mut slots = Slots::of(draft.view(), service.id);
    let service = rollout::judge(draft, service, &slots, env.now);
    let Mode::Replicated { replicas } = service.spec.mode else {
        // The update that was undone had changed the mode, which control refuses; there is nothing to go back to.
        return;
    };
    restart::plan(draft, &service, &mut slots, env);
    scale::plan(draft, &service, replicas, &mut slots, env);
    rollout::plan(draft, &service, &mut slots, env);
    parked::plan(draft, &mut slots, env.now);
}

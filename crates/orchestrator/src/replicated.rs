//! Services of a number of tasks that run for ever.

use std::sync::Arc;

use model::{Mode, Service};
use store::{Draft, Env};

use crate::slots::Slots;
use crate::work::Work;
use crate::{parked, restart, rollout, scale};

/// Plans one service.
///
/// Failures are judged first, since an update that is undone changes what everything after it aims at. Parked tasks are
/// looked at last, since restarts and updates park some.
pub(crate) fn plan(draft: &mut Draft, service: Arc<Service>, env: &mut Env<'_>) {
    let slots = Slots::of(draft.view(), service.id);
    let mut work = Work { draft, service, slots, env };
    rollout::judge(&mut work);
    let Mode::Replicated { replicas } = work.service.spec.mode else {
        // The update that was undone had changed the mode, which control refuses; there is nothing to go back to.
        return;
    };
    restart::plan(&mut work);
    scale::plan(&mut work, replicas);
    rollout::plan(&mut work);
    parked::plan(&mut work);
}

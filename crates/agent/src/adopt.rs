//! Brings what is known of a task in line with what is found on this host when the agent starts.

use model::{ContainerStatus, TaskState, TaskStatus, Timestamp};

use crate::runtime::{Phase, Seen};

/// Brings a task's status in line with its container on this host, if there is one. Returns whether
/// that is news to a manager.
pub(crate) fn adopt(status: &mut TaskStatus, seen: Option<Seen>, now: Timestamp) -> bool {
    if status.state.is_terminal() {
        return false;
    }
    let Some(Seen { task: _, container_id, phase }) = seen else {
        let had_container = status.state >= TaskState::Ready;
        if had_container {
            fail(status, "the container is gone: its host was restarted", now);
        }
        return had_container;
    };
    let (state, message, pid) = match phase {
        Phase::Created if status.state == TaskState::Running => {
            fail(status, "the container does not run: its host was restarted", now);
            return true;
        }
        Phase::Created => (TaskState::Ready, "prepared", 0),
        // Whether it is well is seen by whoever starts it again, which changes nothing about one that runs.
        Phase::Running(pid) => (TaskState::Starting, "starting", pid),
        // Its end is seen by whoever waits for it.
        Phase::Exited(_) => (TaskState::Running, "started", 0),
    };
    let is_further = status.state < state;
    if is_further {
        status.state = state;
        status.at = now;
        message.clone_into(&mut status.message);
    }
    let container = Some(Box::new(ContainerStatus { container_id, pid, exit_code: 0 }));
    let is_news = is_further || status.container != container;
    status.container = container;
    is_news
}

fn fail(status: &mut TaskStatus, err: &str, now: Timestamp) {
    status.state = TaskState::Failed;
    status.at = now;
    err.clone_into(&mut status.err);
}

#[cfg(test)]
mod tests {
    use model::TaskId;
    use model::TaskState::*;

    use super::*;
    use crate::runtime::Exit;

    fn status(state: TaskState, pid: Option<u32>) -> TaskStatus {
        let container =
            pid.map(|pid| Box::new(ContainerStatus { container_id: "c".into(), pid, exit_code: 0 }));
        let (message, err) = (String::new(), String::new());
        TaskStatus { state, at: Timestamp(1), message, err, container, ports: Vec::new() }
    }

    #[test]
    fn what_is_found_decides_what_is_known() {
        let exited = Phase::Exited(Exit { code: 3, out_of_memory: false });
        let cases = [
            // known, container found, then known, news
            (Assigned, None, None, Assigned, false),
            (Preparing, None, None, Preparing, false),
            (Ready, Some(0), None, Failed, true),
            (Running, Some(7), None, Failed, true),
            (Complete, Some(0), None, Complete, false),
            (Preparing, None, Some(Phase::Created), Ready, true),
            (Ready, Some(0), Some(Phase::Created), Ready, false),
            (Starting, Some(0), Some(Phase::Created), Starting, false),
            (Running, Some(7), Some(Phase::Created), Failed, true),
            (Assigned, None, Some(Phase::Running(7)), Starting, true),
            (Starting, Some(0), Some(Phase::Running(7)), Starting, true),
            (Running, Some(7), Some(Phase::Running(7)), Running, false),
            (Running, Some(7), Some(Phase::Running(8)), Running, true),
            (Starting, Some(0), Some(exited), Running, true),
            (Failed, Some(0), Some(exited), Failed, false),
        ];

        for (known, pid, phase, expected, news) in cases {
            let mut status = status(known, pid);
            let seen =
                phase.map(|phase| Seen { task: TaskId::from_bits(1), container_id: "c".into(), phase });

            let is_news = adopt(&mut status, seen, Timestamp(2));

            assert_eq!((status.state, is_news), (expected, news), "{known:?} {phase:?}");
            assert_eq!(status.at == Timestamp(2), known != expected, "{known:?} {phase:?}");
        }
    }
}

//! Words that are numbers on the wire.

use crate::field::Choice;
use crate::pb;

macro_rules! enums {
    ($($name:ident { $($variant:ident),* $(,)? })*) => {$(
        impl From<model::$name> for pb::$name {
            fn from(word: model::$name) -> Self {
                match word {
                    $(model::$name::$variant => Self::$variant),*
                }
            }
        }

        impl Choice for model::$name {
            fn from_number(number: i32) -> Option<Self> {
                match pb::$name::try_from(number).ok()? {
                    pb::$name::Unspecified => None,
                    $(pb::$name::$variant => Some(Self::$variant)),*
                }
            }
        }
    )*};
}

enums! {
    AppArmor { Default, Disabled }
    Availability { Active, Pause, Drain }
    EndpointMode { Vip, Dnsrr }
    FailureAction { Pause, Continue, Rollback }
    NodeState { Unknown, Down, Ready, Disconnected }
    Protocol { Tcp, Udp, Sctp }
    PublishMode { Ingress, Host }
    RestartCondition { None, OnFailure, Any }
    Role { Worker, Manager }
    UpdateOrder { StopFirst, StartFirst }
    UpdateState { Updating, Paused, Completed, RollbackStarted, RollbackPaused, RollbackCompleted }
}

impl From<model::TaskState> for pb::TaskState {
    fn from(state: model::TaskState) -> Self {
        use model::TaskState as State;
        match state {
            State::New => Self::New,
            State::Pending => Self::Pending,
            State::Assigned => Self::Assigned,
            State::Accepted => Self::Accepted,
            State::Preparing => Self::Preparing,
            State::Ready => Self::Ready,
            State::Starting => Self::Starting,
            State::Running => Self::Running,
            State::Complete => Self::Complete,
            State::Shutdown => Self::Shutdown,
            State::Failed => Self::Failed,
            State::Rejected => Self::Rejected,
            State::Remove => Self::Remove,
            State::Orphaned => Self::Orphaned,
        }
    }
}

impl Choice for model::TaskState {
    fn from_number(number: i32) -> Option<Self> {
        u16::try_from(number).ok().and_then(Self::from_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_states_have_the_same_numbers_on_the_wire() {
        for state in model::TaskState::ALL {
            assert_eq!(i32::from(pb::TaskState::from(state)), i32::from(state as u16));
        }
    }

    #[test]
    fn what_is_not_said_is_no_word() {
        assert_eq!(<model::Role as Choice>::from_number(0), None);
        assert_eq!(<model::Role as Choice>::from_number(3), None);
        assert_eq!(<model::TaskState as Choice>::from_number(1), None);
        assert_eq!(<model::TaskState as Choice>::from_number(-1), None);
    }
}

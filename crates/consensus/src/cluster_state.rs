//! The cluster's state as the state machine that the log drives.

use store::View;

use crate::machine::StateMachine;

/// The cluster's state on one manager.
#[derive(Debug, Clone, Default)]
pub struct ClusterState {
    view: View,
}

impl StateMachine for ClusterState {
    type View = View;

    fn apply(&mut self, index: u64, entry: &[u8]) -> Vec<u8> {
        let outcome = match wire::entry::decode(entry) {
            Ok(entry) => self.view.apply(index, entry.at, &entry.changes).map(|()| index),
            Err(error) => {
                // Every manager of this version refuses the same bytes, so that states stay equal.
                tracing::error!(index, %error, "a log entry cannot be read and is passed over");
                Ok(index)
            }
        };
        if outcome.is_err() {
            self.view.advance_to(index);
        }
        wire::outcome::encode(&outcome)
    }

    fn view(&self) -> View {
        self.view.clone()
    }

    fn snapshot(&self) -> Box<dyn FnOnce() -> Vec<u8> + Send> {
        let view = self.view.clone();
        Box::new(move || wire::snapshot::encode(&view))
    }

    fn restore(&mut self, data: &[u8]) -> Result<(), String> {
        self.view = wire::snapshot::decode(data).map_err(|error| error.to_string())?;
        Ok(())
    }
}

//! The small process beside each container, and what it shares with whoever asked for it.

//! The commands on containers and volumes.

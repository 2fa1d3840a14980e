//! The Docker Engine's JSON of containers, their processes, and volumes.

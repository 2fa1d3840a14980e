//! From the flags of run and create to the JSON of a container.

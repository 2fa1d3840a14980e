//! The exercises that people learn containers with, word for word, with `drover` and with the `docker` client.

mod bind_mount;
mod configured_from_outside;
mod data_container;
mod several_processes;
mod stateless;
mod volume;

//! What the programs of a container may do: the capabilities they hold, and the system calls they can make.
//!
//! [`capability::Set`] is made from what is added to Docker's default and taken from it. [`Seccomp`] says which system
//! calls are refused; [`Seccomp::filter`] makes the program for the kernel of it.
//!
//! This crate never gives or takes a right itself, and loads no filter: that is for the process it concerns.

pub mod capability;
mod seccomp;

pub use seccomp::Seccomp;

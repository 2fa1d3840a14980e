//! Stories of users, told on a lab of real hosts.

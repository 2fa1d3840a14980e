//! How much a view of a million tasks costs.

fn main() {}

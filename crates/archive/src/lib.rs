//! Packs and unpacks trees of files as tar, inside a root that nothing leaves.

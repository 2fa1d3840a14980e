//! The image that is present on every node without a registry: this very program, as `whoami`.

/// Its repository.
pub const REPOSITORY: &str = "drover/whoami";
/// Its name.
pub const NAME: &str = "drover/whoami:latest";

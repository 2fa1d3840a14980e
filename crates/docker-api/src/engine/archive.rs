//! Files in and out of containers.

use async_trait::async_trait;
use container_json::PathStat;

use crate::engine::ByteStream;
use crate::error::ApiError;

/// Files in and out of containers, running or not.
#[async_trait]
pub trait Archives: Send + Sync + 'static {
    /// Describes a file.
    async fn path_stat(&self, container: &str, path: &str) -> Result<PathStat, ApiError>;

    /// Packs a file, or a directory with what is in it.
    async fn pack(&self, container: &str, path: &str) -> Result<(PathStat, ByteStream), ApiError>;

    /// Unpacks an archive, compressed or not, into a directory that is there.
    async fn unpack(
        &self,
        container: &str,
        path: &str,
        how: Unpack,
        archive: ByteStream,
    ) -> Result<(), ApiError>;
}

/// How an archive is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpack {
    /// Whether a directory may neither replace something else nor be replaced by it.
    pub no_overwrite_dir_non_dir: bool,
    /// Whether files keep the owners they have in the archive although the container has a user.
    pub copy_uid_gid: bool,
}

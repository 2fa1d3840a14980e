//! Files in and out of containers, for the Engine API.

use async_trait::async_trait;
use container_json::PathStat;
use docker_api::ApiError;
use docker_api::engine::{Archives, ByteStream, Unpack};
use engine::Putting;

use super::Engine;
use super::refusal::told;
use super::stream::{Unpacked, sent};

#[async_trait]
impl Archives for Engine {
    async fn path_stat(&self, container: &str, path: &str) -> Result<PathStat, ApiError> {
        self.engine.path_stat(container, path).await.map_err(told)
    }

    async fn pack(&self, container: &str, path: &str) -> Result<(PathStat, ByteStream), ApiError> {
        let (stat, pieces) = self.engine.get_archive(container, path).await.map_err(told)?;
        Ok((stat, sent(pieces)))
    }

    async fn unpack(
        &self,
        container: &str,
        path: &str,
        how: Unpack,
        archive: ByteStream,
    ) -> Result<(), ApiError> {
        let Unpack { no_overwrite_dir_non_dir, copy_uid_gid } = how;
        let putting = Putting { same_kind: no_overwrite_dir_non_dir, to_user: copy_uid_gid };
        self.engine.put_archive(container, path, putting, Unpacked::new(archive)).await.map_err(told)
    }
}

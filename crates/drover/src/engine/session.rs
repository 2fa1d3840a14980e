//! Programs that clients talk to.

use std::io;

use async_trait::async_trait;
use docker_api::engine::{Connection, Session};

/// A program that a client is about to talk to.
pub struct Talk(pub engine::Session);

#[async_trait]
impl Session for Talk {
    fn is_raw(&self) -> bool {
        self.0.is_raw()
    }

    async fn run(self: Box<Self>, client: Connection) -> io::Result<()> {
        self.0.run(client).await
    }
}

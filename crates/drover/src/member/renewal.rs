//! Renews the node's certificate while the old one is still valid.

use std::time::{Duration, SystemTime};

use identity::Tls;
use tokio::task::JoinHandle;

use super::folder::Folder;

/// The pause after a renewal that failed. Certificates are renewed long before they end.
const RETRY: Duration = Duration::from_secs(60);

/// The loop that renews.
pub struct Renewal(JoinHandle<()>);

impl Renewal {
    /// Starts to watch the certificate's age.
    pub fn start(tls: Tls, folder: Folder, managers: Vec<String>) -> Self {
        Self(tokio::spawn(keep(tls, folder, managers)))
    }

    /// Ends the watch.
    pub async fn stop(self) {
        self.0.abort();
        // Ended by us: it cannot have failed otherwise.
        let _aborted = self.0.await;
    }
}

async fn keep(tls: Tls, folder: Folder, managers: Vec<String>) {
    loop {
        let pause = tls.identity().renew_after(SystemTime::now(), rand::random());
        tokio::time::sleep(pause).await;
        let mut renewed = false;
        for manager in &managers {
            let channel = identity::channel(manager, &tls);
            match identity::renew(channel, &tls.identity()).await {
                Ok(identity) => {
                    if let Err(error) = identity.save(folder.path()) {
                        tracing::warn!(%error, "a renewed certificate is not saved");
                    }
                    tls.replace(identity);
                    renewed = true;
                    break;
                }
                Err(error) => tracing::warn!(%manager, %error, "the certificate is not renewed"),
            }
        }
        if !renewed {
            tokio::time::sleep(RETRY).await;
        }
    }
}

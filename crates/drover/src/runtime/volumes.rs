//! Volumes of this host for other nodes.

use agent::{Archive, Onto, Refusal, RefusalKind};
use engine::{Engine, Kind};

use crate::engine::stream::{Unpacked, sent};

/// Packs what is in a volume.
pub async fn export(engine: &Engine, name: &str) -> Result<Archive, Refusal> {
    Ok(sent(engine.volume_export(name).await.map_err(|error| refusal(&error))?))
}

/// Unpacks an archive, compressed or not, into a volume.
pub async fn import(engine: &Engine, name: &str, onto: Onto, archive: Archive) -> Result<(), Refusal> {
    let onto = match onto {
        Onto::Nothing => volume::Onto::Nothing,
        Onto::Anything => volume::Onto::Anything,
    };
    let imported = engine.volume_import(name, onto, Unpacked::new(archive)).await;
    imported.map(drop).map_err(|error| refusal(&error))
}

fn refusal(error: &engine::Error) -> Refusal {
    let kind = match error.kind() {
        Kind::NotFound => RefusalKind::NotFound,
        Kind::Conflict => RefusalKind::Conflict,
        Kind::Invalid => RefusalKind::Invalid,
        Kind::NotModified | Kind::Forbidden | Kind::NotImplemented | Kind::Unavailable | Kind::Internal => {
            RefusalKind::Failed
        }
    };
    Refusal { kind, message: error.text().to_owned() }
}

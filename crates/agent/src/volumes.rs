//! Carries volumes that a manager asks for: out as archives, and in.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;
use wire::pb;
use wire::pb::dispatcher_client::DispatcherClient;
use wire::pb::volume_piece::Kind;

use crate::runtime::{Archive, Onto, Refusal, RefusalKind, Runtime};

/// How many pieces wait to be sent; whoever packs waits when it is full.
const PIECES_WAITING: usize = 8;

/// The volumes on their way.
#[derive(Default)]
pub(crate) struct Volumes {
    tasks: JoinSet<()>,
}

impl Volumes {
    /// Begins to carry a volume, over a call of its own to the manager.
    pub fn carry(
        &mut self,
        query: pb::VolumeQuery,
        runtime: Arc<dyn Runtime>,
        mut client: DispatcherClient<Channel>,
    ) {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            let (pieces, sending) = mpsc::channel(PIECES_WAITING);
            let opening = Kind::Query(pb::VolumeQuery { id: query.id.clone(), ..Default::default() });
            let sent = pieces.try_send(piece(opening));
            debug_assert!(sent.is_ok(), "a fresh channel takes its first piece");
            match client.deliver_volume(ReceiverStream::new(sending)).await {
                Ok(coming) => deliver(&query, &*runtime, coming.into_inner(), pieces).await,
                Err(status) => {
                    tracing::debug!(volume = query.volume, %status, "the manager wants this volume no more");
                }
            }
        });
    }
}

/// Does what is asked, and says how it went.
async fn deliver(
    query: &pb::VolumeQuery,
    runtime: &dyn Runtime,
    mut coming: Streaming<pb::VolumePiece>,
    pieces: mpsc::Sender<pb::VolumePiece>,
) {
    let done = match query.action() {
        pb::VolumeAction::Export => match runtime.export_volume(&query.volume).await {
            Ok(archive) => send(archive, &pieces).await,
            Err(refusal) => Err(refusal),
        },
        pb::VolumeAction::Import => import(runtime, &query.volume, Onto::Nothing, &mut coming).await,
        pb::VolumeAction::Merge => import(runtime, &query.volume, Onto::Anything, &mut coming).await,
        pb::VolumeAction::Unspecified => {
            let message = "this node's version does not know what is asked for".to_owned();
            Err(Refusal { kind: RefusalKind::Failed, message })
        }
    };
    let last = match done {
        Ok(()) => Kind::End(pb::VolumeEnd {}),
        Err(refusal) => Kind::Refusal(written(refusal)),
    };
    let _reader_gone = pieces.send(piece(last)).await;
    drop(pieces);
    // Whoever hangs up first cuts off what is still on its way; the manager does, once everything has arrived.
    while let Ok(Some(_)) = coming.message().await {}
}

async fn send(mut archive: Archive, pieces: &mpsc::Sender<pb::VolumePiece>) -> Result<(), Refusal> {
    loop {
        let next = tokio::select! {
            next = archive.next() => next,
            // Nobody reads any more, and nobody will hear of it.
            () = pieces.closed() => return Ok(()),
        };
        match next {
            None => return Ok(()),
            Some(Ok(bytes)) => {
                let _reader_gone = pieces.send(piece(Kind::Archive(bytes))).await;
            }
            Some(Err(error)) => {
                return Err(Refusal { kind: RefusalKind::Failed, message: error.to_string() });
            }
        }
    }
}

async fn import(
    runtime: &dyn Runtime,
    volume: &str,
    onto: Onto,
    coming: &mut Streaming<pb::VolumePiece>,
) -> Result<(), Refusal> {
    let (bytes, archive) = mpsc::channel(PIECES_WAITING);
    let imported = runtime.import_volume(volume, onto, Box::pin(ReceiverStream::new(archive)));
    tokio::join!(imported, receive(coming, bytes)).0
}

/// Passes on the archive that a manager sends, until its end, or until nobody reads it; without an end it is an error.
async fn receive(coming: &mut Streaming<pb::VolumePiece>, archive: mpsc::Sender<std::io::Result<Bytes>>) {
    loop {
        let piece = tokio::select! {
            piece = coming.message() => piece,
            () = archive.closed() => return,
        };
        let received = match piece.map(|piece| piece.map(|piece| piece.kind)) {
            // An empty piece would look like the end to whoever reads.
            Ok(Some(Some(Kind::Archive(bytes)))) if !bytes.is_empty() => Ok(bytes),
            Ok(Some(Some(Kind::End(_)))) => return,
            Ok(Some(_)) => continue,
            Ok(None) => Err("the archive breaks off".to_owned()),
            Err(status) => Err(format!("the archive breaks off: {}", status.message())),
        };
        let is_over = received.is_err();
        let _reader_gone = archive.send(received.map_err(std::io::Error::other)).await;
        if is_over {
            return;
        }
    }
}

fn written(refusal: Refusal) -> pb::VolumeRefusal {
    let kind = match refusal.kind {
        RefusalKind::NotFound => pb::VolumeRefusalKind::NotFound,
        RefusalKind::Conflict => pb::VolumeRefusalKind::Conflict,
        RefusalKind::Invalid => pb::VolumeRefusalKind::Invalid,
        RefusalKind::Failed => pb::VolumeRefusalKind::Unspecified,
    };
    pb::VolumeRefusal { kind: kind.into(), message: refusal.message }
}

fn piece(kind: Kind) -> pb::VolumePiece {
    pb::VolumePiece { kind: Some(kind) }
}

#[cfg(test)]
mod tests;

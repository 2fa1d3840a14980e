use std::pin::Pin;
use std::sync::Mutex;

use futures_util::Stream;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use wire::pb::dispatcher_server::{Dispatcher, DispatcherServer};

use super::*;
use crate::fake::Fake;

/// A manager that sends these pieces to whoever delivers, and keeps what comes.
#[derive(Clone)]
struct Manager {
    sends: Vec<Kind>,
    heard: Arc<Mutex<Vec<Kind>>>,
    whole: mpsc::Sender<()>,
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Dispatcher for Manager {
    type SessionStream = Responses<pb::ManagerMessage>;
    type LogsStream = Responses<pb::LogRecord>;
    type CarryVolumeStream = Responses<pb::VolumePiece>;
    type DeliverVolumeStream = Responses<pb::VolumePiece>;

    async fn deliver_volume(
        &self,
        request: Request<Streaming<pb::VolumePiece>>,
    ) -> Result<Response<Self::DeliverVolumeStream>, Status> {
        let (manager, mut coming) = (self.clone(), request.into_inner());
        drop(tokio::spawn(async move {
            while let Ok(Some(piece)) = coming.message().await {
                manager.heard.lock().unwrap().extend(piece.kind);
            }
            let _test_over = manager.whole.send(()).await;
        }));
        let sends = self.sends.clone().into_iter().map(|kind| Ok(piece(kind)));
        Ok(Response::new(Box::pin(futures_util::stream::iter(sends))))
    }

    async fn carry_volume(
        &self,
        _: Request<Streaming<pb::VolumePiece>>,
    ) -> Result<Response<Self::CarryVolumeStream>, Status> {
        Err(Status::unimplemented("this manager has one agent"))
    }

    async fn session(
        &self,
        _: Request<Streaming<pb::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        Err(Status::unimplemented("no sessions here"))
    }

    async fn relay(&self, _: Request<pb::RelayRequest>) -> Result<Response<pb::RelayResponse>, Status> {
        Err(Status::unimplemented("no relay here"))
    }

    async fn logs(&self, _: Request<pb::LogQuery>) -> Result<Response<Self::LogsStream>, Status> {
        Err(Status::unimplemented("no logs here"))
    }

    async fn publish_logs(
        &self,
        _: Request<Streaming<pb::LogRecord>>,
    ) -> Result<Response<pb::LogsPublished>, Status> {
        Err(Status::unimplemented("no logs here"))
    }
}

/// Returns what a host does and says when it is asked for its volume `data`, and is sent these pieces.
async fn outcome(fake: Fake, action: pb::VolumeAction, sends: Vec<Kind>) -> (Vec<String>, Vec<String>) {
    let (whole, mut ended) = mpsc::channel(1);
    let manager = Manager { sends, heard: Arc::default(), whole };
    let heard = manager.heard.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        Server::builder()
            .add_service(DispatcherServer::new(manager))
            .serve_with_incoming(incoming)
            .await
            .unwrap();
    });
    let client = DispatcherClient::connect(address).await.unwrap();
    let (fake, mut volumes) = (Arc::new(fake), Volumes::default());
    let query = pb::VolumeQuery {
        id: "q".into(),
        volume: "data".into(),
        action: action.into(),
        ..Default::default()
    };

    volumes.carry(query, fake.clone(), client);
    ended.recv().await.unwrap();

    let said = heard.lock().unwrap().iter().map(said).collect();
    (fake.imported(), said)
}

fn said(kind: &Kind) -> String {
    match kind {
        Kind::Query(query) => format!("for {}", query.id),
        Kind::Archive(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Kind::End(_) => "end".into(),
        Kind::Refusal(refusal) => format!("{:?}: {}", refusal.kind(), refusal.message),
    }
}

fn archive(text: &'static str) -> Kind {
    Kind::Archive(text.into())
}

fn end() -> Kind {
    Kind::End(pb::VolumeEnd {})
}

#[tokio::test]
async fn volume_is_sent_piece_by_piece() {
    let fake = Fake::default();
    fake.has_volume("data", &["a ", "tree"]);

    let (_, said) = outcome(fake, pb::VolumeAction::Export, Vec::new()).await;

    assert_eq!(said, ["for q", "a ", "tree", "end"]);
}

#[tokio::test]
async fn what_fails_is_told_instead_of_an_end() {
    let (_, missing) = outcome(Fake::default(), pb::VolumeAction::Export, Vec::new()).await;
    let fake = Fake::default();
    fake.has_volume("data", &["half", "broken"]);
    let (_, broken) = outcome(fake, pb::VolumeAction::Export, Vec::new()).await;

    assert_eq!(missing, ["for q", "NotFound: get data: no such volume"]);
    assert_eq!(broken, ["for q", "half", "Unspecified: a bad sector"]);
}

#[tokio::test]
async fn whole_archives_are_unpacked_and_others_are_not() {
    let import = async |fake, action, sends| outcome(fake, action, sends).await;
    let whole = vec![archive("a "), archive(""), archive("tree"), end()];
    let full = || {
        let fake = Fake::default();
        fake.has_volume("data", &["old"]);
        fake
    };

    let fresh = import(Fake::default(), pb::VolumeAction::Import, whole.clone()).await;
    let refused = import(full(), pb::VolumeAction::Import, whole.clone()).await;
    let merged = import(full(), pb::VolumeAction::Merge, whole).await;
    let cut = import(Fake::default(), pb::VolumeAction::Import, vec![archive("a ")]).await;

    assert_eq!(fresh, (vec!["data: a tree".to_owned()], vec!["for q".to_owned(), "end".to_owned()]));
    assert_eq!(refused.1, ["for q", "Conflict: import data: the volume is not empty"]);
    assert_eq!(merged.0, ["data: a tree"]);
    assert_eq!((cut.0.len(), cut.1[1].as_str()), (0, "Unspecified: the archive breaks off"));
}

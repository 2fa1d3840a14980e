use std::pin::Pin;

use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::{Request, Response};
use wire::pb::dispatcher_server::{self, DispatcherServer};

use super::*;

const NODE: NodeId = NodeId::from_bits(1);
const OTHER: NodeId = NodeId::from_bits(2);

/// A manager that serves volumes alone, to whoever calls: one node is connected, and it is the one that delivers.
#[derive(Clone)]
struct Manager {
    broker: VolumeBroker,
    agent: mpsc::Sender<pb::ManagerMessage>,
    delivering: NodeId,
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl dispatcher_server::Dispatcher for Manager {
    type SessionStream = Responses<pb::ManagerMessage>;
    type LogsStream = Responses<pb::LogRecord>;
    type CarryVolumeStream = Responses<pb::VolumePiece>;
    type DeliverVolumeStream = Responses<pb::VolumePiece>;

    async fn carry_volume(
        &self,
        request: Request<Streaming<pb::VolumePiece>>,
    ) -> Result<Response<Self::CarryVolumeStream>, Status> {
        let mut asking = request.into_inner();
        let query = opening(&mut asking).await?;
        let Carriage { coming, going } = self.broker.ask(NODE, &self.agent, query).await?;
        drop(tokio::spawn(pass_on(asking, going)));
        Ok(Response::new(Box::pin(coming)))
    }

    async fn deliver_volume(
        &self,
        request: Request<Streaming<pb::VolumePiece>>,
    ) -> Result<Response<Self::DeliverVolumeStream>, Status> {
        let going = self.broker.begin(self.delivering, request.into_inner()).await?;
        Ok(Response::new(Box::pin(going.map(Ok))))
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

struct Lab {
    client: DispatcherClient<Channel>,
    asked: mpsc::Receiver<pb::ManagerMessage>,
    _serving: JoinSet<()>,
}

/// A manager whose agent is the test.
async fn lab(delivering: NodeId) -> Lab {
    let (agent, asked) = mpsc::channel(4);
    let manager = Manager { broker: VolumeBroker::default(), agent, delivering };
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
    Lab { client: DispatcherClient::connect(address).await.unwrap(), asked, _serving: serving }
}

impl Lab {
    /// Opens a way to the volume, at whose other end an agent says what it is told to, and then listens.
    async fn open(&mut self, says: Vec<Kind>) -> (Carriage, JoinSet<Vec<pb::VolumePiece>>) {
        let mut agents = JoinSet::new();
        let calling = tokio::spawn(call(self.client.clone(), query()));
        let Some(pb::manager_message::Kind::Volume(asked)) = self.asked.recv().await.unwrap().kind else {
            panic!("the agent is asked for something else");
        };
        let mut client = self.client.clone();
        agents.spawn(async move {
            let (going, outgoing) = mpsc::channel(16);
            going.send(piece(Kind::Query(asked))).await.unwrap();
            for kind in says {
                going.send(piece(kind)).await.unwrap();
            }
            let mut coming = client.deliver_volume(ReceiverStream::new(outgoing)).await.unwrap().into_inner();
            let mut heard = Vec::new();
            while let Ok(Some(piece)) = coming.message().await {
                let is_last = matches!(piece.kind, Some(Kind::End(_)));
                heard.push(piece);
                if is_last {
                    going.send(self::piece(Kind::End(pb::VolumeEnd {}))).await.unwrap();
                }
            }
            heard
        });
        (calling.await.unwrap().unwrap(), agents)
    }
}

fn query() -> pb::VolumeQuery {
    pb::VolumeQuery { id: "q".into(), node_id: NODE.to_string(), volume: "data".into(), action: 1 }
}

fn bytes(text: &'static str) -> Kind {
    Kind::Archive(Bytes::from(text))
}

fn end() -> Kind {
    Kind::End(pb::VolumeEnd {})
}

fn refusal(kind: pb::VolumeRefusalKind) -> Kind {
    Kind::Refusal(pb::VolumeRefusal { kind: kind.into(), message: "no such volume".into() })
}

async fn exported(says: Vec<Kind>) -> Result<Vec<Result<Bytes, VolumeErrorKind>>, VolumeErrorKind> {
    let mut lab = lab(NODE).await;
    let (carriage, _agent) = lab.open(says).await;
    let archive = archive_of(carriage).await.map_err(|error| error.kind)?;
    Ok(archive.map(|piece| piece.map_err(|error| error.kind)).collect().await)
}

#[tokio::test]
async fn archive_comes_as_it_was_packed() {
    let pieces = exported(vec![bytes("a "), bytes("tree"), end()]).await.unwrap();
    let nothing = exported(vec![end()]).await.unwrap();

    assert_eq!(pieces, [Ok("a ".into()), Ok("tree".into())]);
    assert_eq!(nothing, []);
}

#[tokio::test]
async fn refusals_are_told_at_once_and_later_ones_break_the_archive_off() {
    let not_found = refusal(pb::VolumeRefusalKind::NotFound);
    let failed = refusal(pb::VolumeRefusalKind::Unspecified);

    assert_eq!(exported(vec![not_found, end()]).await, Err(VolumeErrorKind::NotFound));
    let broken = exported(vec![bytes("half"), failed]).await.unwrap();

    assert_eq!(broken, [Ok("half".into()), Err(VolumeErrorKind::Failed)]);
}

#[tokio::test]
async fn archive_without_an_end_is_not_whole() {
    let mut lab = lab(NODE).await;
    let (carriage, mut agent) = lab.open(vec![bytes("half")]).await;

    let mut archive = std::pin::pin!(archive_of(carriage).await.unwrap());
    assert_eq!(archive.next().await, Some(Ok("half".into())));
    agent.shutdown().await;

    assert_eq!(archive.next().await.unwrap().unwrap_err().kind, VolumeErrorKind::Failed);
    assert_eq!(archive.next().await, None);
}

#[tokio::test]
async fn archive_reaches_the_node_in_small_pieces() {
    let mut lab = lab(NODE).await;
    let (carriage, mut agent) = lab.open(Vec::new()).await;
    let big = Bytes::from(vec![7; 3 * PIECE_BYTES_MAX + 1]);

    send(carriage, futures_util::stream::iter([Ok(big.clone())])).await.unwrap();

    let heard = agent.join_next().await.unwrap().unwrap();
    let parts = heard.into_iter().filter_map(|piece| match piece.kind {
        Some(Kind::Archive(bytes)) => Some(bytes),
        Some(Kind::End(_)) => None,
        other => panic!("{other:?}"),
    });
    let parts: Vec<Bytes> = parts.collect();
    assert_eq!(parts.len(), 4);
    assert_eq!(parts.concat(), big);
}

#[tokio::test]
async fn node_may_refuse_before_it_has_everything() {
    let mut lab = lab(NODE).await;
    let (carriage, _agent) = lab.open(vec![refusal(pb::VolumeRefusalKind::Conflict)]).await;

    let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(b"more")));
    let refused = send(carriage, endless).await.unwrap_err();

    assert_eq!((refused.kind, refused.message.as_str()), (VolumeErrorKind::Conflict, "no such volume"));
}

#[tokio::test]
async fn archive_that_breaks_off_has_no_end_for_the_node() {
    let mut lab = lab(NODE).await;
    let (carriage, mut agent) = lab.open(Vec::new()).await;

    let broken = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("the client has gone"))];
    let failed = send(carriage, futures_util::stream::iter(broken)).await.unwrap_err();

    let heard = agent.join_next().await.unwrap().unwrap();
    assert_eq!(failed.kind, VolumeErrorKind::Invalid);
    assert!(!heard.iter().any(|piece| matches!(piece.kind, Some(Kind::End(_)))), "{heard:?}");
}

#[tokio::test]
async fn agent_that_does_not_begin_is_not_waited_for() {
    let lab = lab(NODE).await;

    let status = call(lab.client.clone(), query()).await.unwrap_err();

    assert!(status.message().contains("did not begin"), "{status}");
}

#[tokio::test]
async fn other_nodes_deliver_nothing() {
    let mut lab = lab(OTHER).await;
    let calling = tokio::spawn(call(lab.client.clone(), query()));
    lab.asked.recv().await.unwrap();

    let (going, outgoing) = mpsc::channel(1);
    going.send(piece(Kind::Query(query()))).await.unwrap();
    let refused = lab.client.deliver_volume(ReceiverStream::new(outgoing)).await.unwrap_err();

    assert_eq!(refused.code(), tonic::Code::NotFound);
    assert!(calling.await.unwrap().is_err());
}

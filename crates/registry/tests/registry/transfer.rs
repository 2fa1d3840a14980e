//! Blobs on ways that stall, break, and lie.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Method, Request, Response};
use registry::manifest::Descriptor;
use registry::{Access, Config, Digest, Error, Repository};

use crate::fake::{Answer, BREAK, Fake, answer};

const PATIENCE: Duration = Duration::from_secs(1);

fn impatient() -> Config {
    Config { patience: PATIENCE, ..Fake::config() }
}

async fn connect(fake: &Fake, access: Access, config: &Config) -> Repository {
    Repository::connect(&fake.name("web:1"), access, None, config).await.unwrap()
}

fn content() -> Bytes {
    static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    });
    Bytes::from_static(&CONTENT)
}

fn described(content: &Bytes) -> Descriptor {
    Descriptor::of("layer", Digest::of(content), content.len() as u64)
}

async fn read(repository: &Repository, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
    let mut download = repository.download(descriptor);
    let mut bytes = Vec::new();
    while let Some(piece) = download.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// An answer of pieces with pauses, which need not come to its end.
fn slowly(status: u16, pieces: Vec<Result<Bytes, ()>>, pause: Duration) -> Answer {
    let frames = futures_util::stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        piece.map(Frame::data).map_err(|()| std::io::Error::other("broken on purpose"))
    });
    Response::builder()
        .status(status)
        .body(BodyExt::boxed(StreamBody::new(SendSync(Box::pin(frames)))))
        .unwrap()
}

/// Bodies have to be shareable between threads, though nobody shares them.
struct SendSync<S>(std::pin::Pin<Box<S>>);

// A stream is polled through `&mut` alone, so that sharing it gives nothing away.
impl<S: futures_util::Stream> futures_util::Stream for SendSync<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

#[tokio::test]
async fn registry_that_says_nothing_is_given_up_in_time_and_named() {
    for silent in ["/v2/", "manifests", "blobs"] {
        let fake = Fake::start(move |request: Request<Incoming>| async move {
            if request.uri().path().contains(silent) && (silent != "/v2/" || request.uri().path() == silent) {
                std::future::pending::<()>().await;
            }
            answer(200, &[], "{}")
        })
        .await;
        let start = Instant::now();

        let outcome = async {
            let name = fake.name("team/web:1");
            let repository = Repository::connect(&name, Access::Pull, None, &impatient()).await?;
            repository.document(None).await?;
            read(&repository, &described(&content())).await
        };
        let error = outcome.await.unwrap_err();

        assert!(matches!(error, Error::Stalled { .. }), "{silent}: {error:?}");
        let (text, address) = (error.to_string(), fake.address);
        assert!(text.contains(&format!("registry {address} stalls")), "{text}");
        assert!(text.contains(&format!("{address}/team/web:1")), "{text}");
        assert!(start.elapsed() < 20 * PATIENCE, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn registry_that_trickles_is_given_up_in_time() {
    let fake = Fake::start(|request: Request<Incoming>| async move {
        if request.uri().path() == "/v2/" {
            return answer(200, &[], "{}");
        }
        slowly(200, vec![Ok(Bytes::from_static(b"x")); 10_000], PATIENCE / 20)
    })
    .await;
    let repository = connect(&fake, Access::Pull, &impatient()).await;
    let start = Instant::now();

    let error = read(&repository, &described(&content())).await.unwrap_err();

    assert!(matches!(error, Error::Stalled { .. }), "{error:?}");
    assert!(start.elapsed() < 20 * PATIENCE, "{:?}", start.elapsed());
}

/// Breaks every answer after a third of the content; `has_ranges` tells whether it heeds where one wants to begin.
async fn breaking(has_ranges: bool) -> Fake {
    Fake::start(move |request: Request<Incoming>| async move {
        if request.uri().path() == "/v2/" {
            return answer(200, &[], "{}");
        }
        let whole = content();
        let from = request.headers().get("range").filter(|_| has_ranges);
        let from = from.map_or(0, |range| {
            let text = range.to_str().unwrap().trim_start_matches("bytes=").trim_end_matches('-').to_owned();
            text.parse::<usize>().unwrap()
        });
        let end = whole.len().min(from + 1_100_000);
        let mut pieces = vec![Ok(whole.slice(from..end))];
        if end < whole.len() {
            pieces.push(Err(()));
        }
        let mut response = slowly(if from > 0 { 206 } else { 200 }, pieces, Duration::ZERO);
        if from > 0 {
            let range = format!("bytes {from}-{}/{}", whole.len() - 1, whole.len());
            response.headers_mut().insert("content-range", range.parse().unwrap());
        }
        response
    })
    .await
}

#[tokio::test]
async fn download_goes_on_where_it_broke_off() {
    let fake = breaking(true).await;
    let repository = connect(&fake, Access::Pull, &Fake::config()).await;

    let bytes = read(&repository, &described(&content())).await.unwrap();

    assert!(bytes == content());
    assert_eq!(fake.seen().iter().filter(|request| request.contains("/blobs/")).count(), 3);
}

#[tokio::test]
async fn registry_without_ranges_that_always_breaks_is_given_up() {
    let fake = breaking(false).await;
    let repository = connect(&fake, Access::Pull, &Fake::config()).await;

    let error = read(&repository, &described(&content())).await.unwrap_err();

    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
}

#[tokio::test]
async fn content_that_is_not_its_digest_is_refused() {
    for (change, word) in [(0, "it has sha256:"), (1, "longer"), (-1, "shorter")] {
        let fake = Fake::start(move |request: Request<Incoming>| async move {
            let mut bytes = content().to_vec();
            match change {
                0 => bytes[7] ^= 1,
                1 => bytes.push(0),
                _ => drop(bytes.pop()),
            }
            answer(200, &[], if request.uri().path() == "/v2/" { Bytes::new() } else { bytes.into() })
        })
        .await;
        let repository = connect(&fake, Access::Pull, &Fake::config()).await;

        let error = read(&repository, &described(&content())).await.unwrap_err();

        assert!(matches!(&error, Error::Damaged { reason, .. } if reason.contains(word)), "{error:?}");
    }
}

/// A registry that keeps what came of an upload that breaks, as the specification has it.
#[derive(Default)]
struct Keeper {
    kept: Vec<u8>,
    breaks: usize,
    put: Option<String>,
}

async fn keep(keeper: Arc<Mutex<Keeper>>, request: Request<Incoming>) -> Answer {
    let location = [("location", "/v2/web/blobs/uploads/1?state=x")];
    match (request.method().clone(), request.uri().path()) {
        (Method::POST, _) => answer(202, &location, ""),
        (Method::GET, "/v2/") => answer(200, &[], ""),
        (Method::GET, _) => {
            let range = format!("0-{}", keeper.lock().unwrap().kept.len() - 1);
            answer(204, &[location[0], ("range", range.as_str())], "")
        }
        (Method::PATCH, _) => {
            let mut body = request.into_body();
            let mut come = 0;
            while let Some(frame) = body.frame().await {
                let Some(bytes) = frame.ok().and_then(|frame| frame.into_data().ok()) else { break };
                let mut keeper = keeper.lock().unwrap();
                keeper.kept.extend_from_slice(&bytes);
                come += bytes.len();
                if come > 1_000_000 && keeper.breaks > 0 {
                    keeper.breaks -= 1;
                    return answer(BREAK, &[], "");
                }
            }
            answer(202, &location, "")
        }
        (Method::PUT, _) => {
            keeper.lock().unwrap().put = Some(request.uri().query().unwrap_or("").to_owned());
            answer(201, &[], "")
        }
        (_, _) => answer(405, &[], ""),
    }
}

/// Content that comes in pieces, as a packed layer does.
struct Pieces(Bytes);

impl registry::Content for Pieces {
    fn read(&self) -> futures_util::stream::BoxStream<'static, std::io::Result<Bytes>> {
        let whole = self.0.clone();
        let starts = (0..whole.len()).step_by(60_000);
        let pieces = starts.map(move |start| Ok(whole.slice(start..whole.len().min(start + 60_000))));
        futures_util::stream::iter(pieces.collect::<Vec<_>>()).boxed()
    }
}

#[tokio::test]
async fn upload_goes_on_where_the_registry_says_it_broke_off() {
    let keeper = Arc::new(Mutex::new(Keeper { breaks: 2, ..Keeper::default() }));
    let shared = keeper.clone();
    let fake = Fake::start(move |request| keep(shared.clone(), request)).await;
    let repository = connect(&fake, Access::Push, &Fake::config()).await;

    let blob = repository.upload(&Pieces(content())).await.unwrap();

    assert_eq!((blob.digest, blob.size_bytes), (Digest::of(&content()), content().len() as u64));
    let keeper = keeper.lock().unwrap();
    assert!(keeper.kept == content(), "{} bytes", keeper.kept.len());
    let query = keeper.put.clone().unwrap();
    assert!(query.starts_with("state=x&digest=sha256%3A"), "{query}");
    let asked = fake.seen().iter().filter(|request| request.starts_with("GET /v2/web/blobs/uploads")).count();
    assert_eq!((keeper.breaks, asked), (0, 2), "{:?}", fake.seen());
}

#[tokio::test]
async fn registry_that_takes_nothing_of_an_upload_is_given_up_in_time() {
    let fake = Fake::start(|request: Request<Incoming>| async move {
        match *request.method() {
            Method::POST => answer(202, &[("location", "/v2/web/blobs/uploads/1")], ""),
            Method::PATCH => std::future::pending().await,
            _ => answer(200, &[], ""),
        }
    })
    .await;
    let repository = connect(&fake, Access::Push, &impatient()).await;
    let start = Instant::now();

    let error = repository.upload(&Pieces(content())).await.unwrap_err();

    assert!(matches!(error, Error::Stalled { .. }), "{error:?}");
    assert!(start.elapsed() < 20 * PATIENCE, "{:?}", start.elapsed());
}

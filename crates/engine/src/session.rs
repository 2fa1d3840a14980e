//! A client's connection with a program: what flows between them until one of them goes.

use std::io;
use std::pin::{Pin, pin};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;

use crate::detach_keys::{Scanned, Scanner};
use crate::logs::Logs;

/// How much is read at a time.
const PIECE_BYTES: usize = 32 << 10;

/// A connection with a program, to be joined to a client's.
pub struct Session {
    /// What was said before.
    past: Option<Logs>,
    /// Instead of a program: what went wrong.
    last_words: Vec<u8>,
    program: Option<UnixStream>,
    input: Input,
    is_raw: bool,
    /// Waited for once the program's output has ended.
    before_end: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    /// Told when the keys were typed.
    on_detach: Option<Box<dyn FnOnce() + Send + Sync>>,
}

/// What is done with what a client sends.
pub(crate) enum Input {
    /// The client does not write to the program.
    Unwanted,
    /// It is passed on.
    Wanted {
        /// What is done when it ends.
        at_end: EndOfInput,
        /// Looks for the keys that leave the program; with a terminal only.
        keys: Option<Scanner>,
    },
}

/// What the end of a client's input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndOfInput {
    /// The program's input ends too.
    IsPassedOn,
    /// The client goes; the program's input stays open for others.
    EndsSession,
    /// Nothing: there is only output from then on.
    MeansNothing,
}

impl Session {
    pub(crate) fn new(program: UnixStream, input: Input, is_raw: bool) -> Session {
        let program = Some(program);
        Session {
            past: None,
            last_words: Vec::new(),
            program,
            input,
            is_raw,
            before_end: None,
            on_detach: None,
        }
    }

    /// Makes a session that only says something, which has its frame already.
    pub(crate) fn saying(last_words: Vec<u8>, is_raw: bool) -> Session {
        Session {
            past: None,
            last_words,
            program: None,
            input: Input::Unwanted,
            is_raw,
            before_end: None,
            on_detach: None,
        }
    }

    /// Puts what was said before in front.
    pub(crate) fn after(self, past: Logs) -> Session {
        Session { past: Some(past), ..self }
    }

    /// Has the end of the program's output passed on only when something else has happened, too.
    pub(crate) fn ending_after(self, event: impl Future<Output = ()> + Send + Sync + 'static) -> Session {
        Session { before_end: Some(Box::pin(event)), ..self }
    }

    /// Has a word told when the client leaves by its keys.
    pub(crate) fn on_detach(self, tell: impl FnOnce() + Send + Sync + 'static) -> Session {
        Session { on_detach: Some(Box::new(tell)), ..self }
    }

    /// Tells whether the output is plain bytes, because the program has a terminal; else it comes in frames.
    pub fn is_raw(&self) -> bool {
        self.is_raw
    }

    /// Lets both talk until the program's output has ended or the client is gone or has detached.
    ///
    /// The program goes on when this is dropped.
    pub async fn run(self, client: impl AsyncRead + AsyncWrite + Send + Unpin) -> io::Result<()> {
        let (from_client, mut to_client) = tokio::io::split(client);
        if let Some(mut past) = self.past {
            while let Some(piece) = past.next().await {
                to_client.write_all(&piece).await?;
            }
        }
        to_client.write_all(&self.last_words).await?;
        if let Some(program) = self.program {
            let (mut from_program, to_program) = program.into_split();
            let output = copy(&mut from_program, &mut to_client);
            let input = self.input.pass_on(from_client, to_program);
            let mut input = pin!(input);
            tokio::select! {
                // What the program said last is not lost when the client's input ends at the same time.
                biased;
                copied = output => {
                    copied?;
                    if let Some(event) = self.before_end {
                        event.await;
                    }
                }
                left = &mut input => if let (Left::ByKeys, Some(tell)) = (left, self.on_detach) {
                    tell();
                },
            }
        }
        to_client.shutdown().await
    }
}

/// Copies to the end; what is there is passed on at once.
async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&piece[..length]).await?;
        to.flush().await?;
    }
}

/// Why a client leaves.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    ByKeys,
    WithItsInput,
}

impl Input {
    /// Passes on what the client sends; comes back only if the session is to end.
    ///
    /// As long as it does not come back the program's input stays open, unless its end was passed on.
    async fn pass_on(self, mut client: impl AsyncRead + Unpin, mut program: OwnedWriteHalf) -> Left {
        let mut piece = vec![0; PIECE_BYTES];
        let Input::Wanted { at_end, mut keys } = self else {
            while read(&mut client, &mut piece).await > 0 {}
            return std::future::pending().await;
        };
        loop {
            let length = read(&mut client, &mut piece).await;
            if length == 0 {
                break;
            }
            // A program that reads no more still talks; what is sent to it is lost, as with a closed pipe.
            match keys.as_mut().map(|keys| keys.scan(&piece[..length])) {
                None => drop(program.write_all(&piece[..length]).await),
                Some(Scanned::Pass(bytes)) => drop(program.write_all(&bytes).await),
                Some(Scanned::Detached(bytes)) => {
                    let _ = program.write_all(&bytes).await;
                    return Left::ByKeys;
                }
            }
        }
        if let Some(keys) = &mut keys {
            let _ = program.write_all(&keys.rest()).await;
        }
        match at_end {
            EndOfInput::EndsSession => return Left::WithItsInput,
            EndOfInput::IsPassedOn => drop(program.shutdown().await),
            EndOfInput::MeansNothing => {}
        }
        std::future::pending().await
    }
}

/// Returns how many bytes came; none when the client has said its last word, also by a broken connection.
async fn read(client: &mut (impl AsyncRead + Unpin), piece: &mut [u8]) -> usize {
    client.read(piece).await.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::detach_keys::DetachKeys;

    struct Talk {
        client: DuplexStream,
        program: UnixStream,
        session: JoinHandle<io::Result<()>>,
        has_detached: Arc<AtomicBool>,
    }

    fn talk(input: Input) -> Talk {
        let (client, served) = duplex(1024);
        let (program, end) = UnixStream::pair().unwrap();
        let has_detached = Arc::new(AtomicBool::new(false));
        let told = has_detached.clone();
        let session = Session::new(end, input, false).on_detach(move || told.store(true, Ordering::Relaxed));
        Talk { client, program, session: tokio::spawn(session.run(served)), has_detached }
    }

    fn wanted(at_end: EndOfInput, keys: Option<&str>) -> Input {
        let keys = keys.map(|keys| Scanner::new(DetachKeys::parse(keys).unwrap()));
        Input::Wanted { at_end, keys }
    }

    async fn all(mut from: impl AsyncRead + Unpin) -> String {
        let mut text = String::new();
        from.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn both_directions_flow_and_the_end_of_input_is_passed_on() {
        let Talk { mut client, mut program, session, .. } = talk(wanted(EndOfInput::IsPassedOn, None));

        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        program.read_to_string(&mut heard).await.unwrap();
        program.write_all(b"answer").await.unwrap();
        drop(program);

        assert_eq!((heard.as_str(), all(client).await.as_str()), ("question", "answer"));
        session.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn keys_end_the_session_and_leave_the_program() {
        let Talk { mut client, mut program, session, has_detached } =
            talk(wanted(EndOfInput::EndsSession, Some("x,y")));

        client.write_all(b"abxy").await.unwrap();
        session.await.unwrap().unwrap();

        assert!(has_detached.load(Ordering::Relaxed));
        assert_eq!(all(&mut program).await, "ab");
        assert_eq!(all(client).await, "");
    }

    #[tokio::test]
    async fn the_end_waits_for_what_belongs_to_it() {
        let (mut client, served) = duplex(1024);
        let (program, end) = UnixStream::pair().unwrap();
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let session = Session::new(end, Input::Unwanted, false).ending_after(async { drop(told.await) });
        let session = tokio::spawn(session.run(served));

        drop(program);
        let early = tokio::time::timeout(Duration::from_millis(20), client.read(&mut [0; 1])).await;
        tell.send(()).unwrap();

        assert!(early.is_err(), "the client saw an end");
        assert_eq!(all(client).await, "");
        session.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn input_may_end_the_session() {
        let Talk { mut client, program, session, has_detached } = talk(wanted(EndOfInput::EndsSession, None));

        client.write_all(b"last").await.unwrap();
        client.shutdown().await.unwrap();
        session.await.unwrap().unwrap();

        assert!(!has_detached.load(Ordering::Relaxed));
        assert_eq!(all(program).await, "last");
    }

    #[tokio::test]
    async fn unwanted_input_is_dropped_and_its_end_means_nothing() {
        let Talk { mut client, mut program, session, .. } = talk(Input::Unwanted);

        client.write_all(b"noise").await.unwrap();
        client.shutdown().await.unwrap();
        program.write_all(b"output").await.unwrap();
        let mut heard = [0; 6];
        client.read_exact(&mut heard).await.unwrap();
        let nothing = program.try_read(&mut [0; 1]).unwrap_err();
        drop(program);

        assert_eq!((&heard, nothing.kind()), (b"output", io::ErrorKind::WouldBlock));
        session.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_failure_is_all_that_is_said() {
        let (client, served) = duplex(1024);

        Session::saying(b"no such program".to_vec(), true).run(served).await.unwrap();

        assert_eq!(all(client).await, "no such program");
    }
}

//! One request and its response: which backend, what if it breaks, and what becomes of both connections.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http1::{Reply, Request};
use tokio::net::TcpStream;

use super::answer::{Problem, Then, tell};
use super::back::{self, Back};
use super::client::Client;
use super::forth::{self, Forth};
use super::pool::{self, Repeat};
use crate::backend::Use;
use crate::choose::Tried;
use crate::clock::Alarm;
use crate::manners::Manners;
use crate::port::Port;
use crate::reach::{Unreached, reach};
use crate::stream::{End, Held, Opening, relay};

/// Says what becomes of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It stays for the next request.
    Stay,
    /// It is closed.
    Close,
    /// It is closed once the client has read what it was told, though it may still be sending.
    Linger,
    /// It is broken off.
    Reset,
}

/// Serves one request.
pub(crate) async fn exchange(
    client: &mut Client,
    request: Request,
    head: Vec<u8>,
    port: &Port,
    manners: &Arc<Manners>,
    alarm: &mut Alarm,
) -> After {
    let _busy = manners.begin();
    let whole_bytes_max = manners.patience.repeat_bytes_max.max(head.len());
    let (forth, begun) = Forth::new(head, request.body, &mut client.inbox.rest, whole_bytes_max);
    let keeps_alive = request.keeps_alive && !manners.is_closing();
    let mut exchange = Exchange { client, request, keeps_alive, forth, back: Back::new() };
    if begun.is_err() {
        return exchange.refuse(Problem::BadBody).await;
    }
    let mut ways = Ways { tried: Tried::default(), has_broken: false, is_pool_stale: false };
    loop {
        let mut way = match ways.next(port, &exchange.request, manners).await {
            Ok(way) => way,
            Err(problem) => {
                port.refuse();
                return exchange.refuse(problem).await;
            }
        };
        alarm.set_work(manners.limits.stall);
        let ended = exchange.run(&mut way, manners, alarm).await;
        if ended == Ended::Broken && exchange.rewind() {
            ways.broke(&way, manners);
            continue;
        }
        if matches!(ended, Ended::Broken | Ended::Late) {
            way.counted.failed(manners.patience.avoid_failed);
        }
        return exchange.finish(ended, way).await;
    }
}

/// Is a connection to a backend that serves a request.
struct Way {
    counted: Use,
    server: TcpStream,
    /// It served others before.
    is_used: bool,
}

/// Finds connections for a request, one after another.
struct Ways {
    tried: Tried,
    /// A backend took the request and broke.
    has_broken: bool,
    /// A connection that had waited was closed by its backend; others may be about to.
    is_pool_stale: bool,
}

impl Ways {
    async fn next(&mut self, port: &Port, request: &Request, manners: &Manners) -> Result<Way, Problem> {
        let is_first = self.tried.is_empty();
        let Some(counted) = port.pick(&mut self.tried) else {
            return Err(match (self.has_broken, is_first) {
                (true, _) => Problem::Broken,
                (false, true) => Problem::NoBackend,
                (false, false) => Problem::Unreachable,
            });
        };
        let repeat = if request.is_idempotent { Repeat::Harmless } else { Repeat::Harmful };
        if !self.is_pool_stale
            && let Some(server) = pool::take(counted.member(), repeat)
        {
            return Ok(Way { counted, server, is_used: true });
        }
        // Boxed, as it needs much and is seldom needed.
        match Box::pin(reach(port, Some(counted), &mut self.tried, &manners.patience)).await {
            Ok((counted, server)) => Ok(Way { counted, server, is_used: false }),
            Err(_) if self.has_broken => Err(Problem::Broken),
            Err(Unreached::Silent) => Err(Problem::SlowBackend),
            Err(Unreached::Refused | Unreached::NoneLeft) => Err(Problem::Unreachable),
        }
    }

    /// Notes that a backend broke before it answered.
    fn broke(&mut self, way: &Way, manners: &Manners) {
        if way.is_used {
            // It may have closed a connection that had waited for long; that says nothing of a fresh one.
            self.is_pool_stale = true;
            self.tried.forget(way.counted.member().id);
        } else {
            self.has_broken = true;
            way.counted.failed(manners.patience.avoid_failed);
        }
    }
}

struct Exchange<'c> {
    client: &'c mut Client,
    request: Request,
    /// More requests may come on the client's connection.
    keeps_alive: bool,
    forth: Forth,
    back: Back,
}

/// Says how an exchange with one backend ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The client has the response.
    Done { is_all_sent: bool },
    /// The client is gone.
    Gone,
    /// The client sent a body that is none.
    BadBody,
    /// The backend broke off.
    Broken,
    /// The backend said what is no response.
    BadResponse(&'static str),
    /// Nothing moved for long.
    Late,
}

impl Exchange<'_> {
    /// Carries the request forth and the response back until one of them ends all.
    async fn run(&mut self, way: &mut Way, manners: &Manners, alarm: &mut Alarm) -> Ended {
        let Exchange { client, request, keeps_alive, forth, back } = self;
        let Way { counted, server, .. } = way;
        let (mut is_sending, mut is_all_sent) = (true, false);
        poll_fn(|context| {
            let (mut sent, mut received) = (0, 0);
            if is_sending {
                match forth.poll(client, server, context, &mut sent) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => (is_sending, is_all_sent) = (false, true),
                    // It may have answered before it closed.
                    Poll::Ready(Err(forth::Fault::Server)) => is_sending = false,
                    Poll::Ready(Err(forth::Fault::Client)) => return Poll::Ready(Ended::Gone),
                    Poll::Ready(Err(forth::Fault::Malformed)) => return Poll::Ready(Ended::BadBody),
                }
            }
            let reply = Reply {
                version: request.version,
                is_head: request.is_head,
                offers_upgrade: request.offers_upgrade,
                keeps_alive: *keeps_alive && forth.is_taken(),
            };
            let passed = back.poll(server, &mut client.stream, context, &reply, &mut received);
            if back.has_begun() {
                forth.let_go();
            }
            if sent + received > 0 {
                counted.count_in(sent);
                counted.count_out(received);
                alarm.set_work(manners.limits.stall);
            }
            match passed {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => return Poll::Ready(Ended::Done { is_all_sent }),
                Poll::Ready(Err(back::Fault::Client)) => return Poll::Ready(Ended::Gone),
                Poll::Ready(Err(back::Fault::Server)) => return Poll::Ready(Ended::Broken),
                Poll::Ready(Err(back::Fault::Bad(why))) => return Poll::Ready(Ended::BadResponse(why)),
            }
            // One that asked for a single response may close its side and still read.
            let waits = !is_sending && request.keeps_alive && !back.has_begun();
            if waits && client.poll_gone(context).is_ready() {
                return Poll::Ready(Ended::Gone);
            }
            alarm.poll(context).map(|()| Ended::Late)
        })
        .await
    }

    /// Begins again for another backend, if that cannot do harm.
    fn rewind(&mut self) -> bool {
        let may_repeat = self.request.is_idempotent || self.forth.is_unsent();
        let can_repeat = self.forth.is_whole() && !self.back.has_begun();
        if may_repeat && can_repeat {
            self.forth.rewind();
        }
        may_repeat && can_repeat
    }

    /// Does with both connections what the end allows.
    async fn finish(self, ended: Ended, way: Way) -> After {
        match ended {
            Ended::Done { is_all_sent } => self.part(is_all_sent, way).await,
            Ended::Gone => After::Close,
            Ended::BadBody => self.refuse(Problem::BadBody).await,
            Ended::Broken => self.refuse(Problem::Broken).await,
            Ended::BadResponse(why) => self.refuse(Problem::BadResponse(why)).await,
            Ended::Late => self.refuse(Problem::SlowBackend).await,
        }
    }

    /// Parts client and backend after a response.
    async fn part(self, is_all_sent: bool, way: Way) -> After {
        let Exchange { client, forth, back, .. } = self;
        let Some(response) = back.response().copied() else { return After::Reset };
        let rest = back.into_rest();
        if response.is_upgrade() {
            let held = Held { forth: std::mem::take(&mut client.inbox.rest), back: rest };
            let mut server = way.server;
            let tunnel = relay(&mut client.stream, &mut server, held, Opening::closed(), &way.counted);
            return match Box::pin(tunnel).await {
                End::Closed => After::Close,
                End::Broken | End::Unanswered(_) => After::Reset,
            };
        }
        if response.keeps_alive && is_all_sent && rest.is_empty() {
            pool::put(way.counted.member(), way.server);
        }
        match (response.keeps_client, forth.is_taken()) {
            (true, _) => After::Stay,
            (false, true) => After::Close,
            (false, false) => After::Linger,
        }
    }

    /// Tells the client what is wrong, or breaks off if it was told something else already.
    async fn refuse(self, problem: Problem) -> After {
        if self.back.has_spoken() {
            return After::Reset;
        }
        let stays = self.keeps_alive && self.forth.is_taken() && problem != Problem::NoBackend;
        let then = if stays { Then::Stay } else { Then::Close };
        match Box::pin(tell(&mut self.client.stream, problem, self.request.is_head, then)).await {
            Then::Stay => After::Stay,
            Then::Close => After::Linger,
        }
    }
}

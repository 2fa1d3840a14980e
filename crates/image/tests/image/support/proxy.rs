//! A way to a registry that breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// When connections are cut: after so many bytes one way, so many times in all.
#[derive(Clone, Copy)]
pub struct Cut {
    pub requests: usize,
    pub answers: usize,
    pub times: usize,
}

impl Cut {
    pub const NEVER: Cut = Cut { requests: usize::MAX, answers: usize::MAX, times: 0 };
}

/// Passes connections on to the registry, and cuts some of them.
pub struct Proxy {
    pub address: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<u8>>,
    answered: AtomicUsize,
    cuts: AtomicUsize,
}

impl Proxy {
    pub fn start(target: &str, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Seen::default());
        let (target, shared) = (target.to_owned(), seen.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&target)) else { return };
                let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let seen = shared.clone();
                std::thread::spawn(move || relay(client, server, cut.requests, cut.times, &seen, true));
                let seen = shared.clone();
                std::thread::spawn(move || relay(forth, back, cut.answers, cut.times, &seen, false));
            }
        });
        Self { address, seen }
    }

    /// What was asked, bodies and all.
    pub fn requests(&self) -> String {
        String::from_utf8_lossy(&self.seen.requests.lock().unwrap()).into_owned()
    }

    pub fn answered(&self) -> usize {
        self.seen.answered.load(Ordering::SeqCst)
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, cut: usize, times: usize, seen: &Seen, is_request: bool) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passed += count;
        if passed > cut && seen.cuts.fetch_add(1, Ordering::SeqCst) < times {
            break;
        }
        if is_request {
            seen.requests.lock().unwrap().extend_from_slice(&buffer[..count]);
        } else {
            seen.answered.fetch_add(count, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

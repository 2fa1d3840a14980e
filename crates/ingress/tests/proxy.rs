//! The proxy with real sockets on the loopback.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod peers;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ingress::{AppProtocol, Config, Ingress, ProxyVersion, Table};
use peers::{
    DEADLINE, backend, connect, counters, echo, echoes, eventually, line, publish, refusing, start, table,
    wait,
};
use socket2::SockRef;

fn publish_bytes(ingress: &Ingress, backends: &[SocketAddr]) -> u16 {
    publish(ingress, |port| table(port, AppProtocol::Bytes, backends))
}

/// Reads a request head and answers with its name.
fn web(name: &'static str) -> SocketAddr {
    backend(move |mut stream| {
        let mut head = Vec::new();
        let mut chunk = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut chunk) {
                Ok(length) if length > 0 => head.extend(&chunk[..length]),
                _ => return,
            }
        }
        let _ = write!(stream, "{name}\n{}", String::from_utf8_lossy(&head));
    })
}

/// Takes connections and aborts each once it sent something.
fn aborting() -> SocketAddr {
    backend(|mut stream| {
        let _ = stream.read(&mut [0; 1]);
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
}

#[test]
fn open_connections_are_spread_evenly() {
    let ingress = start();
    let port = publish_bytes(&ingress, &[echo("a"), echo("b"), echo("c")]);

    let mut counts = BTreeMap::new();
    let mut held = Vec::new();
    for _ in 0..90 {
        let mut stream = connect(port);
        *counts.entry(line(&mut stream)).or_insert(0) += 1;
        held.push(stream);
    }

    assert_eq!(counts.len(), 3, "{counts:?}");
    assert!(counts.values().all(|count| (25..=35).contains(count)), "{counts:?}");
    let seen = counters(&ingress, port);
    assert_eq!((seen.active, seen.total, seen.refused), (90, 90, 0));
    drop(held);
    eventually("no open connection", || counters(&ingress, port).active == 0);
}

#[test]
fn port_is_reached_over_both_address_families() {
    let ingress = start();
    let port = publish_bytes(&ingress, &[echo("a")]);

    assert_eq!(line(&mut connect(port)), "a");
    assert_eq!(line(&mut TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap()), "a");
}

#[test]
fn refusing_backend_is_replaced_and_avoided() {
    let ingress = start();
    let port = publish_bytes(&ingress, &[refusing(), echo("a"), refusing()]);

    for _ in 0..100 {
        assert_eq!(line(&mut connect(port)), "a");
    }

    let backends = counters(&ingress, port).backends;
    assert_eq!(backends[1].total, 100);
    // Within the two seconds of its memory, each was tried once; a slow machine may see it twice.
    assert!(backends[0].failed + backends[2].failed <= 10, "{backends:?}");
    assert_eq!(counters(&ingress, port).refused, 0);
}

#[test]
fn backend_that_never_answers_is_replaced_after_the_timeout() {
    // A full backlog drops further connection attempts in silence.
    let deaf = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    deaf.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    deaf.listen(0).unwrap();
    let address = deaf.local_addr().unwrap().as_socket().unwrap();
    let _fill = TcpStream::connect(address).unwrap();
    let config = Config { threads: 1, connect_timeout: Duration::from_millis(100), ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let port = publish_bytes(&ingress, &[address, echo("a")]);

    for _ in 0..20 {
        assert_eq!(line(&mut connect(port)), "a");
    }
}

#[test]
fn reset_before_the_first_byte_is_answered_by_another() {
    let ingress = start();
    let port = publish_bytes(&ingress, &[aborting(), web("good")]);

    for _ in 0..50 {
        let mut stream = connect(port);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(line(&mut stream), "good");
        assert_eq!(line(&mut stream), "GET / HTTP/1.1\r");
    }

    assert!(counters(&ingress, port).backends[0].failed >= 1);
}

#[test]
fn request_that_may_have_been_carried_out_is_not_sent_twice() {
    let config = Config { avoid_failed: Duration::ZERO, threads: 1, ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let port = publish_bytes(&ingress, &[aborting(), web("good")]);

    let mut answers = BTreeMap::new();
    for _ in 0..60 {
        let mut stream = connect(port);
        stream.write_all(b"POST / HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        let kind = match stream.read_to_string(&mut answer) {
            Ok(_) => answer.lines().next().unwrap().to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        *answers.entry(kind).or_insert(0) += 1;
    }

    assert_eq!(answers.keys().collect::<Vec<_>>(), ["ConnectionReset", "good"], "{answers:?}");
}

#[test]
fn client_without_a_backend_is_refused_at_once() {
    let ingress = start();
    for backends in [vec![], vec![refusing()], vec![refusing(); 5]] {
        let port = publish_bytes(&ingress, &backends);
        let begin = Instant::now();

        let mut stream = connect(port);
        let ended = stream.read(&mut [0; 1]);

        assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(begin.elapsed() < Duration::from_secs(5));
        eventually("the count", || counters(&ingress, port).refused == 1);
    }
}

#[test]
fn established_connections_survive_changes_of_the_table() {
    let ingress = start();
    let (a, b) = (echo("a"), echo("b"));
    let port = publish_bytes(&ingress, &[a]);
    let mut stream = connect(port);
    assert_eq!(line(&mut stream), "a");

    assert!(ingress.apply(table(port, AppProtocol::Bytes, &[b])).is_empty());
    assert!(echoes(&mut stream, "other backends"));
    assert_eq!(line(&mut connect(port)), "b");
    assert!(ingress.apply(Table::default()).is_empty());

    assert!(echoes(&mut stream, "no port"));
    assert_eq!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    // The port is free for others.
    TcpListener::bind(("0.0.0.0", port)).unwrap();
}

#[test]
fn each_side_may_close_its_half_first() {
    let ingress = start();
    // Answers only after the client closed its half.
    let counting = backend(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        writeln!(stream, "{}", all.len()).unwrap();
    });
    // Closes its half first and then counts what still comes.
    let (sender, received) = std::sync::mpsc::channel();
    let closing = backend(move |mut stream| {
        stream.write_all(b"bye\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        sender.send(all.len()).unwrap();
    });

    let mut stream = connect(publish_bytes(&ingress, &[counting]));
    stream.write_all(&vec![7; 3_000_000]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(line(&mut stream), "3000000");

    let mut stream = connect(publish_bytes(&ingress, &[closing]));
    assert_eq!(line(&mut stream), "bye");
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    stream.write_all(&vec![7; 2_000_000]).unwrap();
    drop(stream);
    assert_eq!(received.recv_timeout(DEADLINE).unwrap(), 2_000_000);
}

#[test]
fn slow_reader_gets_everything_in_order() {
    const BYTES: usize = 20_000_000;
    let ingress = start();
    let pouring = backend(|mut stream| {
        let data: Vec<u8> = (0..BYTES).map(|index| (index % 251) as u8).collect();
        let _ = stream.write_all(&data);
    });
    let port = publish_bytes(&ingress, &[pouring]);
    let mut stream = connect(port);

    let (mut read, mut chunk) = (0, vec![0; 10_000]);
    loop {
        let length = stream.read(&mut chunk).unwrap();
        if length == 0 {
            break;
        }
        let good = chunk[..length].iter().enumerate().all(|(at, byte)| *byte == ((read + at) % 251) as u8);
        assert!(good, "bytes after {read} are wrong");
        read += length;
    }

    assert_eq!(read, BYTES);
    eventually("the count", || counters(&ingress, port).backends[0].bytes_out == BYTES as u64);
}

#[test]
fn abort_in_mid_stream_is_no_regular_end() {
    let ingress = start();
    let breaking = backend(|mut stream| {
        stream.write_all(b"half\n").unwrap();
        let _ = stream.read(&mut [0; 1]);
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let mut stream = connect(publish_bytes(&ingress, &[breaking]));

    assert_eq!(line(&mut stream), "half");
    stream.write_all(b"x").unwrap();

    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn long_stream_arrives_whole_or_broken() {
    const BYTES: usize = 8_000_000;
    let ingress = start();
    for breaks in [false, true] {
        let (sent, done) = std::sync::mpsc::channel();
        let done = std::sync::Mutex::new(done);
        let pouring = backend(move |mut stream| {
            stream.write_all(&vec![7; BYTES]).unwrap();
            if breaks {
                done.lock().unwrap().recv().unwrap();
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        let mut stream = connect(publish_bytes(&ingress, &[pouring]));
        let mut all = vec![0; BYTES];

        stream.read_exact(&mut all).unwrap();
        assert!(all.iter().all(|byte| *byte == 7));
        let _ = sent.send(());

        let end = stream.read(&mut [0; 1]);
        match breaks {
            false => assert_eq!(end.unwrap(), 0),
            true => assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn port_in_use_is_reported_and_opened_when_it_is_free() {
    let ingress = start();
    // A stranger that shares its port with others on purpose counts too.
    let stranger = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    stranger.set_reuse_port(true).unwrap();
    stranger.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).unwrap();
    stranger.listen(1).unwrap();
    let port = stranger.local_addr().unwrap().as_socket().unwrap().port();

    let problems = ingress.apply(table(port, AppProtocol::Bytes, &[echo("a")]));
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].port, problems[0].error.kind()), (port, ErrorKind::AddrInUse));
    assert_eq!(ingress.problems().len(), 1);
    drop(stranger);

    eventually("an open port", || ingress.problems().is_empty());
    assert_eq!(line(&mut connect(port)), "a");
}

#[test]
fn thousands_of_connections_are_open_at_once() {
    const CONNECTIONS: usize = 2_000;
    let (soft, hard) = open_files_limit();
    assert!(
        soft >= 4 * CONNECTIONS as u64 + 100,
        "raise the limit of open files ({soft} of {hard}) for this test"
    );
    let ingress = start();
    let open = Arc::new(AtomicUsize::new(0));
    // The standard library's backlog of 128 would overflow, and the kernel forget connections it had confirmed.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(4096).unwrap();
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let seen = open.clone();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            stream.write_all(b"a\n").unwrap();
            seen.fetch_add(1, Ordering::Relaxed);
            held.push(stream);
        }
    });
    let port = publish_bytes(&ingress, &[address]);

    let mut held: Vec<_> = (0..CONNECTIONS).map(|_| connect(port)).collect();

    assert!(held.iter_mut().all(|stream| line(stream) == "a"));
    assert_eq!(open.load(Ordering::Relaxed), CONNECTIONS);
    assert_eq!(counters(&ingress, port).active, CONNECTIONS);
}

/// Reads the limit of open files (soft, hard).
fn open_files_limit() -> (u64, u64) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().skip(3).map(|number| number.parse().unwrap_or(u64::MAX));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn shutdown_lets_open_connections_end_within_the_grace() {
    let ingress = start();
    let port = publish_bytes(&ingress, &[echo("a")]);
    let mut stream = connect(port);
    assert_eq!(line(&mut stream), "a");

    let shutdown = std::thread::spawn(move || wait(ingress.shutdown(DEADLINE)));
    eventually("a closed port", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    assert!(echoes(&mut stream, "going on"));
    assert!(!shutdown.is_finished());
    drop(stream);

    let begin = Instant::now();
    shutdown.join().unwrap();
    assert!(begin.elapsed() < DEADLINE / 2);
}

#[test]
fn shutdown_ends_connections_after_the_grace() {
    let ingress = start();
    let port = publish_bytes(&ingress, &[echo("a")]);
    let mut stream = connect(port);
    assert_eq!(line(&mut stream), "a");

    wait(ingress.shutdown(Duration::from_millis(50)));

    assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)));
    TcpListener::bind(("0.0.0.0", port)).unwrap();
}

#[test]
fn worker_that_cannot_be_prepared_stops_the_start() {
    let refuse = Arc::new(|| Err(std::io::Error::other("no such namespace")));

    let error = Ingress::start(Config { on_thread_start: refuse, ..Config::default() }).unwrap_err();

    assert_eq!(error.to_string(), "start ingress worker 0");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no such namespace");
}

#[test]
fn announced_client_comes_before_its_bytes() {
    let ingress = start();
    let echo = backend(|mut stream| {
        let mut reader = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut reader, &mut stream);
    });
    let publish = |version| {
        // The first refuses, so that the second is told as well.
        publish(&ingress, |port| table(port, AppProtocol::Announced(version), &[refusing(), echo]))
    };

    let port = publish(ProxyVersion::V1);
    let mut four = connect(port);
    let from = four.local_addr().unwrap().port();
    assert_eq!(line(&mut four), format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {port}\r"));
    assert!(echoes(&mut four, "bytes"));
    let mut six = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    let from = six.local_addr().unwrap().port();
    assert_eq!(line(&mut six), format!("PROXY TCP6 ::1 ::1 {from} {port}\r"));

    let port = publish(ProxyVersion::V2);
    let mut four = connect(port);
    let mut header = [0; 28];
    four.read_exact(&mut header).unwrap();
    assert_eq!(&header[..24], b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01");
    let from = four.local_addr().unwrap().port();
    assert_eq!(header[24..], [from.to_be_bytes(), port.to_be_bytes()].concat());
    assert!(echoes(&mut four, "bytes"));
}

#[test]
fn withdrawn_backend_is_drained_when_its_last_connection_ends() {
    let ingress = start();
    let (a, b) = (echo("a"), echo("b"));
    let port = publish_bytes(&ingress, &[a]);
    let mut stream = connect(port);
    assert_eq!(line(&mut stream), "a");
    ingress.apply(table(port, AppProtocol::Bytes, &[b]));

    assert_eq!(ingress.in_flight(&peers::task(a)), 1);
    assert_eq!(wait(ingress.drained(&peers::task(a), Duration::from_millis(20))), 1);
    let waiting = ingress.drained(&peers::task(a), DEADLINE);
    let waiting = std::thread::spawn(move || (wait(waiting), Instant::now()));
    assert!(echoes(&mut stream, "still served"));
    drop(stream);

    let begin = Instant::now();
    let (left, end) = waiting.join().unwrap();
    assert_eq!(left, 0);
    assert!(end - begin < DEADLINE / 2);
    assert_eq!(ingress.in_flight("no such task"), 0);
}

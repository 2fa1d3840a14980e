//! The proxy with Debian's nginx behind it, which has its own view of what it is told.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod peers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use ingress::{AppProtocol, ProxyVersion};
use peers::{DEADLINE, connect, publish, start, table};

/// Is an nginx of its own, ended when dropped.
struct Nginx {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    /// Starts it with a server; `None`, aloud, where it is not installed.
    fn start(name: &str, listen: &str, server: &str) -> Option<Nginx> {
        let folder = std::env::temp_dir().join(format!("ingress-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind}; ", folder.display()))
            .concat();
        let rules = format!(
            "daemon off; master_process off; pid {0}/pid; error_log {0}/error; events {{}}\n\
             http {{ access_log off; {temporary} server {{ listen {address} {listen}; {server} }} }}",
            folder.display()
        );
        std::fs::write(folder.join("nginx.conf"), rules).unwrap();
        let child = Command::new("nginx")
            .args(["-c".into(), folder.join("nginx.conf"), "-p".into(), folder.clone()])
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("skipped: there is no nginx");
            return None;
        };
        let nginx = Nginx { child, folder, address };
        let end = Instant::now() + DEADLINE;
        while std::net::TcpStream::connect(nginx.address).is_err() {
            assert!(Instant::now() < end, "nginx does not listen");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn ask(port: u16, request: &str) -> (SocketAddr, String) {
    let mut stream = connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (stream.local_addr().unwrap(), answer)
}

#[test]
fn nginx_hears_who_the_client_is() {
    let server = "location / { return 200 \"$proxy_protocol_addr:$proxy_protocol_port\"; }";
    let Some(nginx) = Nginx::start("announced", "proxy_protocol", server) else { return };
    let ingress = start();
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let backends = [nginx.address];
        let port = publish(&ingress, |port| table(port, AppProtocol::Announced(version), &backends));

        let (client, answer) = ask(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

        assert!(answer.ends_with(&format!("\r\n\r\n{client}")), "{answer}");
    }
}

#[test]
fn nginx_sees_requests_as_a_proxy_should_make_them() {
    let server = "keepalive_requests 3; location / { return 200 \
        \"$request|$host|$http_x_forwarded_for|$http_forwarded|$http_connection|$request_length\"; }";
    let Some(nginx) = Nginx::start("seen", "", server) else { return };
    let ingress = start();
    let backends = [nginx.address];
    let port = publish(&ingress, |port| table(port, AppProtocol::Http, &backends));

    // More than it takes on one connection, so that it closes some of them.
    for _ in 0..20 {
        let (_, answer) = ask(port, "GET /a?b HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        let expected = "GET /a?b HTTP/1.1|shop|127.0.0.1|for=127.0.0.1;host=\"shop\";proto=http||";
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.split("\r\n\r\n").nth(1).unwrap().starts_with(expected), "{answer}");
    }
}

#[test]
fn nginx_that_speaks_http2_is_spoken_to_so() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let server = "location / { return 200 \"$server_protocol $host $http_x_forwarded_for\"; }";
    let Some(nginx) = Nginx::start("multiplexed", "http2", server) else { return };
    let ingress = start();
    let backends = [nginx.address];
    let port = publish(&ingress, |port| table(port, AppProtocol::Http, &backends));

    let body = peers::wait(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("http://shop/").body(Empty::<bytes::Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    });

    assert_eq!(body, "HTTP/2.0 shop 127.0.0.1");
}

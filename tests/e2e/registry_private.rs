//! A registry of one's own: its certificate is signed by a private authority, and it asks for a password.

use std::fs;
use std::path::Path;

use crate::support::{Client, Lab, Running, eventually, turn};

const REGISTRY: &str = "m1:5000";
const PASSWORD: &str = "correct horse";

#[test]
fn images_go_to_a_private_registry_and_come_back() {
    let _turn = turn();
    let lab = Lab::up("private", 1, 0);
    let folder = tempfile::tempdir().unwrap();
    make_certificate(&lab, folder.path());
    let _registry = serve(&lab, folder.path());
    let [drover, docker] = Client::both(&lab, "m1");
    drover.load("busybox");

    drover.run(&format!("pull {REGISTRY}/box:1")).refused(&[
        "certificate",
        "not trusted",
        "certs.d/m1:5000/ca.crt",
    ]);
    trust(&lab, folder.path());
    for client in [drover, docker] {
        goes_and_comes(client, folder.path());
    }
    lab.sh("m1", "umount /etc/drover && rmdir /etc/drover").ok();
    lab.until_nothing_is_left();
}

fn goes_and_comes(client: Client<'_>, folder: &Path) {
    let (lab, program) = (client.lab, client.program);
    let config = folder.join(program);
    let run =
        |words: &str| lab.sh(client.host, &format!("DOCKER_CONFIG={} {program} {words}", config.display()));
    let image = format!("{REGISTRY}/{program}/box:1");
    run(&format!("tag busybox {image}")).ok();

    run(&format!("push {image}")).refused(&["denied", "login"]);
    run(&format!("login -u user -p wrong {REGISTRY}")).refused(&["unauthorized"]);
    run(&format!("login -u user -p '{PASSWORD}' {REGISTRY}")).says(&["Login Succeeded"]);
    let said = run(&format!("push {image}")).ok();
    let digest = said.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap().to_owned();
    run(&format!("rmi {image}")).ok();
    run(&format!("pull {REGISTRY}/{program}/box@{digest}")).says(&[&digest]);
    assert_eq!(run(&format!("run --rm {REGISTRY}/{program}/box@{digest} echo it runs")).ok(), "it runs");
    run(&format!("rmi {REGISTRY}/{program}/box@{digest}")).ok();
    run(&format!("logout {REGISTRY}")).says(&["Removing login credentials for m1:5000"]);
    run(&format!("pull {image}")).refused(&["denied", "login"]);
    assert!(!fs::read_to_string(config.join("config.json")).unwrap().contains("m1:5000"));
}

/// Makes an authority and a certificate of it for the registry.
fn make_certificate(lab: &Lab, folder: &Path) {
    let line = format!(
        "cd {} && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt && \
         openssl req -newkey rsa:2048 -nodes -subj /CN=m1 -keyout own.key -out own.csr && \
         echo subjectAltName=DNS:m1 > own.ext && \
         openssl x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile own.ext -out own.crt",
        folder.display()
    );
    lab.sh("m1", &line).ok();
}

fn serve(lab: &Lab, folder: &Path) -> Running {
    let at = |name: &str| folder.join(name).display().to_string();
    lab.sh("m1", &format!("htpasswd -Bbc {} user '{PASSWORD}'", at("users"))).ok();
    let text = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
         auth:\n  htpasswd:\n    realm: own\n    path: {}\n\
         http:\n  addr: 0.0.0.0:5000\n  tls:\n    certificate: {}\n    key: {}\n",
        at("registry"),
        at("users"),
        at("own.crt"),
        at("own.key")
    );
    fs::write(at("registry.yml"), text).unwrap();
    let registry = Running::start(lab.on("m1", &["docker-registry", "serve", &at("registry.yml")]));
    let look = format!("curl -sS --cacert {} -o /dev/null https://{REGISTRY}/v2/", at("ca.crt"));
    eventually(10, "the registry answers", || lab.sh("m1", &look).tried());
    registry
}

/// Lets the host's daemon trust the authority; the machine's own files stay as they are.
fn trust(lab: &Lab, folder: &Path) {
    let line = format!(
        "mkdir -p /etc/drover && mount -t tmpfs none /etc/drover && mkdir -p /etc/drover/certs.d/{REGISTRY} && \
         cp {} /etc/drover/certs.d/{REGISTRY}/ca.crt",
        folder.join("ca.crt").display()
    );
    lab.sh("m1", &line).ok();
}

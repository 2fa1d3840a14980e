//! The requests of the benchmark, the same to both sides.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::ground::IMAGE;
use super::side::ADDRESS;
use crate::http::{Body, Connection};

/// The newest version that Swarm 20.10 speaks.
const VERSION: &str = "/v1.41";

/// The Engine API of one side, over one kept connection.
pub struct Api {
    socket: PathBuf,
    connection: Option<Connection<UnixStream>>,
}

/// A service as it is to be changed.
pub struct Service {
    pub id: String,
    version: u64,
    spec: Value,
}

impl Api {
    /// Names the socket; connects when first asked.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, connection: None }
    }

    /// Asks whether the daemon answers.
    pub fn ping(&mut self) -> Result<()> {
        self.ask("GET", "/_ping", &Body::Nothing).map(drop)
    }

    /// Founds a cluster of one node.
    pub fn init(&mut self) -> Result<()> {
        let address = format!("{ADDRESS}:2377");
        let body = json!({ "ListenAddr": address, "AdvertiseAddr": ADDRESS, "Spec": {} });
        self.ask("POST", "/swarm/init", &Body::Json(&body.to_string())).map(drop)
    }

    /// Loads what `docker save` wrote.
    pub fn load(&mut self, archive: &[u8]) -> Result<()> {
        self.ask("POST", "/images/load?quiet=1", &Body::Tar(archive)).map(drop)
    }

    /// Returns the id of the image. Services name the image by it, so that neither side looks for a registry.
    pub fn image_id(&mut self) -> Result<String> {
        let image = self.json("GET", &format!("/images/{IMAGE}/json"), &Body::Nothing)?;
        text(&image, "Id")
    }

    /// Creates a service and returns its id.
    pub fn create(&mut self, name: &str, image: &str, replicas: usize) -> Result<String> {
        let body = json!({
            "Name": name,
            "TaskTemplate": { "ContainerSpec": { "Image": image, "Init": false } },
            "Mode": { "Replicated": { "Replicas": replicas } },
        });
        let created = self.json("POST", "/services/create", &Body::Json(&body.to_string()))?;
        text(&created, "ID")
    }

    /// Removes a service.
    pub fn remove(&mut self, id: &str) -> Result<()> {
        self.ask("DELETE", &format!("/services/{id}"), &Body::Nothing).map(drop)
    }

    /// Reads a service.
    pub fn service(&mut self, id: &str) -> Result<Service> {
        let service = self.json("GET", &format!("/services/{id}"), &Body::Nothing)?;
        let version = service["Version"]["Index"].as_u64().context("the service has no version")?;
        Ok(Service { id: text(&service, "ID")?, version, spec: service["Spec"].clone() })
    }

    /// Gives a service another number of replicas.
    pub fn scale(&mut self, mut service: Service, replicas: usize) -> Result<()> {
        service.spec["Mode"] = json!({ "Replicated": { "Replicas": replicas } });
        let path = format!("/services/{}/update?version={}", service.id, service.version);
        self.ask("POST", &path, &Body::Json(&service.spec.to_string())).map(drop)
    }

    /// Counts the tasks of a service that run.
    pub fn running(&mut self, id: &str) -> Result<usize> {
        // {"service":["ID"]}
        let path = format!("/tasks?filters=%7B%22service%22%3A%5B%22{id}%22%5D%7D");
        let tasks = self.json("GET", &path, &Body::Nothing)?;
        let tasks = tasks.as_array().context("the tasks are no list")?;
        if let Some(reason) = tasks.iter().find_map(|task| task["Status"]["Err"].as_str()) {
            bail!("a task failed: {reason}");
        }
        Ok(tasks.iter().filter(|task| task["Status"]["State"] == "running").count())
    }

    fn json(&mut self, method: &str, path: &str, body: &Body<'_>) -> Result<Value> {
        let body = self.ask(method, path, body)?;
        serde_json::from_slice(&body).with_context(|| format!("read the answer to {method} {path}"))
    }

    fn ask(&mut self, method: &str, path: &str, body: &Body<'_>) -> Result<Vec<u8>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::to_socket(&self.socket)
                .with_context(|| format!("connect to {}", self.socket.display()))?,
        };
        let answer = connection
            .ask(method, &format!("{VERSION}{path}"), body)
            .with_context(|| format!("{method} {path}"))?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path} answered {}: {}", answer.status, answer.text());
        }
        self.connection = Some(connection);
        Ok(answer.body)
    }
}

fn text(value: &Value, key: &str) -> Result<String> {
    value[key].as_str().map(str::to_owned).with_context(|| format!("the answer has no {key}: {value}"))
}

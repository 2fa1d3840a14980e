//! What runs in a container, whatever host it is on.

use std::collections::BTreeMap;

use engine_json::{Healthcheck, Labels, Nothing};
use serde::{Deserialize, Serialize};

use crate::omit::{empty, null_if_empty, words};

/// What runs in a container, whatever host it is on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// The hostname.
    pub hostname: String,
    /// The domain of the hostname.
    pub domainname: String,
    /// The user, or `user:group`.
    pub user: String,
    /// Whether the client that makes it attaches to standard input.
    pub attach_stdin: bool,
    /// Whether it attaches to standard output.
    pub attach_stdout: bool,
    /// Whether it attaches to standard error.
    pub attach_stderr: bool,
    /// Ports it listens on, such as `80/tcp`.
    #[serde(skip_serializing_if = "empty")]
    pub exposed_ports: BTreeMap<String, Nothing>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open while nobody is attached.
    pub open_stdin: bool,
    /// Whether its standard input ends with the first client that was attached to it.
    pub stdin_once: bool,
    /// `KEY=value` pairs; `KEY` alone takes a variable of the image away.
    #[serde(serialize_with = "null_if_empty")]
    pub env: Vec<String>,
    /// The command; none means the image's.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
    /// Its health check; none means the image's.
    #[serde(skip_serializing_if = "empty")]
    pub healthcheck: Option<Healthcheck>,
    /// Whether the command was escaped for Windows.
    #[serde(skip_serializing_if = "empty")]
    pub args_escaped: bool,
    /// The image as it was asked for.
    pub image: String,
    /// Paths that get a volume without a name.
    pub volumes: BTreeMap<String, Nothing>,
    /// The working directory.
    pub working_dir: String,
    /// What runs before the command; none means the image's.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    /// Whether it has no network.
    #[serde(skip_serializing_if = "empty")]
    pub network_disabled: bool,
    /// The old place of the hardware address.
    #[serde(skip_serializing_if = "empty")]
    pub mac_address: String,
    /// Steps for builds upon the image.
    #[serde(serialize_with = "null_if_empty")]
    pub on_build: Vec<String>,
    /// Labels.
    pub labels: Labels,
    /// The signal that asks it to stop.
    #[serde(skip_serializing_if = "empty")]
    pub stop_signal: String,
    /// How many seconds it has to stop; below zero means without end.
    #[serde(skip_serializing_if = "empty")]
    pub stop_timeout: Option<i64>,
    /// The shell of command lines.
    #[serde(skip_serializing_if = "empty")]
    pub shell: Vec<String>,
}

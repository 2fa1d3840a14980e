//! What the daemon is told: flags over a configuration file over defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use image::Watermark;
use serde::Deserialize;

/// The file that is read unless another is named; it need not exist.
const FILE_DEFAULT: &str = "/etc/drover/daemon.json";
const SOCKET_DEFAULT: &str = "unix:///run/drover.sock";

/// Runs the daemon of this host.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Reads the configuration from this file.
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Where containers, images and the cluster's state are kept [default: /var/lib/drover].
    #[arg(long, value_name = "DIR")]
    data_root: Option<PathBuf>,
    /// Where sockets and namespaces are kept while the daemon runs [default: /run/drover].
    #[arg(long, value_name = "DIR")]
    exec_root: Option<PathBuf>,
    /// Serves the Engine API there: unix://PATH or tcp://HOST:PORT; repeatable [default: unix:///run/drover.sock].
    #[arg(long = "listen", value_name = "ADDRESS")]
    listen: Vec<String>,
    /// The name of this host in the cluster [default: the hostname].
    #[arg(long)]
    hostname: Option<String>,
    /// A label of this engine, for constraints; repeatable.
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    /// A registry (HOST or HOST:PORT) that may be reached without TLS; repeatable.
    #[arg(long = "insecure-registry", value_name = "REGISTRY")]
    insecure_registries: Vec<String>,
    /// The cgroup under which containers are placed [default: drover].
    #[arg(long, value_name = "NAME")]
    cgroup_parent: Option<String>,
    /// Clears away unused images, oldest use first, once the disk is fuller than this; 100 never does [default: 85].
    #[arg(long, value_name = "PERCENT")]
    image_gc_high_threshold: Option<u8>,
    /// How full the disk may be when enough images are cleared away [default: 80].
    #[arg(long, value_name = "PERCENT")]
    image_gc_low_threshold: Option<u8>,
    /// How much is logged, such as info, debug or consensus=debug.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// The keys of the configuration file, named as in Docker's where Docker has them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    data_root: Option<PathBuf>,
    exec_root: Option<PathBuf>,
    hosts: Vec<String>,
    hostname: Option<String>,
    labels: Vec<String>,
    insecure_registries: Vec<String>,
    cgroup_parent: Option<String>,
    image_gc_high_threshold: Option<u8>,
    image_gc_low_threshold: Option<u8>,
    log_level: Option<String>,
}

/// What the daemon works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where containers, images and the cluster's state are kept.
    pub data_root: PathBuf,
    /// Where sockets and namespaces are kept while the daemon runs.
    pub exec_root: PathBuf,
    /// Where the Engine API is served.
    pub listen: Vec<Listen>,
    /// The name of this host, if it is not the hostname.
    pub hostname: Option<String>,
    /// Labels of this engine.
    pub labels: BTreeMap<String, String>,
    /// Registries that may be reached without TLS.
    pub insecure_registries: Vec<String>,
    /// The cgroup under which containers are placed.
    pub cgroup_parent: String,
    /// How full the disk may get before unused images are cleared away.
    pub watermark: Watermark,
    /// How much is logged.
    pub log_level: String,
}

/// Where the Engine API is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP address, `HOST:PORT`, without TLS.
    Tcp(String),
}

impl Config {
    /// Puts flags over the file over defaults.
    pub fn read(args: Args) -> anyhow::Result<Self> {
        let file = match &args.config_file {
            Some(path) => read_file(path)?,
            None if Path::new(FILE_DEFAULT).exists() => read_file(Path::new(FILE_DEFAULT))?,
            None => File::default(),
        };
        let or = |flags: Vec<String>, file: Vec<String>| if flags.is_empty() { file } else { flags };
        let mut listen = or(args.listen, file.hosts);
        if listen.is_empty() {
            listen.push(SOCKET_DEFAULT.into());
        }
        let watermark = watermark(
            args.image_gc_high_threshold.or(file.image_gc_high_threshold),
            args.image_gc_low_threshold.or(file.image_gc_low_threshold),
        )?;
        Ok(Self {
            data_root: args.data_root.or(file.data_root).unwrap_or_else(|| "/var/lib/drover".into()),
            exec_root: args.exec_root.or(file.exec_root).unwrap_or_else(|| "/run/drover".into()),
            listen: listen.iter().map(|address| parse_listen(address)).collect::<anyhow::Result<_>>()?,
            hostname: args.hostname.or(file.hostname),
            labels: or(args.labels, file.labels)
                .iter()
                .map(|label| parse_label(label))
                .collect::<anyhow::Result<_>>()?,
            insecure_registries: or(args.insecure_registries, file.insecure_registries),
            cgroup_parent: args.cgroup_parent.or(file.cgroup_parent).unwrap_or_else(|| "drover".into()),
            watermark,
            log_level: args.log_level.or(file.log_level).unwrap_or_else(|| "info".into()),
        })
    }
}

fn watermark(high: Option<u8>, low: Option<u8>) -> anyhow::Result<Watermark> {
    let usual = Watermark::default();
    let high_percent = high.unwrap_or(usual.high_percent);
    // Whoever lowers the upper mark alone means to keep the distance.
    let distance = usual.high_percent - usual.low_percent;
    let low_percent = low.unwrap_or_else(|| usual.low_percent.min(high_percent.saturating_sub(distance)));
    if high_percent > 100 || low_percent > high_percent {
        bail!(
            "image-gc-high-threshold {high_percent} and image-gc-low-threshold {low_percent} cannot be used: \
             both are percents, and the low one is not above the high one"
        );
    }
    Ok(Watermark { high_percent, low_percent, ..usual })
}

fn read_file(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read the configuration {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("the configuration {} cannot be used", path.display()))
}

fn parse_listen(address: &str) -> anyhow::Result<Listen> {
    if let Some(path) = address.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
        return Ok(Listen::Unix(path.into()));
    }
    if let Some(address) = address.strip_prefix("tcp://").filter(|address| address.contains(':')) {
        return Ok(Listen::Tcp(address.to_owned()));
    }
    bail!("cannot listen on {address:?}: expected unix:///PATH or tcp://HOST:PORT")
}

fn parse_label(label: &str) -> anyhow::Result<(String, String)> {
    let (key, value) = label.split_once('=').with_context(|| format!("label {label:?} is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, args: Args) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.json");
        std::fs::write(&path, json).unwrap();
        Config::read(Args { config_file: Some(path), ..args })
    }

    #[test]
    fn flags_stand_over_the_file_over_defaults() {
        let args = Args { hostname: Some("flag".into()), ..Args::default() };

        let config = read(r#"{"hostname": "file", "labels": ["rack=a"]}"#, args).unwrap();

        assert_eq!(config.hostname.as_deref(), Some("flag"));
        assert_eq!(config.labels.get("rack").map(String::as_str), Some("a"));
        assert_eq!(config.data_root, PathBuf::from("/var/lib/drover"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = read(r#"{"data-rot": "/x"}"#, Args::default()).unwrap_err();

        assert!(format!("{error:#}").contains("data-rot"), "{error:#}");
    }

    #[test]
    fn marks_of_the_disk_are_checked() {
        let marks = |json: &str, args: Args| {
            let config = read(json, args).map_err(|error| format!("{error:#}"));
            config.map(|config| (config.watermark.high_percent, config.watermark.low_percent))
        };
        let high = |percent| Args { image_gc_high_threshold: Some(percent), ..Args::default() };

        assert_eq!(marks("{}", Args::default()), Ok((85, 80)));
        assert_eq!(marks(r#"{"image-gc-high-threshold": 90}"#, Args::default()), Ok((90, 80)));
        assert_eq!(marks(r#"{"image-gc-low-threshold": 30}"#, high(40)), Ok((40, 30)));
        assert_eq!(marks("{}", high(50)), Ok((50, 45)));
        assert_eq!(marks("{}", high(100)), Ok((100, 80)));
        assert!(marks(r#"{"image-gc-low-threshold": 90}"#, high(85)).is_err());
        assert!(marks("{}", high(101)).is_err());
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(parse_listen("unix:///run/a.sock").unwrap(), Listen::Unix("/run/a.sock".into()));
        assert_eq!(parse_listen("tcp://127.0.0.1:2375").unwrap(), Listen::Tcp("127.0.0.1:2375".into()));
        assert!(parse_listen("/run/a.sock").is_err() && parse_listen("tcp://x").is_err());
    }
}

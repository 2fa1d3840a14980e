//! The daemon of one host: puts the parts together, serves the API, ends on a signal.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use container::Containers;
use docker_api::Listener;
use image::Images;
use network::Network;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use volume::Volumes;

use crate::collector::Collector;
use crate::config::{Config, Listen};
use crate::embedded;
use crate::engine::Engine;
use crate::host::Host;
use crate::member::{Means, Member};
use crate::runtime::Names;

/// How long a data root may stay another's.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Runs the daemon until it is told to end. Containers go on without it.
pub async fn run(config: Config) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the daemon makes namespaces, mounts and cgroups, which only root may: start it as root");
    }
    let _lock = lock(&config.data_root).await?;
    std::fs::create_dir_all(&config.exec_root)
        .with_context(|| format!("make {}", config.exec_root.display()))?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for the stop signal")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for the interrupt signal")?;
    let listeners = listen(&config.listen).await?;
    let engine = Arc::new(assemble(&config).await?);
    let (stop, stopped) = watch::channel(false);
    let mut serving = JoinSet::new();
    let (collector, told) = (engine.collector.clone(), stopped.clone());
    serving.spawn(async move { collector.run(told).await });
    for listener in listeners {
        serving.spawn(docker_api::serve(listener, engine.clone(), stopped.clone()));
    }
    tracing::info!(data_root = %config.data_root.display(), listen = ?config.listen, "ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending; containers go on");
    stop.send_replace(true);
    while serving.join_next().await.is_some() {}
    engine.member.stop().await;
    for address in &config.listen {
        if let Listen::Unix(path) = address {
            // Another daemon may have replaced it by its own.
            let _gone = std::fs::remove_file(path);
        }
    }
    Ok(())
}

/// Makes sure that one daemon works on a data root.
///
/// A daemon that was killed may have children that have not executed yet, and hold its lock for a moment longer.
async fn lock(data_root: &Path) -> anyhow::Result<Flock<File>> {
    std::fs::create_dir_all(data_root).with_context(|| format!("make {}", data_root.display()))?;
    let path = data_root.join("daemon.lock");
    let mut file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EWOULDBLOCK)) if Instant::now() < deadline => file = back,
            Err((_, Errno::EWOULDBLOCK)) => bail!(
                "another daemon works on {}: stop it, or give this one its own --data-root",
                data_root.display()
            ),
            Err((_, errno)) => bail!("lock {}: {errno}", path.display()),
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

async fn assemble(config: &Config) -> anyhow::Result<Engine> {
    let host = Host::look(config.hostname.clone(), config.labels.clone());
    let images = Images::open(image::Config {
        root: config.data_root.join("images"),
        insecure_registries: config.insecure_registries.clone(),
        ..image::Config::default()
    })
    .await
    .context("open the images")?;
    let own_binary = std::env::current_exe().context("find this program")?;
    let name = embedded::NAME.parse().context("name the embedded image")?;
    images.install_embedded(&name, &own_binary).await.context("install the embedded image")?;
    match container::favor_cgroup_moves() {
        Ok(true) => {}
        Ok(false) => tracing::info!("no cgroup v2 hierarchy is mounted; containers start a little slower"),
        Err(error) => {
            tracing::warn!(%error, "the kernel does not favour moves between cgroups; containers start a little slower")
        }
    }
    let containers = Containers::open(container::Config {
        root: config.data_root.join("containers"),
        run: config.exec_root.join("c"),
        shim: vec![own_binary.into(), "shim".into()],
        cgroup_parent: config.cgroup_parent.clone(),
    })
    .await
    .context("open the containers")?;
    let (network, volumes) = open_network_and_volumes(config).await?;
    let parts = engine::Parts { containers, images: images.clone(), volumes, network: network.clone() };
    let records = engine::Config { root: config.data_root.join("engine") };
    let engine = engine::Engine::open(records, parts).await.context("take over the containers")?;
    let services = config.data_root.join("images-of-services.json");
    let collector = Collector::open(images.clone(), engine.clone(), services, config.watermark);
    let collector = Arc::new(collector.context("open what is known of services' images")?);
    let names = Names::new(network.clone());
    names.take_up().await;
    let member = Member::open(Means {
        host: host.clone(),
        collector: collector.clone(),
        images: images.clone(),
        engine: engine.clone(),
        network,
        names,
        data_root: config.data_root.clone(),
    })
    .await?;
    Ok(Engine { host, data_root: config.data_root.display().to_string(), images, engine, collector, member })
}

async fn open_network_and_volumes(config: &Config) -> anyhow::Result<(Network, Volumes)> {
    let (run, root) = (config.exec_root.join("net"), config.data_root.join("volumes"));
    let opened = tokio::task::spawn_blocking(move || {
        let network = Network::open(network::Config::new(run, None)).context("open this host's network")?;
        let volumes = Volumes::open(&root).context("open the volumes")?;
        anyhow::Ok((network, volumes))
    });
    opened.await.context("open this host's network and volumes")?
}

async fn listen(addresses: &[Listen]) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(match address {
            Listen::Unix(path) => Listener::Unix(listen_unix(path).await?),
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
                tracing::warn!(%address, "the API is served without TLS: whoever reaches this port is root on this host");
                Listener::Tcp(listener)
            }
        });
    }
    Ok(listeners)
}

async fn listen_unix(path: &Path) -> anyhow::Result<UnixListener> {
    if UnixStream::connect(path).await.is_ok() {
        bail!("another daemon serves {}: stop it, or give this one its own --listen", path.display());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove the old socket {}", path.display()));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("listen on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))
        .with_context(|| format!("set the rights of {}", path.display()))?;
    Ok(listener)
}

//! Containers that are only said to be there.

use async_trait::async_trait;
use container_json as json;
use docker_api::engine::{
    Archives, Attach, ByteStream, Connection, ContainerRemoval, Containers, Execs, Session, Size, Stop,
    Unpack, WaitFor, Waiting,
};
use docker_api::{ApiError, Status};
use engine_json::{Channel, Filters, Frame};
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::FakeEngine;

impl FakeEngine {
    pub(super) fn found_container(&self, name: &str) -> Result<json::Inspect, ApiError> {
        let inner = self.inner.lock().unwrap();
        let known = |container: &&json::Inspect| {
            container.name == format!("/{name}") || (!name.is_empty() && container.id.starts_with(name))
        };
        let found = inner.inspects.iter().find(known).cloned();
        found.ok_or_else(|| ApiError::not_found(format!("No such container: {name}")))
    }

    /// Notes what was asked of a container that must be there.
    fn asked(&self, name: &str, what: String) -> Result<json::Inspect, ApiError> {
        let found = self.found_container(name)?;
        self.note(what);
        Ok(found)
    }
}

#[async_trait]
impl Containers for FakeEngine {
    async fn containers(&self, with_size: bool) -> Result<Vec<json::Summary>, ApiError> {
        let mut containers = self.inner.lock().unwrap().containers.clone();
        containers.sort_by_key(|container| std::cmp::Reverse(container.created));
        for container in containers.iter_mut().filter(|_| with_size) {
            (container.size_rw, container.size_root_fs) = (1_000, 5_000_000);
        }
        Ok(containers)
    }

    async fn container(&self, name: &str, _: bool) -> Result<json::Inspect, ApiError> {
        self.found_container(name)
    }

    async fn create_container(
        &self,
        name: &str,
        platform: &str,
        body: json::CreateBody,
    ) -> Result<json::Created, ApiError> {
        let json::CreateBody { config, host_config, .. } = body;
        self.note(format!("create {name} of {} {platform}", config.image));
        if config.image == "missing" {
            return Err(ApiError::not_found("No such image: missing:latest"));
        }
        let id = "c0ffee".repeat(10) + "c0ff";
        let inspect = json::Inspect {
            id: id.clone(),
            name: format!("/{name}"),
            config,
            host_config,
            ..Default::default()
        };
        self.inner.lock().unwrap().inspects.push(inspect);
        Ok(json::Created { id, warnings: Vec::new() })
    }

    async fn start_container(&self, name: &str) -> Result<(), ApiError> {
        let container = self.asked(name, format!("start {name}"))?;
        self.inner.lock().unwrap().life.send_replace(Some(0));
        if container.state.running { Err(ApiError::new(Status::NotModified, "")) } else { Ok(()) }
    }

    async fn stop_container(&self, name: &str, stop: Stop) -> Result<(), ApiError> {
        self.asked(name, format!("stop {name} {:?} {:?}", stop.signal, stop.timeout)).map(drop)
    }

    async fn restart_container(&self, name: &str, stop: Stop) -> Result<(), ApiError> {
        self.asked(name, format!("restart {name} {:?} {:?}", stop.signal, stop.timeout)).map(drop)
    }

    async fn kill_container(&self, name: &str, signal: &str) -> Result<(), ApiError> {
        self.asked(name, format!("kill {name} {signal}")).map(drop)
    }

    async fn pause_container(&self, name: &str) -> Result<(), ApiError> {
        self.asked(name, format!("pause {name}")).map(drop)
    }

    async fn unpause_container(&self, name: &str) -> Result<(), ApiError> {
        self.asked(name, format!("unpause {name}")).map(drop)
    }

    async fn wait_container(&self, name: &str, until: WaitFor) -> Result<Waiting, ApiError> {
        self.asked(name, format!("wait {name} {until:?}"))?;
        let mut life = self.inner.lock().unwrap().life.subscribe();
        Ok(Box::pin(async move {
            let status_code = life.wait_for(Option::is_some).await.unwrap().unwrap();
            json::WaitAnswer { status_code, error: None }
        }))
    }

    async fn resize_container(&self, name: &str, size: Size) -> Result<(), ApiError> {
        self.asked(name, format!("resize {name} {}x{}", size.rows, size.columns)).map(drop)
    }

    async fn rename_container(&self, name: &str, to: &str) -> Result<(), ApiError> {
        self.asked(name, format!("rename {name} {to}")).map(drop)
    }

    async fn update_container(
        &self,
        name: &str,
        update: json::UpdateBody,
    ) -> Result<json::UpdateAnswer, ApiError> {
        let json::UpdateBody { resources, restart_policy } = update;
        self.asked(name, format!("update {name} {} {}", resources.memory, restart_policy.name))?;
        Ok(json::UpdateAnswer::default())
    }

    async fn remove_container(&self, name: &str, removal: ContainerRemoval) -> Result<(), ApiError> {
        self.asked(name, format!("remove {name} {removal:?}")).map(drop)
    }

    async fn prune_containers(&self, filters: Filters) -> Result<json::ContainersPruned, ApiError> {
        self.note(format!("prune containers {}", filters.to_json()));
        Ok(json::ContainersPruned { containers_deleted: vec!["old".into()], space_reclaimed: 3_000 })
    }

    async fn attach_container(&self, name: &str, attach: Attach) -> Result<Box<dyn Session>, ApiError> {
        let container = self.asked(name, format!("attach {name} {attach:?}"))?;
        Ok(Box::new(Parrot { is_raw: container.config.tty, listens: attach.stdin }))
    }

    async fn container_stats(&self, name: &str) -> Result<json::Stats, ApiError> {
        let container = self.asked(name, format!("stats {name}"))?;
        let readings = self.calls().iter().filter(|call| call.starts_with("stats")).count() as u64;
        let mut stats = json::Stats { id: container.id, name: container.name, ..Default::default() };
        stats.read = engine_json::Time::from_nanoseconds(i64::try_from(readings).unwrap() * 1_000_000_000);
        stats.cpu_stats.cpu_usage.total_usage = readings * 500_000_000;
        stats.cpu_stats.system_cpu_usage = readings * 2_000_000_000;
        stats.cpu_stats.online_cpus = 2;
        stats.memory_stats.usage = 3 << 20;
        stats.memory_stats.limit = 64 << 20;
        stats.memory_stats.stats = [("inactive_file".to_owned(), 1 << 20)].into();
        stats.pids_stats.current = 4;
        Ok(stats)
    }

    async fn container_top(&self, name: &str, ps_arguments: &str) -> Result<json::Top, ApiError> {
        self.asked(name, format!("top {name} {ps_arguments}"))?;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Ok(json::Top { titles: words(&["PID", "CMD"]), processes: vec![words(&["42", "sh"])] })
    }

    async fn container_changes(&self, name: &str) -> Result<Vec<json::Change>, ApiError> {
        self.asked(name, format!("diff {name}"))?;
        let change = |kind, path: &str| json::Change { kind, path: path.into() };
        Ok(vec![change(json::ChangeKind::Modified, "/etc"), change(json::ChangeKind::Added, "/etc/x")])
    }

    async fn export_container(&self, name: &str) -> Result<ByteStream, ApiError> {
        self.asked(name, format!("export {name}"))?;
        Ok(stream::iter([Ok("a tree".into())]).boxed())
    }
}

#[async_trait]
impl Archives for FakeEngine {
    async fn path_stat(&self, name: &str, path: &str) -> Result<json::PathStat, ApiError> {
        self.asked(name, format!("stat {name} {path}"))?;
        if path.starts_with("/nowhere") {
            let why = format!("Could not find the file {path} in container {name}");
            return Err(ApiError::not_found(why));
        }
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mode = json::PathStat::from_unix_mode(if name == "tmp" { 0o041_777 } else { 0o100_644 });
        Ok(json::PathStat { name, size: 5, mode, ..Default::default() })
    }

    async fn pack(&self, name: &str, path: &str) -> Result<(json::PathStat, ByteStream), ApiError> {
        let stat = self.path_stat(name, path).await?;
        let archive = self.inner.lock().unwrap().archive.clone();
        Ok((stat, stream::iter([Ok(archive.into())]).boxed()))
    }

    async fn unpack(
        &self,
        name: &str,
        path: &str,
        how: Unpack,
        mut archive: ByteStream,
    ) -> Result<(), ApiError> {
        self.asked(name, format!("unpack {name} {path} {how:?}"))?;
        let mut size = 0;
        while let Some(piece) = archive.next().await {
            let piece = piece.map_err(|error| ApiError::internal(error.to_string()))?;
            if size == 0 {
                self.note("the first piece is there".into());
            }
            size += piece.len();
        }
        self.note(format!("unpacked {size}"));
        Ok(())
    }
}

#[async_trait]
impl Execs for FakeEngine {
    async fn create_exec(&self, name: &str, body: json::ExecBody) -> Result<json::ExecCreated, ApiError> {
        let container = self.asked(name, format!("exec {name} {:?} {:?}", body.cmd.unwrap(), body.user))?;
        if !container.state.running {
            return Err(ApiError::new(Status::Conflict, format!("container {name} is not running")));
        }
        let mut inner = self.inner.lock().unwrap();
        inner.exec = json::ExecInspect {
            id: "e0e0".into(),
            container_id: container.id,
            open_stdin: body.attach_stdin,
            exit_code: Some(3),
            ..Default::default()
        };
        inner.exec.process_config.tty = body.tty;
        Ok(json::ExecCreated { id: "e0e0".into() })
    }

    async fn start_exec(&self, id: &str, start: json::ExecStart) -> Result<Box<dyn Session>, ApiError> {
        self.note(format!("start {id} {:?}", start.console_size));
        let exec = self.exec(id).await?;
        Ok(Box::new(Parrot { is_raw: exec.process_config.tty, listens: exec.open_stdin }))
    }

    async fn start_exec_detached(&self, id: &str, _: json::ExecStart) -> Result<(), ApiError> {
        self.exec(id).await?;
        self.note(format!("start {id} detached"));
        Ok(())
    }

    async fn resize_exec(&self, id: &str, size: Size) -> Result<(), ApiError> {
        self.exec(id).await?;
        self.note(format!("resize {id} {}x{}", size.rows, size.columns));
        Ok(())
    }

    async fn exec(&self, id: &str) -> Result<json::ExecInspect, ApiError> {
        let exec = self.inner.lock().unwrap().exec.clone();
        if exec.id == id {
            Ok(exec)
        } else {
            Err(ApiError::not_found(format!("No such exec instance: {id}")))
        }
    }
}

/// A program that greets and, if it listens, says all it heard when its input has ended.
struct Parrot {
    is_raw: bool,
    listens: bool,
}

impl Parrot {
    fn say(&self, channel: Channel, text: &str) -> Vec<u8> {
        let payload = text.as_bytes();
        if self.is_raw { payload.to_vec() } else { Frame { channel, payload }.encode() }
    }
}

#[async_trait]
impl Session for Parrot {
    fn is_raw(&self) -> bool {
        self.is_raw
    }

    async fn run(self: Box<Self>, mut client: Connection) -> std::io::Result<()> {
        client.write_all(&self.say(Channel::Stdout, "hello\n")).await?;
        client.flush().await?;
        if self.listens {
            let mut heard = String::new();
            client.read_to_string(&mut heard).await?;
            client.write_all(&self.say(Channel::Stderr, &format!("heard {heard}"))).await?;
        }
        client.shutdown().await
    }
}

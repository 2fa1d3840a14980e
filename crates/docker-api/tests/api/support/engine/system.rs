//! A daemon that is only said to run.

use async_trait::async_trait;
use container_json::{DiskUsage, Summary, Volume, VolumeUsage};
use docker_api::engine::{EventStream, System, UsageOf};
use docker_api::{ApiError, Status};
use engine_json as json;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::FakeEngine;

#[async_trait]
impl System for FakeEngine {
    fn version(&self) -> json::Version {
        json::Version {
            version: "0.1.0".into(),
            api_version: "1.50".into(),
            min_api_version: "1.24".into(),
            os: "linux".into(),
            arch: "amd64".into(),
            ..json::Version::default()
        }
    }

    async fn info(&self) -> json::Info {
        json::Info { name: "m1".into(), server_version: "0.1.0".into(), ..json::Info::default() }
    }

    fn events(&self, since: Option<json::Time>) -> EventStream {
        let mut inner = self.inner.lock().unwrap();
        let since = since.map_or(i64::MAX, json::Time::nanoseconds);
        let past: Vec<_> = inner.events.iter().filter(|event| event.time_nano >= since).cloned().collect();
        let (sender, receiver) = mpsc::unbounded_channel();
        inner.listeners.push(sender);
        stream::iter(past).chain(UnboundedReceiverStream::new(receiver)).boxed()
    }

    async fn disk_usage(&self, of: UsageOf) -> Result<DiskUsage, ApiError> {
        let image = json::ImageSummary {
            size: 5_000_000,
            shared_size: 1_000_000,
            containers: 1,
            ..Default::default()
        };
        let usage_data = Some(VolumeUsage { ref_count: 1, size: 3_000_000 });
        Ok(DiskUsage {
            layers_size: 5_000_000,
            images: of.images.then(|| vec![image]),
            containers: of.containers.then(|| vec![Summary { size_rw: 7_000, ..Summary::default() }]),
            volumes: of.volumes.then(|| vec![Volume { usage_data, ..Volume::default() }]),
            build_cache: of.build_cache.then(Vec::new),
        })
    }

    async fn login(&self, auth: json::RegistryAuth) -> Result<json::LoginAnswer, ApiError> {
        self.note(format!("login {} at {}", auth.username, auth.serveraddress));
        if auth.password != "right" {
            let why = format!("Get \"https://{}/v2/\": unauthorized", auth.serveraddress);
            return Err(ApiError::new(Status::Unauthorized, why));
        }
        Ok(json::LoginAnswer { status: "Login Succeeded".into(), ..Default::default() })
    }
}

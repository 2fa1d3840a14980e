//! Containers of tasks.

use std::collections::BTreeMap;

use container_json::{Config, HostConfig};
use engine::{Kind, Sizes, Task};
use network::Attachment;

use crate::host::Host;

async fn task(host: &Host, number: u32, script: &str) -> Task {
    let id = format!("{number:064x}");
    let parts = host.parts();
    let attachment = Attachment { egress: true, ..Attachment::default() };
    let attached = parts.network.attach(&id, &attachment).await.unwrap();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Task {
        name: format!("web.{number}.task"),
        image: parts.images.inspect("busybox").unwrap(),
        config: Config {
            cmd: Some(words(&["sh", "-c", script])),
            image: "busybox".into(),
            labels: [("com.docker.swarm.task".to_owned(), String::new())].into(),
            ..Config::default()
        },
        host_config: HostConfig { binds: words(&["shared:/store"]), ..HostConfig::default() },
        addresses: attached.bridge_address.into_iter().collect(),
        attached: Some(attached),
        networks: BTreeMap::new(),
        id,
    }
}

pub fn tasks_are_containers_that_their_services_care_for(host: &Host) {
    let engine = host.engine();
    let id = host.block_on(async {
        let task = task(host, 1, "cat /store/seed; grep web /etc/hosts || hostname; exec sleep 1000").await;
        let id = task.id.clone();
        engine.prepare_task(task).await.unwrap();
        engine.start_task(&id).await.unwrap();
        id
    });

    host.eventually("it says what it sees", || host.said(&id).contains("seed"));
    let inspect = host.inspect("web.1.task");
    assert_eq!((inspect.state.status.as_str(), inspect.id.as_str()), ("running", id.as_str()));
    drop(engine);
    host.restart_daemon();
    let engine = host.engine();
    assert_eq!(host.inspect(&id).state.pid, inspect.state.pid);
    host.stop(&id);
    assert_eq!(host.block_on(engine.wait_task(&id)).unwrap().code, 137);
    assert_eq!(host.block_on(engine.start(&id)).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(host.block_on(engine.prune(Default::default())).unwrap().containers_deleted.len(), 0);
    host.block_on(engine.remove_task(&id)).unwrap();
    host.block_on(engine.remove_task(&id)).unwrap();
    assert!(host.block_on(engine.list(Sizes::Unknown)).is_empty());
    // Its network is its service's to take away.
    host.block_on(host.parts().network.detach(&id)).unwrap();
}

pub fn tasks_may_share_the_hosts_network(host: &Host) {
    let engine = host.engine();
    let own = std::fs::read_link("/proc/self/ns/net").unwrap().display().to_string();
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();

    let id = host.block_on(async {
        let mut task = task(host, 2, "readlink /proc/self/ns/net; hostname").await;
        host.parts().network.detach(&task.id).await.unwrap();
        task.attached = None;
        task.addresses.clear();
        task.host_config.network_mode = "host".to_owned();
        let id = task.id.clone();
        engine.prepare_task(task).await.unwrap();
        engine.start_task(&id).await.unwrap();
        id
    });

    assert_eq!(host.block_on(engine.wait_task(&id)).unwrap().code, 0);
    assert_eq!(host.said(&id), format!("{own}\n{hostname}"));
    host.block_on(engine.remove_task(&id)).unwrap();
}

//! The bodies of the real clients, and the answers they read.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fmt::Debug;

use container_json::{
    Change, ChangeKind, Config, ContainersPruned, CreateBody, Created, DiskUsage, ExecBody, ExecInspect,
    ExecStart, Health, HealthResult, HostConfig, Inspect, MemoryStats, MountPoint, Stats, Summary, Top,
    UpdateAnswer, UpdateBody, Volume, VolumeBody, VolumeList, VolumesPruned, WaitAnswer, WaitError,
};
use engine_json::{Lenient, Time, decode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Claims that a text is read, and written again as it was.
#[track_caller]
fn same<T: DeserializeOwned + Serialize>(text: &str) -> T {
    let read: T = decode(text.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    read
}

/// Claims that a value is written as a text and read again.
#[track_caller]
fn written<T: DeserializeOwned + Serialize + PartialEq + Debug>(value: &T, text: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), text);
    assert_eq!(decode::<T>(text.as_bytes()).unwrap(), *value);
}

#[test]
fn what_docker_sends_to_make_a_container_comes_back_to_the_letter() {
    let plain: CreateBody = same(include_str!("bodies/create-plain.json"));
    let full: CreateBody = same(include_str!("bodies/create-full.json"));

    assert_eq!(plain.config.image, "busybox");
    assert_eq!((plain.config.cmd, plain.config.entrypoint), (None, None));
    assert_eq!(plain.host_config.resources.memory_swappiness, Some(-1));
    assert_eq!(plain.networking_config.endpoints_config.len(), 1);
    assert_eq!(full.config.exposed_ports.len(), 3);
    assert_eq!(full.config.stop_timeout, Some(5));
    assert_eq!(full.host_config.resources.nano_cpus, 1_500_000_000);
    assert_eq!(full.host_config.port_bindings["80/tcp"][0].host_port, "8080");
    assert_eq!(full.host_config.mounts[0].volume_options.as_ref().unwrap().subpath, "a");
    assert_eq!(full.host_config.init, Some(true));
    let endpoint = &full.networking_config.endpoints_config["foo"];
    assert_eq!(endpoint.ipam_config.as_ref().unwrap().ipv4_address, "10.0.0.2");
}

#[test]
fn what_docker_py_sends_is_read() {
    let body: CreateBody = decode(include_bytes!("bodies/create-python.json")).unwrap();

    assert_eq!(body.config.cmd, Some(vec!["ls".to_owned()]));
    assert_eq!(body.host_config.binds, ["/a:/b:ro"]);
    assert_eq!(body.host_config.restart_policy.name, "always");
    assert_eq!(body.host_config.port_bindings["80/tcp"][0].host_ip, "127.0.0.1");
}

#[test]
fn names_match_in_any_case_and_nulls_are_defaults_at_every_depth() {
    let body: CreateBody = decode(
        br#"{"image":"i","cmd":"true","ENTRYPOINT":null,"labels":null,"hostconfig":{"MEMORY":5,"ulimits":[null],
            "portbindings":{"80/tcp":null},"restartPolicy":null,"init":null,"privileged":null,"Bogus":[]},
            "networkingConfig":{"endpointsconfig":{"n":null}}}"#,
    )
    .unwrap();

    assert_eq!(body.config.image, "i");
    assert_eq!(body.config.cmd, Some(vec!["true".to_owned()]));
    assert_eq!(body.host_config.resources.memory, 5);
    assert_eq!(body.host_config.resources.ulimits.len(), 1);
    assert!(body.host_config.port_bindings["80/tcp"].is_empty());
    assert!(body.networking_config.endpoints_config.contains_key("n"));
}

#[test]
fn errors_name_the_place() {
    for (body, place) in [
        (r#"{"HostConfig":{"Memory":"5"}}"#, "HostConfig: Memory: "),
        (r#"{"HostConfig":{"Binds":[1]}}"#, "HostConfig: Binds.[0]: "),
        (r#"{"Env":"A=1"}"#, "Env: "),
        (r#"{"Cmd":[1]}"#, "Cmd: [0]: "),
        ("[]", "invalid type"),
    ] {
        let error = decode::<CreateBody>(body.as_bytes()).unwrap_err().to_string();

        assert!(error.starts_with("invalid JSON: ") && error.contains(place), "{body}: {error}");
        assert_eq!(error.matches("invalid JSON").count(), 1, "{error}");
    }
}

#[test]
fn an_update_holds_what_docker_sends() {
    let text = include_str!("bodies/update.json");
    let update: UpdateBody = decode(text.as_bytes()).unwrap();

    assert_eq!(update.resources.memory, 5 << 20);
    assert_eq!(update.restart_policy.name, "always");
    let lists = serde_json::to_string(&update).unwrap();
    assert_eq!(lists.replace("[]", "null"), *text);
    assert_eq!(decode::<UpdateBody>(br#"{"Memory": 5242880}"#).unwrap().resources.memory, 5 << 20);
}

#[test]
fn commands_travel_as_docker_writes_them() {
    let detached: ExecBody = same(
        r#"{"User":"u","Privileged":false,"Tty":false,"AttachStdin":false,"AttachStderr":false,"AttachStdout":false,"Detach":true,"DetachKeys":"","Env":["A=1"],"WorkingDir":"/x","Cmd":["ls"]}"#,
    );
    let terminal: ExecBody = same(
        r#"{"User":"","Privileged":false,"Tty":true,"ConsoleSize":[0,0],"AttachStdin":true,"AttachStderr":true,"AttachStdout":true,"Detach":false,"DetachKeys":"","Env":null,"WorkingDir":"","Cmd":["ls"]}"#,
    );
    let start: ExecStart = same(r#"{"Detach":false,"Tty":true,"ConsoleSize":[24,80]}"#);

    assert!(detached.detach && terminal.tty);
    assert_eq!(start.console_size, Some([24, 80]));
    same::<ExecStart>(r#"{"Detach":true,"Tty":false}"#);
    written(
        &ExecInspect { id: "e".into(), running: true, ..ExecInspect::default() },
        r#"{"ID":"e","Running":true,"ExitCode":null,"ProcessConfig":{"tty":false,"entrypoint":"","arguments":[]},"OpenStdin":false,"OpenStderr":false,"OpenStdout":false,"CanRemove":false,"ContainerID":"","DetachKeys":"","Pid":0}"#,
    );
}

#[test]
fn volumes_travel_as_docker_writes_them() {
    same::<VolumeBody>(
        r#"{"Driver":"local","DriverOpts":{"device":"tmpfs","type":"tmpfs"},"Labels":{"a":"b"},"Name":"v"}"#,
    );
    same::<VolumeBody>(r#"{"Driver":"local"}"#);
    let volume = Volume {
        created_at: "2023-11-14T22:13:20Z".parse().unwrap(),
        driver: "local".into(),
        mountpoint: "/m".into(),
        name: "v".into(),
        scope: "local".into(),
        ..Volume::default()
    };
    let text = r#"{"CreatedAt":"2023-11-14T22:13:20Z","Driver":"local","Labels":null,"Mountpoint":"/m","Name":"v","Options":null,"Scope":"local"}"#;
    written(&volume, text);
    written(&VolumeList::default(), r#"{"Volumes":[],"Warnings":null}"#);
}

#[test]
fn answers_are_written_as_docker_does() {
    written(&Created { id: "a".into(), warnings: vec![] }, r#"{"Id":"a","Warnings":[]}"#);
    written(&UpdateAnswer::default(), r#"{"Warnings":null}"#);
    written(&WaitAnswer::default(), r#"{"StatusCode":0}"#);
    written(
        &WaitAnswer { status_code: -1, error: Some(WaitError { message: "x".into() }) },
        r#"{"Error":{"Message":"x"},"StatusCode":-1}"#,
    );
    written(
        &vec![Change { kind: ChangeKind::Added, path: "/a".into() }, Change::default()],
        r#"[{"Kind":1,"Path":"/a"},{"Kind":0,"Path":""}]"#,
    );
    written(
        &Top { titles: vec!["PID".into()], processes: vec![vec!["1".into()]] },
        r#"{"Processes":[["1"]],"Titles":["PID"]}"#,
    );
    written(&ContainersPruned::default(), r#"{"ContainersDeleted":null,"SpaceReclaimed":0}"#);
    written(&VolumesPruned::default(), r#"{"VolumesDeleted":[],"SpaceReclaimed":0}"#);
    written(
        &DiskUsage { layers_size: 7, images: Some(vec![]), ..DiskUsage::default() },
        r#"{"LayersSize":7,"Images":[],"Containers":null,"Volumes":null,"BuildCache":null}"#,
    );
}

#[test]
fn a_container_is_shown_as_docker_does() {
    let mut inspect = Inspect { id: "a".into(), ..Inspect::default() };
    inspect.state.health = Some(Health {
        status: "healthy".into(),
        failing_streak: 0,
        log: vec![HealthResult { start: Time::from_nanoseconds(1_500_000_000), ..HealthResult::default() }],
    });
    inspect.mounts.push(MountPoint { kind: "bind".into(), rw: true, ..MountPoint::default() });

    let shown = serde_json::to_string(&inspect).unwrap();

    for part in [
        r#"{"Id":"a","Created":"0001-01-01T00:00:00Z","Path":"","Args":[],"State":{"Status":"","Running":false,"Paused":false,"Restarting":false,"OOMKilled":false,"Dead":false,"Pid":0,"ExitCode":0,"Error":"","StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z","Health":{"Status":"healthy","FailingStreak":0,"Log":[{"Start":"1970-01-01T00:00:01.5Z","End":"0001-01-01T00:00:00Z","ExitCode":0,"Output":""}]}},"#,
        r#""Image":"","ResolvConfPath":"","HostnamePath":"","HostsPath":"","LogPath":"","Name":"","RestartCount":0,"Driver":"","Platform":"","MountLabel":"","ProcessLabel":"","AppArmorProfile":"","ExecIDs":null,"HostConfig":{"#,
        r#""GraphDriver":{"Data":null,"Name":""},"Mounts":[{"Type":"bind","Source":"","Destination":"","Mode":"","RW":true,"Propagation":""}],"Config":{"#,
        r#""NetworkSettings":{"Bridge":"","SandboxID":"","SandboxKey":"","Ports":{},"HairpinMode":false,"LinkLocalIPv6Address":"","LinkLocalIPv6PrefixLen":0,"SecondaryIPAddresses":null,"SecondaryIPv6Addresses":null,"EndpointID":"","Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","MacAddress":"","Networks":{}}}"#,
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert_eq!(decode::<Inspect>(shown.as_bytes()).unwrap(), inspect);
    written(
        &Summary { id: "a".into(), size_rw: 5, ..Summary::default() },
        r#"{"Id":"a","Names":[],"Image":"","ImageID":"","Command":"","Created":0,"Ports":[],"SizeRw":5,"Labels":{},"State":"","Status":"","HostConfig":{},"NetworkSettings":{"Networks":{}},"Mounts":[]}"#,
    );
}

#[test]
fn figures_of_both_versions_of_cgroups_have_a_place() {
    let second = Stats {
        memory_stats: MemoryStats {
            usage: 3,
            stats: [("inactive_file".to_owned(), 1)].into(),
            limit: 9,
            ..MemoryStats::default()
        },
        ..Stats::default()
    };
    let first = MemoryStats { usage: 3, max_usage: 4, failcnt: 1, ..MemoryStats::default() };

    written(
        &second,
        r#"{"read":"0001-01-01T00:00:00Z","preread":"0001-01-01T00:00:00Z","pids_stats":{},"blkio_stats":{"io_service_bytes_recursive":null,"io_serviced_recursive":null,"io_queue_recursive":null,"io_service_time_recursive":null,"io_wait_time_recursive":null,"io_merged_recursive":null,"io_time_recursive":null,"sectors_recursive":null},"num_procs":0,"storage_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"precpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{"usage":3,"stats":{"inactive_file":1},"limit":9}}"#,
    );
    written(&first, r#"{"usage":3,"max_usage":4,"failcnt":1}"#);
}

#[test]
fn what_is_stored_is_read_by_any_reader_of_json() {
    let full: CreateBody = decode(include_bytes!("bodies/create-full.json")).unwrap();
    let text = serde_json::to_string(&full.host_config).unwrap();
    let value = serde_json::to_value(&full.config).unwrap();

    assert_eq!(serde_json::from_str::<HostConfig>(&text).unwrap(), full.host_config);
    assert_eq!(<Config as serde::Deserialize>::deserialize(Lenient(value)).unwrap(), full.config);
}

//! Services and nodes.

use model::TaskState;
use serde_json::{Value, json};

use crate::support::Host;

/// Spoils a spec.
type Change = fn(&mut Value);

pub fn spec(name: &str) -> Value {
    json!({
        "Name": name,
        "Labels": {"tier": "front"},
        "TaskTemplate": {"ContainerSpec": {"Image": "drover/whoami"}},
        "Mode": {"Replicated": {"Replicas": 2}},
    })
}

fn published(name: &str, port: u16) -> Value {
    let mut spec = spec(name);
    spec["EndpointSpec"] = json!({"Ports": [{"TargetPort": 80, "PublishedPort": port}]});
    spec
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|service| service["Spec"]["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_service_is_found_by_id_name_and_prefix() {
    let host = Host::manager().await;
    let id = host.create(&spec("web")).await;

    for key in [id.as_str(), "web", &id[..12]] {
        let shown = host.get(&format!("/services/{key}")).await.json();
        assert_eq!(shown["ID"], id, "{key}");
        assert_eq!(shown["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"], "drover/whoami");
        assert!(shown.get("PreviousSpec").is_none() && shown.get("ServiceStatus").is_none(), "{shown}");
    }
    let missing = host.get("/services/nope").await.error();
    assert_eq!(missing, (404, "service nope not found".into()));
}

#[tokio::test]
async fn defaults_are_shown_on_request() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;

    let plain = host.get("/services/web").await.json();
    let full = host.get("/services/web?insertDefaults=true").await.json();

    assert!(plain["Spec"].get("UpdateConfig").is_none(), "{plain}");
    assert_eq!(full["Spec"]["UpdateConfig"]["Parallelism"], 1);
}

#[tokio::test]
async fn a_taken_name_is_a_conflict() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;

    let answer = host.post("/services/create", &spec("web")).await.error();

    let text = "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists";
    assert_eq!(answer, (409, text.into()));
}

#[tokio::test]
async fn a_taken_port_names_its_holder() {
    let host = Host::manager().await;
    host.create(&published("web", 8080)).await;

    let (status, message) = host.post("/services/create", &published("api", 8080)).await.error();

    assert_eq!(status, 400);
    let text = "rpc error: code = InvalidArgument desc = port '8080' is already in use by service 'web' (";
    assert!(message.starts_with(text) && message.ends_with(") as an ingress port"), "{message}");
}

#[tokio::test]
async fn services_without_a_name_get_one() {
    let host = Host::manager().await;

    host.create(&spec("")).await;
    host.create(&spec("")).await;

    let list = host.get("/services").await.json();
    let names = names(&list);
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.contains('_')) && names[0] != names[1], "{names:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let host = Host::manager().await;
    let refused = async |change: Change| {
        let mut spec = spec("web");
        change(&mut spec);
        host.post("/services/create", &spec).await.error()
    };

    let cases: [(Change, u16, &str); 7] = [
        (|spec| spec["Name"] = json!("a.b"), 400, "name"),
        (|spec| spec["TaskTemplate"] = json!({}), 400, "ContainerSpec"),
        (|spec| spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(""), 400, "image"),
        (
            |spec| spec["TaskTemplate"]["Networks"] = json!([{"Target": "nope"}]),
            404,
            "network nope not found",
        ),
        (|spec| spec["Mode"] = json!({"Global": {}}), 501, "replicated"),
        (|spec| spec["TaskTemplate"]["Runtime"] = json!("plugin"), 501, "plugin"),
        (
            |spec| spec["TaskTemplate"]["ContainerSpec"]["Secrets"] = json!([{"SecretName": "s3"}]),
            400,
            "secret not found: s3",
        ),
    ];
    for (change, status, fragment) in cases {
        let (got, message) = refused(change).await;
        assert_eq!(got, status, "{message}");
        assert!(message.to_lowercase().contains(&fragment.to_lowercase()), "{fragment} in {message}");
    }
    assert_eq!(host.get("/services").await.json(), json!([]), "nothing half-made is left");
}

#[tokio::test]
async fn an_update_must_be_based_on_the_latest_version() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;
    let version = host.get("/services/web").await.json()["Version"]["Index"].as_u64().unwrap();
    let mut changed = spec("web");
    changed["Mode"]["Replicated"]["Replicas"] = json!(5);

    let first = host.post(&format!("/services/web/update?version={version}"), &changed).await;
    let stale = host.post(&format!("/services/web/update?version={version}"), &changed).await.error();
    let missing = host.post("/services/web/update", &changed).await.error();
    let garbage = host.post("/services/web/update?version=x", &changed).await.error();

    assert_eq!(first.status, 200);
    assert_eq!(stale, (500, "rpc error: code = Unknown desc = update out of sequence".into()));
    assert_eq!(missing, (400, "invalid service version ''".into()));
    assert_eq!(garbage, (400, "invalid service version 'x'".into()));
    let shown = host.get("/services/web").await.json();
    assert_eq!(shown["Spec"]["Mode"]["Replicated"]["Replicas"], 5);
    assert_eq!(shown["PreviousSpec"]["Mode"]["Replicated"]["Replicas"], 2);
}

#[tokio::test]
async fn a_rollback_brings_the_previous_spec_back() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;
    let version = async || host.get("/services/web").await.json()["Version"]["Index"].to_string();
    let update = async |extra: &str, spec: &Value| {
        host.post(&format!("/services/web/update?version={}{extra}", version().await), spec).await
    };
    let mut changed = spec("web");
    changed["TaskTemplate"]["ContainerSpec"]["Image"] = json!("drover/whoami:2");

    let nothing_before = update("&rollback=previous", &spec("web")).await.error();
    let done = update("", &changed).await;
    let unknown = update("&rollback=sideways", &spec("web")).await.error();
    let back = update("&rollback=previous", &changed).await;

    assert_eq!(nothing_before.0, 400);
    assert_eq!((done.status, back.status, unknown.0), (200, 200, 400));
    let shown = host.get("/services/web").await.json();
    assert_eq!(shown["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"], "drover/whoami");
}

#[tokio::test]
async fn what_an_update_cannot_change_is_said() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;
    let version = host.get("/services/web").await.json()["Version"]["Index"].to_string();

    let renamed = host.post(&format!("/services/web/update?version={version}"), &spec("other")).await.error();
    let missing = host.post("/services/nope/update?version=1", &spec("nope")).await.error();

    assert_eq!(renamed.0, 501);
    assert!(renamed.1.ends_with("renaming services is not supported"), "{}", renamed.1);
    assert_eq!(missing, (404, "service nope not found".into()));
}

#[tokio::test]
async fn counts_are_there_only_on_request() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;
    host.cluster().put_task("web", 1, TaskState::Running, TaskState::Running).await;
    host.cluster().put_task("web", 2, TaskState::Running, TaskState::Preparing).await;

    let plain = host.get("/services").await.json();
    let counted = host.get("/services?status=1").await.json();
    let old = host.get("/v1.40/services?status=1").await.json();

    assert!(plain[0].get("ServiceStatus").is_none(), "{plain}");
    let status = &counted[0]["ServiceStatus"];
    assert_eq!((&status["RunningTasks"], &status["DesiredTasks"]), (&json!(1), &json!(2)));
    assert!(old[0].get("ServiceStatus").is_none(), "{old}");
}

#[tokio::test]
async fn lists_are_narrowed_by_both_encodings() {
    let host = Host::manager().await;
    let id = host.create(&spec("web")).await;
    host.create(&json!({
        "Name": "api",
        "TaskTemplate": {"ContainerSpec": {"Image": "drover/whoami"}},
    }))
    .await;
    let listed = async |filters: &str| {
        let encoded = filters.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        let list = host.get(&format!("/services?filters={encoded}")).await.json();
        names(&list).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };

    assert_eq!(listed(r#"{"name":{"we":true}}"#).await, ["web"]);
    assert_eq!(listed(r#"{"name":["we"]}"#).await, ["web"]);
    assert_eq!(listed(r#"{"label":["tier=front"]}"#).await, ["web"]);
    assert_eq!(listed(&format!(r#"{{"id":["{}"]}}"#, &id[..10])).await, ["web"]);
    assert_eq!(listed(r#"{"mode":["replicated"]}"#).await.len(), 2);
    assert_eq!(listed(r#"{"mode":["global"]}"#).await.len(), 0);
    assert_eq!(listed(r#"{"name":["nope"]}"#).await.len(), 0);
}

#[tokio::test]
async fn a_removed_service_is_gone() {
    let host = Host::manager().await;
    host.create(&spec("web")).await;

    let removed = host.delete("/services/web").await;
    let again = host.delete("/services/web").await.error();

    assert_eq!((removed.status, removed.body.len()), (200, 0));
    assert_eq!(again, (404, "service web not found".into()));
}

#[tokio::test]
async fn old_clients_do_not_get_what_they_do_not_know() {
    let host = Host::manager().await;
    let mut spec = spec("web");
    spec["TaskTemplate"]["ContainerSpec"]["CapabilityAdd"] = json!(["CAP_SYS_TIME"]);

    let created = host.post("/v1.40/services/create", &spec).await;

    assert_eq!(created.status, 201);
    let shown = host.get("/services/web").await.json();
    assert!(shown["Spec"]["TaskTemplate"]["ContainerSpec"].get("CapabilityAdd").is_none(), "{shown}");
}

#[tokio::test]
async fn nodes_are_shown_with_their_part_in_deciding() {
    let host = Host::manager().await;
    let id = host.cluster().node.to_string();

    let list = host.get("/nodes").await.json();
    let one = host.get("/nodes/m1").await.json();

    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(one["ID"], id);
    assert_eq!(one["Description"]["Hostname"], "m1");
    assert_eq!(one["Status"]["State"], "ready");
    assert_eq!(
        one["ManagerStatus"],
        json!({"Leader": true, "Reachability": "reachable", "Addr": "10.1.1.1:2377"})
    );
    assert!(one["Description"]["TLSInfo"]["TrustRoot"].as_str().unwrap().contains("CERTIFICATE"));
    assert_eq!(host.get("/nodes/nope").await.error(), (404, "node nope not found".into()));
}

#[tokio::test]
async fn node_filters_with_unknown_values_are_an_error() {
    let host = Host::manager().await;

    let role = host.get("/nodes?filters=%7B%22role%22:%5B%22boss%22%5D%7D").await.error();
    let workers = host.get("/nodes?filters=%7B%22role%22:%5B%22worker%22%5D%7D").await.json();
    let named = host.get("/nodes?filters=%7B%22name%22:%5B%22m%22%5D%7D").await.json();

    assert_eq!(role, (500, "Invalid role filter: 'boss'".into()));
    assert_eq!(workers, json!([]));
    assert_eq!(named.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_nodes_spec_is_replaced_based_on_its_version() {
    let host = Host::manager().await;
    let node = host.get("/nodes/m1").await.json();
    let version = node["Version"]["Index"].to_string();
    let spec = json!({"Role": "manager", "Availability": "drain", "Labels": {"zone": "a"}});

    let done = host.post(&format!("/nodes/m1/update?version={version}"), &spec).await;
    let stale = host.post(&format!("/nodes/m1/update?version={version}"), &spec).await.error();
    let removed = host.delete("/nodes/m1?force=1").await.error();

    assert_eq!((done.status, done.body.len()), (200, 0));
    assert!(stale.0 == 500 && stale.1.ends_with("update out of sequence"), "{}", stale.1);
    assert_eq!(removed.0, 400);
    assert!(removed.1.contains("must be demoted"), "{}", removed.1);
    let node = host.get("/nodes/m1").await.json();
    assert_eq!(
        (&node["Spec"]["Availability"], &node["Spec"]["Labels"]["zone"]),
        (&json!("drain"), &json!("a"))
    );
}

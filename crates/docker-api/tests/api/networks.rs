//! Networks of the cluster and of the host.

use container_json::{EndpointSettings, Summary};
use docker_api::LocalState;
use model::{NetworkId, Subnet, TaskAddress, TaskState, VirtualIp};
use serde_json::{Value, json};
use store::Change;

use crate::services::spec;
use crate::support::{Docker, Host, container};

/// Gives a network what the allocator would.
async fn allocate(host: &Host, name: &str, subnet: &str) -> NetworkId {
    let mut network = (**host.cluster().view().network_by_name(name).unwrap()).clone();
    network.subnet = Some(subnet.parse::<Subnet>().unwrap());
    network.vni = Some(4097);
    let id = network.id;
    host.cluster().put(vec![Change::Put(network.into())]).await;
    id
}

/// Puts a service with one running task on a network, with the addresses that the allocator would give.
async fn populate(host: &Host, network: NetworkId) -> String {
    let mut wanted = spec("web");
    wanted["TaskTemplate"]["Networks"] = json!([{"Target": network.to_string(), "Aliases": ["www"]}]);
    host.create(&wanted).await;
    let mut service = host.cluster().service("web");
    service.endpoint.virtual_ips = vec![VirtualIp { network, address: [10, 0, 1, 2].into() }];
    host.cluster().put(vec![Change::Put(service.into())]).await;
    let id = host.cluster().put_task("web", 1, TaskState::Running, TaskState::Running).await;
    let mut task = (**host.cluster().view().task(id).unwrap()).clone();
    task.addresses = vec![TaskAddress { network, address: [10, 0, 1, 3].into() }];
    let container_id = task.status.container.as_ref().unwrap().container_id.clone();
    host.cluster().put(vec![Change::Put(task.into())]).await;
    let place = EndpointSettings {
        network_id: network.to_string(),
        mac_address: "02:42:0a:00:01:03".into(),
        ip_address: "10.0.1.3".into(),
        ip_prefix_len: 24,
        ..EndpointSettings::default()
    };
    let mut summary = Summary { id: container_id, names: vec!["/web.1.x".into()], ..Summary::default() };
    summary.state = "running".into();
    summary.network_settings.networks.insert(network.to_string(), place);
    host.engine.has_container(summary);
    id.to_string()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|network| network["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_network_of_the_cluster_is_made_shown_and_removed() {
    let host = Host::manager().await;
    let body = json!({"Name": "back", "CheckDuplicate": true, "Driver": "overlay", "Scope": "", "Internal": true,
        "Attachable": true, "Options": {"com.docker.network.driver.mtu": "1300"}, "Labels": {"tier": "b"},
        "IPAM": {"Driver": "default", "Options": null, "Config": [{"Subnet": "10.9.0.0/24", "IPRange": "10.9.0.128/25",
        "Gateway": "10.9.0.9", "AuxiliaryAddresses": {"printer": "10.9.0.7"}}]}});

    let created = host.post("/v1.50/networks/create", &body).await;
    allocate(&host, "back", "10.9.0.0/24").await;
    let shown = host.get("/networks/back").await.json();
    let by_id = host.get(&format!("/networks/{}", created.json()["Id"].as_str().unwrap())).await.json();
    let removed = host.delete("/networks/back").await;
    let gone = host.delete("/networks/back").await.error();

    assert_eq!(created.status, 201);
    assert_eq!(created.json()["Id"].as_str().unwrap().len(), 25);
    assert_eq!(created.json()["Warning"], "");
    assert_eq!(shown, by_id);
    for (key, expected) in [
        ("Scope", json!("swarm")),
        ("Driver", json!("overlay")),
        ("EnableIPv4", json!(true)),
        ("EnableIPv6", json!(false)),
        ("Internal", json!(true)),
        ("Attachable", json!(true)),
        ("Ingress", json!(false)),
        ("ConfigFrom", json!({"Network": ""})),
        ("ConfigOnly", json!(false)),
        ("Containers", json!({})),
        ("Labels", json!({"tier": "b"})),
        ("IPAM", body["IPAM"].clone()),
        ("Peers", Value::Null),
        ("Services", Value::Null),
    ] {
        assert_eq!(shown[key], expected, "{key}");
    }
    assert_eq!(shown["Options"]["com.docker.network.driver.overlay.vxlanid_list"], "4097");
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    assert_eq!(gone, (404, "network back not found".into()));
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_with_dockers_status() {
    let host = Host::manager().await;
    host.post("/networks/create", &json!({"Name": "mine"})).await;
    host.post("/networks/create", &json!({"Name": "back", "Driver": "overlay"})).await;
    let pool = |config: Value| json!({"Name": "n", "Driver": "overlay", "IPAM": {"Config": [config]}});
    let cases = [
        (
            json!({"Name": "bridge", "Driver": "overlay"}),
            403,
            "operation is not permitted on predefined bridge network",
        ),
        (json!({"Name": "n", "Driver": "host"}), 403, "only one instance of \"host\" network is allowed"),
        (json!({"Name": "mine", "Driver": "overlay"}), 409, "network with name mine already exists"),
        (json!({"Name": "back"}), 409, "network with name back already exists"),
        (json!({"Name": "n", "Driver": "overlay", "Ingress": true}), 409, "is already present"),
        (json!({"Name": "a.b", "Driver": "overlay"}), 400, "invalid name \"a.b\""),
        (json!({"Name": "n".repeat(64), "Driver": "overlay"}), 400, "name must be 63 characters or fewer"),
        (
            json!({"Name": "n", "Driver": "overlay", "Labels": {"com.docker.swarm.predefined": "1"}}),
            403,
            "code = PermissionDenied",
        ),
        (json!({"Name": "n", "Driver": "overlay", "EnableIPv4": false}), 400, "IPv4 cannot be disabled"),
        (json!({"Name": "n", "Driver": "overlay", "EnableIPv6": true}), 501, "IPv6 is not supported"),
        (json!({"Name": "n", "Driver": "overlay", "ConfigOnly": true}), 501, "only hold settings"),
        (json!({"Name": "n", "Driver": "overlay", "Scope": "local"}), 400, "cannot have the scope local"),
        (json!({"Name": "n", "Driver": "macvlan", "Scope": "swarm"}), 501, "cannot be macvlan: use overlay"),
        (
            json!({"Name": "n", "Driver": "overlay", "Options": {"encrypted": ""}}),
            501,
            "encrypted is not supported",
        ),
        (
            json!({"Name": "n", "Driver": "overlay", "Ingress": true, "Attachable": true}),
            400,
            "ingress network cannot be attachable",
        ),
        (
            pool(json!({"Subnet": "10.9.0.1/24"})),
            400,
            "invalid network config:\ninvalid subnet 10.9.0.1/24: it should be 10.9.0.0/24",
        ),
        (
            pool(json!({"Subnet": "10.9.0.0/24", "Gateway": "10.8.0.1"})),
            400,
            "invalid gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't contain this address",
        ),
        (pool(json!({"Subnet": "10.9.0.0/31"})), 400, "its prefix must have from 8 to 30 bits"),
    ];

    for (body, status, text) in cases {
        let refused = host.post("/networks/create", &body).await.error();

        assert_eq!(refused.0, status, "{body}: {}", refused.1);
        assert!(refused.1.contains(text), "{body}: {}", refused.1);
    }
}

#[tokio::test]
async fn hosts_that_are_no_managers_know_their_own_networks_alone() {
    for (state, why) in [(LocalState::Inactive, "docker swarm init"), (LocalState::Active, "Worker nodes")] {
        let host = Host::outside(state);

        let refused = host.post("/networks/create", &json!({"Name": "n", "Driver": "overlay"})).await.error();
        let own = host.post("/networks/create", &json!({"Name": "mine"})).await;
        let list = host.get("/networks").await.json();

        assert_eq!(refused.0, 403);
        assert!(
            refused.1.contains("This node is not a swarm manager") && refused.1.contains(why),
            "{}",
            refused.1
        );
        assert_eq!(own.status, 201);
        assert_eq!(names(&list), ["bridge", "host", "none", "mine"]);
        assert_eq!(host.get("/networks/host?scope=swarm").await.error().0, 404);
    }
}

#[tokio::test]
async fn networks_are_found_by_id_name_and_beginning_within_their_scope() {
    let host = Host::manager().await;

    let local = host.get("/networks/host").await.json();
    let of_services = host.get("/networks/host?scope=swarm").await.json();
    let by_id = host.get(&format!("/networks/{}", of_services["Id"].as_str().unwrap())).await.json();
    let prefix = host.get("/networks/bri").await.json();
    let ambiguous = host.get("/networks/0000").await.error();

    assert_eq!((&local["Scope"], &of_services["Scope"]), (&json!("local"), &json!("swarm")));
    assert_eq!(by_id, of_services);
    assert_eq!(prefix["Name"], "bridge");
    assert_eq!(ambiguous, (400, "network 0000 is ambiguous (3 matches found based on ID prefix)".into()));
    assert_eq!(host.get("/networks/ingress?scope=local").await.error().0, 404);
    assert_eq!(host.get("/networks/host?scope=mars").await.error().0, 404);
}

#[tokio::test]
async fn lists_are_narrowed() {
    let host = Host::manager().await;
    host.post("/networks/create", &json!({"Name": "back", "Driver": "overlay", "Labels": {"tier": "b"}}))
        .await;
    host.post("/networks/create", &json!({"Name": "mine"})).await;
    let listed = async |key: &str, value: &str| {
        let path = format!("/networks?filters=%7B%22{key}%22:%5B%22{value}%22%5D%7D");
        let list = host.get(&path).await.json();
        names(&list).join(" ")
    };

    assert_eq!(listed("scope", "swarm").await, "ingress back");
    assert_eq!(listed("scope", "local").await, "bridge host none mine");
    assert_eq!(listed("driver", "overlay").await, "ingress back");
    assert_eq!(listed("type", "builtin").await, "bridge host none");
    assert_eq!(listed("type", "custom").await, "mine ingress back");
    assert_eq!(listed("label", "tier=b").await, "back");
    assert_eq!(listed("name", "in").await, "mine ingress");
    assert_eq!(listed("id", "mine").await, "mine");
    assert_eq!(listed("dangling", "true").await, "mine back");
    assert_eq!(listed("dangling", "false").await, "bridge host none ingress");
    assert_eq!(host.get("/networks?filters=%7B%22type%22:%5B%22x%22%5D%7D").await.error().0, 400);
    assert_eq!(host.get("/networks?filters=%7B%22x%22:%5B%22x%22%5D%7D").await.error().0, 400);
}

#[tokio::test]
async fn who_is_on_a_network_is_told() {
    let host = Host::manager().await;
    host.post("/networks/create", &json!({"Name": "back", "Driver": "overlay"})).await;
    let network = allocate(&host, "back", "10.0.1.0/24").await;
    let task = populate(&host, network).await;

    let shown = host.get("/networks/back?verbose=true").await.json();
    let service = host.get("/services/web").await.json();
    let shown_task = host.get(&format!("/tasks/{task}")).await.json();
    let in_use = host.delete("/networks/back").await.error();
    let pruned = host.post("/networks/prune", &json!(null)).await.json();

    let containers = shown["Containers"].as_object().unwrap();
    assert_eq!(containers.len(), 1);
    let container = containers.values().next().unwrap();
    assert_eq!((&container["Name"], &container["IPv4Address"]), (&json!("web.1.x"), &json!("10.0.1.3/24")));
    assert_eq!(shown["Peers"], json!([{"Name": "m1", "IP": "10.1.1.1"}]));
    let on = &shown["Services"]["web"];
    assert_eq!((&on["VIP"], &on["Ports"], &on["LocalLBIndex"]), (&json!("10.0.1.2"), &json!([]), &json!(0)));
    assert_eq!(on["Tasks"][0]["Name"], format!("web.1.{task}"));
    assert_eq!(on["Tasks"][0]["EndpointIP"], "10.0.1.3");
    assert_eq!(on["Tasks"][0]["Info"], json!({"Host IP": "10.1.1.1"}));
    assert_eq!(
        service["Endpoint"]["VirtualIPs"],
        json!([{"NetworkID": network.to_string(), "Addr": "10.0.1.2/24"}])
    );
    let wanted = json!([{"Target": network.to_string(), "Aliases": ["www"]}]);
    assert_eq!(service["Spec"]["TaskTemplate"]["Networks"], wanted);
    let attachment = &shown_task["NetworksAttachments"][0];
    assert_eq!(attachment["Addresses"], json!(["10.0.1.3/24"]));
    assert_eq!(attachment["Network"]["Spec"]["Name"], "back");
    assert_eq!(
        in_use,
        (400, "rpc error: code = FailedPrecondition desc = network back is in use by service web".into())
    );
    assert_eq!(pruned, json!({"NetworksDeleted": null}));
}

#[tokio::test]
async fn what_every_host_has_cannot_be_removed() {
    let host = Host::manager().await;

    let local = host.delete("/networks/bridge").await.error();
    let id = host.get("/networks/host?scope=swarm").await.json()["Id"].as_str().unwrap().to_owned();
    let of_services = host.delete(&format!("/networks/{id}")).await.error();

    assert_eq!(local, (403, "bridge is a pre-defined network and cannot be removed".into()));
    assert_eq!(of_services.0, 400);
    assert!(of_services.1.contains("predefined network host ("), "{}", of_services.1);
}

#[tokio::test]
async fn containers_are_put_on_networks_of_the_host_alone() {
    let host = Host::manager().await;
    host.post("/networks/create", &json!({"Name": "mine"})).await;
    host.post("/networks/create", &json!({"Name": "back", "Driver": "overlay"})).await;
    host.post("/networks/create", &json!({"Name": "open", "Driver": "overlay", "Attachable": true})).await;
    host.engine.knows(container("box"));
    let mut task = container("web.1.x");
    task.id = "bbbb".into();
    task.config.labels.insert("com.docker.swarm.service.name".into(), "web".into());
    host.engine.knows(task);
    let say = async |network: &str, verb: &str, container: &str| {
        let body = json!({"Container": container, "Force": true, "EndpointConfig": {"Aliases": ["b"]}});
        let answer = host.post(&format!("/networks/{network}/{verb}"), &body).await;
        if answer.status == 200 { (200, String::new()) } else { answer.error() }
    };

    assert_eq!(say("mine", "connect", "box").await.0, 200);
    assert_eq!(say("mine", "disconnect", "box").await.0, 200);
    assert_eq!(host.engine.calls(), [r#"connect box to mine as ["b"]"#, "disconnect box from mine true"]);
    assert_eq!(
        say("back", "connect", "box").await,
        (
            403,
            "Could not attach to network back: rpc error: code = PermissionDenied desc = network back not manually attachable"
                .into()
        )
    );
    assert_eq!(say("open", "connect", "box").await.0, 501);
    for verb in ["connect", "disconnect"] {
        let refused = say("back", verb, "web.1.x").await;
        assert_eq!(refused.0, 403);
        assert!(refused.1.contains("web.1.x is a task of service web"), "{}", refused.1);
    }
    assert_eq!(
        say("back", "disconnect", "box").await,
        (403, "container box is not connected to network back".into())
    );
    assert_eq!(say("back", "connect", "nope").await.0, 404);
    assert_eq!(say("nope", "connect", "box").await.0, 404);
}

#[tokio::test]
async fn services_may_be_on_networks_of_the_cluster_and_on_those_that_every_node_has() {
    let host = Host::manager().await;
    host.post("/networks/create", &json!({"Name": "mine"})).await;
    let on = |name: &str, network: &str| {
        let mut wanted = spec(name);
        wanted["TaskTemplate"]["Networks"] = json!([{"Target": network}]);
        wanted
    };
    let swarm = host.get("/networks/host?scope=swarm").await.json();
    let local = host.get("/networks/host").await.json();

    for (name, network) in
        [("a", "host"), ("b", swarm["Id"].as_str().unwrap()), ("c", local["Id"].as_str().unwrap())]
    {
        host.create(&on(name, network)).await;
        let shown = host.get(&format!("/services/{name}")).await.json();
        assert_eq!(shown["Spec"]["TaskTemplate"]["Networks"][0]["Target"], swarm["Id"], "{network}");
    }
    let task = host.cluster().put_task("a", 1, TaskState::Running, TaskState::Running).await;
    let task = host.get(&format!("/tasks/{task}")).await.json();
    let refused = host.post("/services/create", &on("d", "mine")).await.error();
    let none = host.post("/services/create", &on("d", "none")).await.error();

    assert_eq!(task["NetworksAttachments"][0]["Network"]["Spec"]["Name"], "host");
    assert_eq!(refused.0, 403);
    assert!(refused.1.starts_with("The network mine cannot be used with services."), "{}", refused.1);
    assert_eq!(none.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docker_client_makes_lists_inspects_removes_and_prunes() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);
    let create = "network create --driver overlay --attachable --subnet 10.9.0.0/24 --gateway 10.9.0.1 \
                  --ip-range 10.9.0.128/25 --aux-address printer=10.9.0.7 --label tier=b --opt com.docker.network.driver.mtu=1300 back";

    let id = docker.run(create).await;
    docker.run("network create -d overlay --internal one").await;
    docker.run("network create --driver overlay --scope swarm two").await;
    allocate(&host, "back", "10.9.0.0/24").await;
    let list =
        docker.run("network ls --filter scope=swarm --format {{.ID}}|{{.Name}}|{{.Driver}}|{{.Scope}}").await;
    let ids = docker.run("network ls -q --no-trunc --filter name=back").await;
    let inspected = docker
        .run("network inspect --format {{.Name}}|{{.Attachable}}|{{(index\t.IPAM.Config\t0).Subnet}}|{{.Labels.tier}} back")
        .await;
    let verbose = docker.run("network inspect --verbose back").await;
    let twice = docker.try_run("network create -d overlay back").await;
    let overlapping = docker.try_run("network create -d overlay --subnet 10.9.0.0/16 wide").await;
    docker
        .run("service create -d --name web --network name=back,alias=www --network one drover/whoami")
        .await;
    let pretty = docker.run("service inspect --pretty web").await;
    let used = docker.try_run("network rm back one").await;
    let changed = docker.run("service update -d --network-rm one --network-add two web").await;
    let predefined = docker.try_run("network rm host").await;
    let pruned = docker.run("network prune -f --filter label!=keep").await;
    docker.run("service rm web").await;
    let removed = docker.run("network rm back two").await;
    let asked = docker.run("network rm ingress").await;
    let ingress = docker.run_and_answer("network rm ingress", "y\n").await;

    let id = id.trim();
    assert_eq!(id.len(), 25);
    assert!(list.contains(&format!("{}|back|overlay|swarm", &id[..12])), "{list}");
    assert_eq!(ids.trim(), id);
    assert_eq!(inspected.trim(), "back|true|10.9.0.0/24|b");
    assert!(verbose.contains("\"printer\": \"10.9.0.7\""), "{verbose}");
    assert!(twice.err.contains("network with name back already exists"), "{}", twice.err);
    assert!(
        overlapping.err.contains("Pool overlaps with other one on this address space"),
        "{}",
        overlapping.err
    );
    assert!(pretty.contains("Networks: back one") || pretty.contains("Networks: one back"), "{pretty}");
    assert_eq!(used.code, 1);
    assert!(used.err.contains("network back is in use by service web"), "{}", used.err);
    assert!(used.err.contains("network one is in use by service web"), "{}", used.err);
    assert!(changed.contains("web"), "{changed}");
    assert!(
        predefined.err.contains("host is a pre-defined network and cannot be removed"),
        "{}",
        predefined.err
    );
    assert_eq!(pruned.trim(), "Deleted Networks:\none");
    assert_eq!(removed, "back\ntwo\n");
    assert!(asked.contains("WARNING! Before removing the routing-mesh network"), "{asked}");
    assert!(ingress.ends_with("ingress\n"), "{ingress}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docker_client_makes_a_new_ingress_network_and_runs_services_on_the_host() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);

    let second = docker.try_run("network create -d overlay --ingress other").await;
    docker.run_and_answer("network rm ingress", "y\n").await;
    let without = docker.try_run("service create -d --publish 80:80 drover/whoami").await;
    docker.run("network create -d overlay --ingress --subnet 10.11.0.0/16 mesh").await;
    docker.run("service create -d --name web --publish 80:80 --publish 53:53/udp drover/whoami").await;
    let used = host.delete("/networks/mesh").await.error().1;
    docker.run("service create -d --name agent --network host --publish published=9,target=9,mode=host drover/whoami").await;
    let pretty = docker.run("service inspect --pretty agent").await;
    docker.run("service update -d --network-rm host agent").await;
    let shown = docker.run("service inspect --format {{json\t.Spec.TaskTemplate.Networks}} agent").await;

    assert!(second.err.contains("is already present"), "{}", second.err);
    assert!(without.err.contains("no ingress network is present"), "{}", without.err);
    assert!(used.contains("mesh network cannot be removed because service web depends on it"), "{used}");
    assert!(pretty.contains("Networks: host"), "{pretty}");
    assert_eq!(shown.trim(), "null");
}

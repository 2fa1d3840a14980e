//! What the commands ask the daemon, and what they print; outputs are those of the docker CLI 28.2.2.

use serde_json::{Value, json};

use crate::fake::{answers, run, run_words};

#[tokio::test]
async fn a_network_is_asked_for_as_docker_does() {
    let made = || answers([("POST /networks/create", json!({"Id": "abc", "Warning": "careful"}))]);

    let full = run(
        "network create -d overlay --attachable --internal --subnet 10.9.0.0/24,10.8.0.0/24 --gateway 10.9.0.1 \
         --ip-range 10.9.0.128/25 --aux-address printer=10.9.0.7 --opt a=b -o c --label l=m --ipam-opt i=j --scope swarm \
         --ipv6=false back",
        made(),
    )
    .await;
    let plain = run("network create mine", made()).await;
    let wrong = run("network create --gateway 10.9.0.1 back", made()).await;

    assert_eq!((full.out.as_str(), full.err.as_str()), ("abc\n", "careful\n"));
    assert_eq!(
        full.requests[0].1,
        json!({"Name": "back", "Driver": "overlay", "Scope": "swarm", "EnableIPv6": false,
            "IPAM": {"Driver": "default", "Options": {"i": "j"}, "Config": [
                {"Subnet": "10.9.0.0/24", "IPRange": "10.9.0.128/25", "Gateway": "10.9.0.1",
                    "AuxiliaryAddresses": {"printer": "10.9.0.7"}},
                {"Subnet": "10.8.0.0/24"}]},
            "Internal": true, "Attachable": true, "Ingress": false, "ConfigOnly": false, "ConfigFrom": null,
            "Options": {"a": "b", "c": ""}, "Labels": {"l": "m"}})
    );
    assert_eq!(plain.requests[0].1["Driver"], "bridge");
    assert_eq!(plain.requests[0].1["IPAM"], json!({"Driver": "default", "Options": {}, "Config": []}));
    assert_eq!((wrong.code, wrong.requests.len()), (1, 0));
    assert_eq!(wrong.err, "every ip-range or gateway must have a corresponding subnet\n");
}

fn list() -> Value {
    let network = |id: &str, name: &str, driver: &str, scope: &str| {
        json!({"Id": id, "Name": name, "Driver": driver, "Scope": scope, "EnableIPv4": true,
            "Created": "2024-01-02T03:04:05.000000006Z", "Labels": {"a": "b"}})
    };
    json!([
        network("n2bbbbbbbbbbbbbbbbbbbbbbb", "web10", "overlay", "swarm"),
        network("n1aaaaaaaaaaaaaaaaaaaaaaa", "web2", "overlay", "swarm"),
        network("b21d9e0000000000", "bridge", "bridge", "local")
    ])
}

#[tokio::test]
async fn networks_are_listed_by_name() {
    let known = || answers([("GET /networks", list())]);

    let table = run("network ls -f scope=swarm", known()).await;
    let quiet = run("network ls -q", known()).await;
    let whole = run("network list -q --no-trunc", known()).await;
    let json = run("network ls --format json", known()).await;
    let own = run_words(&["network", "ls", "--format", "{{.Name}} {{.Label \"a\"}}"], known()).await;

    assert_eq!(
        table.out,
        "\
NETWORK ID     NAME      DRIVER    SCOPE
b21d9e000000   bridge    bridge    local
n1aaaaaaaaaa   web2      overlay   swarm
n2bbbbbbbbbb   web10     overlay   swarm
"
    );
    assert_eq!(table.requests[0].0, "GET /networks?filters=%7B%22scope%22%3A%7B%22swarm%22%3Atrue%7D%7D");
    assert_eq!(quiet.out, "b21d9e000000\nn1aaaaaaaaaa\nn2bbbbbbbbbb\n");
    assert_eq!(whole.out.lines().nth(1), Some("n1aaaaaaaaaaaaaaaaaaaaaaa"));
    assert_eq!(
        json.out.lines().next(),
        Some(
            r#"{"CreatedAt":"2024-01-02 03:04:05.000000006 +0000 UTC","Driver":"bridge","ID":"b21d9e000000","IPv4":"true","IPv6":"false","Internal":"false","Labels":"a=b","Name":"bridge","Scope":"local"}"#
        )
    );
    assert_eq!(own.out, "bridge b\nweb2 b\nweb10 b\n");
}

#[tokio::test]
async fn networks_are_shown_in_full() {
    let known = answers([("GET /networks/back", json!({"Name": "back", "Services": {"web": {}}}))]);

    let shown = run("network inspect -v -f {{.Name}} back nope", known).await;

    assert_eq!((shown.code, shown.out.as_str()), (1, "back\n"));
    assert_eq!(shown.requests[0].0, "GET /networks/back?verbose=true");
    assert!(shown.err.contains("not found"), "{}", shown.err);
}

#[tokio::test]
async fn networks_are_removed_and_that_of_published_ports_only_after_a_question() {
    let network = |is_ingress: bool| json!({"Name": "x", "Ingress": is_ingress});
    let known = || {
        answers([
            ("GET /networks/one", network(false)),
            ("GET /networks/mesh", network(true)),
            ("DELETE /networks/one", json!(null)),
            ("DELETE /networks/mesh", json!(null)),
        ])
    };

    let removed = run("network rm one mesh", known()).await;
    let missing = run("network rm nope one", known()).await;
    let forced = run("network rm -f nope one", known()).await;

    assert!(removed.out.starts_with("one\nWARNING! mesh carries published ports"), "{}", removed.out);
    assert!(!removed.requests.iter().any(|request| request.0 == "DELETE /networks/mesh"));
    assert_eq!((missing.code, missing.out.as_str()), (1, "one\n"));
    assert_eq!((forced.code, forced.out.as_str(), forced.err.as_str()), (0, "one\n", ""));
}

#[tokio::test]
async fn networks_that_nobody_uses_are_pruned() {
    let pruned = json!({"NetworksDeleted": ["one", "two"]});

    let forced =
        run("network prune -f --filter until=24h", answers([("POST /networks/prune", pruned)])).await;
    let asked = run("network prune", answers([])).await;

    assert_eq!(forced.out, "Deleted Networks:\none\ntwo\n\n");
    assert_eq!(
        forced.requests[0].0,
        "POST /networks/prune?filters=%7B%22until%22%3A%7B%2224h%22%3Atrue%7D%7D"
    );
    assert!(asked.out.starts_with("WARNING! This will remove all custom networks"), "{}", asked.out);
    assert!(asked.requests.is_empty());
}

#[tokio::test]
async fn containers_are_put_on_networks_and_taken_off() {
    let known = || {
        answers([
            ("POST /networks/mine/connect", json!(null)),
            ("POST /networks/mine/disconnect", json!(null)),
        ])
    };

    let connected = run("network connect --alias a,b --ip 10.9.0.9 --driver-opt x=y mine box", known()).await;
    let disconnected = run("network disconnect -f mine box", known()).await;

    assert_eq!((connected.code, connected.out.as_str()), (0, ""));
    let body = &connected.requests[0].1;
    assert_eq!((&body["Container"], &body["EndpointConfig"]["Aliases"]), (&json!("box"), &json!(["a", "b"])));
    assert_eq!(body["EndpointConfig"]["IPAMConfig"], json!({"IPv4Address": "10.9.0.9"}));
    assert_eq!(body["EndpointConfig"]["DriverOpts"], json!({"x": "y"}));
    assert_eq!(disconnected.requests[0].1, json!({"Container": "box", "Force": true}));
}

//! Images; their names hold slashes.

use bytes::Bytes;
use docker_api::LocalState;
use http::Request;
use serde_json::json;

use crate::support::Host;

fn host() -> Host {
    let host = Host::outside(LocalState::Inactive);
    host.engine.has_image("registry.local:5000/team/app:1.2", 100);
    host.engine.has_image("drover/whoami:latest", 200);
    host
}

#[tokio::test]
async fn names_with_slashes_ports_and_tags_reach_the_host() {
    let host = host();
    let name = "registry.local:5000/team/app:1.2";

    let shown = host.get(&format!("/v1.50/images/{name}/json")).await.json();
    let history = host.get(&format!("/images/{name}/history")).await.json();
    let tagged = host.post(&format!("/images/{name}/tag?repo=other/app&tag=2"), &json!(null)).await;
    let removed = host.delete(&format!("/images/{name}?force=1&noprune=0")).await.json();
    let escaped = host.get("/images/drover%2Fwhoami:latest/json").await;

    assert_eq!(shown["RepoTags"], json!([name]));
    assert_eq!(history[0]["CreatedBy"], "COPY / /");
    assert_eq!((tagged.status, tagged.body.len()), (201, 0));
    assert_eq!(removed[0], json!({"Untagged": name}));
    assert_eq!(escaped.status, 200);
    assert_eq!(host.engine.calls(), [format!("tag {name} other/app:2"), format!("remove {name} true false")]);
    assert_eq!(host.get("/images/a/b/c/json").await.error(), (404, "No such image: a/b/c".into()));
    assert_eq!(host.get("/images/a/b/nope").await.error().1, "page not found");
    assert_eq!(host.post("/images/a/tag", &json!(null)).await.error().0, 400);
}

#[tokio::test]
async fn lists_are_narrowed() {
    let host = host();
    let listed = async |filters: &str| {
        let encoded = filters.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        let list = host.get(&format!("/images/json?filters={encoded}")).await.json();
        let tags =
            list.as_array().unwrap().iter().map(|image| image["RepoTags"][0].as_str().unwrap().to_owned());
        tags.collect::<Vec<_>>()
    };

    assert_eq!(listed("{}").await.len(), 2);
    assert_eq!(listed(r#"{"reference":{"drover/whoami":true}}"#).await, ["drover/whoami:latest"]);
    assert_eq!(listed(r#"{"since":["registry.local:5000/team/app:1.2"]}"#).await, ["drover/whoami:latest"]);
    assert_eq!(listed(r#"{"dangling":["true"]}"#).await.len(), 0);
}

#[tokio::test]
async fn a_pull_tells_its_progress_and_fails_before_it_begins() {
    let host = host();
    let pull = async |query: &str| {
        // {"username":"ann"}
        let request = Request::post(format!("/images/create?{query}"))
            .header("x-registry-auth", "eyJ1c2VybmFtZSI6ImFubiJ9");
        host.send(request, Bytes::new()).await
    };

    let done = pull("fromImage=docker.io/library/nginx&tag=1.27&platform=linux/arm64").await;
    let digest = pull("fromImage=nginx&tag=sha256:abc").await;
    let failed = pull("fromImage=nowhere/x&tag=1").await.error();
    let from_afar = pull("fromSrc=http://example.com/x.tar").await.error();

    assert_eq!(done.header("content-type"), "application/json");
    let text = String::from_utf8(done.body.to_vec()).unwrap();
    assert_eq!(text.matches("\r\n").count(), 2, "{text}");
    assert!(text.starts_with(r#"{"status":"Pull complete""#), "{text}");
    assert_eq!(digest.status, 200);
    assert_eq!(failed, (404, "manifest for nowhere/x:1 not found".into()));
    assert_eq!(from_afar.0, 501);
    assert_eq!(
        host.engine.calls(),
        [
            "pull docker.io/library/nginx:1.27 ann linux/arm64",
            "pull nginx@sha256:abc ann ",
            "pull nowhere/x:1 ann "
        ]
    );
}

#[tokio::test]
async fn an_archive_larger_than_any_json_body_is_loaded() {
    let host = host();
    let request = Request::post("/images/load?quiet=1").header("content-type", "application/x-tar");

    let answer = host.send(request, vec![0; 5 << 20]).await;

    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with(b"{\"stream\":\"Loaded image: "), "{:?}", answer.body);
    assert_eq!(host.engine.calls(), ["load 5242880 true"]);
}

#[tokio::test]
async fn registries_are_asked_by_name() {
    let host = host();

    let answer = host.get("/distribution/registry.local:5000/team/app:1.2/json").await.error();
    let broken = host.send(Request::get("/distribution/a/json").header("x-registry-auth", "!"), Bytes::new());

    assert_eq!(answer, (401, "no registry knows registry.local:5000/team/app:1.2".into()));
    assert_eq!(broken.await.error().0, 400);
    assert_eq!(host.get("/distribution/a").await.error().0, 404);
}

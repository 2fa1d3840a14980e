//! One image, three containers that behave differently: all they need to know comes from outside.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Client, Lab, turn};

#[test]
fn one_image_behaves_as_it_is_told() {
    let _turn = turn();
    let lab = Lab::up("outside", 1, 0);
    let [drover, docker] = Client::both(&lab, "m1");
    drover.load("nginx");
    for client in [drover, docker] {
        three_servers(client);
        arguments_and_environment(client);
    }
    lab.until_nothing_is_left();
}

fn three_servers(client: Client<'_>) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let template = write(
        "default.conf.template",
        "server { listen 80; location / { default_type text/plain; return 200 'a ${COLOUR} shop of $host'; } }",
    );
    let environment = write("environment", "# what colour\nCOLOUR=green\n");
    let config = write("default.conf", "server { listen 80; location / { return 418 'no shop'; } }");

    let mount = format!("-v {template}:/etc/nginx/templates/default.conf.template:ro");
    client.run(&format!("run -d --name red -p 8001:80 --env COLOUR=red {mount} nginx")).ok();
    client.run(&format!("run -d --name green -p 8002:80 --env-file {environment} {mount} nginx")).ok();
    let own = format!("--mount type=bind,source={config},target=/etc/nginx/conf.d/default.conf,readonly");
    client
        .run(&format!(
            "run -d --name none -p 8003:80 {own} nginx nginx -g 'daemon off; timer_resolution 100ms;'"
        ))
        .ok();

    client.until_serves(8001, "a red shop of 127.0.0.1");
    client.until_serves(8002, "a green shop of 127.0.0.1");
    client.until_serves(8003, "418");
    client.run("rm -f red green none").ok();
}

fn arguments_and_environment(client: Client<'_>) {
    let said = client.run("run --rm -e A=1 -e B=2 --entrypoint sh nginx -c 'echo $A$B $0 $@' x y z").ok();
    assert_eq!(said, "12 x y z");
    assert_eq!(client.run("run --rm -w /etc -u www-data nginx sh -c 'pwd; id -un'").ok(), "/etc\nwww-data");
    assert_eq!(client.run("run --rm --hostname shop nginx hostname").ok(), "shop");
    assert_eq!(client.run("run --rm nginx sh -c 'exit 7'").code, Some(7));
    assert_eq!(client.run("run --rm nginx nosuchprogram").code, Some(127));
    assert_eq!(client.run("run --rm nginx /etc/passwd").code, Some(126));
    assert_eq!(client.run("run --rm --env-file /nosuchfile nginx true").code, Some(125));
}

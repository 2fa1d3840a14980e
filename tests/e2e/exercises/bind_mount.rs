//! Bind mounts: one directory of the host, seen by several containers.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Client, Lab, turn};

#[test]
fn a_directory_of_the_host_is_shared() {
    let _turn = turn();
    let lab = Lab::up("bind", 1, 0);
    let [drover, docker] = Client::both(&lab, "m1");
    drover.load("nginx");
    for client in [drover, docker] {
        two_servers_over_one_directory(client);
    }
    lab.until_nothing_is_left();
}

fn two_servers_over_one_directory(client: Client<'_>) {
    let folder = tempfile::tempdir().unwrap();
    // The servers' workers are no root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let page = folder.path().join("index.html");
    let html = format!("-v {}:/usr/share/nginx/html", folder.path().display());
    client.run(&format!("run -d --name my-nginx-a -p 8000:80 {html} nginx")).ok();
    client.run(&format!("run -d --name my-nginx-b -p 8001:80 {html} nginx")).ok();
    client.until_serves(8000, "403");
    client.until_serves(8001, "403");

    fs::write(&page, "written on the host\n").unwrap();
    client.until_serves(8000, "written on the host");
    client.until_serves(8001, "written on the host");

    // A person's terminal, as `script` makes one for a program that wants it.
    let typed = "printf 'echo written inside >/usr/share/nginx/html/index.html\\nexit\\n'";
    let program = client.program;
    let line = format!("{typed} | script -qec '{program} exec -it my-nginx-a /bin/sh' /dev/null");
    client.lab.sh(client.host, &line).ok();
    client.until_serves(8000, "written inside");
    client.until_serves(8001, "written inside");
    assert_eq!(fs::read_to_string(&page).unwrap(), "written inside\n");

    assert_eq!(client.run("volume ls -q").ok(), "", "a bind mount is no volume");
    client
        .run(&format!("run -d --name late -p 8000:80 {html} nginx"))
        .refused(&["port is already allocated"]);
    client.run("rm -f my-nginx-a my-nginx-b late").ok();
    let missing = folder.path().join("missing");
    client
        .run(&format!("run --rm --mount type=bind,source={},target=/x nginx true", missing.display()))
        .refused(&["bind source path does not exist"]);
    client.run(&format!("run --rm -v {}:/x nginx true", missing.display())).ok();
    assert!(missing.is_dir(), "the short form makes what is missing");
}

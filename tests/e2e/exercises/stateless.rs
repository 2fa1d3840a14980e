//! A container is stateless: what was changed in it goes with it.

use std::fs;

use crate::support::{Client, Lab, turn};

#[test]
fn a_container_is_stateless() {
    let _turn = turn();
    let lab = Lab::up("stateless", 1, 0);
    let [drover, docker] = Client::both(&lab, "m1");
    drover.load("nginx");
    for client in [drover, docker] {
        a_page_goes_with_its_container(client);
    }
    many_containers_share_one_copy(drover);
    lab.until_nothing_is_left();
}

fn a_page_goes_with_its_container(client: Client<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let (page, back) = (folder.path().join("index.html"), folder.path().join("back.html"));
    fs::write(&page, "a page of my own\n").unwrap();
    let layers = layers(client);

    let first = client.run("run -d --name my-nginx -p 8000:80 nginx").ok();
    client.until_serves(8000, "Welcome to nginx!");
    client.run(&format!("cp {} my-nginx:/usr/share/nginx/html/index.html", page.display())).ok();
    client.until_serves(8000, "a page of my own");
    client.run("diff my-nginx").says(&["C /usr/share/nginx/html/index.html"]);
    client.run("rm my-nginx").refused(&["running"]);
    client.run("rm -f my-nginx").says(&["my-nginx"]);

    let second = client.run("run -d --name my-nginx -p 8000:80 nginx").ok();
    assert_ne!(first, second, "a container is never the one before");
    client.until_serves(8000, "Welcome to nginx!");
    client.run(&format!("cp my-nginx:/usr/share/nginx/html/index.html {}", back.display())).ok();
    assert!(fs::read_to_string(&back).unwrap().contains("Welcome to nginx!"));
    client.run("rm -f my-nginx").ok();
    assert_eq!(layers, self::layers(client), "nothing was written to the image");
}

fn many_containers_share_one_copy(client: Client<'_>) {
    let before = used_kib(client);
    let names: Vec<String> = (0..20).map(|number| format!("copy-{number}")).collect();
    for name in &names {
        client.run(&format!("run -d --name {name} nginx")).ok();
    }
    assert_eq!(client.run("ps -q").ok().lines().count(), 20);
    let grown = used_kib(client) - before;
    println!("20 containers of an image of 140 MB take {grown} KiB on disk");
    assert!(grown < 10_000, "20 containers take {grown} KiB beside one copy of the image");
    client.run(&format!("rm -f {}", names.join(" "))).ok();
}

/// Returns what a host keeps on disk, mounts left out.
fn used_kib(client: Client<'_>) -> i64 {
    let data = client.lab.folder(client.host).join("data");
    let text = client.lab.sh("m1", &format!("du -skx {}", data.display())).ok();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// Names all that the image's layers hold: files with sizes and times.
fn layers(client: Client<'_>) -> String {
    let layers = client.lab.folder(client.host).join("data/images/layers");
    let look = format!("find {} -printf '%P %s %T@ %m\\n' | sort | sha256sum", layers.display());
    client.lab.sh("m1", &look).ok()
}

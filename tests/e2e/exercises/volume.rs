//! A volume outlives its containers.

use crate::support::{Client, Lab, turn};

#[test]
fn a_volume_outlives_its_containers() {
    let _turn = turn();
    let lab = Lab::up("volume", 1, 0);
    let [drover, docker] = Client::both(&lab, "m1");
    for image in ["postgres", "busybox"] {
        drover.load(image);
    }
    for client in [drover, docker] {
        a_database_survives(client);
        several_share_and_one_has_several(client);
        a_new_volume_is_filled(client);
    }
    lab.until_nothing_is_left();
}

fn a_database_survives(client: Client<'_>) {
    client.run("volume create mydata").says(&["mydata"]);
    client.run("volume ls").says(&["DRIVER", "VOLUME NAME", "local", "mydata"]);
    client.run("volume inspect mydata").says(&[
        "\"Driver\": \"local\"",
        "\"Mountpoint\": \"/",
        "mydata/_data\"",
        "\"CreatedAt\": \"20",
    ]);
    let run = "run -d -e POSTGRES_PASSWORD=secret -v mydata:/var/lib/postgresql/data";
    let psql = |name: &str, command: &str| format!("exec {name} psql -U postgres -c '{command}'");

    client.run(&format!("{run} --name my-postgres postgres")).ok();
    client.run("container inspect my-postgres").says(&[
        "\"Type\": \"volume\"",
        "\"Name\": \"mydata\"",
        "\"Destination\": \"/var/lib/postgresql/data\"",
        "\"RW\": true",
    ]);
    client.until_says(60, &psql("my-postgres", "CREATE DATABASE mydb;"), "CREATE DATABASE");
    client.run("volume rm mydata").refused(&["volume is in use", &id(client, "my-postgres")]);
    client.run("rm -f my-postgres").ok();

    client.run(&format!("{run} --name second postgres")).ok();
    client.until_says(60, &psql("second", "SELECT datname FROM pg_database;"), "mydb");
    client.run("stop second").ok();
    client.run("volume rm mydata").refused(&["volume is in use"]);
    client.run("rm second").ok();
    client.run("volume rm mydata").says(&["mydata"]);
    client.run("volume inspect mydata").refused(&["mydata"]);
}

fn several_share_and_one_has_several(client: Client<'_>) {
    client.run("run -d --name writer -v shared:/out busybox sh -c 'echo hello >/out/word; sleep 1000'").ok();
    client.until_says(10, "run --rm -v shared:/in:ro busybox cat /in/word", "hello");
    client
        .run("run --rm -v shared:/in:ro busybox sh -c 'echo no >/in/word'")
        .refused(&["Read-only file system"]);
    let two = "run --rm -v shared:/a -v other:/b busybox sh -c 'cp /a/word /b/; ls /b'";
    client.run(two).says(&["word"]);
    client
        .run("run --rm --mount type=volume,source=other,target=/b,readonly busybox cat /b/word")
        .says(&["hello"]);
    client.run("volume prune -f").ok();
    client.run("volume ls -q").says(&["shared", "other"]);
    client.run("rm -f writer").ok();
    client.run("volume prune -f -a").says(&["shared", "other"]);
    assert_eq!(client.run("volume ls -q").ok(), "");
}

fn a_new_volume_is_filled(client: Client<'_>) {
    client.run("run --rm -v filled:/etc busybox true").ok();
    client.run("run --rm -v filled:/look busybox cat /look/passwd").says(&["root:x:0:0"]);
    client.run("run --rm -v bare:/etc:nocopy busybox true").ok();
    assert_eq!(client.run("run --rm -v bare:/look busybox ls /look/passwd").code, Some(1));
    client.run("run --rm -v filled:/look busybox sh -c 'mkdir -p /look/a/b; echo deep >/look/a/b/word'").ok();
    let part = "--mount type=volume,source=filled,target=/part,volume-subpath=a/b";
    client.run(&format!("run --rm {part} busybox cat /part/word")).says(&["deep"]);
    let outside = "--mount type=volume,source=filled,target=/part,volume-subpath=../..";
    client.run(&format!("run --rm {outside} busybox true")).refused(&["subpath"]);
    client.run("volume rm filled bare").ok();
}

/// Returns the whole id of a container.
fn id(client: Client<'_>, name: &str) -> String {
    client.run(&format!("inspect --format '{{{{.Id}}}}' {name}")).ok()
}

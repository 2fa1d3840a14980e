//! Data volume containers, and moving a volume to another host.

use crate::support::{Client, Lab, turn};

const SQL: &str = "mariadb -uroot -psecret shop -e";

#[test]
fn data_moves_between_containers_and_hosts() {
    let _turn = turn();
    let lab = Lab::up("data", 1, 1);
    for host in lab.hosts() {
        for image in ["mariadb", "busybox"] {
            Client { lab: &lab, host, program: "drover" }.load(image);
        }
    }
    for program in ["drover", "docker"] {
        rows_survive(Client { lab: &lab, host: "m1", program });
        a_tar_moves_them(&lab, program);
    }
    export_and_import(&lab);
    lab.until_nothing_is_left();
}

fn rows_survive(client: Client<'_>) {
    let run = "run -d -e MARIADB_ROOT_PASSWORD=secret -e MARIADB_DATABASE=shop --volumes-from data";
    let sql = |name: &str, text: &str| format!("exec {name} {SQL} '{text}'");
    client.run("create --name data -v rows:/var/lib/mysql busybox true").ok();
    client.run(&format!("{run} --name first mariadb")).ok();
    client.until_says(60, &sql("first", "CREATE TABLE goods (name TEXT); SELECT 17 AS made;"), "17");
    client.run(&sql("first", "INSERT INTO goods VALUES (\"lamp\");")).ok();
    client.run("stop first").ok();
    client.run("rm first").ok();
    client.run(&format!("{run} --name second mariadb")).ok();
    client.until_says(60, &sql("second", "SELECT name FROM goods;"), "lamp");
    client.run("stop second").ok();
    client.run("rm second").ok();
}

fn a_tar_moves_them(lab: &Lab, program: &str) {
    let [here, there] = ["m1", "w1"].map(|host| Client { lab, host, program });
    let folder = tempfile::tempdir().unwrap();
    let backup = format!("-v {}:/backup", folder.path().display());
    here.run(&format!(
        "run --rm --volumes-from data {backup} busybox tar cf /backup/rows.tar -C /var/lib/mysql ."
    ))
    .ok();
    there.run(&format!("run --rm -v rows:/rows {backup} busybox tar xf /backup/rows.tar -C /rows")).ok();
    reads_rows(there);
    there.run("volume rm rows").ok();
    here.run("rm -v data").ok();
    here.run("volume rm rows").ok();
}

fn export_and_import(lab: &Lab) {
    let [here, there] = ["m1", "w1"].map(|host| Client { lab, host, program: "drover" });
    rows_survive(here);
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("x.tar");
    lab.sh("m1", &format!("drover volume export rows > {}", tar.display())).ok();
    lab.sh("w1", &format!("drover volume import rows < {}", tar.display())).ok();
    reads_rows(there);
    there.run("volume rm rows").ok();
    there.run("volume export rows").refused(&["rows"]);
    through_the_manager(lab, here, there);
    here.run("rm data").ok();
    here.run("volume rm rows").ok();
}

/// Volumes of another node go out and in through the manager, and through no worker.
fn through_the_manager(lab: &Lab, here: Client<'_>, there: Client<'_>) {
    let copy = "volume export rows --node m1 | drover volume import rows --node w1";
    lab.sh("m1", &format!("drover {copy}")).ok();
    reads_rows(there);
    here.run("volume export gone --node w1").refused(&["w1", "get gone: no such volume"]);
    here.run("volume export rows --node w9").refused(&["w9"]);
    there.run("volume export rows --node m1").refused(&["not a swarm manager"]);

    lab.sh("m1", &format!("drover {copy}")).refused(&["w1", "rows", "not empty", "--merge"]);
    lab.sh("m1", &format!("drover {copy} --merge")).ok();
    lab.sh("m1", "drover volume export rows --node w1 | tar t | grep -c ibdata1").ok();
    there.run("volume rm rows").ok();
}

fn reads_rows(client: Client<'_>) {
    client.run("run -d --name reader -v rows:/var/lib/mysql mariadb").ok();
    client.until_says(60, &format!("exec reader {SQL} 'SELECT name FROM goods;'"), "lamp");
    client.run("rm -f reader").ok();
}

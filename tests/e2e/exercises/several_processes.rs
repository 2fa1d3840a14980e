//! One concern, several processes: cron and the job it runs.

use crate::support::{Client, Lab, eventually, turn};

#[test]
fn cron_and_its_job_run_in_one_container() {
    let _turn = turn();
    let lab = Lab::up("cron", 1, 0);
    let [drover, docker] = Client::both(&lab, "m1");
    drover.load("cron");
    for (client, name) in [(drover, "one"), (docker, "two")] {
        client.run(&format!("run -d --init --name {name} cron")).ok();
        client.run(&format!("top {name}")).says(&["PID", "cron -f"]);
        orphans_are_reaped(client, name);
    }
    for (client, name) in [(drover, "one"), (docker, "two")] {
        let logs = || client.run(&format!("logs {name}")).ok();
        eventually(150, "the job has reported twice", || {
            let text = logs();
            if text.lines().filter(|line| line.starts_with("report of ")).count() >= 2 {
                Ok(())
            } else {
                Err(text)
            }
        });
        client.run(&format!("rm -f {name}")).ok();
    }
    lab.until_nothing_is_left();
}

/// A process whose parent has gone belongs to the first one, which must take its end.
fn orphans_are_reaped(client: Client<'_>, name: &str) {
    client.run(&format!("exec {name} sh -c '(sleep 0.1 & ) ; exit 0'")).ok();
    eventually(10, "no process is left unreaped", || {
        let text = client.run(&format!("top {name} -eo pid,stat,args")).ok();
        if text.contains(" Z") || text.contains("sleep") { Err(text) } else { Ok(()) }
    });
}

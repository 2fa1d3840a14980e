//! The processes of a container, as `ps` of the host shows them.

use std::collections::BTreeSet;
use std::process::Stdio;

use container_json::Top;

use crate::events::Action;
use crate::{Engine, Error};

const USUAL: &str = "-ef";

impl Engine {
    /// Lists a container's processes; `arguments` are those of `ps`, empty for `-ef`.
    pub async fn top(&self, name: &str, arguments: &str) -> Result<Top, Error> {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let arguments = if arguments.is_empty() { vec![USUAL] } else { arguments };
        let entry = self.entry(name)?;
        self.running(&entry)?;
        let pids = self.containers().pids(&entry.id).await?;
        let listed = tokio::process::Command::new("ps").args(&arguments).stdin(Stdio::null()).output().await;
        let listed = listed.map_err(|error| {
            Error::internal(&error).within("execute `ps` of this host (Debian's package procps has it)")
        })?;
        if !listed.status.success() {
            let said = String::from_utf8_lossy(&listed.stderr);
            return Err(Error::invalid(format!("ps: {}", said.lines().next().unwrap_or("failed"))));
        }
        let pids = pids.into_iter().map(i64::from).collect();
        let top = parse(&String::from_utf8_lossy(&listed.stdout), &pids)?;
        self.tell(&entry, Action::Top, []);
        Ok(top)
    }
}

/// Reads what `ps` printed, and keeps the processes that are meant.
fn parse(text: &str, pids: &BTreeSet<i64>) -> Result<Top, Error> {
    let mut lines = text.lines();
    let titles: Vec<String> =
        lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let pid = titles.iter().position(|title| title == "PID");
    let pid = pid.ok_or_else(|| Error::invalid("Couldn't find PID field in ps output"))?;
    let processes = lines.filter_map(|line| {
        let fields = fields(line, titles.len());
        let is_meant = fields.get(pid)?.parse().is_ok_and(|pid| pids.contains(&pid));
        is_meant.then_some(fields)
    });
    Ok(Top { processes: processes.collect(), titles })
}

/// Parts a line into so many fields; the last one is the rest with its spaces.
fn fields(line: &str, count: usize) -> Vec<String> {
    let mut fields = Vec::with_capacity(count);
    let mut rest = line.trim();
    while fields.len() + 1 < count {
        let Some((field, after)) = rest.split_once(char::is_whitespace) else { break };
        fields.push(field.to_owned());
        rest = after.trim_start();
    }
    fields.push(rest.to_owned());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "UID          PID    PPID  C STIME TTY          TIME CMD\n\
                           root           1       0  0 10:00 ?        00:00:01 /sbin/init\n\
                           www        41234   41200  0 10:01 ?        00:00:00 nginx: master process  nginx -g\n";

    #[test]
    fn processes_of_the_container_are_kept() {
        let top = parse(PRINTED, &BTreeSet::from([41234, 7])).unwrap();

        assert_eq!(top.titles.join(" "), "UID PID PPID C STIME TTY TIME CMD");
        assert_eq!(top.processes.len(), 1);
        assert_eq!(top.processes[0][7], "nginx: master process  nginx -g");
        assert!(parse("USER CMD\n", &BTreeSet::new()).is_err());
    }
}

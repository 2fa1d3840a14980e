//! A service of a lab, and its tasks as `service ps` tells of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::lab::Lab;
use super::wait::eventually;

/// A task as `service ps` shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    pub id: String,
    pub name: String,
    pub node: String,
    pub image: String,
    pub desired: String,
    pub state: String,
    pub error: String,
}

impl Task {
    /// Tells whether the task runs and should.
    pub fn is_running(&self) -> bool {
        self.desired == "Running" && self.state.starts_with("Running ")
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split('|').map(str::to_owned);
        Some(Self {
            id: words.next()?,
            name: words.next()?.trim_start_matches([' ', '\\', '_']).to_owned(),
            node: words.next()?,
            image: words.next()?,
            desired: words.next()?,
            state: words.next()?,
            error: words.next()?.trim_matches('"').to_owned(),
        })
    }
}

/// A service, asked about on one host.
#[derive(Clone, Copy)]
pub struct Service<'a> {
    lab: &'a Lab,
    host: &'a str,
    name: &'a str,
}

impl<'a> Service<'a> {
    /// Names a service.
    pub fn named(lab: &'a Lab, host: &'a str, name: &'a str) -> Self {
        Self { lab, host, name }
    }

    /// Creates a service without waiting for it; `words` are further flags, the image and its arguments.
    #[track_caller]
    pub fn create(lab: &'a Lab, host: &'a str, name: &'a str, words: &str) -> Self {
        lab.drover(host, &format!("service create --detach --name {name} {words}")).ok();
        Self { lab, host, name }
    }

    /// Returns the same service, asked about on another host.
    pub fn seen_from(self, host: &'a str) -> Self {
        Self { host, ..self }
    }

    /// Returns all its tasks.
    pub fn tasks(&self) -> Result<Vec<Task>, String> {
        let format = "{{.ID}}|{{.Name}}|{{.Node}}|{{.Image}}|{{.DesiredState}}|{{.CurrentState}}|{{.Error}}";
        let words = ["drover", "service", "ps", self.name, "--no-trunc", "--format", format];
        Ok(self.lab.run(self.host, &words).tried()?.lines().filter_map(Task::read).collect())
    }

    /// Waits until the tasks fulfil a claim, and returns them with the time it took.
    #[track_caller]
    pub fn until(&self, what: &str, claim: impl Fn(&[Task]) -> bool) -> (Vec<Task>, Duration) {
        eventually(60, &format!("{}: {what}", self.name), || {
            let tasks = self.tasks()?;
            if claim(&tasks) { Ok(tasks) } else { Err(format!("{tasks:#?}")) }
        })
    }

    /// Waits until exactly so many tasks run and no other should, and returns them.
    #[track_caller]
    pub fn until_running(&self, count: usize) -> (BTreeSet<Task>, Duration) {
        let is_wanted = |task: &&Task| matches!(task.desired.as_str(), "Running" | "Ready");
        let (tasks, time) = self.until(&format!("{count} tasks running"), |tasks| {
            let wanted: Vec<&Task> = tasks.iter().filter(is_wanted).collect();
            wanted.len() == count && wanted.iter().all(|task| task.is_running())
        });
        (tasks.into_iter().filter(Task::is_running).collect(), time)
    }

    /// Waits until a task has an error with these words, and returns it.
    #[track_caller]
    pub fn until_error(&self, words: &str) -> Task {
        let has = |task: &Task| task.error.contains(words);
        let (tasks, _) = self.until(&format!("a task with {words:?}"), |tasks| tasks.iter().any(has));
        tasks.into_iter().find(has).unwrap()
    }

    /// Removes the service.
    #[track_caller]
    pub fn remove(&self) {
        self.lab.drover(self.host, &format!("service rm {}", self.name)).ok();
    }
}

//! Waits until a service is as it should be, and shows how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use client::{Console, Context, Route};
use engine_json::{Filters, Node, Service, Task, UpdateConfig};

use super::progress::{Line, Progress, Stage, look};
use super::{Waiting, fetch};

/// The time between two looks: half of Docker's, because tasks start in milliseconds here.
const POLL: Duration = Duration::from_millis(100);

/// What a look at a service says.
enum Verdict {
    /// Go on looking.
    Wait { is_rollback: bool },
    /// The daemon says that the update is done.
    Done,
}

/// Waits until all tasks run and have been stable for as long as the service's update settings ask.
pub(super) async fn wait(context: &mut Context, name: &str, waiting: &Waiting) -> Result<()> {
    let mut screen = Screen::new(waiting.quiet);
    let mut stable_since: Option<Instant> = None;
    loop {
        let service = fetch(context, name).await?;
        let is_rollback = match verdict(&service, stable_since.is_some())? {
            Verdict::Wait { is_rollback } => is_rollback,
            Verdict::Done => {
                return screen.say(&mut context.console, &format!("verify: Service {name} converged"));
            }
        };
        let monitor = monitor(&service);
        if stable_since.is_some_and(|since| since.elapsed() >= monitor) {
            return screen.say(&mut context.console, &format!("verify: Service {name} converged"));
        }
        let progress = snapshot(context, &service, is_rollback).await?;
        screen.draw(&mut context.console, &progress)?;
        if progress.is_converged && service.job_status.is_some() {
            return screen.say(&mut context.console, "job complete");
        }
        if progress.is_converged {
            let since = *stable_since.get_or_insert_with(Instant::now);
            let left = monitor.saturating_sub(since.elapsed());
            screen.waiting(&mut context.console, left)?;
        } else if stable_since.take().is_some() {
            screen.say(&mut context.console, "verify: Detected task failure")?;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            _ = tokio::signal::ctrl_c() => {
                context.console.complain(&format!(
                    "\nOperation continuing in background.\nUse `drover service ps {name}` to check progress."
                ));
                return Ok(());
            }
        }
    }
}

fn verdict(service: &Service, is_stable: bool) -> Result<Verdict> {
    let Some(status) = &service.update_status else { return Ok(Verdict::Wait { is_rollback: false }) };
    match status.state.as_str() {
        "completed" if !is_stable => Ok(Verdict::Done),
        "paused" => bail!("service update paused: {}", status.message),
        "rollback_paused" => bail!("service rollback paused: {}", status.message),
        "rollback_completed" if !is_stable => bail!("service rolled back: {}", status.message),
        "rollback_started" => Ok(Verdict::Wait { is_rollback: true }),
        _ => Ok(Verdict::Wait { is_rollback: false }),
    }
}

fn monitor(service: &Service) -> Duration {
    let asked =
        service.spec.update_config.as_ref().map(|config| config.monitor).filter(|monitor| *monitor != 0);
    Duration::from_nanos(asked.unwrap_or(UpdateConfig::MONITOR_DEFAULT).unsigned_abs())
}

async fn snapshot(context: &Context, service: &Service, is_rollback: bool) -> Result<Progress> {
    let mut filters = Filters::default();
    filters.add("service", &service.id);
    filters.add("_up-to-date", "true");
    let tasks: Vec<Task> = context.engine.get(Route::new("/tasks").filtered(&filters)).await?;
    let nodes: Vec<Node> = context.engine.get(Route::new("/nodes")).await?;
    let active: BTreeSet<String> =
        nodes.into_iter().filter(|node| node.status.state != "down").map(|node| node.id).collect();
    Ok(look(service, &tasks, &active, is_rollback))
}

/// What has been shown so far: on a terminal lines that are drawn again in place, in a pipe lines that say something new.
#[derive(Default)]
struct Screen {
    is_quiet: bool,
    /// The lines on the terminal.
    drawn: Vec<String>,
    /// What the tasks do.
    body: Vec<String>,
    /// What is said below them.
    footer: String,
    overall: String,
    troubles: BTreeMap<String, String>,
}

impl Screen {
    fn new(is_quiet: bool) -> Self {
        Self { is_quiet, ..Self::default() }
    }

    fn draw(&mut self, console: &mut Console, progress: &Progress) -> Result<()> {
        if self.is_quiet {
            return Ok(());
        }
        if console.is_terminal() {
            self.body = vec![format!("{} ", progress.overall)];
            self.body.extend(progress.lines.iter().map(Line::show));
            return self.redraw(console);
        }
        if self.overall != progress.overall {
            self.overall.clone_from(&progress.overall);
            console.line(&progress.overall)?;
        }
        for line in &progress.lines {
            match &line.stage {
                Stage::Troubled(reason) if self.troubles.get(&line.label) != Some(reason) => {
                    self.troubles.insert(line.label.clone(), reason.clone());
                    console.line(&format!("{}: {reason}", line.label.trim()))?;
                }
                Stage::Troubled(_) => {}
                Stage::Absent | Stage::At(_) => {
                    self.troubles.remove(&line.label);
                }
            }
        }
        Ok(())
    }

    /// Tells how long the tasks are still watched: every second on a terminal, once in a pipe.
    fn waiting(&mut self, console: &mut Console, left: Duration) -> Result<()> {
        const WAITING: &str = "verify: Waiting ";
        if !console.is_terminal() && self.footer.starts_with(WAITING) {
            return Ok(());
        }
        self.say(
            console,
            &format!("{WAITING}{} seconds to verify that tasks are stable...", left.as_secs() + 1),
        )
    }

    /// Says something below the tasks, in place of what was said there before.
    fn say(&mut self, console: &mut Console, text: &str) -> Result<()> {
        if self.is_quiet || self.footer == text {
            return Ok(());
        }
        self.footer = text.to_owned();
        if console.is_terminal() { self.redraw(console) } else { Ok(console.line(text)?) }
    }

    fn redraw(&mut self, console: &mut Console) -> Result<()> {
        let mut lines = self.body.clone();
        if !self.footer.is_empty() {
            lines.push(format!("{} ", self.footer));
        }
        if lines == self.drawn {
            return Ok(());
        }
        let mut out = String::new();
        if !self.drawn.is_empty() {
            out.push_str(&format!("\x1b[{}A", self.drawn.len()));
        }
        for line in &lines {
            out.push_str(&format!("\r\x1b[2K{line}\n"));
        }
        out.push_str("\x1b[J");
        self.drawn = lines;
        Ok(console.write(&out)?)
    }
}

#[cfg(test)]
#[path = "converge_tests.rs"]
mod tests;

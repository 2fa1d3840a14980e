//! From a spec to a program that runs.

use std::path::Path;
use std::sync::Arc;

use shim::place::{Launch, Place};
use shim::talk::{Message, Request};
use tokio::task::spawn_blocking;

use crate::check::check;
use crate::containers::{delete, finish};
use crate::entry::Entry;
use crate::launch::{clear_former_run, make_place, mark_whole, ready, restore, spawn};
use crate::{Containers, Error, Phase, Signal, Spec, Started};

impl Containers {
    /// Makes a container that costs no process before it is started.
    pub async fn lay_out(&self, spec: &Spec) -> Result<(), Error> {
        check(spec)?;
        let (this, launch) = (self.clone(), self.launch(spec));
        // A task of its own, so that a caller who gives up leaves nothing half-made.
        finish(tokio::spawn(async move { this.lay_out_whole(launch).await }).await)
    }

    /// Prepares everything and parks the first process right before the program.
    pub async fn create(&self, spec: &Spec) -> Result<(), Error> {
        check(spec)?;
        let (this, launch) = (self.clone(), self.launch(spec));
        finish(tokio::spawn(async move { this.create_whole(launch).await }).await)
    }

    /// Replaces the spec of a container that does not run, under the same id. A process that is parked right before the
    /// program is ended: it was made by the former spec.
    pub async fn redefine(&self, spec: &Spec) -> Result<(), Error> {
        check(spec)?;
        let (entry, spec) = (self.entry(&spec.id)?, spec.clone());
        let _turn = entry.turn.lock().await;
        if matches!(*entry.news.phase.borrow(), Phase::Running(_) | Phase::Paused(_)) {
            return Err(Error::Running { id: spec.id });
        }
        if has_shim(&entry) {
            self.end_parked(&entry).await?;
        }
        let replacing = entry.clone();
        finish(spawn_blocking(move || replacing.redefine(spec)).await)
    }

    /// Executes the program; a container that has ended is started again over its writable layer.
    pub async fn start(&self, id: &str) -> Result<Started, Error> {
        let entry = self.entry(id)?;
        let phase = entry.news.phase.borrow().clone();
        match phase {
            Phase::Running(started) => return Ok(started),
            Phase::Paused(_) => return Err(Error::Paused { id: id.to_owned() }),
            Phase::Created | Phase::Exited(_) => {}
        }
        let (this, preparing) = (self.clone(), entry.clone());
        finish(tokio::spawn(async move { this.make_ready(&preparing).await }).await)?;
        match entry.call(Request::Start).await? {
            Message::Started(started) => Ok(started),
            other => Err(entry.unexpected(other)),
        }
    }

    /// Ends a parked process, which leaves the container as if it had never been made ready.
    async fn end_parked(&self, entry: &Entry) -> Result<(), Error> {
        self.signal_unless_ended(entry, Signal::KILL).await?;
        entry.shim_gone().await?;
        let place = entry.place.clone();
        finish(spawn_blocking(move || clear_former_run(&place)).await)?;
        entry.news.phase.send_replace(Phase::Created);
        Ok(())
    }

    fn launch(&self, spec: &Spec) -> Launch {
        let config = &self.shared.config;
        let place = Place::new(&config.root, &config.run, &spec.id);
        let cgroup = Path::new("/").join(&config.cgroup_parent).join(&spec.id);
        Launch { spec: spec.clone(), place, cgroup }
    }

    async fn lay_out_whole(&self, launch: Launch) -> Result<(), Error> {
        let made = spawn_blocking(move || {
            make_place(&launch)?;
            match mark_whole(&launch.place) {
                Ok(()) => Ok(launch),
                Err(error) => {
                    delete(launch.place.dir);
                    Err(error)
                }
            }
        });
        let Launch { spec, place, cgroup } = finish(made.await)?;
        self.take_in(Entry::new(spec, place, cgroup, Phase::Created));
        Ok(())
    }

    async fn create_whole(&self, launch: Launch) -> Result<(), Error> {
        let Launch { spec, place, cgroup } = &launch;
        let (spec, place, cgroup) = (spec.clone(), place.clone(), cgroup.clone());
        let program = self.shared.config.shim.clone();
        let born = spawn_blocking(move || {
            make_place(&launch)?;
            spawn(&program, &launch.place).inspect_err(|_| delete(launch.place.dir.clone()))
        });
        let born = finish(born.await)?;
        match ready(born, &spec, &place).await {
            Ok(link) => {
                let entry = Entry::new(spec, place, cgroup, Phase::Created);
                entry.keep(link);
                self.take_in(entry);
                Ok(())
            }
            Err(error) => {
                self.discard(place, cgroup).await;
                Err(error)
            }
        }
    }

    /// Sees to it that a parked process waits for the start, and that it has what was asked for before it was there.
    async fn make_ready(&self, entry: &Entry) -> Result<(), Error> {
        let _turn = entry.turn.lock().await;
        let made = if has_shim(entry) { Ok(()) } else { self.prepare(entry).await };
        if made.is_err() {
            // Who attached sees the end of a container that never was.
            entry.expected().viewers.clear();
            return made;
        }
        entry.pass_on_expected().await
    }

    async fn prepare(&self, entry: &Entry) -> Result<(), Error> {
        let _alone = entry.root.write().await;
        // The shim of the former run may still be cleaning up.
        entry.shim_gone().await?;
        let former = entry.place.read_exit();
        let (program, place) = (self.shared.config.shim.clone(), entry.place.clone());
        let born = spawn_blocking(move || {
            clear_former_run(&place)?;
            spawn(&program, &place)
        });
        let prepared = match finish(born.await) {
            Ok(born) => ready(born, &entry.spec(), &entry.place).await,
            Err(error) => Err(error),
        };
        let link = prepared.inspect_err(|_| restore(&entry.place, former))?;
        entry.news.phase.send_replace(Phase::Created);
        entry.keep(link);
        Ok(())
    }

    fn take_in(&self, entry: Entry) {
        self.table().insert(entry.id.clone(), Arc::new(entry));
    }
}

/// Returns whether there is a shim that is not about to end.
pub(crate) fn has_shim(entry: &Entry) -> bool {
    !matches!(*entry.news.phase.borrow(), Phase::Exited(_)) && entry.calls().is_some()
}

//! Gives out what there is only once: subnets, network identifiers, addresses, published ports, node numbers.
//!
//! * [`plan`]: fills in networks, services and nodes, and moves tasks that have their addresses from new to pending.
//!
//! It never takes anything away from a task that lives. What cannot be given now is given once it is free; the waiting
//! task says what is missing.

mod address;
mod attachment;
mod network;
mod node;
mod port;
mod service;
mod task;

use store::{Draft, Env, Plan, Touched, View};

use crate::address::Books;

pub use network::{Shortage, check_network};

/// Returns what should change so that everything that can be given out is.
pub fn plan(view: &View, touched: &Touched, env: &mut Env<'_>) -> Plan {
    let mut draft = Draft::new(view.clone());
    node::plan(&mut draft, touched);
    let without_subnet = network::plan(&mut draft);
    let mut books = Books::default();
    let mut waiting = service::plan(&mut draft, &mut books, &without_subnet);
    let left = task::plan(&mut draft, &mut books, &without_subnet, &waiting, env.now);
    if !left.is_empty() {
        // Told last, so that the reasons are those that hold once everything is given out.
        service::look_again(draft.view(), &mut books, &without_subnet, &mut waiting);
        task::tell(&mut draft, &mut books, &without_subnet, &waiting, left);
    }
    books.close(&mut draft);
    draft.into_plan()
}

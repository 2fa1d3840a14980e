//! What the stories share: a lab, its daemons' command line, requests under way, and looking behind the curtain.

mod archive;
mod behind;
mod client;
mod lab;
mod load;
mod running;
mod said;
mod service;
mod wait;

pub use archive::{box_archive, broken_archives};
pub use client::{Client, archive};
pub use lab::{Lab, turn};
pub use load::{Load, answers, ask};
pub use running::Running;
pub use said::Said;
pub use service::{Service, Task};
pub use wait::{eventually, shown};

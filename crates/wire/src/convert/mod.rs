//! Conversions between the words of `model` and the messages on the wire.
//!
//! To the wire they never fail; from the wire they refuse what this version does not know. Each
//! names every field of both sides, so that a new field does not build before it is dealt with.

/// Converts a message whose fields are those of the model, in both directions.
macro_rules! same {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl From<&model::$name> for crate::pb::$name {
            fn from(value: &model::$name) -> Self {
                let model::$name { $($field),* } = value;
                Self { $($field: Clone::clone($field)),* }
            }
        }

        impl From<crate::pb::$name> for model::$name {
            fn from(value: crate::pb::$name) -> Self {
                let crate::pb::$name { $($field),* } = value;
                Self { $($field),* }
            }
        }
    };
}

mod change;
mod cluster;
mod container;
mod endpoint;
mod enums;
mod id;
mod meta;
mod mount;
mod network;
mod node;
mod object;
mod placement;
mod resources;
mod restart;
mod service;
mod spec;
mod task;
mod update;

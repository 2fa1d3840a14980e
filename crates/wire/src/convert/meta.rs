//! Versions, times, spans and subnets.

use std::net::Ipv4Addr;
use std::time::Duration;

use model::{Meta, Subnet, Timestamp, Version};

use crate::field::number;
use crate::{Error, pb};

impl From<&Meta> for pb::Meta {
    fn from(meta: &Meta) -> Self {
        let Meta { version, created_at, updated_at } = meta;
        Self { version: version.0, created_at: created_at.0, updated_at: updated_at.0 }
    }
}

impl From<pb::Meta> for Meta {
    fn from(meta: pb::Meta) -> Self {
        let pb::Meta { version, created_at, updated_at } = meta;
        Self {
            version: Version(version),
            created_at: Timestamp(created_at),
            updated_at: Timestamp(updated_at),
        }
    }
}

impl From<&Duration> for pb::Duration {
    fn from(span: &Duration) -> Self {
        Self { seconds: span.as_secs(), nanoseconds: span.subsec_nanos() }
    }
}

impl TryFrom<pb::Duration> for Duration {
    type Error = Error;

    fn try_from(span: pb::Duration) -> Result<Self, Error> {
        let pb::Duration { seconds, nanoseconds } = span;
        if nanoseconds >= 1_000_000_000 {
            return Err(Error::field("nanoseconds", format!("{nanoseconds} is a second or more")));
        }
        Ok(Self::new(seconds, nanoseconds))
    }
}

impl From<&Subnet> for pb::Subnet {
    fn from(subnet: &Subnet) -> Self {
        let Subnet { base, prefix } = subnet;
        Self { base: base.to_bits(), prefix: (*prefix).into() }
    }
}

impl TryFrom<pb::Subnet> for Subnet {
    type Error = Error;

    fn try_from(subnet: pb::Subnet) -> Result<Self, Error> {
        let pb::Subnet { base, prefix } = subnet;
        if prefix > 32 {
            return Err(Error::field("prefix", format!("{prefix} is more than 32")));
        }
        Ok(Self { base: Ipv4Addr::from_bits(base), prefix: number(prefix, "prefix")? })
    }
}

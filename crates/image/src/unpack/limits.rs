//! How much an archive may unpack to, and the reader that stops at it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;

/// Bounds what is unpacked, so that a small hostile archive cannot fill the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one unpacked layer, headers included.
    pub layer_bytes_max: u64,
    /// Bytes of one loaded archive, before its layers are unpacked.
    pub archive_bytes_max: u64,
    /// Entries of one layer.
    pub entries_max: u64,
    /// Unpacked bytes per packed byte, once a layer is above `ratio_free_bytes`.
    pub ratio_max: u64,
    /// Bytes that may be unpacked at any ratio: runs of zeros in honest layers pack 1000 to 1.
    pub ratio_free_bytes: u64,
    /// Layers of one image; the overlay filesystem stacks no more than a few hundred.
    pub layers_max: usize,
}

impl Default for Limits {
    /// Allows the largest images in real use (tens of gigabytes, about a million files) with room to spare.
    fn default() -> Self {
        Self {
            layer_bytes_max: 64 << 30,
            archive_bytes_max: 128 << 30,
            entries_max: 4_000_000,
            ratio_max: 200,
            ratio_free_bytes: 1 << 30,
            layers_max: 127,
        }
    }
}

/// Counts the bytes that pass; shared with whoever compares.
pub(crate) struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Counted<R> {
    pub(crate) fn new(inner: R) -> (Self, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        (Self { inner, count: Arc::clone(&count) }, count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Stops an unpacked stream that grows beyond its limits.
pub(crate) struct Bounded<R> {
    inner: R,
    packed: Arc<AtomicU64>,
    unpacked: u64,
    bytes_max: u64,
    limits: Limits,
}

impl<R: Read> Bounded<R> {
    pub(crate) fn new(inner: R, packed: Arc<AtomicU64>, bytes_max: u64, limits: Limits) -> Self {
        Self { inner, packed, unpacked: 0, bytes_max, limits }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.unpacked += count as u64;
        if self.unpacked > self.bytes_max {
            return Err(io::Error::other(Error::TooManyBytes { bytes_max: self.bytes_max }));
        }
        let ratio_max = self.limits.ratio_max;
        if self.unpacked > self.limits.ratio_free_bytes
            && self.unpacked / ratio_max.max(1) > self.packed.load(Ordering::Relaxed).max(1)
        {
            return Err(io::Error::other(Error::Ratio { ratio_max }));
        }
        Ok(count)
    }
}

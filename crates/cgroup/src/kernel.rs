//! What kernel calls return.

use std::io;

use libc::c_long;

/// Turns the return value of a C call into a result.
pub(crate) fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

//! Extended attributes: which of them belong to a file, wherever it is.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use xattr::FileExt;

/// All attributes of a file together; archives' readers, ours too, refuse longer extension headers.
const BYTES_MAX: usize = 900 << 10;

/// Tells whether an attribute speaks of the file itself.
///
/// Labels of security modules speak of this machine, and overlayfs's marks of a layer: a foreign one could show one
/// file under another's name.
fn belongs(name: &[u8]) -> bool {
    let is_overlay = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    let is_label = name.starts_with(b"security.") && name != b"security.capability";
    // An archive could not tell the name's end from the value's begin.
    !is_overlay && !is_label && !name.is_empty() && !name.contains(&b'=')
}

/// Returns a file's attributes, sorted by name.
pub(crate) fn read(file: &File) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let names = match file.list_xattr() {
        Ok(names) => names,
        Err(error) if is_unsupported(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names: Vec<_> = names.filter(|name| belongs(name.as_bytes())).collect();
    names.sort();
    let (mut attributes, mut bytes) = (Vec::new(), 0);
    for name in names {
        match file.get_xattr(&name) {
            Ok(Some(value)) => {
                bytes += name.len() + value.len();
                if bytes > BYTES_MAX {
                    tracing::debug!(?name, "attributes above the limit are left out");
                    break;
                }
                attributes.push((name.into_vec(), value));
            }
            Ok(None) => {}
            Err(error) if is_unsupported(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(attributes)
}

/// Gives a file its attributes; those that this filesystem cannot hold are left out.
pub(crate) fn write(file: &File, attributes: &[(Vec<u8>, Vec<u8>)]) -> io::Result<()> {
    for (name, value) in attributes.iter().filter(|(name, _)| belongs(name)) {
        match file.set_xattr(OsStr::from_bytes(name), value) {
            Err(error) if is_unsupported(&error) => {
                tracing::debug!(name = %String::from_utf8_lossy(name), %error, "attribute left out");
            }
            result => result?,
        }
    }
    Ok(())
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOTSUP | libc::EPERM | libc::EINVAL | libc::ENODATA | libc::ERANGE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_speaks_of_the_file_belongs_to_it() {
        let cases = [
            ("user.mime", true),
            ("security.capability", true),
            ("system.posix_acl_access", true),
            ("trusted.own", true),
            ("trusted.overlay.redirect", false),
            ("user.overlay.opaque", false),
            ("security.selinux", false),
            ("user.a=b", false),
            ("", false),
        ];
        for (name, expected) in cases {
            assert_eq!(belongs(name.as_bytes()), expected, "{name}");
        }
    }
}

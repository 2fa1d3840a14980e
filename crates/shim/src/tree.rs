//! Mounts that hang nowhere yet: taken or made, given their flags, and then attached where they belong.
//!
//! So nobody ever sees a mount without its flags, and no path is walked twice.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_char, c_long, c_uint};

use crate::kernel::check;

const EMPTY_PATH: c_uint = libc::AT_EMPTY_PATH as c_uint;
const RECURSIVE: c_uint = libc::AT_RECURSIVE as c_uint;
const ATTACH_FROM_EMPTY_PATH: c_uint = 0x4;
const ATTACH_TO_EMPTY_PATH: c_uint = 0x40;
const SET_FLAG: c_uint = 0;
const SET_STRING: c_uint = 1;
const CREATE: c_uint = 6;
const CLOSE_ON_EXEC: c_uint = 1;

/// What a mount refuses.
pub(crate) mod flags {
    pub(crate) const READ_ONLY: u64 = 0x1;
    pub(crate) const NO_SUID: u64 = 0x2;
    pub(crate) const NO_DEV: u64 = 0x4;
    pub(crate) const NO_EXEC: u64 = 0x8;
    pub(crate) const NO_ATIME: u64 = 0x10;
    pub(crate) const STRICT_ATIME: u64 = 0x20;
    /// All that tell when reading is written down.
    pub(crate) const ATIME: u64 = 0x70;
    pub(crate) const NO_DIR_ATIME: u64 = 0x80;
}

/// Whether something is done to the mounts below one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    Top,
    Whole,
}

impl Depth {
    fn flag(self) -> c_uint {
        match self {
            Depth::Top => 0,
            Depth::Whole => RECURSIVE,
        }
    }
}

/// A mount, with those below it, that hangs nowhere.
#[derive(Debug)]
pub(crate) struct Tree(OwnedFd);

/// What the kernel reads to change mounts.
#[repr(C)]
struct Change {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

impl Tree {
    /// Copies what an opened file or directory shows.
    pub(crate) fn of(source: &File, depth: Depth) -> io::Result<Tree> {
        let how = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | EMPTY_PATH | depth.flag();
        // SAFETY: the empty path outlives the call; a descriptor that is returned is ours alone.
        let fd = check(unsafe { libc::syscall(libc::SYS_open_tree, source.as_raw_fd(), c"".as_ptr(), how) })?;
        Ok(Tree::from_number(fd))
    }

    /// Makes a file system in memory; options without `=` are switches.
    pub(crate) fn tmpfs(options: &[String], flags: u64) -> io::Result<Tree> {
        // SAFETY: the name outlives the call.
        let fd = check(unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), CLOSE_ON_EXEC) })?;
        let context = Tree::from_number(fd).0;
        configure(&context, SET_STRING, Some("source"), Some("tmpfs"))?;
        for option in options {
            let set = match option.split_once('=') {
                Some((key, value)) => configure(&context, SET_STRING, Some(key), Some(value)),
                None => configure(&context, SET_FLAG, Some(option), None),
            };
            set.map_err(|error| io::Error::new(error.kind(), format!("option {option}: {error}")))?;
        }
        configure(&context, CREATE, None, None)?;
        // SAFETY: no memory is passed; a descriptor that is returned is ours alone.
        let fd =
            check(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOSE_ON_EXEC, flags) })?;
        Ok(Tree::from_number(fd))
    }

    fn from_number(fd: c_long) -> Tree {
        // SAFETY: the kernel has just made this descriptor for us.
        Tree(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
    }

    /// Adds flags.
    pub(crate) fn restrict(&self, flags: u64, depth: Depth) -> io::Result<()> {
        self.change(&Change { set: flags, clear: 0, propagation: 0, user_namespace: 0 }, depth)
    }

    /// Says whether later mounts are passed on: `MS_PRIVATE`, `MS_SLAVE` or `MS_SHARED`.
    pub(crate) fn propagate(&self, propagation: u64, depth: Depth) -> io::Result<()> {
        self.change(&Change { set: 0, clear: 0, propagation, user_namespace: 0 }, depth)
    }

    fn change(&self, change: &Change, depth: Depth) -> io::Result<()> {
        let (fd, how) = (self.0.as_raw_fd(), EMPTY_PATH | depth.flag());
        let (path, size) = (c"".as_ptr(), std::mem::size_of::<Change>());
        // SAFETY: path and change outlive the call, the size is theirs, and the kernel only reads.
        check(unsafe {
            libc::syscall(libc::SYS_mount_setattr, fd, path, how, std::ptr::from_ref(change), size)
        })?;
        Ok(())
    }

    /// Mounts it onto an opened file or directory.
    pub(crate) fn attach(&self, target: &File) -> io::Result<()> {
        let (from, to, path) = (self.0.as_raw_fd(), target.as_raw_fd(), c"".as_ptr());
        let how = ATTACH_FROM_EMPTY_PATH | ATTACH_TO_EMPTY_PATH;
        // SAFETY: the empty path outlives the call.
        check(unsafe { libc::syscall(libc::SYS_move_mount, from, path, to, path, how) })?;
        Ok(())
    }
}

fn configure(context: &OwnedFd, command: c_uint, key: Option<&str>, value: Option<&str>) -> io::Result<()> {
    let text = |text: Option<&str>| text.map(CString::new).transpose();
    let (key, value) = (text(key)?, text(value)?);
    let pointer =
        |text: &Option<CString>| text.as_ref().map_or(std::ptr::null::<c_char>(), |text| text.as_ptr());
    let (key, value, fd) = (pointer(&key), pointer(&value), context.as_raw_fd());
    // SAFETY: both texts outlive the call; what the command does not use is null.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, key, value, 0) })?;
    Ok(())
}

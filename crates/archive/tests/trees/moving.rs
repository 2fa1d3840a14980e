//! Trees that change while they are worked on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use archive::Top;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::support::{FAITHFUL, WHOLE, describe, names, pack, plant, root};

/// Calls back at the first byte of an archive beyond `after`.
struct Interrupted<F: FnMut()> {
    written: Vec<u8>,
    after: usize,
    act: Option<F>,
}

impl<F: FnMut()> Write for Interrupted<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        if self.written.len() > self.after
            && let Some(mut act) = self.act.take()
        {
            act();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pack_while(folder: &Path, act: impl FnMut()) -> Vec<u8> {
    let mut out = Interrupted { written: Vec::new(), after: 64 << 10, act: Some(act) };
    root(folder).pack(Path::new("/"), WHOLE, &mut out).unwrap();
    out.written
}

#[test]
fn file_that_changes_its_size_is_packed_with_the_size_it_had() {
    const SIZE: u64 = 1 << 20;
    for (new_size, tail) in [(2 * SIZE, 7), (SIZE / 2, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, vec![7; SIZE as usize]).unwrap();
        plant(folder.path(), "b=after");

        let archive = pack_while(folder.path(), || {
            OpenOptions::new().write(true).open(&path).unwrap().set_len(new_size).unwrap()
        });

        let to = tempfile::tempdir().unwrap();
        root(to.path()).unpack(Path::new("/"), &*archive, FAITHFUL).unwrap();
        let content = fs::read(to.path().join("a")).unwrap();
        assert_eq!((content.len() as u64, content[0], content[content.len() - 1]), (SIZE, 7, tail));
        assert_eq!(fs::read_to_string(to.path().join("b")).unwrap(), "after");
    }
}

#[test]
fn what_goes_meanwhile_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), vec![1; 1 << 20]).unwrap();
    plant(folder.path(), "b/c/d=1 e=2 f->e");

    let archive = pack_while(folder.path(), || {
        fs::remove_dir_all(folder.path().join("b")).unwrap();
        fs::remove_file(folder.path().join("e")).unwrap();
    });

    assert_eq!(names(&archive).join(" "), "./ ./a ./f");
}

#[test]
fn pipe_in_the_place_of_a_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), vec![1; 1 << 20]).unwrap();
    plant(folder.path(), "b=1");

    let archive = pack_while(folder.path(), || {
        fs::remove_file(folder.path().join("b")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("b"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    });

    assert_eq!(names(&archive).join(" "), "./ ./a ./b");
}

/// Exchanges two names as fast as it can until told to stop.
fn exchange(one: &Path, other: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE) {
            // Who unpacks is replacing one of them.
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => panic!("{errno}"),
        }
    }
}

#[test]
fn links_swapped_in_meanwhile_lead_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path(), "outside/secret=x outside/dir/secret=x inside/dir/dir/file=1 source/dir/dir/file=2");
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    symlink(&outside, inside.join("swap")).unwrap();
    File::open(&outside).unwrap().sync_all().unwrap();
    let before = describe(&outside);
    let archive = pack(&folder.path().join("source"), "/", Top::Absent).unwrap();
    let stop = AtomicBool::new(false);

    std::thread::scope(|scope| {
        scope.spawn(|| exchange(&inside.join("dir"), &inside.join("swap"), &stop));
        let (mut packed, mut unpacked) = (0, 0);
        for _ in 0..400 {
            unpacked += usize::from(root(&inside).unpack(Path::new("/"), &*archive, FAITHFUL).is_ok());
            if let Ok(archive) = pack(&inside, "/dir/dir/", Top::Dot) {
                assert!(!names(&archive).iter().any(|name| name.contains("secret")));
                packed += 1;
            }
            if let Ok(archive) = pack(&inside, "/", Top::Dot) {
                assert!(!names(&archive).iter().any(|name| name.contains("secret")));
            }
        }
        stop.store(true, Ordering::Relaxed);
        eprintln!("{unpacked} unpacked, {packed} packed of 400");
    });

    assert_eq!(describe(&outside), before);
}

//! What a container sees and may do, tried from inside, as both clients start it.

use crate::support::{Client, Lab, turn};

#[test]
fn a_container_is_alone() {
    let _turn = turn();
    let lab = Lab::up("alone", 1, 0);
    let [drover, docker] = Client::both(&lab, "m1");
    drover.load("busybox");
    for client in [drover, docker] {
        sees_nothing_of_the_host(client);
        may_not_leave(client);
        writes_nowhere_else(client);
    }
    lab.until_nothing_is_left();
}

fn sees_nothing_of_the_host(client: Client<'_>) {
    let inside = |line: &str| client.run(&format!("run --rm busybox sh -c '{line}'")).ok();
    assert_eq!(inside("ls -d /proc/[0-9]* | wc -l"), "3", "the shell, ls and wc");
    assert_eq!(inside("cat /proc/kcore /proc/keys /proc/timer_list | wc -c"), "0");
    assert_eq!(inside("ls /sys/firmware /proc/scsi | grep -v : | wc -w"), "0");
    assert_eq!(
        inside("find /dev -type b -o -type c | grep -v -e /pts/ -e /ptmx | sort | xargs"),
        "/dev/full /dev/null /dev/random /dev/tty /dev/urandom /dev/zero"
    );
}

fn may_not_leave(client: Client<'_>) {
    for (line, words) in [
        ("mount -t tmpfs none /mnt", "denied"),
        ("mount --bind /proc /mnt", "denied"),
        ("unshare -m true", "not permitted"),
        ("unshare -U true", "not permitted"),
        ("insmod /bin/busybox", "not permitted"),
        ("hostname other", "not permitted"),
        ("date -s 2020-01-01", "not permitted"),
        ("swapoff -a; swapon /etc/passwd", "not permitted"),
        ("chroot /proc/1/root mknod /dev/sda b 8 0 && cat /dev/sda", "not permitted"),
    ] {
        let said = client.run(&format!("run --rm busybox sh -c '{line}'"));
        let all = format!("{}{}", said.out, said.err).to_lowercase();
        assert!(all.contains(words), "`{line}`: {said:?}");
    }
}

fn writes_nowhere_else(client: Client<'_>) {
    for path in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ] {
        let line = format!("test ! -e {path} || echo 1 > {path}");
        let said = client.run(&format!("run --rm busybox sh -c '{line} && test ! -e {path}'"));
        assert!(said.is_ok() || said.err.contains("Read-only file system"), "{path}: {said:?}");
    }
    // An image's files are one container's to change.
    client.run("run --rm busybox sh -c 'rm -rf /bin /etc/passwd'").ok();
    client.run("run --rm busybox sh -c 'test -x /bin/busybox -a -e /etc/passwd'").ok();
}

//! The system calls Docker's default profile allows, by what they are for.

use libc::*;

use crate::capability::Set;

// Numbers the C library's header does not name yet; they are the same on every architecture.
const SYS_MSEAL: c_long = 462;
const SYS_MAP_SHADOW_STACK: c_long = 453;
const SYS_FUTEX_WAKE: c_long = 454;
const SYS_FUTEX_WAIT: c_long = 455;
const SYS_FUTEX_REQUEUE: c_long = 456;
const SYS_STATMOUNT: c_long = 457;
const SYS_LISTMOUNT: c_long = 458;
const SYS_CACHESTAT: c_long = 451;
const SYS_FCHMODAT2: c_long = 452;
const SYS_SETXATTRAT: c_long = 463;
const SYS_REMOVEXATTRAT: c_long = 466;

#[cfg(target_arch = "x86_64")]
const SYS_IO_PGETEVENTS: c_long = 333;
#[cfg(not(target_arch = "x86_64"))]
const SYS_IO_PGETEVENTS: c_long = 292;

const FILES: &[c_long] = &[
    SYS_openat, SYS_openat2, SYS_close, SYS_close_range, SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64,
    SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_fstat, SYS_newfstatat,
    SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat, SYS_faccessat2, SYS_fchmod, SYS_fchmodat, SYS_FCHMODAT2,
    SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_truncate, SYS_ftruncate, SYS_fallocate, SYS_fadvise64,
    SYS_readahead, SYS_fsync, SYS_fdatasync, SYS_sync, SYS_syncfs, SYS_sync_file_range, SYS_copy_file_range,
    SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice, SYS_dup, SYS_dup3, SYS_fcntl, SYS_flock, SYS_ioctl,
    SYS_pipe2, SYS_getdents64, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_mkdirat, SYS_mknodat, SYS_unlinkat,
    SYS_linkat, SYS_symlinkat, SYS_readlinkat, SYS_renameat, SYS_renameat2, SYS_umask, SYS_name_to_handle_at,
    SYS_CACHESTAT, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr,
    SYS_listxattr, SYS_llistxattr, SYS_flistxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
    SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_fanotify_mark, SYS_memfd_create,
    SYS_memfd_secret, SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self,
];

const WAITING: &[c_long] = &[
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_signalfd4,
    SYS_timerfd_create, SYS_timerfd_gettime, SYS_timerfd_settime, SYS_ppoll, SYS_pselect6, SYS_io_setup,
    SYS_io_destroy, SYS_io_submit, SYS_io_cancel, SYS_io_getevents, SYS_IO_PGETEVENTS, SYS_futex,
    SYS_futex_waitv, SYS_FUTEX_WAKE, SYS_FUTEX_WAIT, SYS_FUTEX_REQUEUE, SYS_get_robust_list,
    SYS_set_robust_list, SYS_membarrier, SYS_rseq,
];

const MEMORY: &[c_long] = &[
    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_mincore, SYS_msync, SYS_mlock,
    SYS_mlock2, SYS_munlock, SYS_mlockall, SYS_munlockall, SYS_remap_file_pages, SYS_pkey_alloc, SYS_pkey_free,
    SYS_pkey_mprotect, SYS_MAP_SHADOW_STACK, SYS_MSEAL,
];

const PROCESSES: &[c_long] = &[
    SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid, SYS_getpid, SYS_getppid,
    SYS_gettid, SYS_getpgid, SYS_setpgid, SYS_getsid, SYS_setsid, SYS_set_tid_address, SYS_restart_syscall,
    SYS_prctl, SYS_prlimit64, SYS_getrlimit, SYS_setrlimit, SYS_getrusage, SYS_getpriority, SYS_setpriority,
    SYS_ioprio_get, SYS_ioprio_set, SYS_getcpu, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getattr,
    SYS_sched_setattr, SYS_sched_getparam, SYS_sched_setparam, SYS_sched_getscheduler, SYS_sched_setscheduler,
    SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_sched_rr_get_interval, SYS_sched_yield,
    SYS_pidfd_open, SYS_pidfd_send_signal, SYS_process_mrelease, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_ptrace, SYS_seccomp, SYS_uname, SYS_sysinfo, SYS_getrandom,
];

const SIGNALS: &[c_long] = &[
    SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigpending,
    SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_rt_sigreturn,
    SYS_sigaltstack,
];

const IDENTITY: &[c_long] = &[
    SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setuid,
    SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_setfsuid,
    SYS_setfsgid, SYS_capget, SYS_capset,
];

const TIME: &[c_long] = &[
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_clock_adjtime, SYS_adjtimex, SYS_nanosleep,
    SYS_gettimeofday, SYS_times, SYS_getitimer, SYS_setitimer, SYS_timer_create, SYS_timer_delete,
    SYS_timer_getoverrun, SYS_timer_gettime, SYS_timer_settime,
];

/// `socket` itself is decided by its argument.
const TALKING: &[c_long] = &[
    SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect, SYS_shutdown, SYS_getsockname,
    SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom,
    SYS_recvmsg, SYS_recvmmsg, SYS_msgget, SYS_msgctl, SYS_msgsnd, SYS_msgrcv, SYS_semget, SYS_semctl,
    SYS_semop, SYS_semtimedop, SYS_shmget, SYS_shmctl, SYS_shmat, SYS_shmdt, SYS_mq_open, SYS_mq_unlink,
    SYS_mq_timedsend, SYS_mq_timedreceive, SYS_mq_notify, SYS_mq_getsetattr,
];

/// Older forms that later architectures never had.
#[cfg(target_arch = "x86_64")]
const OLD_FORMS: &[c_long] = &[
    SYS_open, SYS_creat, SYS_stat, SYS_lstat, SYS_access, SYS_chmod, SYS_chown, SYS_lchown, SYS_utime,
    SYS_utimes, SYS_futimesat, SYS_mkdir, SYS_rmdir, SYS_mknod, SYS_link, SYS_unlink, SYS_symlink,
    SYS_readlink, SYS_rename, SYS_getdents, SYS_dup2, SYS_pipe, SYS_poll, SYS_select, SYS_epoll_create,
    SYS_epoll_wait, SYS_epoll_ctl_old, SYS_epoll_wait_old, SYS_eventfd, SYS_signalfd, SYS_inotify_init,
    SYS_alarm, SYS_pause, SYS_time, SYS_getpgrp, SYS_fork, SYS_vfork, SYS_arch_prctl, SYS_modify_ldt,
    SYS_get_thread_area, SYS_set_thread_area,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_FORMS: &[c_long] = &[];

/// Calls that come with a capability.
const GRANTED: &[(&str, &[c_long])] = &[
    ("DAC_READ_SEARCH", &[SYS_open_by_handle_at]),
    (
        "SYS_ADMIN",
        &[
            SYS_bpf, SYS_clone, SYS_clone3, SYS_fanotify_init, SYS_fsconfig, SYS_fsmount, SYS_fsopen, SYS_fspick,
            SYS_LISTMOUNT, SYS_STATMOUNT, SYS_mount, SYS_mount_setattr, SYS_move_mount, SYS_open_tree,
            SYS_perf_event_open, SYS_quotactl, SYS_quotactl_fd, SYS_setdomainname, SYS_sethostname, SYS_setns,
            SYS_syslog, SYS_umount2, SYS_unshare,
        ],
    ),
    ("SYS_BOOT", &[SYS_reboot]),
    ("SYS_CHROOT", &[SYS_chroot]),
    ("SYS_MODULE", &[SYS_init_module, SYS_finit_module, SYS_delete_module]),
    ("SYS_PACCT", &[SYS_acct]),
    ("SYS_PTRACE", &[SYS_kcmp, SYS_pidfd_getfd, SYS_process_madvise]),
    ("SYS_TIME", &[SYS_settimeofday, SYS_clock_settime]),
    ("SYS_TTY_CONFIG", &[SYS_vhangup]),
    ("SYS_NICE", &[SYS_get_mempolicy, SYS_set_mempolicy, SYS_mbind, SYS_set_mempolicy_home_node]),
    ("SYSLOG", &[SYS_syslog]),
    ("BPF", &[SYS_bpf]),
    ("PERFMON", &[SYS_perf_event_open]),
    #[cfg(target_arch = "x86_64")]
    ("SYS_RAWIO", &[SYS_iopl, SYS_ioperm]),
];

/// Returns the numbers that are allowed whatever their arguments are.
pub(super) fn allowed(capabilities: Set) -> Vec<u32> {
    let always = [FILES, WAITING, MEMORY, PROCESSES, SIGNALS, IDENTITY, TIME, TALKING, OLD_FORMS];
    let granted = GRANTED.iter().filter(|(name, _)| capabilities.has(name)).map(|(_, calls)| *calls);
    let xattr_at = SYS_SETXATTRAT..=SYS_REMOVEXATTRAT;
    always.into_iter().chain(granted).flatten().copied().chain(xattr_at).map(|number| number as u32).collect()
}

/** @internal */

// What a program in a namespace may ask of the kernel, and nothing else. It is stricter than Docker's default: what reads
// other processes (ptrace, process_vm_readv, kcmp), modify_ldt, NUMA's and name_to_handle_at are left out too.

const files = `
  access cachestat chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
  fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr file_getattr
  file_setattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents
  getdents64 getxattr getxattrat ioctl lchown lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr
  lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2
  pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat
  renameat2 rmdir sendfile setxattr setxattrat splice stat statfs statx symlink symlinkat sync sync_file_range
  syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev
`

const memory = `
  brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect
  mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
`

const processes = `
  alarm arch_prctl capget capset clone execve execveat exit exit_group fork get_robust_list getcpu getegid geteuid
  getgid getgroups getitimer getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage
  getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
  nanosleep personality pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigpending
  rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
  sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list
  set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid
  setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill time times tkill uname vfork wait4 waitid
`

const time = `
  adjtimex clock_adjtime clock_getres clock_gettime clock_nanosleep gettimeofday timer_create timer_delete
  timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime
`

const waiting = `
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
  eventfd2 futex futex_requeue futex_wait futex_waitv futex_wake inotify_add_watch inotify_init inotify_init1
  inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit pause poll ppoll pselect6
  select signalfd signalfd4
`

const messages = `
  accept accept4 bind connect getpeername getrandom getsockname getsockopt listen mq_getsetattr mq_notify mq_open
  mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop
  semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socket socketpair
`

/** What of an argument decides. The kernel looks at its lower 32 bits only, in all of these. */
export type Check =
  | { readonly _tag: "Among"; readonly argument: number; readonly values: ReadonlyArray<number> }
  | { readonly _tag: "NotAmong"; readonly argument: number; readonly values: ReadonlyArray<number> }
  | { readonly _tag: "WithoutBits"; readonly argument: number; readonly mask: number }

/** What becomes of one system call. What a policy does not name fails with EPERM. */
export type Verdict = "allow" | "unknown" | Check

/** System calls by name. */
export type Policy = ReadonlyMap<string, Verdict>

// CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET.
const newNamespaces = 0x7e020000

// TIOCSTI types into the terminal of whoever started the service, TIOCLINUX pastes there.
const terminalInput = [0x5412, 0x541c]

// PER_LINUX, PER_LINUX32, UNAME26, both, and the question which it is: none turns protections off.
const personalities = [0, 0x8, 0x20000, 0x20008, 0xffffffff]

const families = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17 }

/** What comes with a capability. */
const withCapability: Readonly<Record<string, string>> = {
  CAP_SYS_ADMIN:
    `bpf fanotify_init fanotify_mark fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree
    perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns syslog umount2 unshare`,
  CAP_BPF: "bpf",
  CAP_PERFMON: "perf_event_open",
  CAP_DAC_READ_SEARCH: "name_to_handle_at open_by_handle_at",
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYS_MODULE: "delete_module finit_module init_module",
  CAP_SYS_NICE: "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
  CAP_SYS_RAWIO: "ioperm iopl",
  CAP_SYS_TIME: "clock_settime settimeofday",
  CAP_SYS_TTY_CONFIG: "vhangup",
  CAP_SYSLOG: "syslog"
}

const namesIn = (list: string): ReadonlyArray<string> => list.trim().split(/\s+/)

const all = (verdict: Verdict, lists: ReadonlyArray<string>): ReadonlyArray<readonly [string, Verdict]> =>
  lists.flatMap(namesIn).map((name) => [name, verdict])

/** The policy for a program that holds these capabilities. */
export const policy = (capabilities: ReadonlyArray<string>): Policy => {
  const { packet, ...usual } = families
  const domains = [...Object.values(usual), ...capabilities.includes("CAP_NET_RAW") ? [packet] : []]
  return new Map<string, Verdict>([
    ...all("allow", [files, memory, processes, time, waiting, messages]),
    ["ioctl", { _tag: "NotAmong", argument: 1, values: terminalInput }],
    ["personality", { _tag: "Among", argument: 0, values: personalities }],
    ["socket", { _tag: "Among", argument: 0, values: domains }],
    ["socketpair", { _tag: "Among", argument: 0, values: domains }],
    [
      "clone",
      capabilities.includes("CAP_SYS_ADMIN")
        ? "allow"
        : { _tag: "WithoutBits", argument: 0, mask: newNamespaces }
    ],
    // Its flags are in memory, where no filter can look; a C library falls back to clone.
    ["clone3", "unknown"],
    ...all("allow", capabilities.flatMap((name) => withCapability[name] ?? []))
  ])
}

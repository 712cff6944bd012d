//! Shuts the process: limits, Landlock, seccomp. After it there is no file, no socket and no other process.

use std::collections::BTreeMap;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Address space of the process, bytes: libraries, `QuickJS`, libxml2 and what a template makes of Tera.
pub(crate) const ADDRESS_SPACE_BYTES: u64 = 512 << 20;
/// stdin, stdout, stderr: nothing more can be opened.
const DESCRIPTORS: u64 = 3;

/// What the kernel granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shut {
    pub(crate) landlock: Landlock,
    pub(crate) seccomp: Seccomp,
}

/// How much of Landlock is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landlock {
    Full,
    /// An older kernel: files, perhaps without network or signals.
    Partial,
    Absent,
}

/// Whether the list of system calls is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seccomp {
    Full,
    Absent,
}

impl Shut {
    /// True when neither is there: templates must not be run.
    pub(crate) fn is_open(self) -> bool {
        self.landlock == Landlock::Absent && self.seccomp == Seccomp::Absent
    }
}

/// Limits and Landlock, for this thread and those it starts later.
pub(crate) fn first_half() -> Landlock {
    lower(Resource::As, ADDRESS_SPACE_BYTES);
    lower(Resource::Core, 0);
    lower(Resource::Nofile, DESCRIPTORS);
    restrict().unwrap_or(Landlock::Absent)
}

/// To what we want, or to what is allowed where that is less. A limit that can't be set is none of the walls.
fn lower(resource: Resource, most: u64) {
    let most = getrlimit(resource).maximum.map_or(most, |allowed| allowed.min(most));
    let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
}

/// The list of system calls, for every thread: nothing can be started any more.
pub(crate) fn second_half(landlock: Landlock) -> Shut {
    let seccomp = match filter() {
        Ok(()) => Seccomp::Full,
        Err(_) => Seccomp::Absent,
    };
    Shut { landlock, seccomp }
}

/// No rule is added: nothing is allowed.
fn restrict() -> Result<Landlock, landlock::RulesetError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::Absent,
    })
}

/// What rendering needs: memory, clocks, the descriptors it has, its own end. All else fails with EPERM.
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Calls that may name this process alone: its limits, its end.
const CALLS_ON_ITSELF: &[libc::c_long] = &[libc::SYS_kill, libc::SYS_tgkill];

fn filter() -> Result<(), Box<dyn std::error::Error>> {
    let own = u64::try_from(rustix::process::getpid().as_raw_nonzero().get())?;
    let first_is =
        |value| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    for call in CALLS_ON_ITSELF {
        rules.insert(*call, vec![SeccompRule::new(vec![first_is(own)?])?]);
    }
    // Its own processor time, to be raised before each message: pid 0, RLIMIT_CPU.
    let of_cpu = SeccompCondition::new(
        1,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        u64::from(libc::RLIMIT_CPU),
    )?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![first_is(0)?, of_cpu])?]);
    let refuse = SeccompAction::Errno(u32::try_from(libc::EPERM)?);
    let filter = SeccompFilter::new(
        rules,
        refuse,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: seccompiler::BpfProgram = filter.try_into()?;
    seccompiler::apply_filter_all_threads(&program)?;
    Ok(())
}

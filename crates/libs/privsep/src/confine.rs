//! What a jailed process may still ask of the kernel: no programs, no mounts, no tracing, no writing outside its
//! directories. Both ways work as far as the kernel has them.

use crate::Error;
use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rights on files that are asked about; later kernels know more, older ones fewer.
const RIGHTS: ABI = ABI::V3;

/// Calls that no jailed daemon has a reason to make. They fail with EPERM.
const DENIED: [libc::c_long; 42] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_personality,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
];

/// What the kernel does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// System calls cannot be filtered.
    Seccomp,
    /// Writing cannot be confined to directories.
    Landlock,
}

/// What this kernel does not have.
#[must_use]
pub fn kernel_lacks() -> Vec<Lack> {
    let mut lacks = Vec::new();
    if !Path::new("/proc/sys/kernel/seccomp/actions_avail").exists() {
        lacks.push(Lack::Seccomp);
    }
    if ruleset().is_none() {
        lacks.push(Lack::Landlock);
    }
    lacks
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Seccomp => "seccomp",
            Self::Landlock => "Landlock",
        })
    }
}

fn failed(what: &str, source: &dyn std::fmt::Display) -> Error {
    Error::Rights { what: what.into(), source: std::io::Error::other(source.to_string()) }
}

/// Gives up writing outside of these directories, where the kernel has Landlock; what is open stays open. Needs
/// `no_new_privs`.
pub(crate) fn keep_to(writable: &[PathBuf]) -> Result<(), Error> {
    let Some(rules) = ruleset() else { return Ok(()) };
    confine_to(rules, writable).map_err(|source| failed("landlock", &source))
}

/// Rules for writing, nothing allowed yet. A kernel that cannot allow moves between directories is of no use.
fn ruleset() -> Option<RulesetCreated> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)
        .ok()?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(RIGHTS))
        .ok()?
        .create()
        .ok()
}

fn confine_to(mut rules: RulesetCreated, writable: &[PathBuf]) -> Result<(), RulesetError> {
    for path in writable {
        // A directory that is not there needs no right.
        if let Ok(directory) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(directory, AccessFs::from_write(RIGHTS)))?;
        }
    }
    rules.restrict_self().map(|_| ())
}

/// Gives up the system calls, where the kernel can filter them. Needs `no_new_privs`, and no thread besides this one.
pub(crate) fn deny_calls() -> Result<(), Error> {
    match deny() {
        Ok(()) | Err(seccompiler::Error::Prctl(_) | seccompiler::Error::Seccomp(_)) => Ok(()),
        Err(source) => Err(failed("seccomp", &source)),
    }
}

fn deny() -> Result<(), seccompiler::Error> {
    let rules: BTreeMap<_, _> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(seccompiler::Error::from)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch).map_err(seccompiler::Error::from)?;
    let program = BpfProgram::try_from(filter).map_err(seccompiler::Error::from)?;
    seccompiler::apply_filter(&program)
}

//! Users, groups, the jail, limits, inherited and passed descriptors, running commands, where directories lie on the disk.
//!
//! One of the two homes of `unsafe` (the other is `engine`): every block is small and says why it holds. Rights are values:
//! [`Privileged`] is consumed to make [`Jailed`], and only the skeletons may mint it. Where the process does not
//! run as root nothing here switches users or roots, and everything else is the same.

mod account;
mod background;
mod command;
mod confine;
mod descriptor;
mod free_space;
mod limit;
mod placement;
mod program;
mod reap;
mod rest;
mod rights;
mod roles;
mod signal;

pub use account::{Group, NoOwner, Owner, User, has_gained_rights, is_root, real_uid};
pub use background::{Background, Begun, Streams, background, redirect_streams};
pub use command::{Attached, Command, Detached, Finished, Line, attach, chosen_environment, run};
pub use confine::{Lack, kernel_lacks};
pub use descriptor::{
    Peer, accept, begin_write_back, inherited, is_unix_socket, keep_open, peek, peer, read, receive_descriptor,
    send_descriptor, try_receive_descriptor, wait_readable, write_back,
};
pub use free_space::free_space;
pub use limit::{allow_descriptors, forbid_core_files, mask_files, survive_file_size_limit};
pub use nix::sys::signal::Signal;
pub use placement::{create_directory_apart, move_directory_apart};
pub use program::{Program, start};
pub use reap::{End, Ended, kill, kill_group, reap, wait_for_end};
pub use rest::Rest;
pub use rights::{Jail, Jailed, Privileged, become_user};
pub use roles::{Roles, Unfit};
pub use signal::{Signals, default_signal, ignore_signal};

use std::io;
use std::path::PathBuf;

/// What can go wrong here. The system's reason is in the text, too.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Asking for an account failed; not the same as an unknown one.
    #[error("look up {name}: {source}")]
    Lookup {
        /// The user or group asked for.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A change of root, user or rights failed.
    #[error("{what}: {source}")]
    Rights {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("execute {}: {source}", .path.display())]
    Execute {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A descriptor, pipe or socket did not do as it should.
    #[error("{what}: {source}")]
    Descriptor {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    fn rights(what: impl Into<String>) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self::Rights { what: what.into(), source: errno.into() }
    }

    fn descriptor(what: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self::Descriptor { what, source: errno.into() }
    }
}

//! Every parameter with type and default; main.cf, master.cf, expansion, overrides.
//!
//! A parameter is one row in `params/TOPIC.rs`. A program asks a [`Source`] for the groups of rows that it
//! uses, and receives typed values or all problems at once; nothing else of main.cf is parsed or expanded.
//! Only this library reads main.cf and master.cf. It never changes them, and it never logs.

mod check;
mod compatibility;
mod drop_in;
pub mod endpoint;
mod error;
mod expand;
mod expansion_filter;
mod group;
mod host;
mod logical_lines;
mod main_cf;
pub mod master_cf;
mod networks;
mod overrides;
#[doc(hidden)]
pub mod packed;
pub mod params;
mod queue;
mod row;
mod row_index;
pub mod services;
mod source;
mod tls_level;
pub mod value;

pub use check::mynetworks_style;
pub use compatibility::{Level, Malformed};
pub use drop_in::drop_ins;
pub use error::Error;
pub use expand::{Failure, MAX_NESTING, Names, expand, expand_defined, expand_once, expand_plain, references};
pub use expansion_filter::ExpansionFilter;
pub use group::{Group, Problem, Problems};
pub use host::name as host_name;
pub use logical_lines::{LogicalLine, LogicalLines};
pub use main_cf::{Entry, MainCf, split};
pub use overrides::Overrides;
pub use queue::QUEUE_DIRECTORIES;
pub use row::{Kind, Row, Standing};
pub use source::{CONFIG_DIRECTORY, Source, authorize_directory, config_directory, is_directory_listed};
pub use tls_level::{TlsLevel, UnknownTlsLevel};

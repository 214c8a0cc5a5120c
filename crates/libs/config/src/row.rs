//! A row is the whole truth about a parameter, and `params!` makes typed structs of rows.

use std::fmt;

/// What kind of value a parameter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number.
    Int,
    /// A number of bytes, or another number that cannot be negative.
    Size,
    /// A time with a unit.
    Duration,
    /// Text, after expansion.
    Text,
    /// The name of a host or domain.
    Host,
    /// Text that is not expanded here, because it names things known later.
    Raw,
    /// Words between white space and commas.
    List,
    /// Words out of a few, separated likewise.
    Words,
    /// Lookup tables, as `type:name`.
    TableList,
}

/// What a parameter is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does what its documentation says.
    Active,
    /// It is accepted and has no effect; `postfix check` says so.
    Inert,
    /// A former name or an internal one: without a value of its own, and not listed.
    Hidden,
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name in main.cf.
    pub name: &'static str,
    /// The name of its field in the code, mostly the same.
    pub field: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// The default in main.cf syntax.
    pub default: &'static str,
    /// The words that a value may have, between spaces, if only some make sense.
    pub words: &'static str,
    /// The smallest value or text length, if there is one.
    pub min: Option<i64>,
    /// The largest value or text length, if there is one.
    pub max: Option<i64>,
    /// Whether it has an effect.
    pub standing: Standing,
    /// One line of documentation.
    pub doc: &'static str,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.default)
    }
}

/// Makes a struct with one typed field for each row, and its `Group` implementation.
///
/// A row reads `name: Kind = "default" of "words" in min..=max, standing;`. Words (of `Words` alone), range and standing
/// (`inert`, `hidden`) may be left out; `in 1..` has no upper end; for texts the range is that of the length. A name that
/// Rust cannot spell is given with `as`.
///
/// ```
/// config::params! {
///     /// What the example may know.
///     Example {
///         /// Who learns of bounces that bounce.
///         double_bounce_notice_recipient as "2bounce_notice_recipient": Text = "postmaster" in 1..;
///         /// How long mail stays queued.
///         maximal_queue_lifetime: Duration = "5d" in 0..=8640000;
///         /// Nobody looks at this one.
///         sun_mailtool_compatibility: Bool = "no", inert;
///     }
/// }
/// ```
#[macro_export]
macro_rules! params {
    ($(#[$meta:meta])* $group:ident {
        $($(#[doc = $doc:literal])+ $field:ident $(as $name:literal)?: $kind:ident = $default:literal
            $(of $words:literal)? $(in $low:literal $dots:tt $($high:literal)?)? $(, $standing:ident)?;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        #[allow(non_snake_case, unreachable_pub, clippy::struct_excessive_bools, reason = "fields are named as in main.cf")]
        pub struct $group {
            $($(#[doc = $doc])+ pub $field: <$crate::value::$kind as $crate::value::Value>::Out,)*
        }

        impl $group {
            pub(crate) const PACKED: $crate::packed::Packed = $crate::packed::Packed {
                text: concat!(
                    $($crate::params!(@name $field $($name)?), stringify!($field), $default, $($words,)? $($doc,)+)*
                ),
                rows: &$crate::packed::place([$($crate::packed::PackedRow {
                    at: 0,
                    name: $crate::packed::short($crate::params!(@name $field $($name)?)),
                    field: $crate::packed::short(stringify!($field)),
                    default: $crate::packed::long($default),
                    words: $crate::packed::short(concat!($($words)?)),
                    doc: $crate::packed::long(concat!($($doc),+)),
                    kind: $crate::Kind::$kind,
                    standing: $crate::params!(@standing $($standing)?),
                    min: $crate::params!(@bound $($low)?),
                    max: $crate::params!(@bound $($($high)?)?),
                },)*]),
            };
        }

        impl $crate::Group for $group {
            fn parse(source: &$crate::Source, problems: &mut $crate::Problems) -> Self {
                let mut rows = Self::PACKED.rows();
                Self { $($field: source.field::<$crate::value::$kind>(rows.next(), problems),)* }
            }

            fn rows() -> ::std::vec::Vec<$crate::Row> {
                Self::PACKED.rows().collect()
            }
        }
    };
    (@name $field:ident $name:literal) => { $name };
    (@name $field:ident) => { stringify!($field) };
    (@bound $bound:literal) => { Some($bound) };
    (@bound) => { None };
    (@standing inert) => { $crate::Standing::Inert };
    (@standing hidden) => { $crate::Standing::Hidden };
    (@standing) => { $crate::Standing::Active };
}

//! Groups of parameters, and the problems met while parsing them.

use crate::row::Row;
use crate::source::Source;
use std::fmt;

/// A set of parameters that some program or library uses, parsed together.
pub trait Group: Sized {
    /// Parses every parameter of the group. What is wrong goes to `problems`.
    fn parse(source: &Source, problems: &mut Problems) -> Self;

    /// The rows of the group.
    fn rows() -> Vec<Row>;
}

/// One parameter whose value makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The parameter.
    pub parameter: String,
    /// What to say about it.
    pub text: String,
}

/// All that is wrong with the parameters that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Remembers a problem.
    pub fn push(&mut self, parameter: &str, text: String) {
        self.0.push(Problem { parameter: parameter.to_owned(), text });
    }

    /// An error, if there are any.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Whether all is well.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems, in the order of the rows.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

macro_rules! tuples {
    ($(($($member:ident)*))*) => {
        $(impl<$($member: Group),*> Group for ($($member,)*) {
            #[allow(clippy::unused_unit, unused_variables, reason = "the empty group uses neither")]
            fn parse(source: &Source, problems: &mut Problems) -> Self {
                ($($member::parse(source, problems),)*)
            }

            fn rows() -> Vec<Row> {
                let groups: Vec<Vec<Row>> = vec![$($member::rows()),*];
                groups.concat()
            }
        })*
    };
}

tuples! {
    () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
}

/// Makes one group of several, with a name for each.
///
/// ```
/// config::bundle! {
///     /// All that this daemon may know.
///     pub struct Params {
///         identity: config::params::Identity,
///         layout: config::params::Layout,
///     }
/// }
/// # let _ = <Params as config::Group>::rows();
/// ```
#[macro_export]
macro_rules! bundle {
    ($(#[$meta:meta])* $visible:vis struct $name:ident { $($(#[$inner:meta])* $field:ident: $group:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $visible struct $name {
            $($(#[$inner])* #[doc = concat!("The group `", stringify!($group), "`.")] pub $field: $group,)*
        }

        impl $crate::Group for $name {
            fn parse(source: &$crate::Source, problems: &mut $crate::Problems) -> Self {
                Self { $($field: <$group as $crate::Group>::parse(source, problems),)* }
            }

            fn rows() -> ::std::vec::Vec<$crate::Row> {
                let groups: ::std::vec::Vec<::std::vec::Vec<$crate::Row>> =
                    ::std::vec![$(<$group as $crate::Group>::rows()),*];
                groups.concat()
            }
        }
    };
}

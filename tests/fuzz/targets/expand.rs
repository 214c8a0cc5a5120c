//! `$name` expansion: it ends, whatever the values refer to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::borrow::Cow;

fuzz_target!(|texts: (&str, &str, &str)| {
    let (text, a, b) = texts;
    let names = |name: &str| match name {
        "a" => Some(Cow::Borrowed(a)),
        "b" => Some(Cow::Borrowed(b)),
        _ => None,
    };
    let _ = (config::expand(text, &names), config::expand_once(text, &names), config::references(text));
});

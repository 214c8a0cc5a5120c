//! The rules of `cidr:`, `regexp:` and `pcre:` tables, as they stand in main.cf.

#![no_main]

use libfuzzer_sys::fuzz_target;
use table::Environment;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, key) = input;
    let rules: Vec<String> = text
        .lines()
        .filter(|line| !line.contains(['{', '}']) && line.len() < 200)
        .map(|line| format!("{{{line}}}"))
        .collect();
    let environment = Environment::default();
    for kind in ["cidr", "regexp", "pcre"] {
        let Ok(table) = table::open(&format!("{kind}:{{{}}}", rules.join(" ")), &environment) else { continue };
        let _ = table.lookup(key).block();
    }
});

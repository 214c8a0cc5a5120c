//! Command lines of SMTP clients.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::parameter::{Body, parameters, size};
use smtp_proto::{Strictness, Verb, attribute, bdat, command, path};

fuzz_target!(|line: &[u8]| {
    let (word, arguments) = command::split(line);
    let verb = Verb::parse(word);
    assert!(command::words(arguments).all(|word| !word.is_empty()), "{verb}");
    let _ = (bdat::Chunk::parse(arguments), attribute::parse(arguments));
    let paths = [command::PathArgument::of_mail(arguments), command::PathArgument::of_rcpt(arguments)];
    for found in paths.into_iter().flatten() {
        let _ = path::internal(found.path, Strictness::Lenient);
        let _ = path::internal(found.path, Strictness::Strict);
        for parameter in parameters(found.parameters) {
            let _ = parameter.value.map(|value| (size(value), Body::parse(value)));
        }
    }
});

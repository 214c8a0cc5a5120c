//! A panic becomes a log line; unwinding ends the session it happened in.

/// Logs panics from now on.
pub(crate) fn log() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("no reason given");
        match info.location() {
            Some(place) => maillog::panicked!("{text} ({}:{})", place.file(), place.line()),
            None => maillog::panicked!("{text}"),
        }
    }));
}

//! One module per internal service: request, reply, caller; framing; triggers.

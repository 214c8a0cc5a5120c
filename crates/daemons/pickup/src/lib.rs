//! pickup(8): takes mail from the maildrop and the submission socket.

//! What sessions come to, played as a client hears it.

use crate::rehearsal::session;

#[test]
fn a_client_that_says_nothing_is_counted_so() {
    let heard = session("", &[]);
    assert_eq!(heard.replies, ["220 mx.test ESMTP Postern"]);
    heard.assert_logged("disconnect from localhost[127.0.0.1] commands=0/0");
}

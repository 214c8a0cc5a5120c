//! pass: a connection that one daemon hands to another. See postscreen(8) and smtpd(8).
//!
//! The descriptor travels beside these bytes, over a `pass` service of master.cf; the sender then ends its half of the
//! connection, and the receiver the other half once it has taken everything. That is how long the sender knows that
//! all receivers are busy.

use crate::frame::{self, Frame, Hello};
use crate::{Error, Protocol};
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What is said of a connection that is handed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The client; not the other end of the connection where a proxy is between.
    pub client: SocketAddr,
    /// Where it connected to.
    pub server: SocketAddr,
    /// What was read already.
    pub input: Vec<u8>,
}

impl Protocol for Passed {
    const NAME: &'static str = "pass";
    const VERSION: u16 = 1;
    type Request = Passed;
    type Reply = ();
}

impl Passed {
    /// The bytes that go with the descriptor.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where more was read than fits.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(64);
        frame::write_message(&mut bytes, &Hello::of::<Self>(), Self::LIMIT)?;
        frame::write_message(&mut bytes, self, Self::LIMIT)?;
        Ok(bytes)
    }

    /// Reads what [`Self::encode`] gives.
    ///
    /// # Errors
    /// It is something else, or comes from another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut bytes = BytesMut::from(bytes);
        let Some(Frame::Message(hello)) = frame::take::<Hello>(&mut bytes, Self::LIMIT)? else {
            return Err(Error::Malformed("no hello"));
        };
        hello.agree::<Self>()?;
        match frame::take(&mut bytes, Self::LIMIT)? {
            Some(Frame::Message(passed)) if bytes.is_empty() => Ok(passed),
            Some(_) | None => Err(Error::Malformed("not one message")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_passed_comes_back(client: [u8; 4], server: [u8; 16], port: u16, input: Vec<u8>) {
            let passed = Passed { client: (client, port).into(), server: (server, 25).into(), input };
            prop_assert_eq!(Passed::decode(&passed.encode().unwrap()).unwrap(), passed);
        }

        #[test]
        fn any_bytes_are_refused_or_taken(bytes: Vec<u8>, greets: bool) {
            let mut all = Vec::new();
            if greets {
                frame::write_message(&mut all, &Hello::of::<Passed>(), 1000).unwrap();
            }
            all.extend(bytes);
            let _ = Passed::decode(&all);
        }
    }

    #[test]
    fn words_of_a_client_are_no_message() {
        assert!(Passed::decode(b"EHLO client.example\r\n").is_err());
    }
}

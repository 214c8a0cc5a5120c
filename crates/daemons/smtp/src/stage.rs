//! The stages of a session: what they are called when they fail, and how long each may take.

use std::time::Duration;

use crate::flavor::Flavor;

/// Where in the dialogue a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for the banner.
    Greeting,
    /// EHLO or LHLO, and AUTH behind it.
    Hello(Flavor),
    /// HELO, after EHLO was refused.
    Helo,
    /// STARTTLS.
    Starttls,
    /// XFORWARD.
    Xforward,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The message itself.
    Body,
    /// The final dot.
    End,
    /// RSET before a connection is used again.
    Rset,
    /// QUIT.
    Quit,
}

impl Stage {
    /// As in "lost connection with x while …".
    #[must_use]
    pub const fn doing(self) -> &'static str {
        match self {
            Self::Greeting => "receiving the initial server greeting",
            Self::Hello(Flavor::Smtp) => "performing the EHLO handshake",
            Self::Hello(Flavor::Lmtp) => "performing the LHLO handshake",
            Self::Helo => "performing the HELO handshake",
            Self::Starttls => "receiving the STARTTLS response",
            Self::Xforward => "sending XFORWARD command",
            Self::Mail => "sending MAIL FROM",
            Self::Rcpt => "sending RCPT TO",
            Self::Data => "sending DATA command",
            Self::Body => "sending message body",
            Self::End => "sending end of data -- message may be sent more than once",
            Self::Rset => "sending RSET probe",
            Self::Quit => "sending QUIT",
        }
    }

    /// As in "(in reply to … command)".
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Greeting => "initial greeting",
            Self::Hello(flavor) => flavor.hello(),
            Self::Helo => "HELO",
            Self::Starttls => "STARTTLS",
            Self::Xforward => "XFORWARD",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::Body | Self::End => "end of DATA",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
        }
    }
}

/// `smtp_*_timeout`: how long each stage may take.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// `smtp_connect_timeout`; zero leaves it to the system.
    pub connect: Duration,
    /// `smtp_helo_timeout` or `lmtp_lhlo_timeout`; the greeting too.
    pub hello: Duration,
    /// `smtp_starttls_timeout`.
    pub starttls: Duration,
    /// `smtp_xforward_timeout`.
    pub xforward: Duration,
    /// `smtp_mail_timeout`.
    pub mail: Duration,
    /// `smtp_rcpt_timeout`.
    pub rcpt: Duration,
    /// `smtp_data_init_timeout`.
    pub data_init: Duration,
    /// `smtp_data_xfer_timeout`.
    pub data_xfer: Duration,
    /// `smtp_data_done_timeout`.
    pub data_done: Duration,
    /// `smtp_rset_timeout`.
    pub rset: Duration,
    /// `smtp_quit_timeout`.
    pub quit: Duration,
}

impl Timeouts {
    /// The limit of a stage.
    #[must_use]
    pub const fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Greeting | Stage::Hello(_) | Stage::Helo => self.hello,
            Stage::Starttls => self.starttls,
            Stage::Xforward => self.xforward,
            Stage::Mail => self.mail,
            Stage::Rcpt => self.rcpt,
            Stage::Data => self.data_init,
            Stage::Body => self.data_xfer,
            Stage::End => self.data_done,
            Stage::Rset => self.rset,
            Stage::Quit => self.quit,
        }
    }
}

//! What the parameters say about the dialogue, parsed once.

use address::LogForm;
use config::TlsLevel;
use smtp_proto::Reply;
use smtp_proto::ehlo::{Keyword, Keywords};

use super::{Manner, PerTest};
use crate::action::Action;

/// What all dialogues of a process have in common.
#[derive(Debug)]
pub struct Settings {
    /// The greeting without its code, `$smtpd_banner`.
    pub banner: String,
    /// `message_size_limit`, 0 for none.
    pub message_size_limit: u64,
    /// What EHLO offers where nothing is hidden, see [`Settings::offer`].
    pub offered: Keywords,
    /// `postscreen_discard_ehlo_keywords`.
    pub hidden: Keywords,
    /// Whether clients may, or must, use TLS (`postscreen_tls_security_level`); `None`: it is not offered.
    pub tls: Option<TlsLevel>,
    /// `postscreen_helo_required`.
    pub helo_required: bool,
    /// `postscreen_disable_vrfy_command`.
    pub disable_vrfy_command: bool,
    /// `postscreen_command_count_limit`.
    pub command_count_limit: u32,
    /// `info_log_address_format`.
    pub log_form: LogForm,
    /// `line_length_limit`, in bytes.
    pub line_length_limit: usize,
    /// What is done about clients that fail deep tests.
    pub actions: PerTest<Action>,
    /// How replies go out.
    pub manner: Manner,
}

impl Settings {
    /// What is offered where nothing is hidden, by `disable_vrfy_command`, `smtputf8_enable` and TLS.
    #[must_use]
    pub fn offer(disable_vrfy_command: bool, smtputf8_enable: bool, tls: Option<TlsLevel>) -> Keywords {
        use Keyword::{Chunking, Dsn, EightBitMime, EnhancedStatusCodes, Etrn, Size, SmtpUtf8, Starttls, Vrfy};
        let mut offer = Keywords::NONE;
        for keyword in [Size, Vrfy, Etrn, Starttls, EnhancedStatusCodes, EightBitMime, Dsn, SmtpUtf8, Chunking] {
            offer.insert(keyword);
        }
        for (keyword, hides) in [(Vrfy, disable_vrfy_command), (SmtpUtf8, !smtputf8_enable), (Starttls, tls.is_none())]
        {
            if hides {
                offer.remove(keyword);
            }
        }
        offer
    }

    /// The reply to EHLO for one from whom this is hidden.
    pub(super) fn ehlo(&self, hidden: Keywords) -> Reply {
        let mut text = self.manner.myhostname.clone();
        for keyword in self.offered.without(hidden).iter() {
            text.push('\n');
            text.push_str(keyword.name());
            if keyword == Keyword::Size && self.message_size_limit > 0 {
                text.push(' ');
                text.push_str(&self.message_size_limit.to_string());
            }
        }
        Reply::new(250, None, text)
    }
}

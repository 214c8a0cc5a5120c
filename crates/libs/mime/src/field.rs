//! A header field: its name, its value, and what is known of it.

/// A logical header: one line, or several of which all but the first begin with white space, joined by LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    text: &'a [u8],
    name: usize,
}

impl<'a> Field<'a> {
    /// Reads a logical header. `None` where it has no name.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Option<Self> {
        field_name_length(text).map(|name| Self { text, name })
    }

    /// All of it, without the last line end.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.text
    }

    /// The name as written.
    #[must_use]
    pub fn name(self) -> &'a [u8] {
        self.text.get(..self.name).unwrap_or_default()
    }

    /// What stands after the colon, without white space at its ends; line breaks within stay.
    #[must_use]
    pub fn value(self) -> &'a [u8] {
        let rest = self.text.get(self.name..).unwrap_or_default();
        let colon = memchr::memchr(b':', rest).map_or(rest.len(), |at| at + 1);
        rest.get(colon..).unwrap_or_default().trim_ascii()
    }

    /// Whether it has this name, in any case.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// What is known of fields of this name.
    #[must_use]
    pub fn kind(self) -> Kind {
        Kind::of(self.name())
    }
}

/// The length of the field name that a line begins with: printable characters up to a colon, which white space may precede.
#[must_use]
pub fn field_name_length(line: &[u8]) -> Option<usize> {
    let length = line.iter().position(|&b| !(b.is_ascii_graphic() && b != b':'))?;
    let rest = line.get(length..)?;
    let colon = rest.iter().find(|b| !matches!(b, b' ' | b'\t'))?;
    (length > 0 && *colon == b':').then_some(length)
}

/// Whose addresses a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// Of senders.
    Sender,
    /// Of recipients, to whom mail without an envelope would go.
    Recipient,
    /// Of recipients, but not to be taken as such.
    Mentioned,
}

/// Whether a field speaks of the message or of its resending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resent {
    /// Of the message.
    No,
    /// Of its resending.
    Yes,
}

/// Fields that a mail system acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the field of that name")]
pub enum Kind {
    ApparentlyTo,
    Bcc,
    Cc,
    ContentDescription,
    ContentDisposition,
    ContentId,
    ContentLength,
    ContentTransferEncoding,
    ContentType,
    Date,
    DeliveredTo,
    DispositionNotificationTo,
    ErrorsTo,
    From,
    MailFollowupTo,
    MessageId,
    MimeVersion,
    Received,
    ReplyTo,
    ResentBcc,
    ResentCc,
    ResentDate,
    ResentFrom,
    ResentMessageId,
    ResentReplyTo,
    ResentSender,
    ResentTo,
    ReturnPath,
    ReturnReceiptTo,
    Sender,
    Subject,
    To,
    /// Any other.
    Other,
}

/// Every known field with the spelling that we use when adding it.
const NAMES: [(&str, Kind); 32] = [
    ("Apparently-To", Kind::ApparentlyTo),
    ("Bcc", Kind::Bcc),
    ("Cc", Kind::Cc),
    ("Content-Description", Kind::ContentDescription),
    ("Content-Disposition", Kind::ContentDisposition),
    ("Content-Id", Kind::ContentId),
    ("Content-Length", Kind::ContentLength),
    ("Content-Transfer-Encoding", Kind::ContentTransferEncoding),
    ("Content-Type", Kind::ContentType),
    ("Date", Kind::Date),
    ("Delivered-To", Kind::DeliveredTo),
    ("Disposition-Notification-To", Kind::DispositionNotificationTo),
    ("Errors-To", Kind::ErrorsTo),
    ("From", Kind::From),
    ("Mail-Followup-To", Kind::MailFollowupTo),
    ("Message-Id", Kind::MessageId),
    ("MIME-Version", Kind::MimeVersion),
    ("Received", Kind::Received),
    ("Reply-To", Kind::ReplyTo),
    ("Resent-Bcc", Kind::ResentBcc),
    ("Resent-Cc", Kind::ResentCc),
    ("Resent-Date", Kind::ResentDate),
    ("Resent-From", Kind::ResentFrom),
    ("Resent-Message-Id", Kind::ResentMessageId),
    ("Resent-Reply-To", Kind::ResentReplyTo),
    ("Resent-Sender", Kind::ResentSender),
    ("Resent-To", Kind::ResentTo),
    ("Return-Path", Kind::ReturnPath),
    ("Return-Receipt-To", Kind::ReturnReceiptTo),
    ("Sender", Kind::Sender),
    ("Subject", Kind::Subject),
    ("To", Kind::To),
];

impl Kind {
    /// The kind of a name, in any case.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let found = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map_or(Self::Other, |&(_, kind)| kind)
    }

    /// The spelling that we use.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |&(name, _)| name)
    }

    /// Whose addresses fields of this kind hold, if any.
    #[must_use]
    pub fn addresses(self) -> Option<Addresses> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other fields hold no addresses")]
        match self {
            Self::DispositionNotificationTo
            | Self::ErrorsTo
            | Self::From
            | Self::MailFollowupTo
            | Self::ReplyTo
            | Self::ResentFrom
            | Self::ResentReplyTo
            | Self::ResentSender
            | Self::ReturnPath
            | Self::ReturnReceiptTo
            | Self::Sender => Some(Addresses::Sender),
            Self::Bcc | Self::Cc | Self::To | Self::ResentBcc | Self::ResentCc | Self::ResentTo => {
                Some(Addresses::Recipient)
            }
            Self::ApparentlyTo => Some(Addresses::Mentioned),
            _ => None,
        }
    }

    /// Whether the field speaks of a resending.
    #[must_use]
    pub fn resent(self) -> Resent {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other fields speak of the message")]
        match self {
            Self::ResentBcc
            | Self::ResentCc
            | Self::ResentDate
            | Self::ResentFrom
            | Self::ResentMessageId
            | Self::ResentReplyTo
            | Self::ResentSender
            | Self::ResentTo => Resent::Yes,
            _ => Resent::No,
        }
    }

    /// Whether `mime_header_checks` look at the field instead of `header_checks`.
    #[must_use]
    pub fn is_mime(self) -> bool {
        matches!(
            self,
            Self::ContentDescription
                | Self::ContentDisposition
                | Self::ContentId
                | Self::ContentTransferEncoding
                | Self::ContentType
                | Self::MimeVersion
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_a_name_and_a_value() {
        for (text, name, value) in [
            ("Subject: x y", "Subject", "x y"),
            ("Subject:x", "Subject", "x"),
            ("Subject : x", "Subject", "x"),
            ("Subject:", "Subject", ""),
            ("X-Long: one\n\ttwo", "X-Long", "one\n\ttwo"),
        ] {
            let field = Field::new(text.as_bytes()).unwrap();
            assert_eq!((field.name(), field.value()), (name.as_bytes(), value.as_bytes()), "{text}");
        }
        for text in ["", ":", " Subject: x", "this is no header", "a b: c", "S\u{e4}: x", "Subject"] {
            assert_eq!(Field::new(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn fields_hold_addresses_of_senders_or_recipients() {
        for (kind, addresses) in [
            (Kind::From, Some(Addresses::Sender)),
            (Kind::ReturnPath, Some(Addresses::Sender)),
            (Kind::Cc, Some(Addresses::Recipient)),
            (Kind::ApparentlyTo, Some(Addresses::Mentioned)),
            (Kind::MessageId, None),
            (Kind::Other, None),
        ] {
            assert_eq!(kind.addresses(), addresses, "{kind:?}");
        }
    }

    #[test]
    fn known_names_are_found_in_any_case() {
        for (name, kind) in NAMES {
            assert_eq!(Kind::of(name.to_uppercase().as_bytes()), kind);
            assert_eq!(kind.name(), name);
        }
        assert_eq!(Kind::of(b"X-Other"), Kind::Other);
    }
}

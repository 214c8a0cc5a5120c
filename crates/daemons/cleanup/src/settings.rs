//! Parameters as the stages need them, and the tables.

use address::LogForm;
use config::{Source, params};
use jiff::tz::TimeZone;
use mime::{Field, Kind, Limits};
use service::Fatal;
use table::checks::Checks;
use table::{AddressFind, Environment, LocalDomains, Maps, Parents, PatternList};
use tracing::warn;

use crate::mapping::Mapping;

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        identity: params::Identity,
        cleanup: params::Cleanup,
        rewrite: params::Rewrite,
        queue: params::Queue,
        lifetimes: params::Lifetimes,
        ipc: params::Ipc,
        verify: params::Verify,
        milter: params::Milter,
        daemon: params::Daemon,
    }
}

/// Values that stages look at.
pub(crate) struct Settings {
    pub(crate) myhostname: String,
    pub(crate) always_bcc: String,
    pub(crate) utf8: Utf8,
    pub(crate) limits: SizeLimits,
    pub(crate) mime: MimeSettings,
    pub(crate) headers: HeaderSettings,
    /// Whether recipients keep the address that they had before rewriting.
    pub(crate) enable_original_recipient: bool,
    pub(crate) duplicate_filter_limit: usize,
    /// Seconds after which the sender is told of a delay; 0 means never.
    pub(crate) delay_warning_time: u64,
    pub(crate) delay_logging_resolution_limit: u32,
    /// `info_log_address_format`.
    pub(crate) log_form: LogForm,
    pub(crate) time_zone: TimeZone,
    /// Whether senders may do without TLS (`tls_required_enable`).
    pub(crate) tls_required: bool,
    pub(crate) requiretls: RequireTls,
    /// How long a caller may be silent within a message.
    pub(crate) deadline: std::time::Duration,
    /// How long a message waits at most while mail comes too fast.
    pub(crate) in_flow_delay: std::time::Duration,
}

pub(crate) struct SizeLimits {
    /// 0 means none.
    pub(crate) message_size: u64,
    pub(crate) line_length: usize,
    pub(crate) body_checks: u64,
    pub(crate) hopcount: usize,
    pub(crate) header_tokens: usize,
    /// `queue_file_attribute_count_limit`.
    pub(crate) attributes: usize,
}

pub(crate) struct MimeSettings {
    pub(crate) limits: Limits,
    /// `disable_mime_input_processing`, turned round.
    pub(crate) parts: bool,
    pub(crate) detect_encoding: bool,
    pub(crate) strict: Strict,
    pub(crate) conversion: Conversion,
    pub(crate) unended_header: UnendedHeader,
}

/// What becomes of a request for REQUIRETLS (RFC 8689).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequireTls {
    /// Nothing.
    Ignored,
    /// It is kept in the queue file.
    Kept,
    /// And it may come, and is shown, in the header `Require-TLS-ESMTP`.
    Shown,
}

impl RequireTls {
    fn of(cleanup: &params::Cleanup) -> Self {
        match (cleanup.requiretls_enable, cleanup.requiretls_esmtp_header) {
            (false, _) => Self::Ignored,
            (true, false) => Self::Kept,
            (true, true) => Self::Shown,
        }
    }
}

/// `force_mime_input_conversion`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// 8-bit text that declares itself becomes 7-bit.
    ToSevenBit,
    /// The text stays as it is.
    None,
}

/// `non_empty_end_of_header_action`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnendedHeader {
    /// The empty line is added.
    Fix,
    /// And a header that says so.
    Tell,
    /// The message is refused.
    Reject,
}

impl UnendedHeader {
    fn parse(text: &str) -> Result<Self, Fatal> {
        match text {
            "fix_quietly" => Ok(Self::Fix),
            "add_header" => Ok(Self::Tell),
            "reject" => Ok(Self::Reject),
            _ => Err(Fatal::new(format!("invalid setting: \"non_empty_end_of_header_action = {text}\""))),
        }
    }
}

/// What 8-bit and MIME faults are refused.
#[derive(Clone, Copy)]
pub(crate) struct Strict {
    pub(crate) headers: Strictness,
    pub(crate) body: Strictness,
    pub(crate) encoding_domain: Strictness,
}

impl Strict {
    /// Nothing is refused.
    pub(crate) const LAX: Self =
        Self { headers: Strictness::Lax, body: Strictness::Lax, encoding_domain: Strictness::Lax };

    /// Nothing is refused where MIME is not looked at.
    fn of(cleanup: &params::Cleanup) -> Self {
        let strictness = |strict| Strictness::of(strict && !cleanup.disable_mime_input_processing);
        Self {
            headers: strictness(cleanup.strict_7bit_headers || cleanup.strict_8bitmime),
            body: strictness(cleanup.strict_8bitmime_body || cleanup.strict_8bitmime),
            encoding_domain: strictness(cleanup.strict_mime_encoding_domain),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    Strict,
    Lax,
}

impl Strictness {
    pub(crate) fn of(strict: bool) -> Self {
        if strict { Self::Strict } else { Self::Lax }
    }
}

pub(crate) struct HeaderSettings {
    pub(crate) always_add_missing: bool,
    /// In lower case.
    pub(crate) drop: Vec<String>,
    pub(crate) undisclosed_recipients: Option<String>,
    pub(crate) from: FromFormat,
    pub(crate) full_name_charset: String,
    /// What becomes of a CR in the middle of a line.
    pub(crate) replace_stray_cr: bool,
    pub(crate) reject_characters: Vec<u8>,
    pub(crate) strip_characters: Vec<u8>,
}

/// `smtputf8_enable`: what becomes of it that a message needs SMTPUTF8 for which nobody asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Utf8 {
    /// It is sent with SMTPUTF8.
    Noted,
    /// It goes out as other mail does.
    Ignored,
}

/// `header_from_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FromFormat {
    /// `Name <address>`
    Standard,
    /// `address (Name)`
    Obsolete,
}

impl FromFormat {
    fn parse(value: &str) -> Result<Self, Fatal> {
        match value.to_ascii_lowercase().as_str() {
            "standard" => Ok(Self::Standard),
            "obsolete" => Ok(Self::Obsolete),
            _ => Err(Fatal::new(format!("invalid setting: \"header_from_format = {value}\""))),
        }
    }
}

/// `undisclosed_recipients_header`; nothing where it is empty, or is no header.
fn undisclosed_recipients(value: &str) -> Option<String> {
    let is_header = Field::new(value.as_bytes()).is_some();
    if !is_header && !value.is_empty() {
        let needed = "\"headername: headervalue\"";
        warn!("bad undisclosed_recipients_header header text \"{value}\" -- need {needed}");
    }
    is_header.then(|| value.to_owned())
}

impl Settings {
    pub(crate) fn new(params: &Params) -> Result<Self, Fatal> {
        let (cleanup, queue) = (&params.cleanup, &params.queue);
        let number = |value: i64| usize::try_from(value).unwrap_or(0);
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Ok(Self {
            myhostname: params.identity.myhostname.clone(),
            always_bcc: cleanup.always_bcc.clone(),
            utf8: if params.identity.smtputf8_enable { Utf8::Noted } else { Utf8::Ignored },
            tls_required: cleanup.tls_required_enable,
            requiretls: RequireTls::of(cleanup),
            limits: SizeLimits {
                message_size: queue.message_size_limit,
                line_length: number(params.ipc.line_length_limit),
                body_checks: cleanup.body_checks_size_limit,
                hopcount: number(cleanup.hopcount_limit),
                header_tokens: number(cleanup.header_address_token_limit),
                attributes: number(queue.queue_file_attribute_count_limit),
            },
            mime: MimeSettings {
                limits: Limits {
                    header: size(cleanup.header_size_limit),
                    boundary: number(cleanup.mime_boundary_length_limit),
                    nesting: number(cleanup.mime_nesting_limit),
                },
                parts: !cleanup.disable_mime_input_processing,
                detect_encoding: cleanup.detect_8bit_encoding_header,
                strict: Strict::of(cleanup),
                conversion: if cleanup.force_mime_input_conversion { Conversion::ToSevenBit } else { Conversion::None },
                unended_header: UnendedHeader::parse(&cleanup.non_empty_end_of_header_action)?,
            },
            headers: HeaderSettings::new(cleanup)?,
            enable_original_recipient: queue.enable_original_recipient,
            duplicate_filter_limit: number(cleanup.duplicate_filter_limit),
            delay_logging_resolution_limit: u32::try_from(queue.delay_logging_resolution_limit).unwrap_or(2),
            delay_warning_time: params.lifetimes.delay_warning_time.as_secs(),
            log_form: params.identity.info_log_address_format.parse().unwrap_or_default(),
            time_zone: time_zone::local(),
            deadline: params.ipc.ipc_timeout,
            in_flow_delay: params.daemon.in_flow_delay,
        })
    }

    /// Whether the header of this name is dropped.
    pub(crate) fn drops(&self, name: &[u8]) -> bool {
        self.headers.drop.iter().any(|dropped| name.eq_ignore_ascii_case(dropped.as_bytes()))
    }
}

impl HeaderSettings {
    fn new(cleanup: &params::Cleanup) -> Result<Self, Fatal> {
        Ok(Self {
            always_add_missing: cleanup.always_add_missing_headers,
            drop: cleanup.message_drop_headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            undisclosed_recipients: undisclosed_recipients(&cleanup.undisclosed_recipients_header),
            from: FromFormat::parse(&cleanup.header_from_format)?,
            full_name_charset: cleanup.full_name_encoding_charset.clone(),
            replace_stray_cr: cleanup.cleanup_replace_stray_cr_lf,
            reject_characters: config::value::unescaped(&cleanup.message_reject_characters),
            strip_characters: config::value::unescaped(&cleanup.message_strip_characters),
        })
    }

    /// Whether lines have to be looked at byte by byte.
    pub(crate) fn are_pedantic(&self) -> bool {
        !self.reject_characters.is_empty() || !self.strip_characters.is_empty()
    }
}

/// Every table that cleanup asks.
pub(crate) struct Tables {
    pub(crate) mapping: Mapping,
    pub(crate) sender_bcc_maps: Maps,
    pub(crate) recipient_bcc_maps: Maps,
    pub(crate) checks: Checks,
    /// For headers that mail filters make.
    pub(crate) milter_checks: Checks,
}

impl Tables {
    pub(crate) fn open(params: &Params, source: &Source, environment: &Environment) -> Self {
        let (cleanup, identity) = (&params.cleanup, &params.identity);
        let maps = |parameter: &str, specs: &[String]| Maps::open(parameter, specs, environment);
        let parents = Parents::of("mydestination", &identity.parent_domain_matches_subdomains);
        let mydestination = PatternList::open("mydestination", &identity.mydestination, parents, environment);
        let find = AddressFind {
            recipient_delimiter: identity.recipient_delimiter.clone(),
            myorigin: identity.myorigin.clone(),
            local: LocalDomains::new(mydestination, source.own_addresses()),
        };
        let content = environment.for_content();
        let maps_of_content = |parameter: &str, specs: &[String]| Maps::open(parameter, specs, &content);
        let header_checks = maps_of_content("header_checks", &cleanup.header_checks);
        // Most of these default to the same tables, which are big and need to be read but once.
        let checks = |parameter: &str, specs: &[String]| {
            if specs == cleanup.header_checks {
                header_checks.named(parameter)
            } else {
                maps_of_content(parameter, specs)
            }
        };
        let none = Maps::none("milter_header_checks");
        Self {
            mapping: Mapping::open(cleanup, find, environment),
            sender_bcc_maps: maps("sender_bcc_maps", &cleanup.sender_bcc_maps),
            recipient_bcc_maps: maps("recipient_bcc_maps", &cleanup.recipient_bcc_maps),
            milter_checks: Checks {
                header_checks: maps_of_content("milter_header_checks", &params.milter.milter_header_checks),
                mime_header_checks: none.clone(),
                nested_header_checks: none.clone(),
                body_checks: none,
            },
            checks: Checks {
                mime_header_checks: checks("mime_header_checks", &cleanup.mime_header_checks),
                nested_header_checks: checks("nested_header_checks", &cleanup.nested_header_checks),
                body_checks: checks("body_checks", &cleanup.body_checks),
                header_checks,
            },
        }
    }

    pub(crate) fn changed(&self) -> bool {
        self.mapping.changed()
            || self.sender_bcc_maps.changed()
            || self.recipient_bcc_maps.changed()
            || self.checks.changed()
            || self.milter_checks.changed()
    }
}

/// Header kinds whose presence says that the message is resent.
pub(crate) fn is_resent(kind: Kind) -> bool {
    kind.resent() == mime::Resent::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_for_nobody_that_is_none_is_left_out() {
        for (value, expected) in
            [("To: all:;", Some("To: all:;")), ("", None), ("undisclosed", None), ("To us: x", None)]
        {
            assert_eq!(undisclosed_recipients(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn forms_of_from_are_known() {
        assert_eq!(FromFormat::parse("Obsolete").ok(), Some(FromFormat::Obsolete));
        let refused = FromFormat::parse("old").unwrap_err().to_string();
        assert_eq!(refused, "invalid setting: \"header_from_format = old\"");
    }
}

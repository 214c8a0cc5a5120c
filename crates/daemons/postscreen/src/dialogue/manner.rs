//! How replies go out: softened where `soft_bounce` says so, and with a footer below refusals.

use std::borrow::Cow;
use std::cell::RefCell;

use config::ExpansionFilter;
use smtp_proto::Reply;

use super::Client;

/// The parameters that change replies.
#[derive(Debug)]
pub struct Manner {
    /// Our name, `$myhostname`.
    pub myhostname: String,
    /// `soft_bounce`.
    pub soft_bounce: bool,
    /// `postscreen_reject_footer`.
    pub reject_footer: String,
    /// `postscreen_expansion_filter`.
    pub expansion_filter: ExpansionFilter,
}

/// A reply as the client gets it.
#[derive(Debug)]
pub struct Dressed {
    /// The reply.
    pub reply: Reply,
    /// What is wrong with the footer, for the log.
    pub warnings: Vec<String>,
}

impl Manner {
    /// A reply as `client` gets it. `mapped` is what `postscreen_reject_footer_maps` has for its [text](Reply::logged), and
    /// `localtime` is asked where a footer shows the time.
    #[must_use]
    pub fn dressed(
        &self,
        reply: Reply,
        mapped: Option<&str>,
        client: &Client,
        localtime: &dyn Fn() -> String,
    ) -> Dressed {
        let is_refusal = !reply.is_positive();
        let reply = self.softened(reply);
        let template = mapped.unwrap_or(&self.reject_footer);
        if !is_refusal || template.is_empty() {
            return Dressed { reply, warnings: Vec::new() };
        }
        let warnings = RefCell::new(Vec::new());
        let names = |name: &str| {
            let value: Cow<'_, str> = match name {
                "server_name" => self.myhostname.as_str().into(),
                "client_address" => client.address.as_str().into(),
                "client_port" => client.port.as_str().into(),
                "localtime" => localtime().into(),
                _ => {
                    warnings.borrow_mut().push(format!("unknown macro name \"{name}\" in expansion request"));
                    return None;
                }
            };
            Some(self.expansion_filter.apply(value))
        };
        // What begins a line, or goes on in one, is no part of what is expanded.
        let (start, lines) = template.strip_prefix("\\c").map_or(("", template), |lines| ("\\c", lines));
        let lines: Result<Vec<String>, _> = lines.split("\\n").map(|line| config::expand_once(line, &names)).collect();
        let reply = match lines {
            Ok(lines) => reply.with_footer(&format!("{start}{}", lines.join("\\n"))),
            Err(failure) => {
                warnings.borrow_mut().push(failure.to_string());
                reply
            }
        };
        Dressed { reply, warnings: warnings.into_inner() }
    }

    /// A reply as logs have it.
    pub fn softened(&self, reply: Reply) -> Reply {
        if self.soft_bounce { reply.softened() } else { reply }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_proto::Enhanced;

    fn manner(reject_footer: &str, filter: &str) -> Manner {
        Manner {
            myhostname: "mail.test".into(),
            soft_bounce: false,
            reject_footer: reject_footer.into(),
            expansion_filter: ExpansionFilter::parse(filter),
        }
    }

    fn client() -> Client {
        Client { address: "192.0.2.1".into(), port: "1234".into(), hidden: None }
    }

    /// The lines on the wire, and the warnings.
    fn dressed(manner: &Manner, reply: Reply, mapped: Option<&str>) -> (String, Vec<String>) {
        let Dressed { reply, warnings } = manner.dressed(reply, mapped, &client(), &|| "Nov 23 03:19:33".into());
        let mut wire = Vec::new();
        reply.print(&mut wire);
        (String::from_utf8(wire).unwrap().replace("\r\n", "|"), warnings)
    }

    const REFUSAL: Reply = Reply::fixed(550, Enhanced(5, 3, 2), "No");
    const ALL: &str = " 0123456789abcdefghijklmnopqrstuvwxyzN:.";

    #[test]
    fn refusals_have_a_footer() {
        for (footer, expected) in [
            ("", "550 5.3.2 No|"),
            (
                "\\c see $server_name\\nfor [$client_address]:$client_port",
                "550-5.3.2 No see mail.test|550 5.3.2 for [192.0.2.1]:1234|",
            ),
            ("$localtime$$y", "550-5.3.2 No|550 5.3.2 Nov 23 03:19:33$y|"),
            ("${client_address?{y $client_address}:{n}}", "550-5.3.2 No|550 5.3.2 y 192.0.2.1|"),
        ] {
            assert_eq!(dressed(&manner(footer, ALL), REFUSAL, None), (expected.into(), vec![]), "{footer}");
        }
        let manner = manner("plain", ALL);
        assert_eq!(dressed(&manner, REFUSAL, Some("x")).0, "550-5.3.2 No|550 5.3.2 x|");
        assert_eq!(dressed(&manner, Reply::plain(458, "No"), None).0, "458-No|458 plain|");
        assert_eq!(dressed(&manner, Reply::plain(250, "Ok"), Some("x")).0, "250 Ok|");
    }

    #[test]
    fn faults_of_a_footer_are_told() {
        let unknown = "unknown macro name \"foo\" in expansion request";
        assert_eq!(
            dressed(&manner("a${foo}b", ALL), REFUSAL, None),
            ("550-5.3.2 No|550 5.3.2 ab|".into(), vec![unknown.into()])
        );
        let truncated = "truncated macro reference: \"bad $(x\"";
        assert_eq!(
            dressed(&manner("\\cgood\\nbad $(x", ALL), REFUSAL, None),
            ("550 5.3.2 No|".into(), vec![truncated.into()])
        );
    }

    #[test]
    fn values_are_filtered() {
        let footer = "$client_address/$server_name";
        assert_eq!(dressed(&manner(footer, "012"), REFUSAL, None).0, "550-5.3.2 No|550 5.3.2 1_2_0_2_1/_________|");
    }

    #[test]
    fn soft_bounce_makes_refusals_temporary() {
        let manner = Manner { soft_bounce: true, ..manner("x", ALL) };
        assert_eq!(dressed(&manner, REFUSAL, None).0, "450-4.3.2 No|450 4.3.2 x|");
        assert_eq!(dressed(&manner, Reply::plain(501, "Syntax"), Some("\\c")).0, "401 Syntax|");
    }
}

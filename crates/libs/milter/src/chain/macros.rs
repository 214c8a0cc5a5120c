//! The macros that go with events.

use config::params;

/// Gives the value of a macro by its name, as `i` or `{client_addr}`.
pub type Macros<'m> = &'m (dyn Fn(&str) -> Option<String> + Send + Sync);

/// The names of the macros that go with each event.
#[derive(Debug, Clone, Default)]
pub struct MacroNames {
    connect: Vec<String>,
    helo: Vec<String>,
    mail: Vec<String>,
    rcpt: Vec<String>,
    data: Vec<String>,
    end_of_header: Vec<String>,
    end_of_message: Vec<String>,
    unknown: Vec<String>,
    /// `milter_macro_defaults`.
    defaults: Vec<(String, String)>,
}

impl MacroNames {
    /// From the `milter_*_macros` parameters.
    #[must_use]
    pub fn new(params: &params::Milter) -> Self {
        let pair = |text: &String| {
            let text = config::value::unbraced(text).unwrap_or(text);
            let (name, value) = text.split_once('=')?;
            Some((braced(name.trim()), value.trim().to_owned()))
        };
        Self {
            connect: params.milter_connect_macros.clone(),
            helo: params.milter_helo_macros.clone(),
            mail: params.milter_mail_macros.clone(),
            rcpt: params.milter_rcpt_macros.clone(),
            data: params.milter_data_macros.clone(),
            end_of_header: params.milter_end_of_header_macros.clone(),
            end_of_message: params.milter_end_of_data_macros.clone(),
            unknown: params.milter_unknown_command_macros.clone(),
            defaults: params.milter_macro_defaults.iter().filter_map(pair).collect(),
        }
    }

    fn of(&self, stage: u8) -> &[String] {
        match stage {
            b'C' => &self.connect,
            b'H' => &self.helo,
            b'M' => &self.mail,
            b'R' => &self.rcpt,
            b'T' => &self.data,
            b'N' => &self.end_of_header,
            b'E' => &self.end_of_message,
            b'U' => &self.unknown,
            _ => &[],
        }
    }

    /// Names and values for a stage; what has no value is left out. `requested` are the names that a filter has asked for.
    pub(super) fn values(&self, stage: u8, requested: Option<&[String]>, lookup: Macros<'_>) -> Vec<(String, String)> {
        let default =
            |name: &str| self.defaults.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        // A long name may come without its braces.
        let value = |name: &str| Some(braced(name)).and_then(|known| lookup(&known).or_else(|| default(&known)));
        let names = requested.unwrap_or_else(|| self.of(stage)).iter();
        names.filter_map(|name| Some((name.clone(), value(name)?))).collect()
    }
}

/// The event whose macros go with an event: a header has those of the end of the header, a piece of the body those of the end of the message.
pub(super) fn stage(letter: u8) -> u8 {
    match letter {
        b'L' => b'N',
        b'B' => b'E',
        other => other,
    }
}

/// A name as it goes over the wire: longer ones have braces.
fn braced(name: &str) -> String {
    if name.len() > 1 && !name.starts_with('{') { format!("{{{name}}}") } else { name.to_owned() }
}

//! The attributes of a pipe(8) service in master.cf: `flags=`, `user=`, `argv=` and the others. Pure.

use std::path::PathBuf;

use delivery::flags::Flags;

/// How the message and the addresses can be changed for the command.
const FLAGS: &str = "BDFORXhqu.>";

/// What master.cf says of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) flags: Flags,
    /// `user`, or `user:group`.
    pub(crate) user: String,
    pub(crate) group: Option<String>,
    pub(crate) argv: Vec<String>,
    pub(crate) chroot: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) eol: Vec<u8>,
    pub(crate) null_sender: String,
    /// The largest message, if there is a limit.
    pub(crate) size: Option<u64>,
}

impl Attributes {
    /// Reads the arguments of the service.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut found = Self {
            flags: Flags::default(),
            user: String::new(),
            group: None,
            argv: Vec::new(),
            chroot: None,
            directory: None,
            eol: b"\n".to_vec(),
            null_sender: "MAILER-DAEMON".to_owned(),
            size: None,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, value) =
                argument.split_once('=').ok_or_else(|| format!("unknown attribute name: {argument}"))?;
            if name == "argv" {
                let first = (!value.is_empty()).then(|| value.to_owned());
                found.argv = first.into_iter().chain(rest.cloned()).collect();
                break;
            }
            found.attribute(name, value, argument)?;
        }
        if found.user.is_empty() {
            return Err("missing user= command-line attribute".to_owned());
        }
        if found.argv.is_empty() {
            return Err("missing argv= command-line attribute".to_owned());
        }
        Ok(found)
    }

    fn attribute(&mut self, name: &str, value: &str, argument: &str) -> Result<(), String> {
        match name {
            "flags" => {
                self.flags =
                    Flags::parse(value, FLAGS).map_err(|unknown| format!("unknown flag: {unknown} (ignored)"))?;
            }
            "user" => match value.split_once(':') {
                Some((user, group)) => {
                    (self.user, self.group) =
                        (user.to_owned(), Some(group.to_owned()).filter(|group| !group.is_empty()));
                }
                None => value.clone_into(&mut self.user),
            },
            "chroot" => self.chroot = Some(value.into()),
            "directory" => self.directory = Some(value.into()),
            // Lines end as strings do in C: before a NUL.
            "eol" => {
                self.eol = config::value::unescaped(value).split(|byte| *byte == 0).next().unwrap_or_default().into()
            }
            "null_sender" => value.clone_into(&mut self.null_sender),
            "size" => {
                let size = value.parse().map_err(|_| format!("bad size= attribute: {value}"))?;
                self.size = Some(size).filter(|size| *size > 0);
            }
            _ => return Err(format!("unknown attribute name: {argument}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[&str]) -> Result<Attributes, String> {
        Attributes::parse(&text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn attributes_precede_the_command() {
        let found = parsed(&[
            "flags=DRhu",
            "user=vmail:mail",
            "eol=\\r\\n",
            "null_sender=",
            "size=1000",
            "directory=/x",
            "argv=/bin/prog",
            "-f",
            "$sender",
            "user=x",
        ])
        .unwrap();
        assert_eq!((found.user.as_str(), found.group.as_deref()), ("vmail", Some("mail")));
        assert_eq!(found.argv, ["/bin/prog", "-f", "$sender", "user=x"]);
        assert_eq!((&found.eol[..], &*found.null_sender, found.size), (&b"\r\n"[..], "", Some(1000)));
        assert_eq!(parsed(&["user=x", "eol=x\\0y", "argv=x"]).unwrap().eol, b"x");
        assert!(found.flags.has('D') && !found.flags.has('q'));
        let for_one = |flags: &str| Flags::parse(flags, FLAGS).unwrap().for_one_recipient();
        assert_eq!(["hu", "RO", "OD"].map(for_one), [None, Some('O'), Some('D')]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, error) in [
            (&["user=x"][..], "missing argv= command-line attribute"),
            (&["argv=x"], "missing user= command-line attribute"),
            (&["user=x", "color=red", "argv=x"], "unknown attribute name: color=red"),
            (&["user=x", "eol", "argv=x"], "unknown attribute name: eol"),
            (&["user=x", "flags=DZ", "argv=x"], "unknown flag: Z (ignored)"),
            (&["user=x", "size=much", "argv=x"], "bad size= attribute: much"),
        ] {
            assert_eq!(parsed(text).unwrap_err(), error);
        }
    }
}

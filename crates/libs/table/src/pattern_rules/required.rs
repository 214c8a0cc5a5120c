//! What a subject must have for a pattern to match, as far as the pattern's text proves it.
//!
//! Only what both kinds of expressions are known to mean the same by is read. Anything else makes the whole pattern
//! prove nothing, and its rule is then tried on every subject.

/// How patterns are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// PCRE, without the flag that takes white space as none.
    Perl,
    /// Extended expressions of the C library.
    Posix,
}

/// Texts in lower case of which a subject has at least one, in whatever case.
pub(crate) type Need = Vec<Vec<u8>>;

/// Each need that all subjects meet which the pattern matches.
pub(crate) fn required(pattern: &[u8], syntax: Syntax) -> Vec<Need> {
    let mut reader = Reader { rest: pattern, syntax, depth: 0 };
    match reader.alternatives() {
        // What is left over is a closing parenthesis without its opening.
        Some(needs) if reader.rest.is_empty() => needs,
        _ => Vec::new(),
    }
}

const DEEPEST: usize = 50;
const MOST_TEXTS: usize = 100;

/// Every step is `None` where the pattern is not understood.
struct Reader<'a> {
    rest: &'a [u8],
    syntax: Syntax,
    depth: usize,
}

/// The smallest part of a pattern that a quantifier is about.
enum Atom {
    Byte(u8),
    /// Some text.
    Some,
    /// No text, but a place.
    Place,
    Group(Vec<Need>),
}

/// How often an atom is there.
#[derive(PartialEq, Eq)]
enum Times {
    Once,
    OnceOrMore,
    MaybeNever,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Branches up to the end of the group or of the pattern.
    fn alternatives(&mut self) -> Option<Vec<Need>> {
        let first = self.branch()?;
        if self.rest.first() != Some(&b'|') {
            return Some(first);
        }
        // With several branches, a subject has what one of them needs.
        let mut any = best(first);
        while self.skip(b"|") {
            let more = best(self.branch()?);
            any = any.zip(more).map(|(mut any, more)| {
                any.extend(more);
                any
            });
        }
        Some(any.filter(|any| any.len() <= MOST_TEXTS).into_iter().collect())
    }

    fn branch(&mut self) -> Option<Vec<Need>> {
        let mut needs = Vec::new();
        let mut run = Vec::new();
        let end = |run: &mut Vec<u8>, needs: &mut Vec<Need>| {
            if !run.is_empty() {
                needs.push(vec![std::mem::take(run)]);
            }
        };
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            let atom = self.atom()?;
            let times = self.times()?;
            match atom {
                Atom::Byte(byte) => {
                    if times != Times::MaybeNever {
                        run.push(byte.to_ascii_lowercase());
                    }
                    if times != Times::Once {
                        end(&mut run, &mut needs);
                    }
                }
                Atom::Some => end(&mut run, &mut needs),
                Atom::Place if times != Times::Once => return None,
                Atom::Place => end(&mut run, &mut needs),
                Atom::Group(inner) => {
                    end(&mut run, &mut needs);
                    if times != Times::MaybeNever {
                        needs.extend(inner);
                    }
                }
            }
        }
        end(&mut run, &mut needs);
        Some(needs)
    }

    fn atom(&mut self) -> Option<Atom> {
        match self.next()? {
            b'.' => Some(Atom::Some),
            b'^' | b'$' => Some(Atom::Place),
            b'[' => self.set(),
            b'(' => self.group(),
            b'\\' => self.escaped(),
            b'*' | b'+' | b'?' | b'{' => None,
            byte if byte == b' ' || byte.is_ascii_graphic() => Some(Atom::Byte(byte)),
            _ => Some(Atom::Some),
        }
    }

    fn group(&mut self) -> Option<Atom> {
        let special = match self.syntax {
            Syntax::Perl => !self.skip(b"?:") && matches!(self.rest.first(), Some(b'?' | b'*')),
            Syntax::Posix => false,
        };
        if special || self.depth == DEEPEST {
            return None;
        }
        self.depth += 1;
        let needs = self.alternatives()?;
        self.depth -= 1;
        self.skip(b")").then_some(Atom::Group(needs))
    }

    fn escaped(&mut self) -> Option<Atom> {
        let byte = self.next()?;
        match (self.syntax, byte) {
            (_, b'w' | b'W' | b's' | b'S') => Some(Atom::Some),
            (_, b'b' | b'B') => Some(Atom::Place),
            (Syntax::Perl, b'd' | b'D' | b'h' | b'H' | b'v' | b'V' | b'r' | b'n' | b't') => Some(Atom::Some),
            (Syntax::Perl, b'A' | b'z' | b'Z') => Some(Atom::Place),
            (Syntax::Posix, b'<' | b'>' | b'`' | b'\'') => Some(Atom::Place),
            (_, b' ' | b'!'..=b'/' | b':'..=b'@' | b'['..=b'`' | b'{'..=b'~') => Some(Atom::Byte(byte)),
            _ => None,
        }
    }

    /// A set of characters, after its opening bracket.
    fn set(&mut self) -> Option<Atom> {
        self.skip(b"^");
        // The first may be a closing bracket.
        self.skip(b"]");
        loop {
            match self.next()? {
                b']' => return Some(Atom::Some),
                b'\\' if self.syntax == Syntax::Perl => {
                    self.next().filter(|byte| !matches!(byte, b'Q' | b'E' | b'c'))?;
                }
                b'[' if self.skip(b":") => {
                    let end = self.rest.iter().position(|byte| !byte.is_ascii_lowercase())?;
                    self.rest = self.rest.get(end..)?;
                    self.skip(b":]").then_some(())?;
                }
                b'[' if matches!(self.rest.first(), Some(b'.' | b'=')) => return None,
                _ => {}
            }
        }
    }

    /// The quantifiers after an atom.
    fn times(&mut self) -> Option<Times> {
        let mut times = Times::Once;
        loop {
            let never = match self.rest.first() {
                // A question mark after another quantifier is no quantifier in Perl, which changes nothing here.
                Some(b'*' | b'?') => true,
                Some(b'+') => false,
                Some(b'{') => {
                    let end = self.rest.iter().position(|byte| *byte == b'}')?;
                    let bounds = self.rest.get(1..end)?;
                    self.rest = self.rest.get(end..)?;
                    least(bounds)? == 0
                }
                _ => return Some(times),
            };
            self.next();
            times = if never || times == Times::MaybeNever { Times::MaybeNever } else { Times::OnceOrMore };
        }
    }
}

/// The least number of `{n}`, `{n,}` or `{n,m}`.
fn least(bounds: &[u8]) -> Option<u32> {
    let bounds = std::str::from_utf8(bounds).ok()?;
    let (least, most) = bounds.split_once(',').unwrap_or((bounds, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if least.is_empty() || !is_number(least) || !is_number(most) {
        return None;
    }
    least.parse().ok()
}

/// The need that fewest subjects meet: where the shortest text is longest.
fn best(needs: Vec<Need>) -> Option<Need> {
    needs.into_iter().max_by_key(|need| need.iter().map(Vec::len).min())
}

#[cfg(test)]
#[path = "required/tests.rs"]
mod tests;

//! Walks through a message line by line, and says what each line is.
//!
//! The walker holds the header that is being read and the boundaries of the parts around; nothing of the body. Every line goes in
//! once and comes out in order, as part of a [`Event::Header`] or as [`Event::Body`], so that a message can be written
//! from the events alone. A boundary that the sender forgot to close ends with the part around it, RFC 2046 §5.1.2.

use crate::content::{ContentType, Encoding, Top, content_type, encoding};
use crate::field::{Field, field_name_length};

/// How a line handed to the walker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a line end (which is not part of it).
    Line,
    /// Not yet: it was cut, and the next piece continues it.
    Cut,
}

/// Which headers are told from bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Only that of the message.
    Message,
    /// Those of its parts too.
    All,
    /// All of them, but a `message/global` in an 8-bit encoding is as good as a leaf: it may be encoded as one (RFC 6532 §3.7).
    Encodable,
}

/// Bounds of the walk.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `header_size_limit`: a header that has reached it takes no more lines.
    pub header: usize,
    /// `mime_boundary_length_limit`: what is over is not compared.
    pub boundary: usize,
    /// `mime_nesting_limit`: what is deeper by more than two is body.
    pub nesting: usize,
}

/// Whose header a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The message's.
    Primary,
    /// That of a part of a multipart.
    Part,
    /// That of a message within the message.
    Nested,
}

/// What a strict reader objects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Parts nested deeper than the limit.
    Nesting,
    /// A multipart or message in an encoding that hides it.
    EncodingDomain,
}

/// A piece of the message.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A logical header, its lines joined by LF.
    Header(Place, Vec<u8>),
    /// The header is over. An empty line that ends it follows as body.
    HeaderEnd(Place),
    /// The message's header ended without an empty line; one belongs here.
    Separator,
    /// A line of a body, or a piece of one.
    Body(&'a [u8], End),
    /// An objection, and to what; the walk goes on.
    Fault(Fault, Vec<u8>),
}

/// Events in order.
pub type Events<'a> = std::iter::Flatten<std::array::IntoIter<Option<Event<'a>>, 5>>;

/// The state of a walk.
#[derive(Debug)]
pub struct Walker {
    parts: Parts,
    limits: Limits,
    state: State,
    /// Boundaries of the multiparts around, outermost first, and whether they are digests.
    around: Vec<(Vec<u8>, bool)>,
    /// What the header read last says of the body that follows.
    content: ContentType,
    encoding: Encoding,
    /// The fields that say so, for objections.
    content_field: Vec<u8>,
    encoding_value: Vec<u8>,
    /// The logical header being read.
    header: Vec<u8>,
    /// Whether the next piece continues a line.
    within_line: bool,
    /// Whether the line handed in last is a boundary.
    at_boundary: bool,
    /// What the body was that the header ended last announced.
    ended: Top,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header(Place),
    Body,
}

/// How many parts more than `mime_nesting_limit` may be around, as in Postfix.
const SLACK: usize = 2;

impl Walker {
    /// At the start of a message.
    #[must_use]
    pub fn new(parts: Parts, limits: Limits) -> Self {
        Self {
            parts,
            limits,
            state: State::Header(Place::Primary),
            around: Vec::new(),
            content: ContentType::default(),
            encoding: Encoding::Seven,
            content_field: Vec::new(),
            encoding_value: Vec::new(),
            header: Vec::new(),
            within_line: false,
            at_boundary: false,
            ended: Top::Text,
        }
    }

    /// Takes the next line, or piece of one.
    pub fn line<'a>(&mut self, line: &'a [u8], end: End) -> Events<'a> {
        let starts = !std::mem::replace(&mut self.within_line, end == End::Cut);
        self.at_boundary &= !starts;
        let events = match self.state {
            State::Body if starts && line.starts_with(b"--") => self.dashes(line, end, [None, None, None]),
            State::Body => [Some(Event::Body(line, end)), None, None, None, None],
            State::Header(place) => self.header_line(place, line, starts, end),
        };
        events.into_iter().flatten()
    }

    /// The message is over.
    pub fn finish(&mut self) -> Events<'static> {
        let events = match self.state {
            State::Body => [None, None, None, None, None],
            State::Header(place) => {
                let header = self.take_header(place);
                let (end, fault) = self.end_header(place);
                [header, end, fault, None, None]
            }
        };
        events.into_iter().flatten()
    }

    /// Whether the next line is one of a body, or a boundary.
    #[must_use]
    pub fn is_in_body(&self) -> bool {
        self.state == State::Body
    }

    /// Whether a line of a body can be a boundary.
    #[must_use]
    pub fn is_in_multipart(&self) -> bool {
        !self.around.is_empty()
    }

    /// The encoding that the header read last declares.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What the header that ended last says its body is; still so when the header of a nested message has begun.
    #[must_use]
    pub fn ended_content(&self) -> Top {
        self.ended
    }

    /// Whether the line handed in last is a boundary between parts.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.at_boundary
    }

    fn header_line<'a>(&mut self, place: Place, line: &'a [u8], starts: bool, end: End) -> [Option<Event<'a>>; 5] {
        if !starts {
            self.append(line);
            return [None, None, None, None, None];
        }
        let boundary = line.starts_with(b"--") && self.boundary(line).is_some();
        if !boundary && matches!(line.first(), Some(b' ' | b'\t')) && !self.header.is_empty() {
            if self.header.len() < self.limits.header {
                self.header.push(b'\n');
                self.header.extend_from_slice(line);
            }
            return [None, None, None, None, None];
        }
        let header = self.take_header(place);
        if let Some(name) = field_name_length(line).filter(|_| !boundary) {
            // White space before the colon goes away.
            self.header.reserve(line.len());
            let (name, rest) = line.split_at_checked(name).unwrap_or_default();
            self.header.extend_from_slice(name);
            self.header.extend_from_slice(rest.trim_ascii_start());
            return [header, None, None, None, None];
        }
        let (over, fault) = self.end_header(place);
        if line.is_empty() && end == End::Line {
            return [header, over, fault, Some(Event::Body(line, end)), None];
        }
        // A line that ends a header without being empty: body, or a boundary.
        self.state = State::Body;
        match (place, fault) {
            (Place::Primary, Some(fault)) => {
                [header, over, Some(fault), Some(Event::Separator), Some(Event::Body(line, end))]
            }
            (Place::Primary, None) => self.dashes(line, end, [header, over, Some(Event::Separator)]),
            (Place::Part | Place::Nested, fault) => self.dashes(line, end, [header, over, fault]),
        }
    }

    /// A line of a body that may be a boundary.
    fn dashes<'a>(&mut self, line: &'a [u8], end: End, before: [Option<Event<'a>>; 3]) -> [Option<Event<'a>>; 5] {
        if let Some((depth, closing)) = self.boundary(line) {
            self.at_boundary = true;
            let digest = self.around.get(depth).is_some_and(|&(_, digest)| digest);
            self.around.truncate(if closing { depth } else { depth + 1 });
            self.encoding = Encoding::Seven;
            self.content = ContentType::default();
            if !closing {
                self.content.top = if digest { Top::Message } else { Top::Text };
                self.state = State::Header(Place::Part);
            }
        }
        let [first, second, third] = before;
        [first, second, third, Some(Event::Body(line, end)), None]
    }

    /// Which of the boundaries around a line is, innermost first, and whether it closes.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let text = line.strip_prefix(b"--").filter(|text| !text.is_empty())?;
        let mut innermost = self.around.iter().enumerate().rev();
        innermost.find_map(|(depth, (boundary, _))| Some((depth, text.strip_prefix(&**boundary)?.starts_with(b"--"))))
    }

    /// Adds to the header being read, if it may still grow.
    fn append(&mut self, text: &[u8]) {
        if self.header.len() < self.limits.header {
            self.header.extend_from_slice(text);
        }
    }

    fn take_header(&mut self, place: Place) -> Option<Event<'static>> {
        if self.header.is_empty() {
            return None;
        }
        let text = std::mem::take(&mut self.header);
        if let Some(field) = Field::new(&text) {
            if field.is("Content-Type") {
                // Where a header has several, the boundaries of all count: no reader can be sure which one another takes.
                if self.parts != Parts::Message && self.content.top == Top::Multipart {
                    self.surround();
                }
                self.content = content_type(field.value(), self.limits.boundary);
                self.content_field = text.clone();
            } else if field.is("Content-Transfer-Encoding") {
                self.encoding = encoding(field.value());
                self.encoding_value = field.value().to_ascii_lowercase();
            }
        }
        Some(Event::Header(place, text))
    }

    /// The boundary of the header being read is one of those around; tells whether there may be so many.
    fn surround(&mut self) -> bool {
        let may = self.around.len() < self.limits.nesting.saturating_add(SLACK);
        if may {
            self.around.push((self.content.boundary.clone(), self.content.digest));
        }
        may
    }

    /// Decides what the body of the header just read is.
    fn end_header(&mut self, place: Place) -> (Option<Event<'static>>, Option<Event<'static>>) {
        self.state = State::Body;
        self.ended = self.content.top;
        let over = Some(Event::HeaderEnd(place));
        if self.parts == Parts::Message {
            return (over, None);
        }
        let encoding = self.encoding;
        let mut fault = None;
        match self.ended {
            Top::Multipart => {
                let deep = !self.surround();
                fault = deep.then(|| Event::Fault(Fault::Nesting, std::mem::take(&mut self.content_field)));
            }
            Top::MessageGlobal if self.parts == Parts::Encodable && is_eight_bit(encoding) => {}
            Top::Message | Top::MessageGlobal => {
                self.state = State::Header(Place::Nested);
                self.content = ContentType::default();
                self.encoding = Encoding::Seven;
            }
            Top::Unbounded | Top::Fragment | Top::MessageOther | Top::Text | Top::Other => {}
        }
        // Readers may take no notice of such an encoding; parts are parts all the same.
        let misplaced = match self.ended {
            Top::Multipart | Top::Unbounded | Top::Message => encoding == Encoding::Encoded,
            Top::Fragment => is_eight_bit(encoding),
            Top::MessageGlobal | Top::MessageOther | Top::Text | Top::Other => false,
        };
        if misplaced && self.ended != Top::Message {
            // What stands before the first part cannot be encoded.
            self.encoding = match encoding {
                Encoding::Encoded => Encoding::Seven,
                Encoding::Seven | Encoding::Eight | Encoding::Binary => encoding,
            };
        }
        if misplaced {
            fault = Some(Event::Fault(Fault::EncodingDomain, std::mem::take(&mut self.encoding_value)));
        }
        (over, fault)
    }
}

const fn is_eight_bit(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Eight | Encoding::Binary)
}

#[cfg(test)]
mod tests;

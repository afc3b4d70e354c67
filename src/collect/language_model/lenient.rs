//! A reader of JSON that reads over faults and knows what was cut off.
//!
//! Own code, since the published repairers close what was cut off, so that half a sentence becomes a row; here what was cut
//! off is left out.

use serde_json::{Map, Value};

/// The deepest nesting that is read.
const DEEPEST: usize = 64;

/// A value, and whether all of it was there.
pub(super) struct Read {
    pub value: Value,
    pub whole: bool,
}

impl Read {
    fn whole(value: Value) -> Self {
        Self { value, whole: true }
    }
}

/// Reads a text from a place on.
pub(super) struct Reader<'a> {
    text: &'a str,
    /// Where it is; a boundary between characters.
    pub at: usize,
    /// Items of arrays that were left out.
    pub unreadable: usize,
}

impl<'a> Reader<'a> {
    /// From the byte `at` of `text` on.
    pub fn new(text: &'a str, at: usize) -> Self {
        Self { text, at, unreadable: 0 }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// The value that stands here, at a `depth` of brackets; `None` where it is none.
    pub fn value(&mut self, depth: usize) -> Option<Read> {
        self.skip_space();
        match self.peek()? {
            _ if depth > DEEPEST => None,
            '{' => self.object(depth),
            '[' => Some(self.array(depth)),
            '"' | '\'' => self
                .string(Quotes::Inside)
                .map(|read| Read { value: Value::String(read.text), whole: read.closed }),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Read> {
        self.take();
        let mut members = Map::new();
        // Whether the text could end here without a member being lost.
        let mut between = false;
        loop {
            self.skip_space();
            match self.peek() {
                None => return Some(Read { value: Value::Object(members), whole: between }),
                Some('}') => {
                    self.take();
                    return Some(Read::whole(Value::Object(members)));
                }
                Some(',') => {
                    self.take();
                    continue;
                }
                Some(_) => {}
            }
            let cut = |members| Some(Read { value: Value::Object(members), whole: false });
            let key = self.key()?;
            self.skip_space();
            match self.take() {
                Some(':') => self.skip_space(),
                None => return cut(members),
                Some(_) => return None,
            }
            if self.rest().is_empty() {
                return cut(members);
            }
            let member = self.value(depth + 1)?;
            // Of an array inside, what is whole stays; of a text, nothing.
            if member.whole || member.value.is_array() || member.value.is_object() {
                members.insert(key, member.value);
            }
            if !member.whole {
                return cut(members);
            }
            between = true;
        }
    }

    /// Items that cannot be read are counted and left out, to the next opening brace.
    fn array(&mut self, depth: usize) -> Read {
        self.take();
        let mut items = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None => return Read { value: Value::Array(items), whole: false },
                Some(']') => {
                    self.take();
                    return Read::whole(Value::Array(items));
                }
                // An array that is closed by its object's bracket.
                Some('}') => return Read::whole(Value::Array(items)),
                Some(',') => {
                    self.take();
                }
                Some(_) => {
                    let before = self.at;
                    match self.value(depth + 1) {
                        Some(item) if item.whole => items.push(item.value),
                        Some(_) => {}
                        None => {
                            self.unreadable += 1;
                            self.at = self.at.max(before + 1);
                            self.at += self.rest_from_boundary();
                        }
                    }
                }
            }
        }
    }

    /// Bytes to the next opening brace, or to the end.
    fn rest_from_boundary(&mut self) -> usize {
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        self.rest().find('{').unwrap_or(self.rest().len())
    }

    fn key(&mut self) -> Option<String> {
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.string(Quotes::AtEnds).map(|read| read.text);
        }
        let bare = |c: char| c.is_alphanumeric() || c == '_';
        let length = self.rest().find(|c| !bare(c)).unwrap_or(self.rest().len());
        let key = self.rest()[..length].to_owned();
        self.at += length;
        (!key.is_empty()).then_some(key)
    }

    fn scalar(&mut self) -> Option<Read> {
        let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | ']' | '}' | '{' | '[' | '"');
        let length = self.rest().find(ends).unwrap_or(self.rest().len());
        let word = self.rest()[..length].to_owned();
        let value = match word.as_str() {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::Null,
            word => serde_json::from_str(word).ok()?,
        };
        self.at += length;
        // At the end of the text a number may lack digits.
        Some(Read { value, whole: !self.rest().is_empty() })
    }

    /// A string in double or single quotes. Where quotes may be inside, one ends it only where what follows a string in JSON
    /// follows.
    fn string(&mut self, quotes: Quotes) -> Option<ReadString> {
        let quote = self.take()?;
        let mut text = String::new();
        loop {
            match self.take() {
                None => return Some(ReadString { text, closed: false }),
                Some(c) if c == quote && (quotes == Quotes::AtEnds || self.a_string_may_end_here()) => {
                    return Some(ReadString { text, closed: true });
                }
                Some('\\') => match self.take() {
                    None => return Some(ReadString { text, closed: false }),
                    Some(escaped) => self.push_escaped(escaped, &mut text),
                },
                Some(c) => text.push(c),
            }
        }
    }

    fn a_string_may_end_here(&self) -> bool {
        let rest = self.rest().trim_start_matches([' ', '\t', '\r']);
        rest.is_empty() || rest.starts_with([',', ':', ']', '}', '\n'])
    }

    fn push_escaped(&mut self, escaped: char, text: &mut String) {
        match escaped {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'u' => {
                let first = self.hex();
                let is_high = first.is_some_and(|unit| (0xd800..0xdc00).contains(&unit));
                let second = if is_high && self.rest().starts_with("\\u") {
                    self.at += 2;
                    self.hex()
                } else {
                    None
                };
                let units: Vec<u16> = [first, second].into_iter().flatten().collect();
                text.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            other => text.push(other),
        }
    }

    /// Four hexadecimal digits, where they stand here.
    fn hex(&mut self) -> Option<u16> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(unit)
    }

    /// Whether another object follows, after nothing but spaces and a comma.
    pub fn next_object(&mut self) -> bool {
        let rest = self.rest().trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let follows = rest.starts_with('{');
        if follows {
            self.at = self.text.len() - rest.len();
        }
        follows
    }

    /// `first` and the whole objects that follow it directly.
    pub fn further(&mut self, first: Value) -> Vec<Value> {
        let mut objects = vec![first];
        while self.next_object() {
            match self.value(0) {
                Some(read) if read.whole => objects.push(read.value),
                Some(_) => break,
                None => {
                    self.unreadable += 1;
                    break;
                }
            }
        }
        objects
    }
}

/// Where quotes are in a string, other than escaped ones.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    /// Of keys, which have no reason to hold any.
    AtEnds,
    /// Of texts.
    Inside,
}

struct ReadString {
    text: String,
    closed: bool,
}

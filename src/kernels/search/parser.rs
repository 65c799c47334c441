//! PostgreSQL's default parser: text into tokens (words, numbers, hosts, tags, …).
//!
//! Which state follows which is a fact (`facts/text_parser.tsv`, whose script says how a line is read); here is what runs it.

use crate::types::{PgError, PgResult, SqlState};
use std::collections::HashMap;
use std::sync::LazyLock;

/// How deep hosts within addresses within hosts may be looked for.
const MAX_NESTING: usize = 64;

/// The kinds of tokens with their numbers from 1, as PostgreSQL names and describes them.
pub const KINDS: [(&str, &str); 23] = [
    ("asciiword", "Word, all ASCII"),
    ("word", "Word, all letters"),
    ("numword", "Word, letters and digits"),
    ("email", "Email address"),
    ("url", "URL"),
    ("host", "Host"),
    ("sfloat", "Scientific notation"),
    ("version", "Version number"),
    ("hword_numpart", "Hyphenated word part, letters and digits"),
    ("hword_part", "Hyphenated word part, all letters"),
    ("hword_asciipart", "Hyphenated word part, all ASCII"),
    ("blank", "Space symbols"),
    ("tag", "XML tag"),
    ("protocol", "Protocol head"),
    ("numhword", "Hyphenated word, letters and digits"),
    ("asciihword", "Hyphenated word, all ASCII"),
    ("hword", "Hyphenated word, all letters"),
    ("url_path", "URL path"),
    ("file", "File or path name"),
    ("float", "Decimal notation"),
    ("int", "Signed integer"),
    ("uint", "Unsigned integer"),
    ("entity", "XML entity"),
];

/// A token and what kind it is: an index into [`KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    pub kind: usize,
    pub text: &'t str,
}

impl Token<'_> {
    pub fn kind_name(&self) -> &'static str {
        KINDS[self.kind].0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Any,
    End,
    Char(char),
    AsciiLetter,
    Letter,
    Digit,
    HexDigit,
    LetterOrDigit,
    NoLetterOrDigit,
    Space,
    /// What is no letter and still does not end a word.
    Mark,
    UrlChar,
    /// What follows is a URL's path.
    UrlPath,
    /// What follows is a host.
    Host,
    /// A host was asked for, and no more.
    StopHost,
    /// Within a script or a style.
    Ignored,
}

/// What happens to the places that were kept for coming back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    Push,
    Pop,
    Forget,
    ForgetAll,
    Merge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    None,
    /// Script and style begin or end what is ignored.
    Tags,
    /// The token's text is read once more, for its host.
    Url,
    /// The token's text is read once more, for its parts.
    Hyphen,
    /// What looked like a decimal is read as a version.
    Version,
}

struct Rule {
    class: Class,
    /// The kind of the token that ends here.
    token: Option<usize>,
    keep: Keep,
    again: bool,
    next: Option<usize>,
    special: Special,
}

struct Machine {
    states: Vec<Vec<Rule>>,
    url_path: usize,
}

static MACHINE: LazyLock<Machine> = LazyLock::new(Machine::load);

impl Machine {
    fn load() -> Self {
        let lines: Vec<Vec<&str>> =
            include_str!("../facts/text_parser.tsv").lines().map(|l| l.split('\t').collect()).collect();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for line in &lines {
            let next = numbers.len();
            numbers.entry(line[0]).or_insert(next);
        }
        let mut states: Vec<Vec<Rule>> = numbers.iter().map(|_| Vec::new()).collect();
        for line in &lines {
            let [state, class, char, actions, next, token, special] = line.as_slice() else { continue };
            let has = |letter| actions.contains(letter);
            let keep = match () {
                () if has('O') => Keep::Pop,
                () if has('P') => Keep::Push,
                () if has('C') => Keep::Forget,
                () if has('A') => Keep::ForgetAll,
                () if has('M') => Keep::Merge,
                () => Keep::Nothing,
            };
            let class = match *class {
                "EOF" => Class::End,
                "eqC" => Class::Char(char.chars().next().expect("a rule for a character has it")),
                "asclet" => Class::AsciiLetter,
                "alpha" => Class::Letter,
                "digit" => Class::Digit,
                "xdigit" => Class::HexDigit,
                "alnum" => Class::LetterOrDigit,
                "notalnum" => Class::NoLetterOrDigit,
                "space" => Class::Space,
                "special" => Class::Mark,
                "urlchar" => Class::UrlChar,
                "URLPath" => Class::UrlPath,
                "host" => Class::Host,
                "stophost" => Class::StopHost,
                "ignore" => Class::Ignored,
                _ => Class::Any,
            };
            let special = match *special {
                "Tags" => Special::Tags,
                "FURL" => Special::Url,
                "Hyphen" => Special::Hyphen,
                "VerVersion" => Special::Version,
                _ => Special::None,
            };
            let token = KINDS.iter().position(|(name, _)| name == token);
            let next = numbers.get(next).copied();
            states[numbers[state]].push(Rule { class, token, keep, again: has('R'), next, special });
        }
        Self { url_path: numbers.get("InURLPathFirst").copied().unwrap_or(0), states }
    }
}

/// Where the parser is, or was when it began to try something.
#[derive(Debug, Clone)]
struct Position {
    state: usize,
    at: usize,
    /// Bytes of the token so far.
    length: usize,
    /// The rule that tried: those behind it are next.
    tried: Option<usize>,
}

/// The tokens of a text, one after the other.
pub struct Parser<'t> {
    text: &'t str,
    here: Position,
    kept: Vec<Position>,
    want_host: bool,
    ignored: bool,
    nesting: usize,
}

impl<'t> Parser<'t> {
    pub fn new(text: &'t str) -> Self {
        let here = Position { state: 0, at: 0, length: 0, tried: None };
        Self { text, here, kept: Vec::new(), want_host: false, ignored: false, nesting: 0 }
    }

    fn inner(&self) -> PgResult<Parser<'t>> {
        if self.nesting >= MAX_NESTING {
            return Err(PgError::new(SqlState(*b"54001"), "stack depth limit exceeded"));
        }
        Ok(Parser { nesting: self.nesting + 1, ..Parser::new(&self.text[self.here.at..]) })
    }

    /// The next token, blanks among them; `None` at the end.
    pub fn token(&mut self) -> PgResult<Option<Token<'t>>> {
        if self.here.at >= self.text.len() {
            return Ok(None);
        }
        let start = self.here.at;
        self.here.tried = None;
        loop {
            let next = self.text[self.here.at..].chars().next();
            let mut width = next.map_or(0, char::len_utf8);
            let rules = &MACHINE.states[self.here.state];
            let from = self.here.tried.take().map_or(0, |tried| tried + 1);
            let mut found = None;
            for (i, rule) in rules.iter().enumerate().skip(from) {
                if self.fits(rule.class, next, &mut width)? {
                    found = Some(i);
                    break;
                }
            }
            let Some((i, rule)) = found.map(|i| (i, &rules[i])) else {
                return Err(PgError::internal("the text parser has no rule"));
            };
            self.act(rule.special, start);
            let token = rule.token.map(|kind| {
                let length = std::mem::take(&mut self.here.length);
                Token { kind, text: self.text.get(start..start + length).unwrap_or_default() }
            });
            let lost = || PgError::internal("the text parser has nothing to come back to");
            match rule.keep {
                Keep::Nothing => {}
                Keep::Pop => self.here = self.kept.pop().ok_or_else(lost)?,
                Keep::Push => {
                    let before = Position { tried: Some(i), ..self.here.clone() };
                    self.kept.push(before);
                }
                Keep::Forget => drop(self.kept.pop()),
                Keep::ForgetAll => self.kept.clear(),
                Keep::Merge => {
                    let before = self.kept.pop().ok_or_else(lost)?;
                    self.here.state = before.state;
                    self.here.tried = before.tried;
                }
            }
            if let Some(next) = rule.next {
                self.here.state = next;
            }
            if token.is_some() {
                return Ok(token);
            }
            if self.here.at >= self.text.len() && !rule.again {
                return Ok(None);
            }
            if rule.again || rule.keep == Keep::Pop {
                continue;
            }
            self.here.at += width;
            self.here.length += width;
        }
    }

    /// Whether a rule's class fits what is next. Hosts and paths move on by what they are; `width` is then that of their
    /// last character.
    fn fits(&mut self, class: Class, next: Option<char>, width: &mut usize) -> PgResult<bool> {
        Ok(match (class, next) {
            (Class::Any, _) => true,
            (Class::End, next) => next.is_none(),
            (Class::StopHost, _) => std::mem::take(&mut self.want_host),
            (Class::Ignored, _) => self.ignored,
            (Class::Host | Class::UrlPath, _) => {
                let mut inner = self.inner()?;
                let wanted = match class {
                    Class::Host => {
                        inner.want_host = true;
                        "host"
                    }
                    _ => {
                        inner.kept.push(inner.here.clone());
                        inner.here.state = MACHINE.url_path;
                        "url_path"
                    }
                };
                match inner.token()? {
                    Some(token) if token.kind_name() == wanted => {
                        self.here.at += token.text.len();
                        self.here.length += token.text.len();
                        *width = 0;
                        true
                    }
                    _ => false,
                }
            }
            (Class::NoLetterOrDigit, next) => !next.is_some_and(char::is_alphanumeric),
            (_, None) => false,
            (Class::Char(wanted), Some(c)) => c == wanted,
            (Class::AsciiLetter, Some(c)) => c.is_ascii_alphabetic(),
            // Digits of other scripts are letters to PostgreSQL.
            (Class::Letter, Some(c)) => c.is_alphabetic() || (!c.is_ascii() && c.is_alphanumeric()),
            (Class::Digit, Some(c)) => c.is_ascii_digit(),
            (Class::HexDigit, Some(c)) => c.is_ascii_hexdigit(),
            (Class::LetterOrDigit, Some(c)) => c.is_alphanumeric(),
            (Class::Space, Some(c)) => c.is_whitespace(),
            (Class::Mark, Some(c)) => is_mark(c),
            (Class::UrlChar, Some(c)) => c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c),
        })
    }

    fn act(&mut self, special: Special, start: usize) {
        match special {
            Special::None => {}
            Special::Tags => {
                let tag = self.text[start..start + self.here.length].to_ascii_lowercase();
                match tag.as_str() {
                    "<script" | "<style" => self.ignored = true,
                    "</script" | "</style" => self.ignored = false,
                    _ => {}
                }
            }
            Special::Url => {
                self.want_host = true;
                self.here.at -= self.here.length;
            }
            Special::Hyphen => self.here.at -= self.here.length,
            Special::Version => {
                self.here.at -= self.here.length;
                self.here.length = 0;
            }
        }
    }
}

/// Marks that combine with a letter, and characters without a width.
fn is_mark(c: char) -> bool {
    static MARK: LazyLock<regex::Regex> =
        LazyLock::new(|| regex::Regex::new(r"^[\p{Mn}\p{Mc}\p{Me}\p{Cf}]$").expect("a class of marks is well formed"));
    !c.is_ascii() && !c.is_alphanumeric() && MARK.is_match(c.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_read() {
        assert_eq!(MACHINE.states.iter().map(Vec::len).sum::<usize>(), 395);
        assert!(MACHINE.states.iter().all(|rules| rules.last().is_some_and(|r| r.class == Class::Any)));
    }
}

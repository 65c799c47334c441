//! SQL/JSON paths: reading, and writing in PostgreSQL's normal form.
//!
//! A path is stored as its normal text; whoever evaluates it reads it again (see `kernels::jsonpath`).

use super::jsonb::write_json_string;
use super::numeric::Numeric;
use super::{PgError, PgResult, SqlState};

#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    pub strict: bool,
    pub root: Item,
}

/// A value and what is done with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub head: Head,
    pub then: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    Null,
    Bool(bool),
    Number(Numeric),
    String(String),
    Variable(String),
    Root,
    Current,
    Last,
    Binary(Operation, Box<Item>, Box<Item>),
    /// `+` or `-`.
    Sign(bool, Box<Item>),
    Not(Box<Item>),
    IsUnknown(Box<Item>),
    Exists(Box<Item>),
    LikeRegex {
        value: Box<Item>,
        pattern: String,
        flags: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operation {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    StartsWith,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Key(String),
    AnyKey,
    AnyElement,
    Elements(Vec<(Item, Option<Item>)>),
    /// Levels below, `u32::MAX` being the last.
    Any(u32, u32),
    Filter(Box<Item>),
    Method(Method),
    Datetime(Option<String>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    Type,
    Size,
    Abs,
    Floor,
    Ceiling,
    Double,
    KeyValue,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Abs => "abs",
            Self::Floor => "floor",
            Self::Ceiling => "ceiling",
            Self::Double => "double",
            Self::KeyValue => "keyvalue",
        }
    }
}

impl Operation {
    pub fn text(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::StartsWith => "starts with",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
        }
    }

    fn priority(self) -> u8 {
        match self {
            Self::Or => 0,
            Self::And => 1,
            Self::Add | Self::Sub => 3,
            Self::Mul | Self::Div | Self::Mod => 4,
            _ => 2,
        }
    }
}

impl Item {
    fn new(head: Head) -> Self {
        Self { head, then: Vec::new() }
    }

    fn priority(&self) -> u8 {
        match &self.head {
            Head::Binary(op, ..) => op.priority(),
            Head::Sign(..) => 5,
            _ => 6,
        }
    }

    /// Whether it is a condition rather than a value.
    pub fn is_predicate(&self) -> bool {
        match &self.head {
            Head::Binary(op, ..) => op.priority() < 3,
            Head::Not(_) | Head::IsUnknown(_) | Head::Exists(_) | Head::LikeRegex { .. } => true,
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    String(String),
    Variable(String),
    Number(String),
    Symbol(&'static str),
}

const SYMBOLS: &[&str] = &[
    "&&", "||", "**", "<=", "==", "<>", "!=", ">=", "?", "%", "$", ".", "[", "]", "{", "}", "(", ")", "!", "=", "<",
    ">", "@", ",", "*", ":", "-", "+", "/", "|", "&", "#",
];

fn is_special(c: char) -> bool {
    "?%$.[]{}()|&!=<>@#,*:-+/".contains(c)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

fn is_other(c: char) -> bool {
    !is_special(c) && !is_blank(c) && c != '\\' && c != '"'
}

fn near(message: &str, rest: &str) -> PgError {
    match rest.is_empty() {
        true => PgError::new(SqlState::SYNTAX_ERROR, format!("{message} at end of jsonpath input")),
        false => PgError::new(SqlState::SYNTAX_ERROR, format!("{message} at or near \"{rest}\" of jsonpath input")),
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn tokens(mut self) -> PgResult<Vec<(Token, usize)>> {
        let mut tokens = Vec::new();
        loop {
            self.at += self.rest().len() - self.rest().trim_start_matches(is_blank).len();
            if let Some(comment) = self.rest().strip_prefix("/*") {
                let end = comment.find("*/").ok_or_else(|| near("unexpected end of comment", ""))?;
                self.at += end + 4;
                continue;
            }
            let from = self.at;
            let Some(c) = self.rest().chars().next() else { return Ok(tokens) };
            let token = match c {
                '"' => Token::String(self.quoted()?),
                '$' => {
                    self.at += 1;
                    match self.rest().chars().next() {
                        Some('"') => Token::Variable(self.quoted()?),
                        Some(c) if is_other(c) || c == '\\' => Token::Variable(self.word()?),
                        _ => Token::Symbol("$"),
                    }
                }
                '0'..='9' => self.number()?,
                '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
                c if is_special(c) => {
                    let symbol = SYMBOLS.iter().find(|s| self.rest().starts_with(**s));
                    let symbol = symbol.ok_or_else(|| near("syntax error", self.rest()))?;
                    self.at += symbol.len();
                    Token::Symbol(symbol)
                }
                _ => Token::Word(self.word()?),
            };
            tokens.push((token, from));
        }
    }

    fn number(&mut self) -> PgResult<Token> {
        let rest = self.rest();
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut end = match rest.starts_with('0') {
            true => 1,
            false => digits(0),
        };
        if rest[end..].starts_with('.') {
            end += 1 + digits(end + 1);
        }
        if rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
            match digits(end + 1 + sign) {
                0 if sign == 1 => return Err(near("invalid numeric literal", &rest[..end + 2])),
                0 => {}
                n => end += 1 + sign + n,
            }
        }
        if let Some(c) = rest[end..].chars().next().filter(|c| is_other(*c)) {
            return Err(near("trailing junk after numeric literal", &rest[..end + c.len_utf8()]));
        }
        self.at += end;
        Ok(Token::Number(rest[..end].to_string()))
    }

    fn word(&mut self) -> PgResult<String> {
        let mut out = String::new();
        while let Some(c) = self.rest().chars().next() {
            if c == '\\' {
                self.escape(&mut out)?;
            } else if is_other(c) {
                out.push(c);
                self.at += c.len_utf8();
            } else {
                break;
            }
        }
        Ok(out)
    }

    fn quoted(&mut self) -> PgResult<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            match self.rest().chars().next() {
                None => return Err(near("unterminated quoted string", "")),
                Some('"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => self.escape(&mut out)?,
                Some(c) => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> PgResult<()> {
        self.at += 1;
        let Some(c) = self.rest().chars().next() else { return Err(near("unexpected end after backslash", "")) };
        self.at += c.len_utf8();
        match c {
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\x0b'),
            'x' => {
                let code = self.hex(2, "invalid hexadecimal character sequence")?;
                self.put(code, out)?;
            }
            'u' => self.unicode(out)?,
            c => out.push(c),
        }
        Ok(())
    }

    fn hex(&mut self, digits: usize, message: &str) -> PgResult<u32> {
        let rest = self.rest();
        let found = rest.get(..digits).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        let found = found.ok_or_else(|| {
            let bad = rest.bytes().take_while(u8::is_ascii_hexdigit).count().min(digits);
            near(message, &format!("{}{}", &self.text[self.at - 2..self.at], &rest[..bad]))
        })?;
        self.at += digits;
        u32::from_str_radix(found, 16).map_err(|_| near(message, found))
    }

    fn code_point(&mut self) -> PgResult<u32> {
        let message = "invalid unicode sequence";
        let Some(braced) = self.rest().strip_prefix('{') else { return self.hex(4, message) };
        let end = braced.find('}').ok_or_else(|| near(message, "\\u{"))?;
        let digits = &braced[..end];
        if digits.is_empty() || digits.len() > 6 {
            return Err(near(message, &format!("\\u{{{digits}")));
        }
        self.at += end + 2;
        u32::from_str_radix(digits, 16).map_err(|_| near(message, &format!("\\u{{{digits}")))
    }

    fn unicode(&mut self, out: &mut String) -> PgResult<()> {
        let wrong = |detail: &str| {
            PgError::new(SqlState::INVALID_TEXT, "invalid input syntax for type jsonpath").detail(detail)
        };
        let first = self.code_point()?;
        let code = match first {
            0xd800..=0xdbff => {
                let low = "Unicode low surrogate must follow a high surrogate.";
                if !self.rest().starts_with("\\u") {
                    return Err(wrong(low));
                }
                self.at += 2;
                match self.code_point()? {
                    second @ 0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    0xd800..=0xdbff => return Err(wrong("Unicode high surrogate must not follow a high surrogate.")),
                    _ => return Err(wrong(low)),
                }
            }
            0xdc00..=0xdfff => return Err(wrong("Unicode low surrogate must follow a high surrogate.")),
            code => code,
        };
        self.put(code, out)
    }

    fn put(&self, code: u32, out: &mut String) -> PgResult<()> {
        if code == 0 {
            let error = PgError::new(SqlState(*b"22P05"), "unsupported Unicode escape sequence");
            return Err(error.detail("\\u0000 cannot be converted to text."));
        }
        out.push(char::from_u32(code).ok_or_else(|| near("invalid unicode sequence", ""))?);
        Ok(())
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    /// Filters and subscripts that surround what is read.
    filters: usize,
    subscripts: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(t, _)| t)
    }

    fn wrong(&self) -> PgError {
        match self.tokens.get(self.at) {
            None => near("syntax error", ""),
            Some((_, from)) => {
                let end = self.tokens.get(self.at + 1).map_or(self.text.len(), |(_, e)| *e);
                near("syntax error", self.text[*from..end].trim_end_matches(is_blank))
            }
        }
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(s)) if *s == symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> PgResult<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.wrong()) }
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn path(&mut self) -> PgResult<JsonPath> {
        let strict = self.keyword("strict");
        if !strict {
            self.keyword("lax");
        }
        let root = self.or()?;
        match self.peek() {
            None => Ok(JsonPath { strict, root }),
            Some(_) => Err(self.wrong()),
        }
    }

    fn predicate(&self, item: Item) -> PgResult<Item> {
        if item.is_predicate() && item.then.is_empty() { Ok(item) } else { Err(self.wrong()) }
    }

    fn or(&mut self) -> PgResult<Item> {
        self.depth += 1;
        if self.depth > 200 {
            return Err(PgError::new(SqlState(*b"54001"), "stack depth limit exceeded"));
        }
        let mut left = self.and()?;
        while matches!(self.peek(), Some(Token::Symbol("||"))) {
            left = self.predicate(left)?;
            self.at += 1;
            let right = self.and()?;
            let right = self.predicate(right)?;
            left = Item::new(Head::Binary(Operation::Or, Box::new(left), Box::new(right)));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> PgResult<Item> {
        let mut left = self.comparison()?;
        while matches!(self.peek(), Some(Token::Symbol("&&"))) {
            left = self.predicate(left)?;
            self.at += 1;
            let right = self.comparison()?;
            let right = self.predicate(right)?;
            left = Item::new(Head::Binary(Operation::And, Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> PgResult<Item> {
        if self.symbol("!") {
            let from = self.at;
            let inner = self.primary_predicate()?;
            if inner.is_none() {
                self.at = from;
                return Err(self.wrong());
            }
            let inner = inner.ok_or_else(|| self.wrong())?;
            return Ok(Item::new(Head::Not(Box::new(inner))));
        }
        let left = self.sum()?;
        let operation = match self.peek() {
            Some(Token::Symbol("==" | "=")) => Operation::Equal,
            Some(Token::Symbol("!=" | "<>")) => Operation::NotEqual,
            Some(Token::Symbol("<")) => Operation::Less,
            Some(Token::Symbol("<=")) => Operation::LessOrEqual,
            Some(Token::Symbol(">")) => Operation::Greater,
            Some(Token::Symbol(">=")) => Operation::GreaterOrEqual,
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("starts") => Operation::StartsWith,
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("like_regex") => {
                self.at += 1;
                let Some(Token::String(pattern)) = self.peek().cloned() else { return Err(self.wrong()) };
                self.at += 1;
                let mut flags = String::new();
                if self.keyword("flag") {
                    let Some(Token::String(given)) = self.peek().cloned() else { return Err(self.wrong()) };
                    self.at += 1;
                    flags = regex_flags(&given)?;
                }
                return Ok(Item::new(Head::LikeRegex { value: Box::new(left), pattern, flags }));
            }
            _ => return Ok(left),
        };
        if left.is_predicate() && left.then.is_empty() {
            return Err(self.wrong());
        }
        self.at += 1;
        let right = if operation == Operation::StartsWith {
            if !self.keyword("with") {
                return Err(self.wrong());
            }
            let right = match self.peek() {
                Some(Token::String(s)) => Item::new(Head::String(s.clone())),
                Some(Token::Variable(v)) => Item::new(Head::Variable(v.clone())),
                _ => return Err(self.wrong()),
            };
            self.at += 1;
            right
        } else {
            let right = self.sum()?;
            if right.is_predicate() && right.then.is_empty() {
                return Err(self.wrong());
            }
            right
        };
        Ok(Item::new(Head::Binary(operation, Box::new(left), Box::new(right))))
    }

    /// What may follow `!`: a predicate in parentheses, or EXISTS.
    fn primary_predicate(&mut self) -> PgResult<Option<Item>> {
        if matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case("exists")) {
            return self.primary().map(Some);
        }
        if !self.symbol("(") {
            return Ok(None);
        }
        let inner = self.or()?;
        self.expect(")")?;
        self.predicate(inner).map(Some)
    }

    fn sum(&mut self) -> PgResult<Item> {
        let mut left = self.product()?;
        loop {
            let operation = match self.peek() {
                Some(Token::Symbol("+")) => Operation::Add,
                Some(Token::Symbol("-")) => Operation::Sub,
                _ => return Ok(left),
            };
            if left.is_predicate() && left.then.is_empty() {
                return Err(self.wrong());
            }
            self.at += 1;
            let right = self.product()?;
            left = Item::new(Head::Binary(operation, Box::new(left), Box::new(right)));
        }
    }

    fn product(&mut self) -> PgResult<Item> {
        let mut left = self.unary()?;
        loop {
            let operation = match self.peek() {
                Some(Token::Symbol("*")) => Operation::Mul,
                Some(Token::Symbol("/")) => Operation::Div,
                Some(Token::Symbol("%")) => Operation::Mod,
                _ => return Ok(left),
            };
            if left.is_predicate() && left.then.is_empty() {
                return Err(self.wrong());
            }
            self.at += 1;
            let right = self.unary()?;
            left = Item::new(Head::Binary(operation, Box::new(left), Box::new(right)));
        }
    }

    fn unary(&mut self) -> PgResult<Item> {
        self.depth += 1;
        if self.depth > 200 {
            return Err(PgError::new(SqlState(*b"54001"), "stack depth limit exceeded"));
        }
        let made = if self.symbol("+") {
            signed(false, self.unary()?)
        } else if self.symbol("-") {
            signed(true, self.unary()?)
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(made)
    }

    fn primary(&mut self) -> PgResult<Item> {
        let Some(token) = self.peek().cloned() else { return Err(self.wrong()) };
        let head = match token {
            Token::String(s) => Head::String(s),
            Token::Variable(v) => Head::Variable(v),
            Token::Number(n) => Head::Number(Numeric::parse(&n)?),
            Token::Symbol("$") => Head::Root,
            Token::Symbol("@") => {
                if self.filters == 0 {
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, "@ is not allowed in root expressions"));
                }
                Head::Current
            }
            Token::Symbol("(") => {
                self.at += 1;
                let mut inner = self.or()?;
                self.expect(")")?;
                if self.keyword("is") {
                    if !self.keyword("unknown") {
                        return Err(self.wrong());
                    }
                    let inner = self.predicate(inner)?;
                    return Ok(Item::new(Head::IsUnknown(Box::new(inner))));
                }
                let steps = self.steps()?;
                inner.then.extend(steps);
                return Ok(inner);
            }
            Token::Word(w) => match w.to_ascii_lowercase().as_str() {
                "null" if w == "null" => Head::Null,
                "true" if w == "true" => Head::Bool(true),
                "false" if w == "false" => Head::Bool(false),
                "last" => {
                    if self.subscripts == 0 {
                        let message = "LAST is allowed only in array subscripts";
                        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
                    }
                    Head::Last
                }
                "exists" => {
                    self.at += 1;
                    self.expect("(")?;
                    let inner = self.sum()?;
                    self.expect(")")?;
                    return Ok(Item::new(Head::Exists(Box::new(inner))));
                }
                _ => return Err(self.wrong()),
            },
            Token::Symbol(_) => return Err(self.wrong()),
        };
        self.at += 1;
        let then = self.steps()?;
        Ok(Item { head, then })
    }

    fn steps(&mut self) -> PgResult<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.symbol("[") {
                if self.symbol("*") {
                    self.expect("]")?;
                    steps.push(Step::AnyElement);
                    continue;
                }
                let mut list = Vec::new();
                self.subscripts += 1;
                loop {
                    let from = self.sum()?;
                    let to = if self.keyword("to") { Some(self.sum()?) } else { None };
                    list.push((from, to));
                    if !self.symbol(",") {
                        break;
                    }
                }
                self.subscripts -= 1;
                self.expect("]")?;
                steps.push(Step::Elements(list));
            } else if self.symbol("?") {
                self.expect("(")?;
                self.filters += 1;
                let inner = self.or()?;
                let inner = self.predicate(inner)?;
                self.filters -= 1;
                self.expect(")")?;
                steps.push(Step::Filter(Box::new(inner)));
            } else if self.symbol(".") {
                steps.push(self.member()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn member(&mut self) -> PgResult<Step> {
        if self.symbol("*") {
            return Ok(Step::AnyKey);
        }
        if self.symbol("**") {
            return self.levels();
        }
        let name = match self.peek().cloned() {
            Some(Token::String(s)) => {
                self.at += 1;
                return Ok(Step::Key(s));
            }
            Some(Token::Word(w)) => w,
            _ => return Err(self.wrong()),
        };
        self.at += 1;
        if !matches!(self.peek(), Some(Token::Symbol("("))) {
            return Ok(Step::Key(name));
        }
        let method = match name.to_ascii_lowercase().as_str() {
            "type" => Method::Type,
            "size" => Method::Size,
            "abs" => Method::Abs,
            "floor" => Method::Floor,
            "ceiling" => Method::Ceiling,
            "double" => Method::Double,
            "keyvalue" => Method::KeyValue,
            "datetime" => {
                self.at += 1;
                let template = match self.peek().cloned() {
                    Some(Token::String(s)) => {
                        self.at += 1;
                        Some(s)
                    }
                    _ => None,
                };
                self.expect(")")?;
                return Ok(Step::Datetime(template));
            }
            _ => return Err(self.wrong()),
        };
        self.at += 1;
        self.expect(")")?;
        Ok(Step::Method(method))
    }

    fn levels(&mut self) -> PgResult<Step> {
        if !self.symbol("{") {
            return Ok(Step::Any(0, u32::MAX));
        }
        let first = self.level()?;
        let last = if self.keyword("to") { self.level()? } else { first };
        self.expect("}")?;
        Ok(Step::Any(first, last))
    }

    fn level(&mut self) -> PgResult<u32> {
        let level = match self.peek() {
            Some(Token::Number(n)) => n.parse().ok(),
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("last") => Some(u32::MAX),
            _ => None,
        };
        let level = level.ok_or_else(|| self.wrong())?;
        self.at += 1;
        Ok(level)
    }
}

/// A sign before a number belongs to the number.
fn signed(minus: bool, item: Item) -> Item {
    match &item.head {
        Head::Number(n) if item.then.is_empty() => Item::new(Head::Number(if minus { n.neg() } else { n.clone() })),
        _ => Item::new(Head::Sign(minus, Box::new(item))),
    }
}

/// The flags in the order in which PostgreSQL shows them.
fn regex_flags(given: &str) -> PgResult<String> {
    if let Some(c) = given.chars().find(|c| !"ismxq".contains(*c)) {
        let detail = format!("Unrecognized flag character \"{c}\" in LIKE_REGEX predicate.");
        let error = PgError::new(SqlState::SYNTAX_ERROR, "invalid input syntax for type jsonpath");
        return Err(error.detail(detail));
    }
    if given.contains('x') && !given.contains('q') {
        let message = "XQuery \"x\" flag (expanded regular expressions) is not implemented";
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok("ismxq".chars().filter(|c| given.contains(*c)).collect())
}

impl JsonPath {
    /// # Errors
    /// `42601`, `22P02` with PostgreSQL's messages.
    pub fn parse(text: &str) -> PgResult<Self> {
        let tokens = Lexer { text, at: 0 }.tokens()?;
        if tokens.is_empty() {
            let message = format!("invalid input syntax for type jsonpath: \"{text}\"");
            return Err(PgError::new(SqlState::INVALID_TEXT, message));
        }
        Parser { text, tokens, at: 0, depth: 0, filters: 0, subscripts: 0 }.path()
    }

    /// PostgreSQL's normal form.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        if self.strict {
            out.push_str("strict ");
        }
        self.root.write(&mut out, true);
        out
    }
}

fn quote(text: &str, out: &mut String) {
    let mut quoted = Vec::new();
    write_json_string(text.as_bytes(), &mut quoted);
    out.push_str(&String::from_utf8_lossy(&quoted));
}

impl Item {
    fn write(&self, out: &mut String, brackets: bool) {
        let enclosed = |out: &mut String, write: &dyn Fn(&mut String)| {
            if brackets {
                out.push('(');
            }
            write(out);
            if brackets {
                out.push(')');
            }
        };
        let child = |item: &Item, out: &mut String| item.write(out, item.priority() <= self.priority());
        match &self.head {
            Head::Null => out.push_str("null"),
            Head::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Head::Number(n) if self.then.is_empty() => out.push_str(&n.to_string()),
            Head::Number(n) => {
                out.push('(');
                out.push_str(&n.to_string());
                out.push(')');
            }
            Head::String(s) => quote(s, out),
            Head::Variable(v) => {
                out.push('$');
                quote(v, out);
            }
            Head::Root => out.push('$'),
            Head::Current => out.push('@'),
            Head::Last => out.push_str("last"),
            Head::Binary(op, left, right) => enclosed(out, &|out| {
                child(left, out);
                out.push(' ');
                out.push_str(op.text());
                out.push(' ');
                child(right, out);
            }),
            Head::Sign(minus, arg) => enclosed(out, &|out| {
                out.push(if *minus { '-' } else { '+' });
                child(arg, out);
            }),
            Head::Not(arg) => {
                out.push_str("!(");
                arg.write(out, false);
                out.push(')');
            }
            Head::IsUnknown(arg) => {
                out.push('(');
                arg.write(out, false);
                out.push_str(") is unknown");
            }
            Head::Exists(arg) => {
                out.push_str("exists (");
                arg.write(out, false);
                out.push(')');
            }
            Head::LikeRegex { value, pattern, flags } => enclosed(out, &|out| {
                child(value, out);
                out.push_str(" like_regex ");
                quote(pattern, out);
                if !flags.is_empty() {
                    out.push_str(" flag \"");
                    out.push_str(flags);
                    out.push('"');
                }
            }),
        }
        for step in &self.then {
            step.write(out);
        }
    }
}

impl Step {
    fn write(&self, out: &mut String) {
        match self {
            Step::Key(key) => {
                out.push('.');
                quote(key, out);
            }
            Step::AnyKey => out.push_str(".*"),
            Step::AnyElement => out.push_str("[*]"),
            Step::Elements(list) => {
                out.push('[');
                for (i, (from, to)) in list.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    from.write(out, false);
                    if let Some(to) = to {
                        out.push_str(" to ");
                        to.write(out, false);
                    }
                }
                out.push(']');
            }
            Step::Any(first, last) => {
                let level = |l: u32| if l == u32::MAX { "last".to_string() } else { l.to_string() };
                out.push_str(&match (*first, *last) {
                    (0, u32::MAX) => ".**".to_string(),
                    (f, l) if f == l => format!(".**{{{}}}", level(f)),
                    (f, l) => format!(".**{{{} to {}}}", level(f), level(l)),
                });
            }
            Step::Filter(predicate) => {
                out.push_str("?(");
                predicate.write(out, false);
                out.push(')');
            }
            Step::Method(method) => {
                out.push('.');
                out.push_str(method.name());
                out.push_str("()");
            }
            Step::Datetime(template) => {
                out.push_str(".datetime(");
                if let Some(template) = template {
                    quote(template, out);
                }
                out.push(')');
            }
        }
    }
}

//! `tsquery`: a tree of words and operators.

use super::{MAX_POSITION, MAX_WORD, Words, is_operator, is_space, quoted, syntax};
use crate::types::{PgError, PgResult, SqlState};

/// How deep a query may be: its tree is walked by recursion.
const MAX_DEPTH: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    /// So many positions from the left operand to the right one.
    Phrase(u16),
    Not,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryWord {
    pub word: String,
    /// Bit n: weight n fits. No bit: all do.
    pub weights: u8,
    pub prefix: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Word(QueryWord),
    /// A word that is not searched for; gone when the query is whole.
    Stop,
    Not(Box<Node>),
    Pair(Operator, Box<Node>, Box<Node>),
}

/// A query; without a node it finds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(pub Option<Node>);

fn too_deep() -> PgError {
    PgError::new(SqlState(*b"54001"), "stack depth limit exceeded")
        .detail(format!("A tsquery is nested more than {MAX_DEPTH} deep."))
}

impl Operator {
    fn priority(self) -> i8 {
        match self {
            Operator::Or => 1,
            Operator::And => 2,
            Operator::Phrase(_) => 3,
            Operator::Not => 4,
        }
    }
}

/// Nodes in postfix order on their way to a tree.
#[derive(Debug, Default)]
pub struct Pieces(Vec<(Node, usize)>);

impl Pieces {
    pub fn word(&mut self, word: &str, weights: u8, prefix: bool, whole: &str) -> PgResult<()> {
        if word.len() > MAX_WORD {
            let message = format!("word is too long in tsquery: \"{whole}\"");
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        self.0.push((Node::Word(QueryWord { word: word.to_string(), weights, prefix }), 1));
        Ok(())
    }

    pub fn stop(&mut self) {
        self.0.push((Node::Stop, 1));
    }

    pub fn operator(&mut self, operator: Operator) -> PgResult<()> {
        let lost = || PgError::internal("malformed tsquery: operand not found");
        let (right, below) = self.0.pop().ok_or_else(lost)?;
        let (node, depth) = match operator {
            Operator::Not => (Node::Not(Box::new(right)), below + 1),
            _ => {
                let (left, beside) = self.0.pop().ok_or_else(lost)?;
                (Node::Pair(operator, Box::new(left), Box::new(right)), below.max(beside) + 1)
            }
        };
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        self.0.push((node, depth));
        Ok(())
    }

    /// The tree, without its stop words.
    pub fn finish(mut self) -> PgResult<Query> {
        let Some((node, _)) = self.0.pop() else { return Ok(Query(None)) };
        if !self.0.is_empty() {
            return Err(PgError::internal("malformed tsquery: extra nodes"));
        }
        Ok(Query(node.without_stops().node))
    }
}

enum Token {
    Word {
        word: String,
        weights: u8,
        prefix: bool,
    },
    Operator(Operator),
    Open,
    Close,
    /// An operand that a search lacks at its end.
    Missing,
    End,
}

/// How a query is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Operators,
    Web,
}

struct Reader<'t> {
    words: Words<'t>,
    style: Style,
    /// Whether the next thing is an operand, and whether it is the very first.
    operand: bool,
    first: bool,
    open: usize,
}

impl Reader<'_> {
    fn failed(&self) -> PgError {
        syntax(format!("syntax error in tsquery: \"{}\"", self.words.text))
    }

    fn take(&mut self) {
        let mut chars = self.words.rest.chars();
        chars.next();
        self.words.rest = chars.as_str();
    }

    fn next(&mut self) -> PgResult<Token> {
        match (self.operand, self.style) {
            (true, Style::Operators) => self.operand(),
            (false, Style::Operators) => self.operator(),
            (true, Style::Web) => self.web_operand(),
            (false, Style::Web) => Ok(self.web_operator()),
        }
    }

    fn operand(&mut self) -> PgResult<Token> {
        self.words.rest = self.words.rest.trim_start_matches(is_space);
        match self.words.rest.chars().next() {
            Some('!') => {
                self.take();
                self.first = false;
                Ok(Token::Operator(Operator::Not))
            }
            Some('(') => {
                self.take();
                self.first = false;
                self.open += 1;
                Ok(Token::Open)
            }
            Some(':') => Err(self.failed()),
            _ => match self.words.word()? {
                Some(word) => {
                    let (weights, prefix) = self.modifiers();
                    self.operand = false;
                    Ok(Token::Word { word, weights, prefix })
                }
                None if self.first => Ok(Token::End),
                None => Err(syntax(format!("no operand in tsquery: \"{}\"", self.words.text))),
            },
        }
    }

    /// `:*AB` behind a word.
    fn modifiers(&mut self) -> (u8, bool) {
        let (mut weights, mut prefix) = (0, false);
        let Some(mut rest) = self.words.rest.strip_prefix(':') else { return (weights, prefix) };
        while let Some(c) = rest.chars().next() {
            match (c, super::Vector::weight(c)) {
                ('*', _) => prefix = true,
                (_, Some(weight)) => weights |= 1 << weight,
                _ => break,
            }
            rest = &rest[1..];
        }
        self.words.rest = rest;
        (weights, prefix)
    }

    fn operator(&mut self) -> PgResult<Token> {
        self.words.rest = self.words.rest.trim_start_matches(is_space);
        let operator = match self.words.rest.chars().next() {
            None if self.open > 0 => return Err(self.failed()),
            None => return Ok(Token::End),
            Some('&') => Operator::And,
            Some('|') => Operator::Or,
            Some(')') => {
                self.take();
                self.open = self.open.checked_sub(1).ok_or_else(|| self.failed())?;
                return Ok(Token::Close);
            }
            Some('<') => {
                let distance = self.phrase()?.ok_or_else(|| self.failed())?;
                self.operand = true;
                self.first = false;
                return Ok(Token::Operator(Operator::Phrase(distance)));
            }
            Some(_) => return Err(self.failed()),
        };
        self.take();
        self.operand = true;
        self.first = false;
        Ok(Token::Operator(operator))
    }

    /// `<->` or `<3>`.
    fn phrase(&mut self) -> PgResult<Option<u16>> {
        let Some(rest) = self.words.rest.strip_prefix('<') else { return Ok(None) };
        let Some((inner, after)) = rest.split_once('>') else { return Ok(None) };
        let distance = match inner {
            "-" => 1,
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Query::distance(digits.parse::<i64>().unwrap_or(i64::MAX))?
            }
            _ => return Ok(None),
        };
        // The text may not end with the operator.
        if after.is_empty() {
            return Ok(None);
        }
        self.words.rest = after;
        Ok(Some(distance))
    }

    fn web_operand(&mut self) -> PgResult<Token> {
        loop {
            match self.words.rest.chars().next() {
                Some('-') => {
                    self.take();
                    self.first = false;
                    return Ok(Token::Operator(Operator::Not));
                }
                Some('"') => {
                    let rest = &self.words.rest[1..];
                    let (word, after) = rest.split_once('"').unwrap_or((rest, ""));
                    self.words.rest = after;
                    self.operand = false;
                    return Ok(Token::Word { word: word.to_string(), weights: 0, prefix: false });
                }
                Some(c) if is_operator(c) => {
                    self.take();
                    self.first = false;
                }
                Some(c) if is_space(c) => self.take(),
                _ => match self.words.word()? {
                    Some(word) => {
                        self.operand = false;
                        return Ok(Token::Word { word, weights: 0, prefix: false });
                    }
                    None if self.first => return Ok(Token::End),
                    None => {
                        self.operand = false;
                        return Ok(Token::Missing);
                    }
                },
            }
        }
    }

    fn web_operator(&mut self) -> Token {
        loop {
            let Some(c) = self.words.rest.chars().next() else { return Token::End };
            if let Some(after) = or_operator(self.words.rest) {
                self.words.rest = after;
                (self.operand, self.first) = (true, false);
                return Token::Operator(Operator::Or);
            }
            if !is_operator(c) && !is_space(c) {
                (self.operand, self.first) = (true, false);
                return Token::Operator(Operator::And);
            }
            self.take();
        }
    }
}

/// What follows an `or` that stands for the operator: a word of its own with something behind it.
fn or_operator(text: &str) -> Option<&str> {
    let rest = text.get(..2).filter(|w| w.eq_ignore_ascii_case("or")).map(|_| &text[2..])?;
    let next = rest.chars().next()?;
    let part_of_word = matches!(next, '-' | '_') || next.is_alphanumeric();
    let operand = rest.chars().skip(1).any(|c| !is_space(c));
    (!part_of_word && operand).then_some(rest)
}

/// A node without stop words: what is left, and what to add to the distances of the phrases left and right of it.
struct Cleaned {
    node: Option<Node>,
    left: u16,
    right: u16,
}

impl Node {
    fn without_stops(self) -> Cleaned {
        let kept = |node| Cleaned { node: Some(node), left: 0, right: 0 };
        match self {
            Node::Word(_) => kept(self),
            Node::Stop => Cleaned { node: None, left: 0, right: 0 },
            Node::Not(inner) => {
                let inner = inner.without_stops();
                Cleaned { node: inner.node.map(|n| Node::Not(Box::new(n))), ..inner }
            }
            Node::Pair(operator, left, right) => {
                let (left, right) = (left.without_stops(), right.without_stops());
                let own = match operator {
                    Operator::Phrase(distance) => Some(distance),
                    _ => None,
                };
                match (left.node, right.node, own) {
                    (None, None, Some(own)) => {
                        let width = left.left.saturating_add(own).saturating_add(right.left);
                        Cleaned { node: None, left: width, right: width }
                    }
                    (None, None, None) => {
                        let width = left.left.max(right.left);
                        Cleaned { node: None, left: width, right: width }
                    }
                    (None, node, Some(own)) => {
                        let width = left.left.saturating_add(own).saturating_add(right.left);
                        Cleaned { node, left: width, right: right.right }
                    }
                    (None, node, None) => Cleaned { node, left: right.left, right: right.right },
                    (node, None, Some(own)) => {
                        let width = left.right.saturating_add(own).saturating_add(right.right);
                        Cleaned { node, left: left.left, right: width }
                    }
                    (node, None, None) => Cleaned { node, left: left.left, right: left.right },
                    (Some(l), Some(r), Some(own)) => {
                        let distance = own.saturating_add(left.right).saturating_add(right.left);
                        let node = Node::Pair(Operator::Phrase(distance), Box::new(l), Box::new(r));
                        Cleaned { node: Some(node), left: left.left, right: right.right }
                    }
                    (Some(l), Some(r), None) => kept(Node::Pair(operator, Box::new(l), Box::new(r))),
                }
            }
        }
    }

    /// The part that an index could look for: without negations.
    fn without_negations(&self) -> Option<Node> {
        match self {
            Node::Word(_) | Node::Stop => Some(self.clone()),
            Node::Not(_) => None,
            Node::Pair(operator, left, right) => {
                let pair = |l, r| Node::Pair(*operator, Box::new(l), Box::new(r));
                match (operator, left.without_negations(), right.without_negations()) {
                    (_, Some(l), Some(r)) => Some(pair(l, r)),
                    (Operator::Or, _, _) => None,
                    (_, l, r) => l.or(r),
                }
            }
        }
    }

    fn write(&self, above: i8, right_of_phrase: bool, out: &mut String) {
        let operator = match self {
            Node::Word(_) | Node::Stop => None,
            Node::Not(_) => Some(Operator::Not),
            Node::Pair(operator, ..) => Some(*operator),
        };
        let in_parentheses =
            operator.is_some_and(|o| o.priority() < above || (matches!(o, Operator::Phrase(_)) && right_of_phrase));
        if in_parentheses {
            out.push_str("( ");
        }
        match self {
            Node::Stop => {}
            Node::Word(word) => {
                quoted(&word.word, out);
                if word.prefix || word.weights > 0 {
                    out.push(':');
                }
                if word.prefix {
                    out.push('*');
                }
                for weight in (0..4).rev().filter(|w| word.weights & (1 << w) != 0) {
                    out.push(super::Vector::weight_letter(weight));
                }
            }
            Node::Not(inner) => {
                out.push('!');
                inner.write(Operator::Not.priority(), false, out);
            }
            Node::Pair(operator, left, right) => {
                left.write(operator.priority(), false, out);
                match operator {
                    Operator::Or => out.push_str(" | "),
                    Operator::Phrase(1) => out.push_str(" <-> "),
                    Operator::Phrase(distance) => out.push_str(&format!(" <{distance}> ")),
                    _ => out.push_str(" & "),
                }
                right.write(operator.priority(), matches!(operator, Operator::Phrase(_)), out);
            }
        }
        if in_parentheses {
            out.push_str(" )");
        }
    }

    /// Calls `each` for every node, operators before their operands, the right operand first.
    pub fn visit<'n>(&'n self, each: &mut impl FnMut(&'n Node)) {
        each(self);
        match self {
            Node::Word(_) | Node::Stop => {}
            Node::Not(inner) => inner.visit(each),
            Node::Pair(_, left, right) => {
                right.visit(each);
                left.visit(each);
            }
        }
    }

    /// PostgreSQL's order of two trees of equal size: what is greater in itself comes first.
    fn sort_key(&self, out: &mut Vec<u8>) {
        match self {
            Node::Stop => {}
            Node::Word(word) => {
                out.push(2);
                // Checksums are compared as signed numbers.
                let sum = checksum(word.word.as_bytes()) ^ (1 << 31);
                out.extend_from_slice(&(u32::MAX - sum).to_be_bytes());
                out.extend_from_slice(word.word.as_bytes());
                out.push(0);
            }
            Node::Not(inner) => {
                out.extend_from_slice(&[1, 4]);
                inner.sort_key(out);
            }
            Node::Pair(operator, left, right) => {
                let (code, distance) = match operator {
                    Operator::And => (3, 0),
                    Operator::Or => (2, 0),
                    Operator::Phrase(distance) => (1, *distance),
                    Operator::Not => (4, 0),
                };
                out.extend_from_slice(&[1, code]);
                right.sort_key(out);
                left.sort_key(out);
                out.extend_from_slice(&(u16::MAX - distance).to_be_bytes());
            }
        }
    }
}

/// PostgreSQL's old CRC-32, by which it orders the words of a query: the reflected table, used from the other end.
fn checksum(bytes: &[u8]) -> u32 {
    let entry = |byte: u8| {
        (0..8).fold(u32::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, |crc, byte| entry((crc >> 24) as u8 ^ byte) ^ (crc << 8))
}

impl Query {
    /// A distance that a phrase may have.
    pub fn distance(distance: i64) -> PgResult<u16> {
        let largest = MAX_POSITION + 1;
        u16::try_from(distance).ok().filter(|d| *d <= largest).ok_or_else(|| {
            let message =
                format!("distance in phrase operator must be an integer value between zero and {largest} inclusive");
            PgError::new(SqlState::INVALID_PARAMETER, message)
        })
    }

    /// Reads a query as it is written: nothing is cut into words or stemmed.
    pub fn parse(text: &str) -> PgResult<Self> {
        Self::read(text, |word, weights, prefix, pieces| pieces.word(word, weights, prefix, text))
    }

    /// Reads a query with operators; `operand` puts what a word of it means: one node.
    pub fn read(text: &str, operand: impl FnMut(&str, u8, bool, &mut Pieces) -> PgResult<()>) -> PgResult<Self> {
        Self::assemble(text, Style::Operators, operand)
    }

    /// Reads what people type into a search box: words, "phrases", or, -.
    pub fn read_web(text: &str, operand: impl FnMut(&str, u8, bool, &mut Pieces) -> PgResult<()>) -> PgResult<Self> {
        Self::assemble(text, Style::Web, operand)
    }

    fn assemble(
        text: &str,
        style: Style,
        mut operand: impl FnMut(&str, u8, bool, &mut Pieces) -> PgResult<()>,
    ) -> PgResult<Self> {
        let words = Words { text, rest: text, query: true, web: style == Style::Web };
        let mut reader = Reader { words, style, operand: true, first: true, open: 0 };
        let mut pieces = Pieces::default();
        // Operators that wait for their right operand; `None` is an open parenthesis.
        let mut waiting: Vec<Option<Operator>> = Vec::new();
        loop {
            match reader.next()? {
                Token::Word { word, weights, prefix } => operand(&word, weights, prefix, &mut pieces)?,
                Token::Missing => {
                    pieces.stop();
                    break;
                }
                Token::Operator(operator) => {
                    while let Some(Some(top)) = waiting.last().copied() {
                        // Negation alone is right associative.
                        let waits = match operator {
                            Operator::Not => operator.priority() >= top.priority(),
                            _ => operator.priority() > top.priority(),
                        };
                        if waits {
                            break;
                        }
                        waiting.pop();
                        pieces.operator(top)?;
                    }
                    waiting.push(Some(operator));
                }
                Token::Open => waiting.push(None),
                Token::Close => {
                    while let Some(Some(top)) = waiting.pop() {
                        pieces.operator(top)?;
                    }
                }
                Token::End => break,
            }
            if waiting.len() > MAX_DEPTH {
                return Err(too_deep());
            }
        }
        while let Some(top) = waiting.pop() {
            if let Some(top) = top {
                pieces.operator(top)?;
            }
        }
        pieces.finish()
    }

    pub fn to_text(&self) -> String {
        let mut out = String::new();
        if let Some(node) = &self.0 {
            node.write(-1, false, &mut out);
        }
        out
    }

    /// Two queries as one.
    pub fn pair(operator: Operator, left: Self, right: Self) -> PgResult<Self> {
        let (left, right) = match (left.0, right.0) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return Ok(Self(left.or(right))),
        };
        let node = Node::Pair(operator, Box::new(left), Box::new(right));
        if depth(&node) > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(Self(Some(node)))
    }

    /// How many words and operators there are.
    pub fn size(&self) -> usize {
        let mut count = 0;
        self.0.iter().for_each(|n| n.visit(&mut |_| count += 1));
        count
    }

    /// What an index could look for.
    pub fn searchable(&self) -> Option<Self> {
        let node = self.0.as_ref()?.without_negations()?;
        Some(Self(Some(node)))
    }

    /// The words that are searched for, sorted, each once.
    pub fn words(&self) -> Vec<&str> {
        let mut words = Vec::new();
        self.0.iter().for_each(|n| {
            n.visit(&mut |n| {
                if let Node::Word(w) = n {
                    words.push(w.word.as_str());
                }
            })
        });
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Bytes that sort as PostgreSQL sorts queries: by size, then by their trees.
    pub fn sort_key(&self, out: &mut Vec<u8>) {
        let mut bytes = 8;
        self.0.iter().for_each(|n| {
            n.visit(&mut |n| {
                bytes += 12;
                if let Node::Word(w) = n {
                    bytes += w.word.len() + 1;
                }
            })
        });
        out.extend_from_slice(&(self.size() as u32).to_be_bytes());
        out.extend_from_slice(&(bytes as u32).to_be_bytes());
        self.0.iter().for_each(|n| n.sort_key(out));
    }
}

fn depth(node: &Node) -> usize {
    match node {
        Node::Word(_) | Node::Stop => 1,
        Node::Not(inner) => 1 + depth(inner),
        Node::Pair(_, left, right) => 1 + depth(left).max(depth(right)),
    }
}

//! Regular expressions with look-around or back-references, by trying: the crate `regex` has neither.
//!
//! A pattern becomes a small program; what could go otherwise is kept on a stack of its own, so that neither a pattern nor
//! a text can make the thread's stack overflow. Work is bounded by steps. Of the matches at a place the longest counts, or
//! with non-greedy quantifiers the shortest, as in PostgreSQL.

use super::regexp::{Flags, bracket, wrong};
use crate::types::{PgError, PgResult, SqlState};
use regex::{Regex, RegexBuilder};

/// Steps that looking for one match may take.
const MAX_STEPS: usize = 2_000_000;
/// Instructions of a program.
const MAX_SIZE: usize = 20_000;
/// How deep parentheses may be.
const MAX_DEPTH: usize = 200;
/// PostgreSQL's largest bound of a quantifier.
const MAX_REPEAT: usize = 255;

/// Begin and end of the match and of each group, in bytes.
pub type Spans = Vec<Option<(usize, usize)>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordStart,
    WordEnd,
    Boundary,
    NoBoundary,
}

#[derive(Debug, Clone)]
enum Op {
    Char(char),
    Any,
    Class(usize),
    /// First try the one, then the other.
    Split(usize, usize),
    Jump(usize),
    /// Keep the position in a slot.
    Save(usize),
    /// Go on only where the position is no longer that of the slot.
    Moved(usize),
    At(Place),
    Look {
        ahead: bool,
        negated: bool,
        program: usize,
    },
    Back(usize),
    Match,
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Program {
    ops: Vec<Op>,
    /// What a look at other text does.
    looks: Vec<Vec<Op>>,
    classes: Vec<Regex>,
    groups: usize,
    slots: usize,
    flags: Flags,
    shortest: bool,
}

fn too_complex() -> PgError {
    wrong("regular expression is too complex")
}

struct Compiler<'p> {
    rest: &'p str,
    program: Program,
    depth: usize,
    /// Within a look: groups do not capture there.
    looking: bool,
    /// Of each group that is closed: whether there is nothing in it.
    closed: Vec<Option<bool>>,
}

impl Compiler<'_> {
    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn slot(&mut self) -> usize {
        self.program.slots += 1;
        self.program.slots - 1
    }

    fn class(&mut self, class: &str) -> PgResult<Op> {
        let regex = RegexBuilder::new(&format!("^(?:{class})$"))
            .case_insensitive(self.program.flags.case_insensitive)
            .dot_matches_new_line(true)
            .build()
            .map_err(|_| wrong("invalid character class"))?;
        self.program.classes.push(regex);
        Ok(Op::Class(self.program.classes.len() - 1))
    }

    /// Alternatives up to the end or a closing parenthesis. Jumps are from the beginning of what is returned.
    fn alternatives(&mut self) -> PgResult<Vec<Op>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_complex());
        }
        let mut ops = self.sequence()?;
        while self.eat("|") {
            let other = self.sequence()?;
            let (first, second) = (ops.len(), other.len());
            let mut both = vec![Op::Split(1, first + 2)];
            append(&mut both, ops)?;
            both.push(Op::Jump(first + 2 + second));
            append(&mut both, other)?;
            ops = both;
        }
        self.depth -= 1;
        Ok(ops)
    }

    fn sequence(&mut self) -> PgResult<Vec<Op>> {
        let mut ops = Vec::new();
        while let Some(c) = self.rest.chars().next().filter(|c| !matches!(c, '|' | ')')) {
            if matches!(c, '*' | '+' | '?') {
                return Err(wrong("quantifier operand invalid"));
            }
            let atom = self.atom()?;
            let atom = self.quantified(atom)?;
            append(&mut ops, atom)?;
        }
        Ok(ops)
    }

    fn atom(&mut self) -> PgResult<Vec<Op>> {
        let lines = self.program.flags.anchors_at_lines;
        if self.rest.starts_with('[') {
            let mut class = String::new();
            let length = bracket(self.rest, &mut class)?;
            let word = &self.rest[..length];
            let op = match word {
                "[[:<:]]" => Op::At(Place::WordStart),
                "[[:>:]]" => Op::At(Place::WordEnd),
                _ => {
                    let negated = class.starts_with("[^") && self.program.flags.dot_excludes_newline;
                    let class = if negated { format!("[{class}&&[^\n]]") } else { class };
                    self.class(&class)?
                }
            };
            self.rest = &self.rest[length..];
            return Ok(vec![op]);
        }
        Ok(match self.take() {
            None => Vec::new(),
            Some('.') => vec![Op::Any],
            Some('^') => vec![Op::At(if lines { Place::LineStart } else { Place::TextStart })],
            Some('$') => vec![Op::At(if lines { Place::LineEnd } else { Place::TextEnd })],
            Some('(') => return self.parentheses(),
            Some('\\') => return self.escape(),
            Some(c) => vec![Op::Char(c)],
        })
    }

    fn parentheses(&mut self) -> PgResult<Vec<Op>> {
        let close = |compiler: &mut Self| match compiler.eat(")") {
            true => Ok(()),
            false => Err(wrong("parentheses () not balanced")),
        };
        for (text, ahead, negated) in
            [("?=", true, false), ("?!", true, true), ("?<=", false, false), ("?<!", false, true)]
        {
            if !self.eat(text) {
                continue;
            }
            let outer = std::mem::replace(&mut self.looking, true);
            let mut inner = self.alternatives()?;
            self.looking = outer;
            close(self)?;
            inner.push(Op::Match);
            self.program.looks.push(inner);
            return Ok(vec![Op::Look { ahead, negated, program: self.program.looks.len() - 1 }]);
        }
        if self.eat("?:") || self.looking {
            let inner = self.alternatives()?;
            close(self)?;
            return Ok(inner);
        }
        self.program.groups += 1;
        let group = self.program.groups;
        self.closed.push(None);
        let inner = self.alternatives()?;
        close(self)?;
        // PostgreSQL has its own view of what a group of nothing repeats.
        self.closed[group - 1] = Some(inner.is_empty());
        let mut ops = vec![Op::Save(2 * group)];
        append(&mut ops, inner)?;
        ops.push(Op::Save(2 * group + 1));
        Ok(ops)
    }

    fn escape(&mut self) -> PgResult<Vec<Op>> {
        let invalid = || wrong("invalid escape \\ sequence");
        let c = self.take().ok_or_else(invalid)?;
        Ok(vec![match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => self.class(&format!("\\{c}"))?,
            'y' => Op::At(Place::Boundary),
            'Y' => Op::At(Place::NoBoundary),
            'm' => Op::At(Place::WordStart),
            'M' => Op::At(Place::WordEnd),
            'A' => Op::At(Place::TextStart),
            'Z' => Op::At(Place::TextEnd),
            'n' => Op::Char('\n'),
            't' => Op::Char('\t'),
            'r' => Op::Char('\r'),
            'f' => Op::Char('\x0c'),
            'v' => Op::Char('\x0b'),
            'a' => Op::Char('\x07'),
            'b' => Op::Char('\x08'),
            'e' => Op::Char('\x1b'),
            'B' => Op::Char('\\'),
            '1'..='9' => {
                let group = c as usize - '0' as usize;
                match self.closed.get(group - 1).copied().flatten() {
                    Some(false) if !self.looking => Op::Back(group),
                    Some(true) if !self.looking => {
                        return Err(PgError::unsupported("a back-reference to a group of nothing"));
                    }
                    _ => return Err(wrong("invalid backreference number")),
                }
            }
            c if c.is_alphanumeric() => {
                return Err(PgError::unsupported("this escape beside look-around or back-references"));
            }
            c => Op::Char(c),
        }])
    }

    fn quantified(&mut self, atom: Vec<Op>) -> PgResult<Vec<Op>> {
        let (least, most) = match self.rest.chars().next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') if self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let (bounds, rest) = self.rest[1..].split_once('}').ok_or_else(|| wrong("braces {} not balanced"))?;
                let count = |text: &str| {
                    let number = text.parse::<usize>().ok().filter(|n| *n <= MAX_REPEAT);
                    number.ok_or_else(|| wrong("invalid repetition count(s)"))
                };
                let bounds = match bounds.split_once(',') {
                    None => (count(bounds)?, Some(count(bounds)?)),
                    Some((least, "")) => (count(least)?, None),
                    Some((least, most)) => (count(least)?, Some(count(most)?)),
                };
                if bounds.1.is_some_and(|most| most < bounds.0) {
                    return Err(wrong("invalid repetition count(s)"));
                }
                // The brace itself is taken below, as one character.
                self.rest = &self.rest[self.rest.len() - rest.len() - 1..];
                bounds
            }
            _ => return Ok(atom),
        };
        self.take();
        let lazy = self.eat("?");
        self.program.shortest |= lazy;
        let mut ops = Vec::new();
        for _ in 0..least {
            append(&mut ops, atom.clone())?;
        }
        let split = |on: usize, out: usize| if lazy { Op::Split(out, on) } else { Op::Split(on, out) };
        match most {
            None => {
                let slot = self.slot();
                let mut turn = vec![split(1, atom.len() + 4), Op::Save(slot)];
                append(&mut turn, atom)?;
                turn.extend([Op::Moved(slot), Op::Jump(0)]);
                append(&mut ops, turn)?;
            }
            Some(most) => {
                for left in (1..=most - least).rev() {
                    let mut turn = vec![split(1, left * (atom.len() + 1))];
                    append(&mut turn, atom.clone())?;
                    append(&mut ops, turn)?;
                }
            }
        }
        Ok(ops)
    }
}

/// Puts one piece of a program behind another.
fn append(ops: &mut Vec<Op>, piece: Vec<Op>) -> PgResult<()> {
    let from = ops.len();
    if from + piece.len() > MAX_SIZE {
        return Err(too_complex());
    }
    ops.extend(piece.into_iter().map(|op| match op {
        Op::Split(a, b) => Op::Split(a + from, b + from),
        Op::Jump(to) => Op::Jump(to + from),
        other => other,
    }));
    Ok(())
}

/// What may be taken up again.
enum Kept {
    Branch { op: usize, at: usize },
    Slot { slot: usize, was: Option<usize> },
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

impl Program {
    /// # Errors
    /// 2201B for what is no expression or too large a one.
    pub fn new(pattern: &str, flags: Flags) -> PgResult<Self> {
        if flags.expanded {
            return Err(PgError::unsupported("expanded syntax beside look-around or back-references"));
        }
        let program = Program {
            ops: Vec::new(),
            looks: Vec::new(),
            classes: Vec::new(),
            groups: 0,
            slots: 0,
            flags,
            shortest: false,
        };
        let mut compiler = Compiler { rest: pattern, program, depth: 0, looking: false, closed: Vec::new() };
        // Slots of groups come first; there are no more groups than parentheses.
        compiler.program.slots = 2 * (1 + pattern.matches('(').count());
        let mut ops = compiler.alternatives()?;
        if !compiler.rest.is_empty() {
            return Err(wrong("parentheses () not balanced"));
        }
        ops.push(Op::Match);
        Ok(Program { ops, ..compiler.program })
    }

    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The first match from byte `from` on.
    pub fn find(&self, text: &str, from: usize) -> PgResult<Option<Spans>> {
        let mut steps = MAX_STEPS;
        for (offset, _) in text[from..].char_indices().chain([(text.len() - from, ' ')]) {
            let at = from + offset;
            if let Some((end, slots)) = self.run(&self.ops, text, at, None, false, &mut steps)? {
                let group = |g: usize| Some((*slots.get(2 * g)?, *slots.get(2 * g + 1)?));
                let mut spans = vec![Some((at, end))];
                spans.extend((1..=self.groups).map(|g| match group(g) {
                    Some((Some(from), Some(to))) => Some((from, to)),
                    _ => None,
                }));
                return Ok(Some(spans));
            }
        }
        Ok(None)
    }

    /// Runs a program from one place: the end of the match that counts, and its slots.
    fn run(
        &self,
        ops: &[Op],
        text: &str,
        start: usize,
        must_end: Option<usize>,
        any: bool,
        steps: &mut usize,
    ) -> PgResult<Option<(usize, Vec<Option<usize>>)>> {
        let mut slots: Vec<Option<usize>> = vec![None; self.slots];
        let mut kept: Vec<Kept> = Vec::new();
        let mut best: Option<(usize, Vec<Option<usize>>)> = None;
        let (mut op, mut at) = (0, start);
        loop {
            *steps = steps.checked_sub(1).ok_or_else(|| {
                PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "regular expression failed: too many steps")
            })?;
            let next = text[at..].chars().next();
            let goes_on = match &ops[op] {
                Op::Match => {
                    if must_end.is_none_or(|end| end == at) {
                        let better =
                            best.as_ref().is_none_or(|(end, _)| if self.shortest { at < *end } else { at > *end });
                        if better {
                            best = Some((at, slots.clone()));
                        }
                        // Nothing is longer than to the end.
                        if any || (!self.shortest && at == text.len()) || (self.shortest && at == start) {
                            return Ok(best);
                        }
                    }
                    None
                }
                Op::Char(c) => next.filter(|n| self.same(*n, *c)).map(char::len_utf8),
                Op::Any => next.filter(|n| *n != '\n' || !self.flags.dot_excludes_newline).map(char::len_utf8),
                Op::Class(class) => {
                    let fits = |n: &char| self.classes[*class].is_match(n.encode_utf8(&mut [0; 4]));
                    next.filter(fits).map(char::len_utf8)
                }
                Op::Split(first, second) => {
                    kept.push(Kept::Branch { op: *second, at });
                    op = *first;
                    continue;
                }
                Op::Jump(to) => {
                    op = *to;
                    continue;
                }
                Op::Save(slot) => {
                    kept.push(Kept::Slot { slot: *slot, was: slots[*slot] });
                    slots[*slot] = Some(at);
                    Some(0)
                }
                Op::Moved(slot) => (slots[*slot] != Some(at)).then_some(0),
                Op::At(place) => self.is_at(*place, text, at).then_some(0),
                Op::Look { ahead, negated, program } => {
                    let program = &self.looks[*program];
                    let found = match ahead {
                        true => self.run(program, text, at, None, true, steps)?.is_some(),
                        false => self.ends_here(program, text, at, steps)?,
                    };
                    (found != *negated).then_some(0)
                }
                Op::Back(group) => match (slots[2 * group], slots[2 * group + 1]) {
                    (Some(from), Some(to)) => self.repeated(&text[from..to], &text[at..]),
                    _ => None,
                },
            };
            match goes_on {
                Some(width) => {
                    at += width;
                    op += 1;
                }
                None => loop {
                    match kept.pop() {
                        None => return Ok(best),
                        Some(Kept::Slot { slot, was }) => slots[slot] = was,
                        Some(Kept::Branch { op: other, at: there }) => {
                            (op, at) = (other, there);
                            break;
                        }
                    }
                },
            }
        }
    }

    fn ends_here(&self, program: &[Op], text: &str, at: usize, steps: &mut usize) -> PgResult<bool> {
        for (start, _) in text[..at].char_indices().chain([(at, ' ')]) {
            if self.run(program, text, start, Some(at), true, steps)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn same(&self, a: char, b: char) -> bool {
        a == b || (self.flags.case_insensitive && a.to_lowercase().eq(b.to_lowercase()))
    }

    /// How many bytes of `text` repeat the group.
    fn repeated(&self, group: &str, text: &str) -> Option<usize> {
        let mut rest = text.chars();
        for c in group.chars() {
            if !rest.next().is_some_and(|n| self.same(n, c)) {
                return None;
            }
        }
        Some(text.len() - rest.as_str().len())
    }

    fn is_at(&self, place: Place, text: &str, at: usize) -> bool {
        let (before, after) = (text[..at].chars().next_back(), text[at..].chars().next());
        let (word_before, word_after) = (is_word(before), is_word(after));
        match place {
            Place::TextStart => at == 0,
            Place::TextEnd => at == text.len(),
            Place::LineStart => at == 0 || before == Some('\n'),
            Place::LineEnd => at == text.len() || after == Some('\n'),
            Place::WordStart => !word_before && word_after,
            Place::WordEnd => word_before && !word_after,
            Place::Boundary => word_before != word_after,
            Place::NoBoundary => word_before == word_after,
        }
    }
}

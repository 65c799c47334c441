//! Whether a vector has what a query asks for.

use crate::types::search::{Node, Operator, Query, QueryWord, Vector};
use std::cmp::Ordering;

/// What is known of a part of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    No,
    Yes,
    /// It is there, but nobody knows where.
    Somewhere,
}

/// Where a part of a phrase ends: at the positions, or with `negated` everywhere else.
#[derive(Debug, Clone, Default)]
struct Ends {
    at: Vec<u16>,
    negated: bool,
    /// Positions from the first word of the part to its last.
    width: u32,
}

/// The words that a query is looked for among.
pub trait Words {
    /// Whether the word is there, without asking where.
    fn has(&self, word: &QueryWord) -> bool;
    /// The positions of the word, ascending; `None` where it is there without positions.
    fn positions(&self, word: &QueryWord) -> Option<Vec<u16>>;
}

fn fits(word: &QueryWord, weight: u8) -> bool {
    word.weights == 0 || word.weights & (1 << weight) != 0
}

impl Words for Vector {
    fn has(&self, word: &QueryWord) -> bool {
        let found =
            |l: &crate::types::search::Lexeme| l.places.is_empty() || l.places.iter().any(|p| fits(word, p.weight));
        self.matching(&word.word, word.prefix).iter().any(found)
    }

    fn positions(&self, word: &QueryWord) -> Option<Vec<u16>> {
        let mut at = Vec::new();
        for lexeme in self.matching(&word.word, word.prefix) {
            if lexeme.places.is_empty() {
                return None;
            }
            at.extend(lexeme.places.iter().filter(|p| fits(word, p.weight)).map(|p| p.at));
        }
        at.sort_unstable();
        at.dedup();
        Some(at)
    }
}

/// Whether a query is met. An empty query never is.
pub fn matches(words: &impl Words, query: &Query) -> bool {
    query.0.as_ref().is_some_and(|node| holds(words, node))
}

fn holds(words: &impl Words, node: &Node) -> bool {
    match node {
        Node::Word(word) => words.has(word),
        Node::Stop => false,
        Node::Not(inner) => !holds(words, inner),
        Node::Pair(Operator::And, left, right) => holds(words, left) && holds(words, right),
        Node::Pair(Operator::Or, left, right) => holds(words, left) || holds(words, right),
        // Without positions a phrase is not found.
        Node::Pair(..) => phrase(words, node).0 == Found::Yes,
    }
}

/// A part at or below a phrase, and where it ends.
fn phrase(words: &impl Words, node: &Node) -> (Found, Ends) {
    let nothing = (Found::No, Ends::default());
    match node {
        Node::Stop => nothing,
        Node::Word(word) => match words.positions(word) {
            None => (Found::Somewhere, Ends::default()),
            Some(at) if at.is_empty() => nothing,
            Some(at) => (Found::Yes, Ends { at, ..Ends::default() }),
        },
        Node::Not(inner) => match phrase(words, inner) {
            (Found::No, ends) => (Found::Yes, Ends { at: Vec::new(), negated: true, width: ends.width }),
            (Found::Yes, ends) if !ends.at.is_empty() => (Found::Yes, Ends { negated: !ends.negated, ..ends }),
            (Found::Yes, ends) => (Found::No, Ends { negated: false, ..ends }),
            (Found::Somewhere, _) => (Found::Somewhere, Ends::default()),
        },
        Node::Pair(Operator::Or, left, right) => {
            let (left, right) = (phrase(words, left), phrase(words, right));
            match (left.0, right.0) {
                (Found::No, Found::No) => return nothing,
                (Found::Somewhere, _) | (_, Found::Somewhere) => return (Found::Somewhere, Ends::default()),
                _ => {}
            }
            let of = |found: Found, ends: Ends| if found == Found::No { Ends::default() } else { ends };
            let (left, right) = (of(left.0, left.1), of(right.0, right.1));
            let width = left.width.max(right.width);
            let (l, r) = (left.moved(width - left.width), right.moved(width - right.width));
            let (at, negated) = match (left.negated, right.negated) {
                // !L or !R is !(L and R), and so on.
                (true, true) => (merge(&l, &r, Take { both: true, ..Take::NONE }), true),
                (true, false) => (merge(&l, &r, Take { left: true, ..Take::NONE }), true),
                (false, true) => (merge(&l, &r, Take { right: true, ..Take::NONE }), true),
                (false, false) => (merge(&l, &r, Take::ALL), false),
            };
            found(at, negated, width)
        }
        Node::Pair(operator, left, right) => {
            let left = phrase(words, left);
            if left.0 == Found::No {
                return nothing;
            }
            let right = phrase(words, right);
            match (left.0, right.0) {
                (_, Found::No) => return nothing,
                (Found::Somewhere, _) | (_, Found::Somewhere) => return (Found::Somewhere, Ends::default()),
                _ => {}
            }
            let (left, right) = (left.1, right.1);
            let (width, l, r) = match operator {
                Operator::Phrase(distance) => {
                    let distance = u32::from(*distance);
                    (distance + left.width + right.width, left.moved(distance + right.width), right.moved(0))
                }
                _ => {
                    let width = left.width.max(right.width);
                    (width, left.moved(width - left.width), right.moved(width - right.width))
                }
            };
            let (at, negated) = match (left.negated, right.negated) {
                (true, true) => (merge(&l, &r, Take::ALL), true),
                (true, false) => (merge(&l, &r, Take { right: true, ..Take::NONE }), false),
                (false, true) => (merge(&l, &r, Take { left: true, ..Take::NONE }), false),
                (false, false) => (merge(&l, &r, Take { both: true, ..Take::NONE }), false),
            };
            found(at, negated, width)
        }
    }
}

fn found(at: Vec<u32>, negated: bool, width: u32) -> (Found, Ends) {
    let found = if negated || !at.is_empty() { Found::Yes } else { Found::No };
    let at = at.into_iter().map(|p| p.min(u32::from(u16::MAX)) as u16).collect();
    (found, Ends { at, negated, width })
}

impl Ends {
    fn moved(&self, by: u32) -> Vec<u32> {
        self.at.iter().map(|p| u32::from(*p) + by).collect()
    }
}

/// Which positions of two lists are taken: those of one alone, and those of both.
#[derive(Clone, Copy)]
struct Take {
    left: bool,
    right: bool,
    both: bool,
}

impl Take {
    const NONE: Take = Take { left: false, right: false, both: false };
    const ALL: Take = Take { left: true, right: true, both: true };
}

fn merge(left: &[u32], right: &[u32], take: Take) -> Vec<u32> {
    let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
    let mut out = Vec::new();
    loop {
        let order = match (l.peek(), r.peek()) {
            (None, None) => return out,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b),
        };
        let (value, wanted) = match order {
            Ordering::Less => (l.next(), take.left),
            Ordering::Greater => (r.next(), take.right),
            Ordering::Equal => {
                l.next();
                (r.next(), take.both)
            }
        };
        out.extend(value.filter(|_| wanted));
    }
}

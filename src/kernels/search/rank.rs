//! `ts_rank` and `ts_rank_cd`: how well a vector fits a query.
//!
//! Sums are made in PostgreSQL's order and widths (f32 where it has float), or their last digits would differ.

use super::matching::{Words, matches};
use crate::types::search::{Lexeme, MAX_POSITION, Node, Operator, Place, Query, QueryWord, Vector};
use crate::types::{PgError, PgResult, SqlState};

/// Of D, C, B and A.
pub const WEIGHTS: [f32; 4] = [0.1, 0.2, 0.4, 1.0];

/// What a rank is divided by, as bits of the last argument.
const BY_LOG_LENGTH: i32 = 1;
const BY_LENGTH: i32 = 2;
const BY_DISTANCE: i32 = 4;
const BY_WORDS: i32 = 8;
const BY_LOG_WORDS: i32 = 16;
const BY_ITSELF: i32 = 32;

/// The weights that a caller gives; negative ones stand for the usual.
pub fn weights(given: &[Option<f32>]) -> PgResult<[f32; 4]> {
    let subscript = |message| Err(PgError::new(SqlState(*b"2202E"), message));
    if given.len() < 4 {
        return subscript("array of weight is too short");
    }
    if given.iter().any(Option::is_none) {
        return Err(PgError::new(SqlState::NULL_NOT_ALLOWED, "array of weight must not contain nulls"));
    }
    let mut out = WEIGHTS;
    for (weight, given) in out.iter_mut().zip(given.iter().flatten()) {
        if *given >= 0.0 {
            *weight = *given;
        }
        if *weight > 1.0 {
            return Err(PgError::new(SqlState::INVALID_PARAMETER, "weight out of range"));
        }
    }
    Ok(out)
}

/// How much two words so far apart have to do with each other.
fn nearness(distance: i32) -> f32 {
    if distance > 100 {
        return 1e-30;
    }
    (1.0 / (1.005 + 0.05 * (f64::from(distance as f32) / 1.5 - 2.0).exp())) as f32
}

/// The places of a lexeme, or one far away for a lexeme without.
fn places(lexeme: &Lexeme, without: Place) -> Vec<Place> {
    if lexeme.places.is_empty() { vec![without] } else { lexeme.places.clone() }
}

fn query_words(query: &Query) -> Vec<&QueryWord> {
    let mut words: Vec<&QueryWord> = Vec::new();
    query.0.iter().for_each(|n| {
        n.visit(&mut |n| {
            if let Node::Word(w) = n {
                words.push(w);
            }
        })
    });
    words.sort_by(|a, b| a.word.cmp(&b.word));
    words.dedup_by(|a, b| a.word == b.word);
    words
}

fn of_all(weights: &[f32; 4], vector: &Vector, query: &Query) -> f32 {
    let words = query_words(query);
    if words.len() < 2 {
        return of_any(weights, vector, query);
    }
    let weight = |p: &Place| weights[usize::from(p.weight)];
    let nowhere = Place { at: MAX_POSITION, weight: 0 };
    // The places of each word's last lexeme, and whether they are only made up.
    let mut seen: Vec<Option<(Vec<Place>, bool)>> = vec![None; words.len()];
    let mut rank: f32 = -1.0;
    for (i, word) in words.iter().enumerate() {
        for lexeme in vector.matching(&word.word, word.prefix) {
            let made_up = lexeme.places.is_empty();
            let here = places(lexeme, nowhere);
            for (other, other_made_up) in seen[..i].iter().flatten() {
                for a in &here {
                    for b in other {
                        let mut distance = (i32::from(a.at) - i32::from(b.at)).abs();
                        if distance == 0 {
                            if !(made_up || *other_made_up) {
                                continue;
                            }
                            distance = i32::from(MAX_POSITION) + 1;
                        }
                        let product = weight(a) * weight(b) * nearness(distance);
                        let near = f64::from(product).sqrt() as f32;
                        rank = match rank < 0.0 {
                            true => near,
                            false => (1.0 - (1.0 - f64::from(rank)) * (1.0 - f64::from(near))) as f32,
                        };
                    }
                }
            }
            seen[i] = Some((here, made_up));
        }
    }
    rank
}

fn of_any(weights: &[f32; 4], vector: &Vector, query: &Query) -> f32 {
    let words = query_words(query);
    let weight = |p: &Place| weights[usize::from(p.weight)];
    let mut rank: f32 = 0.0;
    for word in &words {
        for lexeme in vector.matching(&word.word, word.prefix) {
            let (mut sum, mut best, mut best_at): (f32, f32, i32) = (0.0, -1.0, 0);
            for (j, place) in places(lexeme, Place { at: 0, weight: 0 }).iter().enumerate() {
                let j = j as i32;
                sum += weight(place) / ((j + 1) * (j + 1)) as f32;
                if weight(place) > best {
                    (best, best_at) = (weight(place), j);
                }
            }
            let part = best + sum - best / ((best_at + 1) * (best_at + 1)) as f32;
            rank = (f64::from(rank) + f64::from(part) / 1.64493406685) as f32;
        }
    }
    if words.is_empty() { rank } else { rank / words.len() as f32 }
}

/// `ts_rank`.
pub fn rank(weights: &[f32; 4], vector: &Vector, query: &Query, method: i32) -> f32 {
    let Some(node) = query.0.as_ref().filter(|_| !vector.lexemes.is_empty()) else { return 0.0 };
    let mut rank = match node {
        Node::Pair(Operator::And | Operator::Phrase(_), ..) => of_all(weights, vector, query),
        _ => of_any(weights, vector, query),
    };
    if rank < 0.0 {
        rank = 1e-20;
    }
    let words = vector.lexemes.len();
    let length = vector.length();
    if method & BY_LOG_LENGTH != 0 {
        rank = (f64::from(rank) / (((length + 1) as f64).ln() / 2f64.ln())) as f32;
    }
    if method & BY_LENGTH != 0 && length > 0 {
        rank /= length as f32;
    }
    if method & BY_WORDS != 0 {
        rank /= words as f32;
    }
    if method & BY_LOG_WORDS != 0 {
        rank = (f64::from(rank) / (((words + 1) as f64).ln() / 2f64.ln())) as f32;
    }
    if method & BY_ITSELF != 0 {
        rank /= rank + 1.0;
    }
    rank
}

/// A place of the document that words of the query stand at.
struct Spot<'q> {
    place: Place,
    lexeme: usize,
    words: Vec<&'q QueryWord>,
}

/// The words of some spots.
struct Spots<'s, 'q>(&'s [Spot<'q>]);

impl Words for Spots<'_, '_> {
    fn has(&self, word: &QueryWord) -> bool {
        self.0.iter().any(|s| s.words.iter().any(|w| std::ptr::eq(*w, word)))
    }

    fn positions(&self, word: &QueryWord) -> Option<Vec<u16>> {
        let spots = self.0.iter().filter(|s| s.words.iter().any(|w| std::ptr::eq(*w, word)));
        let mut at: Vec<u16> = spots.map(|s| s.place.at).collect();
        at.dedup();
        Some(at)
    }
}

/// `ts_rank_cd`: by the covers, the shortest stretches that meet the query.
pub fn rank_by_cover(weights: &[f32; 4], vector: &Vector, query: &Query, method: i32) -> f32 {
    let inverse = weights.map(|w| 1.0 / f64::from(w));
    let mut words: Vec<&QueryWord> = Vec::new();
    query.0.iter().for_each(|n| {
        n.visit(&mut |n| {
            if let Node::Word(w) = n {
                words.push(w);
            }
        })
    });
    let mut found: Vec<(Place, usize, &QueryWord)> = Vec::new();
    for word in words {
        let from = vector.lexemes.partition_point(|l| l.word.as_str() < word.word.as_str());
        for (i, lexeme) in vector.matching(&word.word, word.prefix).iter().enumerate() {
            let fitting = lexeme.places.iter().filter(|p| word.weights == 0 || word.weights & (1 << p.weight) != 0);
            found.extend(fitting.map(|p| (*p, from + i, word)));
        }
    }
    found.sort_by_key(|(place, lexeme, _)| (*place, *lexeme));
    let mut spots: Vec<Spot<'_>> = Vec::new();
    for (place, lexeme, word) in found {
        match spots.last_mut() {
            Some(last) if (last.place, last.lexeme) == (place, lexeme) => last.words.push(word),
            _ => spots.push(Spot { place, lexeme, words: vec![word] }),
        }
    }
    let (mut sum, mut gaps, mut before, mut covers) = (0.0f64, 0.0f64, 0.0f64, 0u32);
    let mut from = 0;
    while let Some((begin, end, next)) = cover(&spots, from, query) {
        let inside = &spots[begin..=end];
        let weighed: f64 = inside.iter().map(|s| inverse[usize::from(s.place.weight)]).sum();
        let part = inside.len() as f64 / weighed;
        let (p, q) = (i32::from(spots[begin].place.at), i32::from(spots[end].place.at));
        let steps = (end - begin) as i32;
        let noise = match (q - p) - steps {
            n if n < 0 => steps / 2,
            n => n,
        };
        sum += part / f64::from(1 + noise);
        let middle = f64::from(q + p) / 2.0;
        if covers > 0 && middle > before {
            gaps += 1.0 / (middle - before);
        }
        before = middle;
        covers += 1;
        from = next;
    }
    let (length, count) = (vector.length(), vector.lexemes.len());
    if method & BY_LOG_LENGTH != 0 && count > 0 {
        sum /= ((length + 1) as f64).ln();
    }
    if method & BY_LENGTH != 0 && length > 0 {
        sum /= length as f64;
    }
    if method & BY_DISTANCE != 0 && covers > 0 && gaps > 0.0 {
        sum /= f64::from(covers) / gaps;
    }
    if method & BY_WORDS != 0 && count > 0 {
        sum /= count as f64;
    }
    if method & BY_LOG_WORDS != 0 && count > 0 {
        sum /= ((count + 1) as f64).ln() / 2f64.ln();
    }
    if method & BY_ITSELF != 0 {
        sum /= sum + 1.0;
    }
    sum as f32
}

/// The next cover from spot `from` on: its first and last spot, and where the one after it is looked for.
fn cover(spots: &[Spot<'_>], mut from: usize, query: &Query) -> Option<(usize, usize, usize)> {
    while from < spots.len() {
        let end = (from..spots.len()).find(|end| matches(&Spots(&spots[from..=*end]), query))?;
        // A spot without a position ends no cover.
        if spots[end].place.at == 0 {
            return None;
        }
        let begin = (from..=end).rev().find(|begin| matches(&Spots(&spots[*begin..=end]), query));
        match begin {
            Some(begin) if spots[begin].place.at <= spots[end].place.at => return Some((begin, end, begin + 1)),
            _ => from += 1,
        }
    }
    None
}

//! `tsvector`: lexemes in the order of their bytes, each with the places where it stands.

use super::{MAX_WORD, Words, quoted};
use crate::types::{PgError, PgResult, SqlState};

/// Positions above count as this one.
pub const MAX_POSITION: u16 = 16_383;
/// Places that a lexeme keeps.
const MAX_PLACES: usize = 256;
/// Bytes of all lexemes and places.
const MAX_BYTES: usize = 1 << 20;

/// A place of a lexeme: its position from 1, and its weight from 0 (D) to 3 (A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub at: u16,
    pub weight: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexeme {
    pub word: String,
    pub places: Vec<Place>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vector {
    pub lexemes: Vec<Lexeme>,
}

impl Vector {
    /// A to D, in either case.
    pub fn weight(letter: char) -> Option<u8> {
        match letter.to_ascii_uppercase() {
            'A' => Some(3),
            'B' => Some(2),
            'C' => Some(1),
            'D' => Some(0),
            _ => None,
        }
    }

    pub fn weight_letter(weight: u8) -> char {
        [b'D', b'C', b'B', b'A'][usize::from(weight & 3)] as char
    }

    /// Reads a vector as it is written: nothing is cut into words or stemmed.
    pub fn parse(text: &str) -> PgResult<Self> {
        let mut words = Words { text, rest: text, query: false, web: false };
        let mut lexemes = Vec::new();
        while let Some(word) = words.word()? {
            if word.len() > MAX_WORD {
                let message = format!("word is too long ({} bytes, max {MAX_WORD} bytes)", word.len());
                return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
            }
            let places = words.places()?;
            lexemes.push(Lexeme { word, places });
        }
        Self::of(lexemes)
    }

    /// Lexemes in any order and number, their places too; of two weights at one place the higher counts.
    pub fn of(mut lexemes: Vec<Lexeme>) -> PgResult<Self> {
        lexemes.sort_by(|a, b| a.word.cmp(&b.word));
        let mut out: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
        for lexeme in lexemes {
            match out.last_mut() {
                Some(last) if last.word == lexeme.word => last.places.extend(lexeme.places),
                _ => out.push(lexeme),
            }
        }
        for lexeme in &mut out {
            lexeme.places.sort_by_key(|p| (p.at, std::cmp::Reverse(p.weight)));
            lexeme.places.dedup_by_key(|p| p.at);
            lexeme.places.truncate(MAX_PLACES);
        }
        let vector = Self { lexemes: out };
        let bytes = vector.data_bytes();
        if bytes > MAX_BYTES {
            let message = format!("string is too long for tsvector ({bytes} bytes, max {MAX_BYTES} bytes)");
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        Ok(vector)
    }

    /// Bytes of lexemes and places, as PostgreSQL counts them.
    fn data_bytes(&self) -> usize {
        self.lexemes.iter().fold(0, |sum, l| match l.places.len() {
            0 => sum + l.word.len(),
            places => (sum + l.word.len()).next_multiple_of(2) + 2 + 2 * places,
        })
    }

    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for lexeme in &self.lexemes {
            if !out.is_empty() {
                out.push(' ');
            }
            quoted(&lexeme.word, &mut out);
            for (i, place) in lexeme.places.iter().enumerate() {
                out.push(if i == 0 { ':' } else { ',' });
                out.push_str(itoa::Buffer::new().format(place.at));
                if place.weight > 0 {
                    out.push(Self::weight_letter(place.weight));
                }
            }
        }
        out
    }

    pub fn find(&self, word: &str) -> Option<&Lexeme> {
        let at = self.lexemes.binary_search_by(|l| l.word.as_str().cmp(word)).ok()?;
        Some(&self.lexemes[at])
    }

    /// The lexemes that a word of a query means: itself, or with `prefix` all that begin with it.
    pub fn matching(&self, word: &str, prefix: bool) -> &[Lexeme] {
        let from = self.lexemes.partition_point(|l| l.word.as_str() < word);
        let fits = |l: &&Lexeme| if prefix { l.word.starts_with(word) } else { l.word == word };
        let count = self.lexemes[from..].iter().take_while(fits).count();
        &self.lexemes[from..from + count]
    }

    /// The other vector's words behind this one's.
    pub fn concat(&self, other: &Self) -> PgResult<Self> {
        let last = self.lexemes.iter().flat_map(|l| &l.places).map(|p| p.at).max().unwrap_or(0);
        let mut lexemes = self.lexemes.clone();
        for lexeme in &other.lexemes {
            let moved = lexeme.places.iter().map(|p| Place { at: p.at.saturating_add(last).min(MAX_POSITION), ..*p });
            lexemes.push(Lexeme { word: lexeme.word.clone(), places: moved.collect() });
        }
        Self::of(lexemes)
    }

    /// Words and places: a lexeme without places counts as one.
    pub fn length(&self) -> usize {
        self.lexemes.iter().map(|l| l.places.len().max(1)).sum()
    }

    /// Bytes that sort as PostgreSQL sorts vectors: size, then number of lexemes, then one by one.
    pub fn sort_key(&self, out: &mut Vec<u8>) {
        let size = 8 + 4 * self.lexemes.len() + self.data_bytes();
        out.extend_from_slice(&(size as u32).to_be_bytes());
        out.extend_from_slice(&(self.lexemes.len() as u32).to_be_bytes());
        for lexeme in &self.lexemes {
            // More places come first.
            out.push(u8::from(lexeme.places.is_empty()));
            out.extend_from_slice(lexeme.word.as_bytes());
            out.push(0);
            out.extend_from_slice(&(u16::MAX - lexeme.places.len() as u16).to_be_bytes());
            for place in &lexeme.places {
                out.extend_from_slice(&(u16::MAX - place.at).to_be_bytes());
                out.push(u8::MAX - place.weight);
            }
        }
    }
}

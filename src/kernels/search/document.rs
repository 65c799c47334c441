//! From text to lexemes: configurations, dictionaries, stop words.

use super::parser::{Parser, Token};
use crate::kernels::context::Context;
use crate::types::search::{Lexeme, MAX_POSITION, MAX_WORD, Operator, Pieces, Place, Query, Vector};
use crate::types::{Oid, PgError, PgResult, SqlState};
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::HashSet;
use std::sync::LazyLock;

/// PostgreSQL's configurations with their OIDs; each stemmer's dictionary has the OID below its configuration's.
const CONFIGURATIONS: [(&str, u32); 29] = [
    ("simple", 3748),
    ("arabic", 13152),
    ("armenian", 13154),
    ("basque", 13156),
    ("catalan", 13158),
    ("danish", 13160),
    ("dutch", 13162),
    ("english", 13164),
    ("finnish", 13166),
    ("french", 13168),
    ("german", 13170),
    ("greek", 13172),
    ("hindi", 13174),
    ("hungarian", 13176),
    ("indonesian", 13178),
    ("irish", 13180),
    ("italian", 13182),
    ("lithuanian", 13184),
    ("nepali", 13186),
    ("norwegian", 13188),
    ("portuguese", 13190),
    ("romanian", 13192),
    ("russian", 13194),
    ("serbian", 13196),
    ("spanish", 13198),
    ("swedish", 13200),
    ("tamil", 13202),
    ("turkish", 13204),
    ("yiddish", 13206),
];
const SIMPLE_DICTIONARY: Oid = Oid(3765);

/// The words that english searches leave out.
const ENGLISH_STOPS: &str = "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself \
    she her hers herself it its itself they them their theirs themselves what which who whom this that these those am is \
    are was were be been being have has had having do does did doing a an the and but if or because as until while of at \
    by for with about against between into through during before after above below to from up down in out on off over \
    under again further then once here there when where why how all any both each few more most other some such no nor \
    not only own same so than too very s t can will just don should now";

/// What becomes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dictionary {
    /// Lower case.
    Simple,
    /// Lower case, no stop words, stems.
    English,
}

/// How documents are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Configuration {
    Simple,
    English,
}

pub fn configuration_oid(name: &str) -> Option<Oid> {
    CONFIGURATIONS.iter().find(|(n, _)| *n == name).map(|(_, oid)| Oid(*oid))
}

pub fn configuration_name(oid: Oid) -> Option<&'static str> {
    CONFIGURATIONS.iter().find(|(_, o)| *o == oid.0).map(|(name, _)| *name)
}

pub fn dictionary_oid(name: &str) -> Option<Oid> {
    match name.strip_suffix("_stem") {
        Some(language) => configuration_oid(language).filter(|o| o.0 > 13_000).map(|o| Oid(o.0 - 1)),
        None => (name == "simple").then_some(SIMPLE_DICTIONARY),
    }
}

pub fn dictionary_name(oid: Oid) -> Option<String> {
    if oid == SIMPLE_DICTIONARY {
        return Some("simple".to_string());
    }
    configuration_name(Oid(oid.0 + 1)).filter(|name| *name != "simple").map(|name| format!("{name}_stem"))
}

impl Dictionary {
    pub fn of(oid: Oid) -> PgResult<Self> {
        match dictionary_name(oid).as_deref() {
            Some("simple") => Ok(Dictionary::Simple),
            Some("english_stem") => Ok(Dictionary::English),
            Some(name) => Err(PgError::unsupported(format!("text search dictionary {name}"))),
            None => {
                let message = format!("cache lookup failed for text search dictionary {oid}");
                Err(PgError::new(SqlState::INTERNAL_ERROR, message))
            }
        }
    }

    /// The lexeme of a word; `None` for a stop word.
    pub fn lexeme(self, word: &str) -> Option<String> {
        static STOPS: LazyLock<HashSet<&str>> = LazyLock::new(|| ENGLISH_STOPS.split_whitespace().collect());
        static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));
        let lower = lower_case(word);
        match self {
            Dictionary::Simple => Some(lower),
            Dictionary::English if lower.is_empty() || STOPS.contains(lower.as_str()) => None,
            // Longer words are not stemmed.
            Dictionary::English if lower.len() > 1000 => Some(lower),
            Dictionary::English => Some(STEMMER.stem(&lower).into_owned()),
        }
    }
}

/// Character by character, where lower case is one character too.
fn lower_case(word: &str) -> String {
    let lower = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    word.chars().map(lower).collect()
}

impl Configuration {
    pub fn of(oid: Oid) -> PgResult<Self> {
        match configuration_name(oid) {
            Some("simple") => Ok(Configuration::Simple),
            Some("english") => Ok(Configuration::English),
            Some(name) => Err(PgError::unsupported(format!("text search configuration {name}"))),
            None => {
                let message = format!("cache lookup failed for text search configuration {oid}");
                Err(PgError::new(SqlState::INTERNAL_ERROR, message))
            }
        }
    }

    /// That of `default_text_search_config`.
    pub fn current(context: &dyn Context) -> PgResult<Self> {
        let setting = context.setting("default_text_search_config").unwrap_or_else(|| "english".to_string());
        let name = setting.trim_start_matches("pg_catalog.").trim_matches('"');
        let oid = configuration_oid(name).ok_or_else(|| {
            let message = format!("text search configuration \"{setting}\" does not exist");
            PgError::new(SqlState::UNDEFINED_OBJECT, message)
        })?;
        Self::of(oid)
    }

    /// Which dictionary reads a token, if one does.
    fn dictionary(self, token: &Token<'_>) -> Option<Dictionary> {
        match token.kind_name() {
            "blank" | "tag" | "protocol" | "entity" => None,
            "asciiword" | "word" | "asciihword" | "hword" | "hword_asciipart" | "hword_part"
                if self == Configuration::English =>
            {
                Some(Dictionary::English)
            }
            _ => Some(Dictionary::Simple),
        }
    }

    /// The lexemes of a text behind position `last`, which moves on; stop words have a position too.
    fn lexemes(self, text: &str, last: &mut u32) -> PgResult<Vec<(String, u16)>> {
        let mut parser = Parser::new(text);
        let mut out = Vec::new();
        while let Some(token) = parser.token()? {
            let Some(dictionary) = self.dictionary(&token) else { continue };
            if token.text.len() > MAX_WORD {
                continue;
            }
            *last += 1;
            if let Some(lexeme) = dictionary.lexeme(token.text) {
                out.push((lexeme, (*last).min(u32::from(MAX_POSITION)) as u16));
            }
        }
        Ok(out)
    }

    /// Texts of one document, each a position apart from the one before.
    pub fn vector<'t>(self, texts: impl IntoIterator<Item = &'t str>) -> PgResult<Vector> {
        let mut last = 0;
        let mut lexemes: Vec<Lexeme> = Vec::new();
        let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        for text in texts {
            let found = self.lexemes(text, &mut last)?;
            if !found.is_empty() {
                last += 1;
            }
            for (word, at) in found {
                let index = *places.entry(word).or_insert_with_key(|word| {
                    lexemes.push(Lexeme { word: word.clone(), places: Vec::new() });
                    lexemes.len() - 1
                });
                // A document's vector keeps one place less than others.
                if lexemes[index].places.len() < 255 {
                    lexemes[index].places.push(Place { at, weight: 0 });
                }
            }
        }
        Vector::of(lexemes)
    }

    /// Puts the lexemes of an operand, joined by `join`, with places for its stop words.
    fn operand(
        self,
        text: &str,
        weights: u8,
        prefix: bool,
        join: Operator,
        pieces: &mut Pieces,
        whole: &str,
    ) -> PgResult<()> {
        let lexemes = self.lexemes(text, &mut 0)?;
        if lexemes.is_empty() {
            pieces.stop();
            return Ok(());
        }
        let mut before = 0;
        let mut first = true;
        for (word, at) in lexemes {
            while before > 0 && before + 1 < at {
                pieces.stop();
                if !first {
                    pieces.operator(join)?;
                }
                first = false;
                before += 1;
            }
            before = at;
            pieces.word(&word, weights, prefix, whole)?;
            if !first {
                pieces.operator(join)?;
            }
            first = false;
        }
        Ok(())
    }

    /// `to_tsquery`.
    pub fn query(self, text: &str) -> PgResult<Query> {
        Query::read(text, |word, weights, prefix, pieces| {
            self.operand(word, weights, prefix, Operator::Phrase(1), pieces, text)
        })
    }

    /// `websearch_to_tsquery`.
    pub fn web_query(self, text: &str) -> PgResult<Query> {
        Query::read_web(text, |word, weights, prefix, pieces| {
            self.operand(word, weights, prefix, Operator::Phrase(1), pieces, text)
        })
    }

    /// `plainto_tsquery`, `phraseto_tsquery`: all words of a text, joined by an operator.
    pub fn plain_query(self, text: &str, join: Operator) -> PgResult<Query> {
        let mut pieces = Pieces::default();
        if !text.is_empty() {
            self.operand(text, 0, false, join, &mut pieces, text)?;
        }
        pieces.finish()
    }
}

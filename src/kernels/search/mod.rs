//! Text search: documents to vectors, texts to queries, matching and ranking.
//!
//! | file | what |
//! |---|---|
//! | `parser` | text into tokens |
//! | `document` | tokens into lexemes: configurations `simple` and `english`, their dictionaries |
//! | `matching`, `rank` | a query over a vector |
//!
//! Vectors and queries are stored as their text (`types::search`) and read where they are used.

mod document;
mod matching;
mod parser;
mod rank;

pub use document::{configuration_name, configuration_oid, dictionary_name, dictionary_oid};
pub use parser::{KINDS, Parser};

use super::adapt::*;
use super::jsontext;
use super::kernel::{Body, Call};
use super::registry::Registry;
use crate::types::jsonb::{JsonKind, JsonbRef};
use crate::types::search::{Lexeme, Operator, Query, Vector};
use crate::types::{Oid, PgError, PgResult, SqlState};
use arrow::array::*;
use document::{Configuration, Dictionary};
use std::sync::Arc;

/// The OID of the default parser.
pub const DEFAULT_PARSER: Oid = Oid(3722);

fn vector(text: &str) -> PgResult<Vector> {
    Vector::parse(text)
}

fn query(text: &str) -> PgResult<Query> {
    Query::parse(text)
}

/// A strict kernel of a configuration and another value; without a configuration among the arguments it is the session's.
fn with_configuration<K: Kind, R: Kind>(
    f: impl for<'a> Fn(Configuration, K::Item<'a>) -> PgResult<R::Value> + Send + Sync + 'static,
) -> Body {
    Arc::new(move |call| {
        if matches!(Valid::of(call), Valid::None) {
            return Ok(all_null(call));
        }
        let (configurations, value) = match call.args.as_slice() {
            [configuration, value] => (Some((configuration, OidKind::column(&configuration.array)?)), value),
            [value] => (None, value),
            _ => return Err(PgError::internal("a document has one or two arguments")),
        };
        let current = match configurations {
            None => Some(Configuration::current(call.context()?)?),
            Some(_) => None,
        };
        let values = K::column(&value.array)?;
        strict_rows::<R>(call, |i| {
            let configuration = match (&configurations, current) {
                (Some((column, oids)), _) => Configuration::of(Oid(oids.value(column.at(i))))?,
                (None, Some(current)) => current,
                (None, None) => return Err(PgError::internal("there is a configuration")),
            };
            f(configuration, K::item(&values, value.at(i))?).map(Some)
        })
    })
}

/// Which values of a JSON document are searched for.
#[derive(Clone, Copy, Default)]
struct JsonParts {
    strings: bool,
    numbers: bool,
    booleans: bool,
    keys: bool,
}

impl JsonParts {
    const STRINGS: JsonParts = JsonParts { strings: true, numbers: false, booleans: false, keys: false };

    /// `["string", "key"]` or `"all"`.
    fn parse(flags: &[u8]) -> PgResult<Self> {
        let wrong = |message: String| PgError::new(SqlState::INVALID_PARAMETER, message);
        let flags = JsonbRef::new(flags);
        let hint = "Possible values are: \"string\", \"numeric\", \"boolean\", \"key\", and \"all\".";
        let items: Vec<JsonbRef<'_>> = match flags.kind() {
            JsonKind::Array => flags.elements().collect(),
            JsonKind::Object => {
                return Err(wrong("wrong flag type, only arrays and scalars are allowed".into()));
            }
            _ => vec![flags],
        };
        let mut parts = Self::default();
        for item in items {
            let name = item.as_str().ok_or_else(|| wrong("flag array element is not a string".into()).hint(hint))?;
            match name.to_ascii_lowercase().as_str() {
                "all" => parts = Self { strings: true, numbers: true, booleans: true, keys: true },
                "key" => parts.keys = true,
                "string" => parts.strings = true,
                "numeric" => parts.numbers = true,
                "boolean" => parts.booleans = true,
                _ => return Err(wrong(format!("wrong flag in flag array: \"{name}\"")).hint(hint)),
            }
        }
        Ok(parts)
    }

    fn of_jsonb(self, value: JsonbRef<'_>, out: &mut Vec<String>) {
        match value.kind() {
            JsonKind::Object => {
                for (key, value) in value.pairs() {
                    if self.keys {
                        out.push(key.to_string());
                    }
                    self.of_jsonb(value, out);
                }
            }
            JsonKind::Array => value.elements().for_each(|e| self.of_jsonb(e, out)),
            JsonKind::String if self.strings => out.extend(value.as_str().map(str::to_string)),
            JsonKind::Number if self.numbers => out.extend(value.number_text().map(str::to_string)),
            JsonKind::Bool if self.booleans => out.extend(value.as_bool().map(|b| b.to_string())),
            _ => {}
        }
    }

    fn of_json(self, json: &str, out: &mut Vec<String>) -> PgResult<()> {
        use jsontext::Kind;
        match jsontext::kind(json) {
            Kind::Object => {
                for (key, value) in jsontext::members(json) {
                    if self.keys {
                        out.push(jsontext::unquoted(key)?);
                    }
                    self.of_json(value, out)?;
                }
            }
            Kind::Array => {
                for element in jsontext::elements(json) {
                    self.of_json(element, out)?;
                }
            }
            Kind::String if self.strings => out.push(jsontext::unquoted(json.trim())?),
            Kind::Number if self.numbers => out.push(json.trim().to_string()),
            Kind::Bool if self.booleans => out.push(json.trim().to_string()),
            _ => {}
        }
        Ok(())
    }
}

fn of_texts(configuration: Configuration, texts: &[String]) -> PgResult<String> {
    Ok(configuration.vector(texts.iter().map(String::as_str))?.to_text())
}

fn jsonb_vector(configuration: Configuration, json: &[u8], parts: JsonParts) -> PgResult<String> {
    let mut texts = Vec::new();
    parts.of_jsonb(JsonbRef::new(json), &mut texts);
    of_texts(configuration, &texts)
}

fn json_vector(configuration: Configuration, json: &str, parts: JsonParts) -> PgResult<String> {
    let mut texts = Vec::new();
    parts.of_json(json, &mut texts)?;
    of_texts(configuration, &texts)
}

/// A weight given as a "char".
fn weight(letter: &str) -> PgResult<u8> {
    let code = letter.bytes().next().unwrap_or(0);
    let weight = Some(code).filter(u8::is_ascii).and_then(|b| Vector::weight(b as char));
    weight.ok_or_else(|| PgError::internal(format!("unrecognized weight: {}", code as i8)))
}

fn texts(array: &ArrayRef) -> PgResult<Vec<Option<String>>> {
    Ok(downcast::<StringArray>(array)?.iter().map(|t| t.map(str::to_string)).collect())
}

/// Lexemes given as an array.
fn lexemes(array: &ArrayRef) -> PgResult<Vec<String>> {
    let null = || PgError::new(SqlState::NULL_NOT_ALLOWED, "lexeme array may not contain nulls");
    texts(array)?.into_iter().map(|t| t.ok_or_else(null)).collect()
}

fn array_to_vector(array: &ArrayRef) -> PgResult<String> {
    let words = lexemes(array)?;
    if words.iter().any(String::is_empty) {
        return Err(PgError::new(SqlState(*b"2200F"), "lexeme array may not contain empty strings"));
    }
    Ok(Vector::of(words.into_iter().map(|word| Lexeme { word, places: Vec::new() }).collect())?.to_text())
}

fn without(text: &str, words: &[String]) -> PgResult<String> {
    let mut vector = vector(text)?;
    vector.lexemes.retain(|l| !words.contains(&l.word));
    Ok(vector.to_text())
}

fn reweighed(text: &str, weight: u8, only: Option<&[String]>) -> PgResult<String> {
    let mut vector = vector(text)?;
    let chosen = vector.lexemes.iter_mut().filter(|l| only.is_none_or(|only| only.contains(&l.word)));
    chosen.for_each(|l| l.places.iter_mut().for_each(|p| p.weight = weight));
    Ok(vector.to_text())
}

/// Only what has one of the weights.
fn filtered(text: &str, weights: &ArrayRef) -> PgResult<String> {
    let mut mask = 0u8;
    for letter in texts(weights)? {
        let null = || PgError::new(SqlState::NULL_NOT_ALLOWED, "weight array may not contain nulls");
        let letter = letter.ok_or_else(null)?;
        let code = letter.chars().next().unwrap_or('\0');
        let weight = Vector::weight(code)
            .ok_or_else(|| PgError::new(SqlState::INVALID_PARAMETER, format!("unrecognized weight: \"{code}\"")))?;
        mask |= 1 << weight;
    }
    let mut vector = vector(text)?;
    vector.lexemes.iter_mut().for_each(|l| l.places.retain(|p| mask & (1 << p.weight) != 0));
    vector.lexemes.retain(|l| !l.places.is_empty());
    Ok(vector.to_text())
}

fn stripped(text: &str) -> PgResult<String> {
    let mut vector = vector(text)?;
    vector.lexemes.iter_mut().for_each(|l| l.places.clear());
    Ok(vector.to_text())
}

fn found(vector_text: &str, query_text: &str) -> PgResult<bool> {
    Ok(matching::matches(&vector(vector_text)?, &query(query_text)?))
}

fn joined(operator: Operator, left: &str, right: &str) -> PgResult<String> {
    Ok(Query::pair(operator, query(left)?, query(right)?)?.to_text())
}

fn negated(text: &str) -> PgResult<String> {
    let negated = query(text)?.0.map(|node| crate::types::search::Node::Not(Box::new(node)));
    Ok(Query(negated).to_text())
}

/// Whether all words of the second query are among those of the first.
fn has_words_of(outer: &str, inner: &str) -> PgResult<bool> {
    let (outer, inner) = (query(outer)?, query(inner)?);
    let words = outer.words();
    Ok(inner.words().iter().all(|w| words.binary_search(w).is_ok()))
}

fn tree(text: &str) -> PgResult<String> {
    let query = query(text)?;
    Ok(match (query.0.is_some(), query.searchable()) {
        (false, _) => String::new(),
        (true, None) => "T".to_string(),
        (true, Some(query)) => query.to_text(),
    })
}

/// `ts_rank([weights,] vector, query [, normalization])`.
fn ranked(rank: fn(&[f32; 4], &Vector, &Query, i32) -> f32) -> Body {
    Arc::new(move |call: &Call<'_>| {
        if matches!(Valid::of(call), Valid::None) {
            return Ok(all_null(call));
        }
        let weighed = crate::types::array::element_field(&call.arg_types[0].storage).is_some();
        let first = usize::from(weighed);
        let (vectors, queries) = (Text::column(&call.args[first].array)?, Text::column(&call.args[first + 1].array)?);
        let methods = call.args.get(first + 2).map(|m| Int4::column(&m.array)).transpose()?;
        let lists = if weighed { Some(crate::types::array::Arrays::new(call.args[0].array.as_ref())?) } else { None };
        strict_rows::<Float4>(call, |i| {
            let weights = match &lists {
                None => rank::WEIGHTS,
                Some(lists) => {
                    let given = lists.value(call.args[0].at(i));
                    if given.shape.dimensions() != 1 {
                        let message = "array of weight must be one-dimensional";
                        return Err(PgError::new(SqlState(*b"2202E"), message));
                    }
                    let given = downcast::<Float32Array>(&given.elements)?;
                    rank::weights(&given.iter().collect::<Vec<_>>())?
                }
            };
            let method = methods.map_or(0, |m| m.value(call.args[first + 2].at(i)));
            let vector = vector(vectors.value(call.args[first].at(i)))?;
            let query = query(queries.value(call.args[first + 1].at(i)))?;
            Ok(Some(rank(&weights, &vector, &query, method)))
        })
    })
}

/// `jsonb_to_tsvector` and `json_to_tsvector`: the configuration, if there is one, the document, which of its parts.
fn json_parts<K: Kind>(
    f: impl for<'a> Fn(Configuration, K::Item<'a>, JsonParts) -> PgResult<String> + Send + Sync + 'static,
) -> Body {
    Arc::new(move |call| {
        if matches!(Valid::of(call), Valid::None) {
            return Ok(all_null(call));
        }
        let at = call.args.len() - 2;
        let (documents, flags) = (K::column(&call.args[at].array)?, JsonbBytes::column(&call.args[at + 1].array)?);
        let configurations = if at == 1 { Some(OidKind::column(&call.args[0].array)?) } else { None };
        strict_rows::<Text>(call, |i| {
            let configuration = match configurations {
                Some(oids) => Configuration::of(Oid(oids.value(call.args[0].at(i))))?,
                None => Configuration::current(call.context()?)?,
            };
            let parts = JsonParts::parse(flags.value(call.args[at + 1].at(i)))?;
            f(configuration, K::item(&documents, call.args[at].at(i))?, parts).map(Some)
        })
    })
}

pub fn declare(r: &mut Registry) {
    let document: Body = with_configuration::<Text, Text>(|c, text| Ok(c.vector([text])?.to_text()));
    r.funs(&["to_tsvector(regconfig,text)", "to_tsvector(text)"], document);
    r.funs(
        &["to_tsvector(regconfig,jsonb)", "to_tsvector(jsonb)"],
        with_configuration::<JsonbBytes, Text>(|c, json| jsonb_vector(c, json, JsonParts::STRINGS)),
    );
    r.funs(
        &["to_tsvector(regconfig,json)", "to_tsvector(json)"],
        with_configuration::<Text, Text>(|c, json| json_vector(c, json, JsonParts::STRINGS)),
    );
    r.funs(
        &["jsonb_to_tsvector(regconfig,jsonb,jsonb)", "jsonb_to_tsvector(jsonb,jsonb)"],
        json_parts::<JsonbBytes>(jsonb_vector),
    );
    r.funs(
        &["json_to_tsvector(regconfig,json,jsonb)", "json_to_tsvector(json,jsonb)"],
        json_parts::<Text>(json_vector),
    );
    r.funs(
        &["to_tsquery(regconfig,text)", "to_tsquery(text)"],
        with_configuration::<Text, Text>(|c, text| Ok(c.query(text)?.to_text())),
    );
    r.funs(
        &["plainto_tsquery(regconfig,text)", "plainto_tsquery(text)"],
        with_configuration::<Text, Text>(|c, text| Ok(c.plain_query(text, Operator::And)?.to_text())),
    );
    r.funs(
        &["phraseto_tsquery(regconfig,text)", "phraseto_tsquery(text)"],
        with_configuration::<Text, Text>(|c, text| Ok(c.plain_query(text, Operator::Phrase(1))?.to_text())),
    );
    r.funs(
        &["websearch_to_tsquery(regconfig,text)", "websearch_to_tsquery(text)"],
        with_configuration::<Text, Text>(|c, text| Ok(c.web_query(text)?.to_text())),
    );
    r.fun("ts_match_vq(tsvector,tsquery)", attempt2::<Text, Text, Bool>(found));
    r.fun("ts_match_qv(tsquery,tsvector)", attempt2::<Text, Text, Bool>(|q, v| found(v, q)));
    r.fun(
        "ts_match_tq(text,tsquery)",
        session2::<Text, Text, Bool>(|call, text, q| {
            let vector = Configuration::current(call.context()?)?.vector([text])?;
            Ok(Some(matching::matches(&vector, &query(q)?)))
        }),
    );
    r.fun(
        "ts_match_tt(text,text)",
        session2::<Text, Text, Bool>(|call, text, q| {
            let configuration = Configuration::current(call.context()?)?;
            let query = configuration.plain_query(q, Operator::And)?;
            Ok(Some(matching::matches(&configuration.vector([text])?, &query)))
        }),
    );
    r.fun("strip(tsvector)", attempt1::<Text, Text>(stripped));
    r.fun("length(tsvector)", attempt1::<Text, Int4>(|v| Ok(vector(v)?.lexemes.len() as i32)));
    r.fun("setweight(tsvector,char)", attempt2::<Text, Text, Text>(|v, w| reweighed(v, weight(w)?, None)));
    r.fun(
        "setweight(tsvector,char,_text)",
        attempt3::<Text, Text, List, Text>(|v, w, only| {
            // What is NULL is no lexeme.
            let only: Vec<String> = texts(&only)?.into_iter().flatten().collect();
            reweighed(v, weight(w)?, Some(&only))
        }),
    );
    r.fun(
        "tsvector_concat(tsvector,tsvector)",
        attempt2::<Text, Text, Text>(|a, b| Ok(vector(a)?.concat(&vector(b)?)?.to_text())),
    );
    r.fun("ts_delete(tsvector,text)", attempt2::<Text, Text, Text>(|v, word| without(v, &[word.to_string()])));
    r.fun(
        "ts_delete(tsvector,_text)",
        attempt2::<Text, List, Text>(|v, words| without(v, &texts(&words)?.into_iter().flatten().collect::<Vec<_>>())),
    );
    r.fun("ts_filter(tsvector,_char)", attempt2::<Text, List, Text>(|v, weights| filtered(v, &weights)));
    r.fun(
        "tsvector_to_array(tsvector)",
        attempt1::<Text, List>(|v| {
            let words = vector(v)?.lexemes.into_iter().map(|l| Some(l.word));
            Ok(Arc::new(words.collect::<StringArray>()) as ArrayRef)
        }),
    );
    r.fun("array_to_tsvector(_text)", attempt1::<List, Text>(|words| array_to_vector(&words)));
    r.fun("tsquery_and(tsquery,tsquery)", attempt2::<Text, Text, Text>(|a, b| joined(Operator::And, a, b)));
    r.fun("tsquery_or(tsquery,tsquery)", attempt2::<Text, Text, Text>(|a, b| joined(Operator::Or, a, b)));
    r.fun("tsquery_phrase(tsquery,tsquery)", attempt2::<Text, Text, Text>(|a, b| joined(Operator::Phrase(1), a, b)));
    r.fun(
        "tsquery_phrase(tsquery,tsquery,int4)",
        attempt3::<Text, Text, Int4, Text>(|a, b, distance| {
            joined(Operator::Phrase(Query::distance(distance.into())?), a, b)
        }),
    );
    r.fun("tsquery_not(tsquery)", attempt1::<Text, Text>(negated));
    r.fun("numnode(tsquery)", attempt1::<Text, Int4>(|q| Ok(query(q)?.size() as i32)));
    r.fun("querytree(tsquery)", attempt1::<Text, Text>(tree));
    r.fun("tsq_mcontains(tsquery,tsquery)", attempt2::<Text, Text, Bool>(has_words_of));
    r.fun("tsq_mcontained(tsquery,tsquery)", attempt2::<Text, Text, Bool>(|a, b| has_words_of(b, a)));
    r.fun(
        "ts_lexize(regdictionary,text)",
        attempt2::<OidKind, Text, List>(|dictionary, word| {
            let lexeme = Dictionary::of(Oid(dictionary))?.lexeme(word);
            Ok(Arc::new(lexeme.into_iter().map(Some).collect::<StringArray>()) as ArrayRef)
        }),
    );
    let signatures = |name: &str| {
        ["_float4,tsvector,tsquery,int4", "_float4,tsvector,tsquery", "tsvector,tsquery,int4", "tsvector,tsquery"]
            .map(|args| format!("{name}({args})"))
    };
    signatures("ts_rank").iter().for_each(|s| r.fun(s, ranked(rank::rank)));
    signatures("ts_rank_cd").iter().for_each(|s| r.fun(s, ranked(rank::rank_by_cover)));
}

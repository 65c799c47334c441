//! Look-ups by key whose texts differ in their constants only: understood once.
//!
//! A client that writes values into its statements sends a new text each time. [`Text::of`] takes the constants out of a text
//! where each is the whole right side of an `=`; what is left is the *shape*. When a statement turns out to be a look-up by key
//! whose conditions are just these constants, one each, then every text of its shape is the same look-up with other
//! values: nothing else in it can depend on them. Any doubt, and the statement goes the long way.

use super::direct::{Direct, Value};
use super::prepare::{Kind, Prepared};
use super::query::QueryPlan;
use crate::catalog::Catalog;
use crate::types::codec::{ColumnBuilder, TextSettings};
use crate::types::{ExprType, PgType, oid};
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

/// Longer texts are no look-ups by key.
const LONGEST: usize = 1024;
/// Digits of a constant that is an int4 whatever they are.
const DIGITS: usize = 9;

/// A constant as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Literal {
    Integer(i32),
    Text(String),
}

/// A statement's text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// With marks in the place of constants, that no statement can have there.
    pub shape: String,
    literals: Vec<Literal>,
}

impl Text {
    /// `None` for a text that is not of this kind.
    pub fn of(sql: &str) -> Option<Self> {
        let bytes = sql.as_bytes();
        let selects = bytes.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"select"));
        if !selects || bytes.len() > LONGEST {
            return None;
        }
        let mut shape = String::with_capacity(bytes.len());
        let mut literals = Vec::new();
        let (mut at, mut copied) = (0, 0);
        while let Some(&byte) = bytes.get(at) {
            let next = bytes.get(at + 1);
            match byte {
                b'"' => at = closing(bytes, at, b'"')?,
                // Comments, parameters, dollar quotes, several statements, E'' and \.
                b'$' | b';' | b'\\' => return None,
                b'-' if next == Some(&b'-') => return None,
                b'/' if next == Some(&b'*') => return None,
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                    let word = bytes[at..].iter().take_while(|b| is_word(**b)).count();
                    at += word;
                    if bytes.get(at) == Some(&b'\'') {
                        return None;
                    }
                }
                b'\'' | b'0'..=b'9' => {
                    let (literal, end) = if byte == b'\'' { text(sql, at)? } else { integer(sql, at)? };
                    if !(follows_equals(bytes, at) && ends_operand(bytes, end)) {
                        return None;
                    }
                    shape.push_str(&sql[copied..at]);
                    shape.push_str(if byte == b'\'' { "\u{1}s" } else { "\u{1}i" });
                    literals.push(literal);
                    (at, copied) = (end, end);
                }
                _ => at += 1,
            }
        }
        if literals.is_empty() {
            return None;
        }
        shape.push_str(&sql[copied..]);
        Some(Self { shape, literals })
    }

    /// The constants as values of these types.
    pub fn values(&self, types: &[PgType]) -> Option<Vec<ScalarValue>> {
        let same = types.len() == self.literals.len();
        same.then(|| self.literals.iter().zip(types).map(|(literal, ty)| literal.value(*ty)).collect())?
    }

    /// The statement for every text of this shape, where `prepared` is the statement of this one.
    pub fn learn(&self, prepared: &Prepared, catalog: &Catalog) -> Option<Prepared> {
        let Kind::Query(query) = &prepared.kind else { return None };
        let direct = query.direct.as_ref().filter(|direct| direct.is_by_key(catalog));
        let Some(Direct::KeyLookup { relation, conditions, outputs }) = direct else { return None };
        let of_now = query.guests.is_empty();
        if !of_now || conditions.len() != self.literals.len() || !prepared.params.is_empty() {
            return None;
        }
        let columns = &catalog.relation(*relation)?.columns;
        let mut types = vec![None; conditions.len()];
        let mut by_number = Vec::with_capacity(conditions.len());
        for (column, value) in conditions {
            let Value::Constant(constant) = value else { return None };
            let found = columns.get(*column)?;
            let ty = PgType { oid: crate::types::Oid(found.type_oid), typmod: found.typmod };
            let mut same = self.literals.iter().enumerate().filter(|(_, l)| l.value(ty).as_ref() == Some(constant));
            let (number, _) = same.next()?;
            // Two constants alike: which is which is not known.
            if same.next().is_some() || types[number].replace(ty).is_some() {
                return None;
            }
            by_number.push((*column, Value::Parameter(number)));
        }
        let params = types.into_iter().collect::<Option<Vec<_>>>()?;
        let (relation, outputs) = (*relation, outputs.clone());
        let direct = Some(Direct::KeyLookup { relation, conditions: by_number, outputs });
        // The plan has the values of one text: only the look-up may run.
        let (plan, optimized) = (query.plan.clone(), query.optimized);
        let query = QueryPlan { plan, optimized, params: params.clone(), direct, kept: None, guests: Vec::new() };
        Some(Prepared {
            text: self.shape.clone(),
            params,
            columns: prepared.columns.clone(),
            kind: Kind::Query(Arc::new(query)),
            needs: prepared.needs.clone(),
            needed: prepared.needed.clone(),
        })
    }
}

impl Literal {
    /// `None` where the type is none that keys of this kind are looked up with, or the text is no value of it.
    fn value(&self, ty: PgType) -> Option<ScalarValue> {
        match (self, ty.oid) {
            (Self::Integer(value), oid::INT4) => Some(ScalarValue::Int32(Some(*value))),
            (Self::Integer(value), oid::INT8) => Some(ScalarValue::Int64(Some((*value).into()))),
            (Self::Text(text), oid::TEXT | oid::VARCHAR) => Some(ScalarValue::Utf8(Some(text.clone()))),
            (Self::Text(text), oid::INT4 | oid::INT8 | oid::UUID) => {
                let storage = ExprType::of(ty).storage;
                let mut builder = ColumnBuilder::with_storage(ty, &storage, TextSettings::default());
                builder.push_text(text).ok()?;
                ScalarValue::try_from_array(&builder.finish().ok()?, 0).ok()
            }
            _ => None,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Behind the quote that closes the one at `at`.
fn closing(bytes: &[u8], at: usize, quote: u8) -> Option<usize> {
    let mut end = at + 1;
    loop {
        end += memchr::memchr(quote, &bytes[end..])? + 1;
        if bytes.get(end) != Some(&quote) {
            return Some(end);
        }
        end += 1;
    }
}

fn text(sql: &str, at: usize) -> Option<(Literal, usize)> {
    let end = closing(sql.as_bytes(), at, b'\'')?;
    let inner = &sql[at + 1..end - 1];
    if inner.contains('\\') {
        return None;
    }
    Some((Literal::Text(inner.replace("''", "'")), end))
}

fn integer(sql: &str, at: usize) -> Option<(Literal, usize)> {
    let digits = sql[at..].bytes().take_while(u8::is_ascii_digit).count();
    let end = at + digits;
    let more = sql.as_bytes().get(end).is_some_and(|b| is_word(*b) || *b == b'.');
    if digits > DIGITS || more {
        return None;
    }
    Some((Literal::Integer(sql[at..end].parse().ok()?), end))
}

/// Whether `=`, and no longer operator, is what stands before `at`.
fn follows_equals(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].trim_ascii_end();
    let operator = before.iter().rev().take_while(|b| b"+-*/<>=~!@#%^&|`?".contains(b)).count();
    operator == 1 && before.ends_with(b"=")
}

/// Whether the right side of a comparison ends at `end`: at the end of the text, or before AND or LIMIT and its like.
fn ends_operand(bytes: &[u8], end: usize) -> bool {
    let rest = bytes[end..].trim_ascii_start();
    let word: usize = rest.iter().take_while(|b| is_word(**b)).count();
    rest.is_empty() || [&b"and"[..], b"limit", b"order"].iter().any(|w| rest[..word].eq_ignore_ascii_case(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sql: &str) -> Option<String> {
        Text::of(sql).map(|text| text.shape.replace('\u{1}', "?"))
    }

    #[test]
    fn constants_behind_an_equals_sign_are_taken_out() {
        assert_eq!(shape("SELECT a FROM t WHERE id = 17").as_deref(), Some("SELECT a FROM t WHERE id = ?i"));
        assert_eq!(
            shape("select \"x 1\" from t where k='it''s' and n = 1").unwrap(),
            "select \"x 1\" from t where k=?s and n = ?i"
        );
        let text = Text::of("SELECT a FROM t WHERE k = 'it''s'").unwrap();
        assert_eq!(text.literals, [Literal::Text("it's".into())]);
    }

    #[test]
    fn where_a_constant_may_mean_more_the_text_stays_whole() {
        for sql in [
            "SELECT 1",
            "SELECT a FROM t WHERE id = -1",
            "SELECT a FROM t WHERE id = 1 + 2",
            "SELECT a FROM t WHERE id = 1::int8",
            "SELECT a FROM t WHERE id >= 1",
            "SELECT a FROM t WHERE id = 1.5",
            "SELECT a FROM t WHERE id = 12345678901",
            "SELECT a FROM t WHERE id = 1 LIMIT 1",
            "SELECT a FROM t WHERE k = E'x'",
            "SELECT a FROM t WHERE k = 'a\\b'",
            "SELECT a FROM t WHERE k = 'a' 'b'",
            "SELECT a FROM t WHERE id = 1 -- one",
            "SELECT a FROM t WHERE id = $1",
            "SELECT a FROM t WHERE id = 1; SELECT 2",
            "DELETE FROM t WHERE id = 1",
            "SELECT a FROM t WHERE (id = 1) IS TRUE",
        ] {
            assert_eq!(shape(sql), None, "{sql}");
        }
    }
}

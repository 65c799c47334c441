//! Text → statements, by PostgreSQL's own grammar.

use crate::types::{PgError, PgResult, SqlState};
use pg_query::NodeEnum;
use pg_query::protobuf;

/// One statement of a query string.
#[derive(Debug, Clone)]
pub struct Statement {
    pub node: NodeEnum,
    /// The statement's own text, without the semicolon and the white space around it.
    pub text: String,
    /// Byte offset of `text` in the whole query string. Locations in `node` count from the start of the *whole* string.
    pub offset: usize,
}

/// The statements of a query string; none for an empty one.
///
/// # Errors
/// `42601` with PostgreSQL's message and the position of the offending token.
pub fn parse(sql: &str) -> PgResult<Vec<Statement>> {
    if sql.contains('\0') {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid byte sequence for encoding \"UTF8\": 0x00"));
    }
    let result = pg_query::parse(sql, 0).map_err(|e| syntax_error(sql, e))?;
    let mut statements = Vec::with_capacity(result.protobuf.stmts.len());
    for raw in result.protobuf.stmts {
        let Some(node) = raw.stmt.and_then(|n| n.node) else { continue };
        let start = raw.stmt_location.max(0) as usize;
        let end = match raw.stmt_len {
            0 => sql.len(),
            len => (start + len.max(0) as usize).min(sql.len()),
        };
        let whole = sql.get(start..end).unwrap_or_default();
        let text = whole.trim_start();
        let offset = start + (whole.len() - text.len());
        statements.push(Statement { node, text: text.trim_end().to_string(), offset });
    }
    Ok(statements)
}

fn syntax_error(sql: &str, error: pg_query::Error) -> PgError {
    let pg_query::Error::Parse(message) = error else { return PgError::new(SqlState::SYNTAX_ERROR, error.to_string()) };
    let position = error_position(sql, &message);
    let state = match message.as_str() {
        "invalid Unicode escape" => SqlState(*b"22025"),
        _ => SqlState::SYNTAX_ERROR,
    };
    let error = PgError::new(state, message);
    match position {
        Some(position) => error.at(position),
        None => error,
    }
}

/// Where PostgreSQL points. The crate hands on the message alone, so the token that it names is looked for: the error is
/// at its first occurrence that is an error with nothing behind it.
fn error_position(sql: &str, message: &str) -> Option<usize> {
    if message.ends_with("at end of input") {
        return Some(sql.len());
    }
    let (what, named) = message.split_once(" at or near \"")?;
    let named = named.strip_suffix('"')?;
    let mut from = 0;
    let mut tries = 0;
    while let Some(found) = sql[from..].find(named) {
        let start = from + found;
        let end = start + named.len();
        tries += 1;
        if what.starts_with("unterminated") || tries > 64 {
            return Some(start);
        }
        let prefix_error = pg_query::parse(&sql[..end], 0).err();
        if matches!(&prefix_error, Some(pg_query::Error::Parse(m)) if m == message) {
            return Some(start);
        }
        from = start + named.chars().next().map_or(1, char::len_utf8);
    }
    None
}

/// A statement as SQL text again, as `pg_get_viewdef` shows it.
pub fn deparse(node: &NodeEnum) -> PgResult<String> {
    let raw = protobuf::RawStmt {
        stmt: Some(Box::new(protobuf::Node { node: Some(node.clone()) })),
        stmt_location: 0,
        stmt_len: 0,
    };
    let tree = protobuf::ParseResult { version: 180_004, stmts: vec![raw] };
    pg_query::deparse(&tree, Default::default()).map_err(|e| PgError::internal(format!("cannot print a query: {e}")))
}

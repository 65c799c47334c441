//! `COPY … TO STDOUT`: its options.

use super::OutputColumn;
use crate::types::{PgError, PgResult, SqlState};
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, Node};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

#[derive(Debug, Clone)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    pub null: String,
    pub header: bool,
    pub quote: u8,
    pub escape: u8,
    pub force_quote_all: bool,
    /// Names of columns, and once the columns are known their indexes.
    force_quote_names: Vec<String>,
    pub force_quote: Vec<usize>,
}

impl CopyOptions {
    pub fn new(format: CopyFormat) -> Self {
        let csv = format == CopyFormat::Csv;
        Self {
            format,
            delimiter: if csv { b',' } else { b'\t' },
            null: if csv { String::new() } else { "\\N".into() },
            header: false,
            quote: b'"',
            escape: b'"',
            force_quote_all: false,
            force_quote_names: Vec::new(),
            force_quote: Vec::new(),
        }
    }

    pub fn read(statement: &CopyStmt) -> PgResult<Self> {
        let mut format = CopyFormat::Text;
        for (name, arg) in elements(&statement.options) {
            if name == "format" {
                format = match text(arg).as_deref() {
                    Some("text") => CopyFormat::Text,
                    Some("csv") => CopyFormat::Csv,
                    Some("binary") => CopyFormat::Binary,
                    other => {
                        let name = other.unwrap_or_default();
                        return Err(invalid(format!("COPY format \"{name}\" not recognized")));
                    }
                };
            }
        }
        let mut options = Self::new(format);
        let mut escape = None;
        for (name, arg) in elements(&statement.options) {
            let value = text(arg);
            match name {
                "format" => {}
                "delimiter" => options.delimiter = one_byte(name, value)?,
                "null" => options.null = value.unwrap_or_default(),
                "header" => options.header = value.as_deref().is_none_or(|v| !matches!(v, "false" | "off" | "0")),
                "quote" => options.quote = one_byte(name, value)?,
                "escape" => escape = Some(one_byte(name, value)?),
                "force_quote" => match arg.and_then(|n| n.node.as_ref()) {
                    Some(NodeEnum::AStar(_)) => options.force_quote_all = true,
                    Some(NodeEnum::List(list)) => {
                        options.force_quote_names = list.items.iter().filter_map(|n| text(Some(n))).collect();
                    }
                    _ => return Err(invalid("argument to option \"force_quote\" must be a list of column names")),
                },
                // There is nothing to freeze.
                "freeze" => {}
                "encoding" if value.as_deref().is_some_and(|v| v.eq_ignore_ascii_case("utf8")) => {}
                other => return Err(PgError::unsupported(format!("the COPY option {}", other.to_uppercase()))),
            }
        }
        options.escape = escape.unwrap_or(options.quote);
        if format == CopyFormat::Binary && options.header {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "cannot specify HEADER in BINARY mode"));
        }
        Ok(options)
    }

    pub fn resolve(mut self, columns: &[OutputColumn]) -> PgResult<Self> {
        for name in std::mem::take(&mut self.force_quote_names) {
            let found = columns
                .iter()
                .position(|c| c.name == name)
                .ok_or_else(|| PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")))?;
            self.force_quote.push(found);
        }
        Ok(self)
    }
}

fn elements(options: &[Node]) -> impl Iterator<Item = (&str, Option<&Node>)> {
    options.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::DefElem(element) => Some((element.defname.as_str(), element.arg.as_deref())),
        _ => None,
    })
}

fn text(node: Option<&Node>) -> Option<String> {
    match node?.node.as_ref()? {
        NodeEnum::String(s) => Some(s.sval.clone()),
        NodeEnum::Integer(i) => Some(i.ival.to_string()),
        NodeEnum::Boolean(b) => Some(b.boolval.to_string()),
        _ => None,
    }
}

fn one_byte(option: &str, value: Option<String>) -> PgResult<u8> {
    match value.as_deref().map(str::as_bytes) {
        Some([byte]) if !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => Err(invalid(format!("COPY {option} must be a single one-byte character"))),
    }
}

fn invalid(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER, message)
}

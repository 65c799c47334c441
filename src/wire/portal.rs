//! Portals: a prepared statement with its parameters and, once it runs, the rest of its result.

use super::message::{Bind, utf8, violation};
use super::rows::Rows;
use crate::sql::{Prepared, RowsTag};
use crate::types::codec::{ColumnBuilder, TextSettings};
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState};
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

pub struct Portal {
    pub prepared: Arc<Prepared>,
    pub parameters: Vec<ScalarValue>,
    /// One for each column of the result.
    pub formats: Vec<i16>,
    pub state: State,
    /// The transaction in which it was made; it does not outlive it.
    pub transaction: u64,
}

pub enum State {
    New,
    Rows {
        rows: Box<Rows>,
        tag: RowsTag,
    },
    /// Ran to its end; of a statement with rows there are none left.
    Done {
        rows: Option<RowsTag>,
    },
    /// An error came while it ran.
    Failed,
}

impl Portal {
    pub fn new(bind: &Bind, prepared: &Arc<Prepared>, settings: &TextSettings, transaction: u64) -> PgResult<Self> {
        let parameters = parameters(bind, &prepared.params, settings)?;
        let columns = prepared.columns.as_ref().map_or(0, |c| c.len());
        let formats = spread(&bind.result_formats, columns).ok_or_else(|| {
            let got = bind.result_formats.len();
            violation(format!("bind message has {got} result formats but query has {columns} columns"))
        })?;
        Ok(Self { prepared: Arc::clone(prepared), parameters, formats, state: State::New, transaction })
    }
}

/// One format for each of `count`: from none (text), one for all, or one for each.
fn spread(formats: &[i16], count: usize) -> Option<Vec<i16>> {
    match formats {
        [] => Some(vec![0; count]),
        [all] => Some(vec![*all; count]),
        each => (each.len() == count).then(|| each.to_vec()),
    }
}

fn parameters(bind: &Bind, types: &[PgType], settings: &TextSettings) -> PgResult<Vec<ScalarValue>> {
    let got = bind.parameters.len();
    let formats = spread(&bind.formats, got).ok_or_else(|| {
        violation(format!("bind message has {} parameter formats but {got} parameters", bind.formats.len()))
    })?;
    if got != types.len() {
        let message = format!(
            "bind message supplies {got} parameters, but prepared statement \"{}\" requires {}",
            bind.statement,
            types.len()
        );
        return Err(violation(message));
    }
    let values = bind.parameters.iter().zip(types).zip(formats);
    let value = |((value, ty), format): ((&Option<bytes::Bytes>, &PgType), i16)| match (value, format) {
        (None, _) => ScalarValue::try_from(&ExprType::of_parameter(*ty).storage).map_err(PgError::from),
        (Some(bytes), format) => {
            let mut builder = ColumnBuilder::with_storage(*ty, &ExprType::of_parameter(*ty).storage, *settings);
            match format {
                0 => builder.push_text(utf8(bytes)?)?,
                _ => builder.push_binary(bytes)?,
            }
            Ok(ScalarValue::try_from_array(&builder.finish()?, 0)?)
        }
    };
    values.map(value).collect()
}

pub fn no_portal(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

pub fn no_statement(name: &str) -> PgError {
    let message = match name {
        "" => "unnamed prepared statement does not exist".to_owned(),
        name => format!("prepared statement \"{name}\" does not exist"),
    };
    PgError::new(SqlState::INVALID_STATEMENT_NAME, message)
}

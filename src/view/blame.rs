//! Which row an expression fails over.

use crate::types::{PgError, PgResult};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;

/// Cells and characters of a cell that an error shows.
const CELLS: usize = 12;
const CHARACTERS: usize = 40;

/// Runs expressions over rows; an error of the data (class `22`) says over which row they fail.
pub fn blaming<T>(rows: &RecordBatch, run: impl Fn(&RecordBatch) -> PgResult<T>) -> PgResult<T> {
    run(rows).map_err(|error| if is_of_data(&error) { blamed(rows, run, error) } else { error })
}

fn is_of_data(error: &PgError) -> bool {
    error.state.as_str().starts_with("22") && error.rest.as_ref().is_none_or(|rest| rest.detail.is_none())
}

/// The error of one row, found by halves: at most twice the work of the run that failed.
fn blamed<T>(rows: &RecordBatch, run: impl Fn(&RecordBatch) -> PgResult<T>, mut error: PgError) -> PgError {
    let (mut start, mut len) = (0, rows.num_rows());
    while len > 1 {
        let half = len / 2;
        let first = run(&rows.slice(start, half)).err();
        let second = if first.is_none() { run(&rows.slice(start + half, len - half)).err() } else { None };
        (error, start, len) = match (first, second) {
            (Some(found), _) => (found, start, half),
            (None, Some(found)) => (found, start + half, len - half),
            // Only all of them together fail.
            (None, None) => return error,
        };
    }
    if len == 0 || !is_of_data(&error) {
        return error;
    }
    let row = rows.slice(start, 1);
    let schema = row.schema();
    let named = schema.fields().iter().zip(row.columns());
    let shown = named.filter_map(|(field, column)| {
        // What is stored in a form of its own has no text here.
        let own = field.data_type().is_nested()
            || matches!(field.data_type(), DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_));
        let text = match column.is_null(0) {
            true => "NULL".to_string(),
            false if own => return None,
            false => array_value_to_string(column, 0).ok()?,
        };
        let text = match text.char_indices().nth(CHARACTERS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        let quote = if matches!(field.data_type(), DataType::Utf8) && column.is_valid(0) { "'" } else { "" };
        Some(format!("{} = {quote}{text}{quote}", field.name()))
    });
    let cells: Vec<String> = shown.take(CELLS).collect();
    if cells.is_empty() { error } else { error.detail(format!("It fails over the row with {}.", cells.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SqlState;
    use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    #[test]
    fn the_first_row_that_fails_is_named() {
        let number: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(0), Some(5), Some(0)]));
        let word: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d", "e", "f"]));
        let rows = RecordBatch::try_from_iter([("number", number), ("word", word)]).expect("two columns");
        let run = |rows: &RecordBatch| {
            let zero = rows.column(0).as_primitive::<Int32Type>().iter().any(|number| number == Some(0));
            if zero { Err(PgError::new(SqlState(*b"22012"), "division by zero")) } else { Ok(()) }
        };
        let error = blaming(&rows, run).expect_err("two rows have a zero");
        let detail = error.rest.and_then(|rest| rest.detail);
        assert_eq!(detail.as_deref(), Some("It fails over the row with number = 0, word = 'd'."));
        assert_eq!(blaming(&rows.slice(0, 3), run), Ok(()));
    }
}

//! Whether a view holds what its query gives.

use super::rig::{Rig, Row};
use sluice::types::PgError;
use std::fmt::Write;

/// An error in one line.
pub fn shown(error: &PgError) -> String {
    let detail = error.rest.as_ref().and_then(|rest| rest.detail.as_deref());
    let detail = detail.map_or(String::new(), |detail| format!(" ({detail})"));
    format!("SQLSTATE {}: {}{detail}", error.state.as_str(), error.message)
}

/// How a comparison went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    Rows,
    /// Both said error.
    Error,
}

/// Compares a view with its query at one tick, through SQL. `Err` says how they differ.
pub async fn compare(rig: &mut Rig, view: &str, query: &str, loose: bool) -> Result<Same, String> {
    let told = rig.errors().await.remove(view).flatten();
    let held = rig.shown(view, told).await?;
    let wanted = rig.run(query).await;
    same(view, held, &wanted, loose)
}

/// Whether what a view holds is what its query gives, or both are in error.
pub fn same(
    view: &str,
    held: Result<Vec<Row>, String>,
    wanted: &Result<Vec<Row>, PgError>,
    loose: bool,
) -> Result<Same, String> {
    match (held, wanted) {
        (Ok(held), Ok(wanted)) => match difference(held, wanted.clone(), loose) {
            None => Ok(Same::Rows),
            Some(difference) => Err(format!("{view} is not its query:\n{difference}")),
        },
        (Err(_), Err(_)) => Ok(Same::Error),
        (Err(held), Ok(_)) => Err(format!("{view} is in error, and its query by hand is not: {held}")),
        (Ok(held), Err(wanted)) => {
            Err(format!("{view} has {} rows, and its query fails: {}", held.len(), shown(wanted)))
        }
    }
}

/// What one side has and the other has not; `None` for equal multisets.
pub fn difference(held: Vec<Row>, wanted: Vec<Row>, loose: bool) -> Option<String> {
    let sorted = |mut rows: Vec<Row>| {
        if loose {
            rows.iter_mut().flatten().flatten().for_each(|cell| *cell = plain_numbers(cell));
        }
        rows.sort();
        rows
    };
    let (held, wanted) = (sorted(held), sorted(wanted));
    if held == wanted {
        return None;
    }
    let (mut h, mut w) = (held.iter().peekable(), wanted.iter().peekable());
    let mut text = String::new();
    let mut say = |sign: char, row: &Row| {
        let cells: Vec<&str> = row.iter().map(|c| c.as_deref().unwrap_or("∅")).collect();
        writeln!(text, "  {sign} {}", cells.join(" | ")).expect("a String takes text");
    };
    loop {
        match (h.peek(), w.peek()) {
            (None, None) => break,
            (Some(row), None) => {
                say('-', row);
                h.next();
            }
            (None, Some(row)) => {
                say('+', row);
                w.next();
            }
            (Some(a), Some(b)) if a == b => {
                h.next();
                w.next();
            }
            (Some(a), Some(b)) if a < b => {
                say('-', a);
                h.next();
            }
            (Some(_), Some(b)) => {
                say('+', b);
                w.next();
            }
        }
    }
    let cut: String = text.lines().take(20).map(|l| format!("{l}\n")).collect();
    Some(format!("  (- the view alone has it, + its query alone)\n{cut}"))
}

/// The text with each number in it in its shortest form: equal numbers look equal.
fn plain_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        let short = match number.contains('.') {
            true => number.trim_end_matches('0').trim_end_matches('.'),
            false => number,
        };
        let before = if short == "0" { before.strip_suffix('-').unwrap_or(before) } else { before };
        plain.push_str(before);
        plain.push_str(short);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[test]
fn equal_numbers_look_equal() {
    assert_eq!(plain_numbers("{1.00,-0,x-0.50}"), "{1,0,x-0.5}");
    assert_eq!(plain_numbers("2024-01-10 00:00:00"), "2024-01-10 00:00:00");
}

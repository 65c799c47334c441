//! A maintenance plan, and a row that a query fails over, in the words of SQL.
//!
//! Operators show expressions as the plan has them: columns by internal names (`c7@0`), functions by their rows in
//! `pg_proc` (`int4div_154(c7@0, 2)`). [`Names`] knows what each column of a plan is made of, and says `number / 2`.

use crate::kernels::facts;
use crate::types::codec::format_type;
use crate::types::{Oid, PgError, PgType};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::collections::HashMap;

/// What the internal names of a plan's columns stand for.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<String, String>);

/// The longest text that one column is shown as; above it only its beginning.
const LONGEST: usize = 120;

impl Names {
    /// Of all columns of a plan.
    pub fn of(plan: &LogicalPlan) -> Self {
        let mut names = Self::default();
        names.add(plan);
        names
    }

    fn add(&mut self, plan: &LogicalPlan) {
        plan.inputs().into_iter().for_each(|input| self.add(input));
        let computed: Vec<&Expr> = match plan {
            LogicalPlan::Projection(node) => node.expr.iter().collect(),
            LogicalPlan::Aggregate(node) => node.group_expr.iter().chain(&node.aggr_expr).collect(),
            LogicalPlan::Window(node) => node.window_expr.iter().collect(),
            _ => vec![],
        };
        for expr in computed {
            let name = expr.schema_name().to_string();
            let inner = unaliased(expr);
            let text = match inner {
                Expr::Column(Column { name, .. }) => self.0.get(name).cloned().unwrap_or_else(|| name.clone()),
                Expr::WindowFunction(call) => {
                    let args: Vec<String> = call.params.args.iter().map(|arg| self.shown(&arg.to_string())).collect();
                    format!("{}({}) over a window", in_sql(call.fun.name()), args.join(", "))
                }
                other => self.shown(&other.to_string()),
            };
            if text != name {
                // The columns of the result are c1, c2, … once more: what is inside keeps its name.
                self.0.entry(name).or_insert_with(|| shortened(text));
            }
        }
    }

    /// A line with columns and functions as SQL calls them.
    pub fn shown(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            if first == '"' || first == '\'' {
                let end = rest[1..].find(first).map_or(rest.len(), |at| at + 2);
                out.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            let end = word(rest);
            if end == 0 {
                out.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let (name, after) = rest.split_at(end);
            rest = after;
            match after.starts_with('(').then(|| arguments(after)).flatten() {
                Some((args, len)) => {
                    let args: Vec<String> = args.into_iter().map(|arg| self.shown(arg.trim())).collect();
                    out.push_str(&call(name, &args));
                    rest = &after[len..];
                    // A column that is called as the call that made it.
                    if let Some(place) = rest.strip_prefix('@') {
                        rest = place.trim_start_matches(|c: char| c.is_ascii_digit());
                    }
                }
                None => {
                    // Plans name a column with its place, or with the relation that it is of.
                    let bare = name.split('@').next().unwrap_or(name);
                    let bare = bare.rsplit('.').next().filter(|last| !last.is_empty()).unwrap_or(bare);
                    let column = name.contains('@') || self.0.contains_key(bare);
                    out.push_str(if column { self.0.get(bare).map_or(bare, String::as_str) } else { name });
                }
            }
        }
        out
    }

    /// An error whose detail names columns.
    pub fn explained(&self, mut error: PgError) -> PgError {
        if let Some(detail) = error.rest.as_mut().and_then(|rest| rest.detail.as_mut()) {
            *detail = self.shown(detail);
        }
        error
    }
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The length of the name that a text begins with. `compare_<=_97` is one too.
fn word(text: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '.' | '#');
    if !text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        // Numbers are taken whole, so that no name begins inside one.
        return text.find(|c: char| !c.is_alphanumeric() && c != '.').unwrap_or(text.len());
    }
    let compared = text.strip_prefix("compare_").and_then(|operator| operator.split_once('_'));
    match compared {
        Some((sign, oid)) if !sign.is_empty() && !sign.contains(is_part) => {
            let digits = oid.find(|c: char| !c.is_ascii_digit()).unwrap_or(oid.len());
            "compare_".len() + sign.len() + 1 + digits
        }
        _ => text.find(|c| !is_part(c)).unwrap_or(text.len()),
    }
}

/// The arguments between the parentheses that a text begins with, and the length of it all.
fn arguments(text: &str) -> Option<(Vec<&str>, usize)> {
    let (mut depth, mut quote, mut from, mut args) = (0, None, 1, Vec::new());
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    if at > from || !args.is_empty() {
                        args.push(&text[from..at]);
                    }
                    return Some((args, at + 1));
                }
            }
            (None, ',') if depth == 1 => {
                args.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// A function's name without the OID of its row.
fn in_sql(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((plain, oid)) if !oid.is_empty() && oid.bytes().all(|b| b.is_ascii_digit()) => plain,
        _ => name,
    }
}

fn call(name: &str, args: &[String]) -> String {
    let oid = name.rsplit_once('_').and_then(|(_, oid)| oid.parse().ok()).map(Oid);
    match (name, args) {
        // A literal in a logical plan says its Arrow type.
        ("Boolean" | "Int16" | "Int32" | "Int64" | "UInt64" | "Float32" | "Float64" | "Date32", [value]) => {
            value.clone()
        }
        ("Utf8", [value]) => format!("'{}'", value.trim_matches('"')),
        ("equality_key", [value]) => value.clone(),
        _ if name.starts_with("cast_") => match (args, oid) {
            ([value], Some(target)) => format!("{value}::{}", format_type(PgType::new(target))),
            _ => format!("{name}({})", args.join(", ")),
        },
        _ => {
            let compared = name.strip_prefix("compare_").and_then(|rest| rest.split_once('_')).map(|(sign, _)| sign);
            let code = |oid: Oid| facts().operators.iter().find(|o| o.code == oid && o.name.len() < 4).map(|o| o.name);
            let sign = compared.or_else(|| oid.and_then(code));
            match (sign, args) {
                (Some(sign), [left, right]) => format!("({left} {sign} {right})"),
                (Some(sign), [value]) => format!("{sign}{value}"),
                _ => format!("{}({})", in_sql(name), args.join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_speaks_sql() {
        let names = Names(HashMap::from([("c7".to_string(), "number".to_string())]));
        let shown = |text: &str| names.shown(text);
        assert_eq!(shown("filter: int4div_154(10, c7@1) > 1 AND id@0 = 12"), "filter: (10 / number) > 1 AND id = 12");
        assert_eq!(shown("cast_25_23(c9@3) on c7 = c70@2"), "c9::integer on number = c70");
        assert_eq!(shown("compare_<=_1755(c7@0, Utf8(\"c7, (\"))"), "(number <= 'c7, (')");
        assert_eq!(shown("sum_2108(c7) FILTER (WHERE r1.c7 IS NULL)"), "sum(number) FILTER (WHERE number IS NULL)");
        assert_eq!(shown("12c7 'c7' ("), "12c7 'c7' (");
    }
}

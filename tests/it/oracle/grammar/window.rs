//! Window functions.

use super::{Column, Maker, Query, select_list};
use crate::oracle::tables::Ty;

impl Maker<'_> {
    pub(super) fn window(&mut self, depth: usize) -> Query {
        let (from, columns) = self.narrow(depth);
        columns.iter().for_each(|c| self.represent(c.ty));
        let mut outputs: Vec<(String, Ty)> = columns.iter().take(3).map(|c| (c.sql.clone(), c.ty)).collect();
        // Equal rows may change places under one call; beside a second one that tells them apart, it would show.
        let calls = 1 + self.tape.pick(2);
        for nth in 0..calls {
            outputs.push(self.window_call(&columns, nth == 0));
        }
        let (list, outputs) = select_list(outputs);
        let sql = format!("SELECT {list} FROM {from}");
        match self.tape.pick(5) {
            4 => self.first_of_each(&from, &columns),
            3 => {
                // The usual way to keep a few rows of each partition.
                self.shape("rows kept by a window's result");
                let (name, last) = (self.name('k'), outputs.len() - 1);
                let kept = format!("SELECT * FROM ({sql}) AS {name} WHERE {name}.c{last} IS NOT NULL");
                Query { sql: kept, columns: outputs }
            }
            _ => Query { sql, columns: outputs },
        }
    }

    /// The first rows of each partition, by their number or their rank.
    fn first_of_each(&mut self, from: &str, columns: &[Column]) -> Query {
        self.shape("first rows of each partition");
        let by = self.tape.choose(columns).clone();
        let number = *self.tape.choose(&["row_number", "rank", "dense_rank"]);
        let order = match number {
            "row_number" => self.total_order(&[], columns),
            _ => self.tape.choose(columns).sql.clone(),
        };
        let partition = if self.tape.once_in(4) { String::new() } else { format!("PARTITION BY {} ", by.sql) };
        let name = self.name('k');
        let shown: Vec<(String, Ty)> = columns.iter().take(3).map(|c| (c.sql.clone(), c.ty)).collect();
        let last = shown.len();
        let (list, mut outputs) = select_list(shown);
        outputs.push((format!("c{last}"), Ty::Int8));
        let ranked = format!("SELECT {list}, {number}() OVER ({partition}ORDER BY {order}) AS c{last} FROM {from}");
        let most = 1 + self.tape.pick(3);
        let condition = match self.tape.pick(3) {
            0 => format!("{name}.c{last} <= {most}"),
            1 => format!("{name}.c{last} < {}", most + 1),
            _ => format!("{name}.c{last} = {most}"),
        };
        Query { sql: format!("SELECT * FROM ({ranked}) AS {name} WHERE {condition}"), columns: outputs }
    }

    fn window_call(&mut self, columns: &[Column], in_order: bool) -> (String, Ty) {
        let by = self.tape.choose(columns).sql.clone();
        let partition = match self.tape.pick(4) {
            3 => String::new(),
            _ => format!("PARTITION BY {by} "),
        };
        let order = self.total_order(&[], columns);
        let value = self.tape.choose(columns).clone();
        let number = columns.iter().find(|c| matches!(c.ty, Ty::Int4 | Ty::Fixed)).map(|c| c.sql.clone());
        let number = number.unwrap_or_else(|| "1".to_string());
        let over = format!("OVER ({partition}ORDER BY {order}");
        let choice = match in_order {
            true => self.tape.pick(26),
            false => *self.tape.choose(&[2, 7, 10, 13, 14, 15, 16, 17]),
        };
        match choice {
            0 | 1 => {
                self.shape("row_number");
                (format!("row_number() {over})"), Ty::Int8)
            }
            2 | 3 => {
                self.shape("rank and dense_rank");
                let name = self.tape.choose(&["rank", "dense_rank"]).to_string();
                let first = self.tape.choose(columns).sql.clone();
                (format!("{name}() OVER ({partition}ORDER BY {first})"), Ty::Int8)
            }
            4 | 5 => {
                self.shape("lag and lead");
                let name = self.tape.choose(&["lag", "lead"]).to_string();
                (format!("{name}({}) {over})", value.sql), value.ty)
            }
            6 => {
                self.shape("first_value and last_value");
                let frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
                let name = self.tape.choose(&["first_value", "last_value"]).to_string();
                (format!("{name}({}) {over} {frame})", value.sql), value.ty)
            }
            7 | 8 => {
                self.shape("aggregate over a partition");
                (format!("sum({number}) OVER ({})", partition.trim()), Ty::Other)
            }
            9 => {
                self.shape("running aggregate");
                (format!("sum({number}) {over})"), Ty::Other)
            }
            10 => {
                self.shape("aggregate over peers");
                let first = self.tape.choose(columns).sql.clone();
                (format!("count(*) OVER ({partition}ORDER BY {first})"), Ty::Int8)
            }
            11 => {
                self.shape("aggregate over a frame of rows");
                (format!("max({number}) {over} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)"), Ty::Other)
            }
            14 => {
                self.shape("cume_dist and percent_rank");
                let name = self.tape.choose(&["cume_dist", "percent_rank"]).to_string();
                let first = self.tape.choose(columns).sql.clone();
                (format!("{name}() OVER ({partition}ORDER BY {first})"), Ty::Other)
            }
            15 => {
                self.shape("RANGE frame with an offset");
                let steps: Vec<(&Column, &str)> = columns
                    .iter()
                    .filter_map(|c| match c.ty {
                        Ty::Int2 | Ty::Int4 | Ty::Int8 | Ty::Float => Some((c, "1")),
                        Ty::Date => Some((c, "'1 day'")),
                        Ty::Timestamp | Ty::Timestamptz => Some((c, "'1 hour'")),
                        _ => None,
                    })
                    .collect();
                let Some((by, step)) = (!steps.is_empty()).then(|| *self.tape.choose(&steps)) else {
                    return ("count(*) OVER ()".to_string(), Ty::Int8);
                };
                let direction = self.tape.choose(&["", " DESC"]);
                let frame = self.tape.choose(&["PRECEDING AND CURRENT ROW", "PRECEDING AND UNBOUNDED FOLLOWING"]);
                let frame = format!("RANGE BETWEEN {step} {frame}");
                (format!("sum({number}) OVER ({partition}ORDER BY {}{direction} {frame})", by.sql), Ty::Other)
            }
            16 => {
                self.shape("GROUPS frame");
                let first = self.tape.choose(columns).sql.clone();
                let frame = "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW";
                (format!("count(*) OVER ({partition}ORDER BY {first} {frame})"), Ty::Int8)
            }
            17 => {
                self.shape("aggregate over a partition with FILTER");
                let filter = self.simple_predicate(columns);
                (format!("count(*) FILTER (WHERE {filter}) OVER ({})", partition.trim()), Ty::Int8)
            }
            18 => {
                self.shape("nth_value");
                let frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
                (format!("nth_value({}, 2) {over} {frame})", value.sql), value.ty)
            }
            19 => {
                self.shape("lag and lead with an offset");
                let name = self.tape.choose(&["lag", "lead"]).to_string();
                let default = if value.ty == Ty::Other { String::new() } else { format!(", {}", value.ty.literal(1)) };
                (format!("{name}({}, 2{default}) {over})", value.sql), value.ty)
            }
            20 => {
                self.shape("frame with EXCLUDE");
                let left = self.tape.choose(&["CURRENT ROW", "GROUP", "TIES"]);
                let frame = format!("ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE {left}");
                (format!("sum({number}) {over} {frame})"), Ty::Other)
            }
            21 => {
                self.shape("running array_agg");
                let text =
                    format!("array_agg({}::text) {over} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", value.sql);
                (text, Ty::Other)
            }
            22 => {
                self.shape("running extremes");
                (format!("min({number}) {over})"), Ty::Other)
            }
            23 => {
                self.shape("running average");
                (format!("avg({number}) {over})"), Ty::Other)
            }
            24 | 25 => {
                self.shape("aggregate that takes nothing back over a frame");
                let call = match self.tape.pick(5) {
                    0 => format!("array_agg({}::text)", value.sql),
                    1 => format!("string_agg({}::text, ',')", value.sql),
                    2 => format!("bool_or({})", self.simple_predicate(columns)),
                    3 => format!("jsonb_agg({})", number),
                    _ => format!("max({}::text) FILTER (WHERE {})", value.sql, self.simple_predicate(columns)),
                };
                let frame = self.tape.choose(&[
                    "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                    "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
                ]);
                (format!("{call} {over} {frame})"), Ty::Other)
            }
            12 => {
                self.shape("ntile");
                (format!("ntile(3) {over})"), Ty::Int4)
            }
            _ => {
                self.shape("count over a partition");
                (format!("count({}) OVER ({})", value.sql, partition.trim()), Ty::Int8)
            }
        }
    }
}

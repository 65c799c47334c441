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
        match self.tape.pick(4) {
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
            true => self.tape.pick(14),
            false => *self.tape.choose(&[2, 7, 10, 13]),
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
            12 => {
                self.shape("ntile and percent_rank");
                (format!("ntile(3) {over})"), Ty::Int4)
            }
            _ => {
                self.shape("count over a partition");
                (format!("count({}) OVER ({})", value.sql, partition.trim()), Ty::Int8)
            }
        }
    }
}

//! GROUP BY and the aggregates.

use super::expr::has_extremes;
use super::{Column, Maker, Query, select_list};
use crate::oracle::tables::{STORED, Ty};

/// The end of a call whose result is rounded; its FILTER comes before.
const ROUNDED: &str = ", 6)";

impl Maker<'_> {
    pub(super) fn aggregate(&mut self, depth: usize) -> Query {
        let (from, scope) = self.from(depth);
        let filter = self.filter(&scope);
        let mut groups: Vec<(String, Ty)> = Vec::new();
        for _ in 0..self.tape.pick(3) {
            let group = match self.tape.pick(4) {
                3 => {
                    let ty = *self.tape.choose(&STORED);
                    self.plain = true;
                    let group = (self.expr(ty, &scope, 1), ty);
                    self.plain = false;
                    group
                }
                _ => {
                    let column = self.tape.choose(&scope).clone();
                    (column.sql, column.ty)
                }
            };
            groups.push(group);
        }
        self.shape(if groups.is_empty() { "aggregate of all rows" } else { "aggregate by groups" });
        groups.iter().for_each(|(_, ty)| self.represent(*ty));
        let by: Vec<&str> = groups.iter().map(|(sql, _)| sql.as_str()).collect();
        let by = if by.is_empty() { String::new() } else { format!(" GROUP BY {}", by.join(", ")) };
        let mut outputs = groups;
        for _ in 0..1 + self.tape.pick(3) {
            outputs.push(self.aggregate_call(&scope));
        }
        let having = match self.tape.pick(4) {
            3 => {
                self.shape("having");
                let operator = self.tape.choose(&[">", "<", "="]);
                format!(" HAVING count(*) {operator} {}", 1 + self.tape.pick(3))
            }
            _ => String::new(),
        };
        let (list, columns) = select_list(outputs);
        Query { sql: format!("SELECT {list} FROM {from}{filter}{by}{having}"), columns }
    }

    pub(super) fn grouping_sets(&mut self, depth: usize) -> Query {
        let (from, scope) = self.from(depth);
        let filter = self.filter(&scope);
        let first = self.tape.pick(scope.len());
        let second = (first + 1 + self.tape.pick(scope.len().max(2) - 1)) % scope.len();
        let (a, b) = (scope[first].clone(), scope[second].clone());
        [&a, &b].iter().for_each(|c| self.represent(c.ty));
        let (one, two) = (&a.sql, &b.sql);
        let (sets, shape) = match self.tape.pick(4) {
            0 => (format!("ROLLUP ({one}, {two})"), "rollup"),
            1 => (format!("CUBE ({one}, {two})"), "cube"),
            2 => (format!("GROUPING SETS (({one}), ({two}))"), "grouping sets"),
            _ => (format!("GROUPING SETS (({one}, {two}), ({one}), ())"), "grouping sets"),
        };
        self.shape(shape);
        let mut outputs = vec![(one.clone(), a.ty), (two.clone(), b.ty)];
        outputs.push((format!("grouping({one}, {two})"), Ty::Int4));
        outputs.push(self.aggregate_call(&scope));
        let (list, columns) = select_list(outputs);
        Query { sql: format!("SELECT {list} FROM {from}{filter} GROUP BY {sets}"), columns }
    }

    fn aggregate_call(&mut self, scope: &[Column]) -> (String, Ty) {
        let (call, ty) = self.bare_call(scope);
        let filter = match self.tape.pick(5) {
            4 => {
                self.shape("FILTER");
                format!(" FILTER (WHERE {})", self.simple_predicate(scope))
            }
            _ => String::new(),
        };
        match call.strip_suffix(ROUNDED) {
            Some(call) => (format!("round({call}{filter}{ROUNDED}"), ty),
            None => (call + &filter, ty),
        }
    }

    fn bare_call(&mut self, scope: &[Column]) -> (String, Ty) {
        // An aggregate with its argument's type and its result's; only what gives one answer in any order.
        macro_rules! call {
            ($shape:literal, $ty:ident, $result:ident, $text:literal) => {{
                self.shape($shape);
                let x = self.expr(Ty::$ty, scope, 1);
                (format!($text, x = x), Ty::$result)
            }};
        }
        match self.tape.pick(46) {
            0 | 1 => {
                self.shape("count");
                ("count(*)".to_string(), Ty::Int8)
            }
            2 => {
                self.shape("count");
                (format!("count({})", self.tape.choose(scope).sql), Ty::Int8)
            }
            3 | 4 => call!("sum", Int4, Int8, "sum({x})"),
            5 => call!("sum", Int8, Numeric, "sum({x})"),
            6 => call!("sum", Fixed, Numeric, "sum({x})"),
            7 => call!("sum", Numeric, Numeric, "sum({x})"),
            8 => call!("sum of floats", Float, Float, "sum({x})"),
            9 => call!("avg", Int4, Numeric, "avg({x})"),
            10 => call!("avg", Fixed, Numeric, "avg({x})"),
            // Not exact: shown, not summed again.
            11 => call!("avg of floats", Float, Other, "avg({x})"),
            12..=15 => {
                let usable: Vec<Ty> = STORED.into_iter().filter(|ty| has_extremes(*ty)).collect();
                let ty = *self.tape.choose(&usable);
                self.shape("min and max");
                self.represent(ty);
                let name = self.tape.choose(&["min", "max"]).to_string();
                (format!("{name}({})", self.expr(ty, scope, 1)), ty)
            }
            16 => call!("bool_and and bool_or", Bool, Bool, "bool_and({x})"),
            17 => call!("bool_and and bool_or", Bool, Bool, "bool_or({x})"),
            18 => call!("variance and stddev", Int4, Numeric, "stddev({x}), 6)"),
            19 => call!("variance and stddev", Fixed, Numeric, "var_pop({x}), 6)"),
            30 => call!("variance and stddev", Numeric, Numeric, "stddev_samp({x}), 6)"),
            31 => call!("variance and stddev", Int8, Numeric, "var_samp(DISTINCT {x}), 6)"),
            32 => call!("avg of numerics", Numeric, Numeric, "avg({x})"),
            33 => call!("sum of intervals", Interval, Interval, "sum({x})"),
            34 => call!("sum distinct", Fixed, Numeric, "sum(DISTINCT {x})"),
            35 => call!("avg distinct", Int4, Numeric, "avg(DISTINCT {x})"),
            20 | 21 => {
                let column = self.tape.choose(scope).clone();
                self.shape("count distinct");
                (format!("count(DISTINCT {})", column.sql), Ty::Int8)
            }
            22 => call!("sum distinct", Int4, Int8, "sum(DISTINCT {x})"),
            23 => {
                let column = self.tape.choose(scope).clone();
                self.shape("array_agg");
                self.represent(column.ty);
                match column.ty {
                    Ty::Other => (format!("array_agg({0}::text ORDER BY {0}::text)", column.sql), Ty::Other),
                    _ => (format!("array_agg({0} ORDER BY {0})", column.sql), Ty::Other),
                }
            }
            24 => call!("string_agg", Text, Text, "string_agg({x}, ',' ORDER BY {x})"),
            25 => {
                // The argument comes twice; a subquery is not the same one when it is written twice.
                let before = std::mem::replace(&mut self.plain, true);
                let call = call!("string_agg", Text, Text, "string_agg(DISTINCT {x}, '-' ORDER BY {x})");
                self.plain = before;
                call
            }
            26 => call!("percentile", Int4, Other, "percentile_cont(0.5) WITHIN GROUP (ORDER BY {x})"),
            27 => call!("percentile", Text, Text, "percentile_disc(0.25) WITHIN GROUP (ORDER BY {x})"),
            36 => call!("sum", Int2, Int8, "sum({x})"),
            37 => call!("sum of floats", Real, Real, "sum({x})"),
            38 => call!("mode", Int4, Int4, "mode() WITHIN GROUP (ORDER BY {x})"),
            39 => call!("percentile", Float, Other, "percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY {x})"),
            40 => call!("bool_and and bool_or", Bool, Bool, "every({x})"),
            41 => {
                self.shape("array_agg in another order");
                let (value, by) = (self.tape.choose(scope).clone(), self.tape.choose(scope).clone());
                [value.ty, by.ty].into_iter().for_each(|ty| self.represent(ty));
                let text = |c: &Column| if c.ty == Ty::Other { format!("{}::text", c.sql) } else { c.sql.clone() };
                let (value, by) = (text(&value), text(&by));
                let direction = self.tape.choose(&["", " DESC", " NULLS FIRST"]);
                (format!("array_agg({value} ORDER BY {by}{direction}, {value})"), Ty::Other)
            }
            42 => call!("bytea_agg", Bytes, Bytes, "string_agg({x}, '\\x00'::bytea ORDER BY {x})"),
            43 => call!("jsonb_object_agg", Int4, Other, "jsonb_object_agg(coalesce({x}, 0)::text, 1)"),
            44 => call!("max distinct", Int4, Int4, "max(DISTINCT {x})"),
            45 => {
                let (a, b) = (self.tape.choose(scope).clone(), self.tape.choose(scope).clone());
                self.shape("count distinct rows");
                (format!("count(DISTINCT ({}, {}))", a.sql, b.sql), Ty::Int8)
            }
            28 => call!("jsonb_agg", Int4, Other, "jsonb_agg({x} ORDER BY {x})"),
            _ => call!("bit_and and bit_or", Int4, Int4, "bit_or({x})"),
        }
    }
}

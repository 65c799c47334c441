//! FROM: relations, subqueries and joins.

use super::{Column, Maker, columns_of};
use crate::oracle::tables::{STORED, Ty};

impl Maker<'_> {
    /// The text after FROM and the columns that it brings.
    pub(super) fn from(&mut self, depth: usize) -> (String, Vec<Column>) {
        match self.tape.pick(8) {
            0..=3 => self.item(depth),
            4..=6 => self.join(depth, 2),
            _ => self.join(depth, 3),
        }
    }

    fn item(&mut self, depth: usize) -> (String, Vec<Column>) {
        if depth > 0 && self.tape.once_in(4) && self.fuel(3) {
            self.shape("subquery in FROM");
            let name = self.name('s');
            let query = self.query(depth - 1);
            return (format!("({}) AS {name}", query.sql), columns_of(&name, &query.columns));
        }
        if self.tape.once_in(20) {
            let types: Vec<Ty> = (0..1 + self.tape.pick(2)).map(|_| *self.tape.choose(&STORED)).collect();
            let (query, name) = (self.values(&types), self.name('y'));
            return (format!("({}) AS {name}", query.sql), columns_of(&name, &query.columns));
        }
        let source = self.tape.choose(&self.sources).clone();
        if source.name.starts_with("bronze.") {
            self.shape("bronze table");
        }
        if source.name.starts_with("managed.") {
            self.shape("managed table");
        }
        if source.name.starts_with("gold.") {
            self.shape("view over view");
        }
        self.loose |= source.loose;
        let name = self.name('a');
        (format!("{} AS {name}", source.name), columns_of(&name, &source.columns))
    }

    fn join(&mut self, depth: usize, relations: usize) -> (String, Vec<Column>) {
        let (mut sql, mut scope) = self.item(depth);
        for _ in 1..relations {
            if !self.fuel(2) {
                break;
            }
            if self.tape.once_in(12) {
                let (set, columns) = self.set_of_each_row(&scope);
                sql = format!("{sql} {set}");
                scope.extend(columns);
                continue;
            }
            if self.tape.once_in(12) {
                let (lateral, columns) = self.lateral(&scope);
                sql = format!("{sql} {lateral}");
                scope.extend(columns);
                continue;
            }
            let (right, columns) = self.item(depth.saturating_sub(1));
            let (word, shape) = *self.tape.choose(&[
                ("JOIN", "inner join"),
                ("LEFT JOIN", "left join"),
                ("RIGHT JOIN", "right join"),
                ("FULL JOIN", "full join"),
                ("JOIN", "inner join"),
                ("LEFT JOIN", "left join"),
                ("CROSS JOIN", "cross join"),
            ]);
            self.shape(shape);
            // A relation comes with its name first.
            let relation = |item: &str| item.split(' ').next().map(str::to_string);
            if relation(&sql) == relation(&right) && !right.starts_with('(') {
                self.shape("self join");
            }
            let on = match shape {
                "cross join" => String::new(),
                _ => format!(" ON {}", self.condition(&scope, &columns, shape)),
            };
            sql = format!("{sql} {word} {right}{on}");
            scope.extend(columns);
        }
        (sql, scope)
    }

    fn condition(&mut self, left: &[Column], right: &[Column], shape: &str) -> String {
        let pairs: Vec<(&Column, &Column)> = left
            .iter()
            .flat_map(|l| right.iter().map(move |r| (l, r)))
            .filter(|(l, r)| comparable(l.ty, r.ty))
            .collect();
        // A full join needs an equality between its sides; a condition that is never true is one without pairs.
        let Some((l, r)) = (!pairs.is_empty()).then(|| *self.tape.choose(&pairs)) else {
            return if shape == "full join" { "false".to_string() } else { "true".to_string() };
        };
        let equality = format!("{} = {}", l.sql, r.sql);
        let both: Vec<Column> = left.iter().chain(right).cloned().collect();
        match self.tape.pick(8) {
            5 => {
                self.shape("join with a further condition");
                format!("{equality} AND {}", self.simple_predicate(&both))
            }
            6 => {
                let (l, r) = *self.tape.choose(&pairs);
                self.shape("join on two equalities");
                format!("{equality} AND {} = {}", l.sql, r.sql)
            }
            7 if shape != "full join" => {
                self.shape("join without an equality");
                let operator = self.tape.choose(&["<", "<>", ">=", "IS NOT DISTINCT FROM"]);
                format!("{} {operator} {}", l.sql, r.sql)
            }
            _ => equality,
        }
    }

    /// A set-returning function of the columns before it.
    fn set_of_each_row(&mut self, scope: &[Column]) -> (String, Vec<Column>) {
        self.shape("set-returning function");
        let name = self.name('f');
        let before = std::mem::replace(&mut self.plain, true);
        let (call, ty) = match self.tape.pick(5) {
            4 => (format!("unnest({})", self.expr(Ty::Ints, scope, 0)), Ty::Int4),
            0 => (format!("generate_series(1, {} % 4)", self.expr(Ty::Int4, scope, 0)), Ty::Int4),
            1 => (
                format!("unnest(ARRAY[{}, {}])", self.expr(Ty::Text, scope, 1), self.expr(Ty::Text, scope, 0)),
                Ty::Text,
            ),
            2 => {
                let value = self.expr(Ty::Jsonb, scope, 0);
                (format!("jsonb_array_elements(jsonb_build_array({value}, 1))"), Ty::Jsonb)
            }
            _ => (format!("string_to_table({}, 'a')", self.expr(Ty::Text, scope, 0)), Ty::Text),
        };
        self.plain = before;
        let word = self.tape.choose(&["CROSS JOIN LATERAL", "LEFT JOIN LATERAL"]);
        let on = if word.starts_with("LEFT") { " ON true" } else { "" };
        (format!("{word} {call} AS {name}(c0){on}"), vec![Column { sql: format!("{name}.c0"), ty }])
    }

    fn lateral(&mut self, scope: &[Column]) -> (String, Vec<Column>) {
        self.shape("lateral");
        let source = self.tape.choose(&self.sources).clone();
        self.loose |= source.loose;
        let (inner, outer) = (self.name('x'), self.name('l'));
        let columns = columns_of(&inner, &source.columns);
        let on = self.correlation(&columns, scope);
        let value = self.tape.choose(&columns).clone();
        let (sql, ty) = match self.tape.pick(2) {
            0 => (format!("SELECT count({}) AS c0 FROM {} AS {inner} WHERE {on}", value.sql, source.name), Ty::Int8),
            _ => {
                let order = self.total_order(&[], &columns);
                columns.iter().for_each(|c| self.represent(c.ty));
                let limit = 1 + self.tape.pick(2);
                let from = format!("FROM {} AS {inner} WHERE {on}", source.name);
                (format!("SELECT {} AS c0 {from} ORDER BY {order} LIMIT {limit}", value.sql), value.ty)
            }
        };
        let word = self.tape.choose(&["JOIN", "LEFT JOIN"]);
        (format!("{word} LATERAL ({sql}) AS {outer} ON true"), vec![Column { sql: format!("{outer}.c0"), ty }])
    }

    /// A condition between the columns of a subquery and those around it.
    pub(super) fn correlation(&mut self, inner: &[Column], outer: &[Column]) -> String {
        let pairs: Vec<(&Column, &Column)> = inner
            .iter()
            .flat_map(|i| outer.iter().map(move |o| (i, o)))
            .filter(|(i, o)| comparable(i.ty, o.ty))
            .collect();
        match pairs.is_empty() {
            true => self.simple_predicate(inner),
            false => {
                let (i, o) = *self.tape.choose(&pairs);
                let operator = self.tape.choose(&["=", "=", "=", "=", "<", "<>"]);
                format!("{} {operator} {}", i.sql, o.sql)
            }
        }
    }
}

/// Whether values of the two types can be compared as they are.
pub(super) fn comparable(a: Ty, b: Ty) -> bool {
    let number = |ty| matches!(ty, Ty::Int2 | Ty::Int4 | Ty::Int8 | Ty::Fixed | Ty::Numeric);
    let float = |ty| matches!(ty, Ty::Real | Ty::Float);
    a != Ty::Other && (a == b || (number(a) && number(b)) || (float(a) && float(b)))
}

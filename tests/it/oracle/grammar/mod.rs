//! Random queries that a materialized view may have, each with one right answer.
//!
//! Where PostgreSQL leaves a choice open, the grammar does not go: a LIMIT, a DISTINCT ON, a `row_number()` and an ordered
//! aggregate order by everything that they read; sums are over floats that add up exactly. One choice is left: which of
//! several equal values stands for a group (`0` and `-0`, `1.0` and `1.00`); such a query is *loose*.

mod aggregate;
mod expr;
mod join;
mod window;

use super::tables::{Table, Ty};
use super::tape::Tape;
use std::collections::BTreeSet;

/// What a query can read.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub columns: Vec<(String, Ty)>,
    pub loose: bool,
}

impl Source {
    pub fn table(table: &Table) -> Self {
        Self { name: table.qualified(), columns: table.columns.clone(), loose: false }
    }
}

/// A view to be.
#[derive(Debug, Clone)]
pub struct View {
    pub name: String,
    pub sql: String,
    pub columns: Vec<(String, Ty)>,
    /// Others read it as the query that it is, where it is not.
    pub materialized: bool,
    /// Equal values may be shown differently.
    pub loose: bool,
    /// What it is made of.
    pub shapes: BTreeSet<&'static str>,
    /// What it was made from.
    numbers: Vec<u16>,
    sources: Vec<Source>,
}

impl View {
    /// The view that `numbers` choose, over `sources`.
    pub fn new(name: String, numbers: &[u16], sources: &[Source]) -> Self {
        let (mut tape, sources) = (Tape::new(numbers), sources.to_vec());
        let materialized = !tape.once_in(14);
        let mut maker =
            Maker { tape, sources, names: 0, loose: false, shapes: BTreeSet::new(), fuel: 24, plain: false };
        let query = maker.query(2);
        if !materialized {
            maker.shape("plain view");
        }
        let Maker { loose, shapes, sources, .. } = maker;
        let (sql, columns, numbers) = (query.sql, query.columns, numbers.to_vec());
        Self { name, sql, columns, materialized, loose, shapes, numbers, sources }
    }

    pub fn numbers(&self) -> &[u16] {
        &self.numbers
    }

    /// The view of this name over the same sources that other numbers choose.
    pub fn with(&self, numbers: Vec<u16>) -> Self {
        Self::new(self.name.clone(), &numbers, &self.sources)
    }

    pub fn qualified(&self) -> String {
        format!("gold.{}", self.name)
    }

    pub fn create(&self) -> String {
        let kind = if self.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
        format!("CREATE {kind} {} AS\n  {}", self.qualified(), self.sql)
    }

    pub fn as_source(&self) -> Source {
        Source { name: self.qualified(), columns: self.columns.clone(), loose: self.loose }
    }
}

/// A SELECT and its columns.
struct Query {
    sql: String,
    columns: Vec<(String, Ty)>,
}

/// A column that expressions can name.
#[derive(Debug, Clone)]
struct Column {
    sql: String,
    ty: Ty,
}

struct Maker<'a> {
    tape: Tape<'a>,
    sources: Vec<Source>,
    names: usize,
    loose: bool,
    shapes: BTreeSet<&'static str>,
    /// Subqueries and joined relations that may still come.
    fuel: usize,
    /// Expressions are to be without subqueries.
    plain: bool,
}

impl Maker<'_> {
    fn shape(&mut self, name: &'static str) {
        self.shapes.insert(name);
    }

    fn name(&mut self, letter: char) -> String {
        self.names += 1;
        format!("{letter}{}", self.names)
    }

    fn fuel(&mut self, cost: usize) -> bool {
        let enough = self.fuel >= cost;
        if enough {
            self.fuel -= cost;
        }
        enough
    }

    /// Notes that one value of several equal ones is chosen.
    fn represent(&mut self, ty: Ty) {
        self.loose |= matches!(ty, Ty::Float | Ty::Real | Ty::Numeric | Ty::Interval | Ty::Jsonb | Ty::Other);
    }

    fn query(&mut self, depth: usize) -> Query {
        match (depth, self.tape.pick(20)) {
            (_, 0..=2) | (0, 8..) => self.select(depth),
            (_, 3..=6) => self.aggregate(depth),
            (_, 7) => self.grouping_sets(depth),
            (_, 8 | 9) => self.set_operation(depth),
            (_, 10) => self.distinct(depth),
            (_, 11) => self.distinct_on(depth),
            (_, 12) => self.top(depth),
            (_, 13 | 14) => self.window(depth),
            (_, 15) => self.top_with_ties(depth),
            (_, 16) => self.recursive(),
            (_, 17) => self.set_in_list(depth),
            _ => self.with(depth),
        }
    }

    /// A clause or nothing.
    fn filter(&mut self, scope: &[Column]) -> String {
        match self.tape.pick(3) {
            0 => String::new(),
            _ => {
                self.shape("filter");
                format!(" WHERE {}", self.predicate(scope, 2))
            }
        }
    }

    fn select(&mut self, depth: usize) -> Query {
        let (from, scope) = self.from(depth);
        let filter = self.filter(&scope);
        let count = 1 + self.tape.pick(4);
        let outputs = (0..count).map(|_| self.output(&scope)).collect();
        let (list, columns) = select_list(outputs);
        Query { sql: format!("SELECT {list} FROM {from}{filter}"), columns }
    }

    /// An expression of any type.
    fn output(&mut self, scope: &[Column]) -> (String, Ty) {
        match self.tape.pick(3) {
            0 | 1 if !scope.is_empty() => {
                let column = self.tape.choose(scope).clone();
                (column.sql, column.ty)
            }
            _ => {
                let ty = *self.tape.choose(&super::tables::STORED);
                (self.expr(ty, scope, 2), ty)
            }
        }
    }

    /// A query with columns of these types.
    fn select_of(&mut self, types: &[Ty], depth: usize) -> Query {
        let (from, scope) = self.from(depth);
        let filter = self.filter(&scope);
        let outputs = types.iter().map(|ty| (self.expr(*ty, &scope, 1), *ty)).collect();
        let (list, columns) = select_list(outputs);
        Query { sql: format!("SELECT {list} FROM {from}{filter}"), columns }
    }

    fn set_operation(&mut self, depth: usize) -> Query {
        let types: Vec<Ty> = (0..1 + self.tape.pick(3)).map(|_| *self.tape.choose(&super::tables::STORED)).collect();
        let left = self.select_of(&types, depth - 1);
        let mut sql = format!("({})", left.sql);
        for _ in 0..1 + self.tape.pick(2) {
            let right = match self.tape.pick(5) {
                4 => self.values(&types),
                _ => self.select_of(&types, depth - 1),
            };
            let (word, shape) = *self.tape.choose(&[
                ("UNION ALL", "union all"),
                ("UNION", "union"),
                ("INTERSECT", "intersect"),
                ("EXCEPT", "except"),
                ("INTERSECT ALL", "intersect all"),
                ("EXCEPT ALL", "except all"),
            ]);
            self.shape(shape);
            if shape != "union all" {
                types.iter().for_each(|ty| self.represent(*ty));
            }
            sql = format!("({sql} {word} ({}))", right.sql);
        }
        Query { sql: format!("SELECT * FROM {sql} AS {}", self.name('u')), columns: left.columns }
    }

    fn values(&mut self, types: &[Ty]) -> Query {
        self.shape("values");
        let mut rows = Vec::new();
        for _ in 0..1 + self.tape.pick(3) {
            let cells: Vec<String> = types.iter().map(|ty| ty.literal(self.tape.pick(1000) as u16)).collect();
            rows.push(format!("({})", cells.join(", ")));
        }
        let columns = types.iter().enumerate().map(|(i, ty)| (format!("column{}", i + 1), *ty)).collect();
        Query { sql: format!("VALUES {}", rows.join(", ")), columns }
    }

    fn distinct(&mut self, depth: usize) -> Query {
        self.shape("distinct");
        let query = self.select(depth - 1);
        query.columns.iter().for_each(|(_, ty)| self.represent(*ty));
        Query { sql: query.sql.replacen("SELECT", "SELECT DISTINCT", 1), columns: query.columns }
    }

    /// A relation with few columns, all of which can be ordered by: text, name, columns.
    fn narrow(&mut self, depth: usize) -> (String, Vec<Column>) {
        let name = self.name('d');
        let (sql, columns) = match self.tape.pick(3) {
            0 => {
                let source = self.tape.choose(&self.sources).clone();
                self.loose |= source.loose;
                (source.name, source.columns)
            }
            1 => {
                let query = self.select(depth - 1);
                (format!("({})", query.sql), query.columns)
            }
            _ => {
                let query = self.query(depth - 1);
                (format!("({})", query.sql), query.columns)
            }
        };
        (format!("{sql} AS {name}"), columns_of(&name, &columns))
    }

    /// All columns in some order and direction, from `first` on.
    fn total_order(&mut self, first: &[usize], columns: &[Column]) -> String {
        let shift = self.tape.pick(columns.len());
        let rest = (0..columns.len()).map(|i| (i + shift) % columns.len()).filter(|i| !first.contains(i));
        let order: Vec<usize> = first.iter().copied().chain(rest).collect();
        let mut terms = Vec::new();
        for i in order {
            let direction = self.tape.choose(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
            terms.push(format!("{}{direction}", columns[i].sql));
        }
        terms.join(", ")
    }

    fn distinct_on(&mut self, depth: usize) -> Query {
        self.shape("distinct on");
        let (from, columns) = self.narrow(depth);
        columns.iter().for_each(|c| self.represent(c.ty));
        let on = self.tape.pick(columns.len());
        let order = self.total_order(&[on], &columns);
        let outputs = columns.iter().map(|c| (c.sql.clone(), c.ty)).collect();
        let (list, outputs) = select_list(outputs);
        let sql = format!("SELECT DISTINCT ON ({}) {list} FROM {from} ORDER BY {order}", columns[on].sql);
        Query { sql, columns: outputs }
    }

    fn top(&mut self, depth: usize) -> Query {
        self.shape("top");
        let (from, columns) = self.narrow(depth);
        columns.iter().for_each(|c| self.represent(c.ty));
        let order = self.total_order(&[], &columns);
        let (list, outputs) = select_list(columns.iter().map(|c| (c.sql.clone(), c.ty)).collect());
        let offset = if self.tape.once_in(3) { " OFFSET 1" } else { "" };
        let limit = 1 + self.tape.pick(4);
        Query { sql: format!("SELECT {list} FROM {from} ORDER BY {order} LIMIT {limit}{offset}"), columns: outputs }
    }

    /// All rows that are equal in order come, or the order is all that is shown: nothing is open.
    fn top_with_ties(&mut self, depth: usize) -> Query {
        let (from, columns) = self.narrow(depth);
        let by = self.tape.choose(&columns).clone();
        let direction = self.tape.choose(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        let count = 1 + self.tape.pick(4);
        if self.tape.once_in(2) {
            self.shape("top of tied rows");
            self.represent(by.ty);
            let (list, outputs) = select_list(vec![(by.sql.clone(), by.ty)]);
            let sql = format!("SELECT {list} FROM {from} ORDER BY {}{direction} LIMIT {count}", by.sql);
            return Query { sql, columns: outputs };
        }
        self.shape("top with ties");
        let (list, outputs) = select_list(columns.iter().map(|c| (c.sql.clone(), c.ty)).collect());
        let end = format!("ORDER BY {}{direction} FETCH FIRST {count} ROWS WITH TIES", by.sql);
        Query { sql: format!("SELECT {list} FROM {from} {end}"), columns: outputs }
    }

    /// A set-returning function in the select list.
    fn set_in_list(&mut self, depth: usize) -> Query {
        self.shape("set-returning function in the list");
        let (from, scope) = self.from(depth);
        let filter = self.filter(&scope);
        let column = self.tape.choose(&scope).clone();
        let set = match self.tape.pick(2) {
            0 => (format!("generate_series(1, {} % 4)", self.expr(Ty::Int4, &scope, 0)), Ty::Int4),
            _ => (format!("unnest({})", self.expr(Ty::Ints, &scope, 0)), Ty::Int4),
        };
        let (list, columns) = select_list(vec![(column.sql, column.ty), set]);
        Query { sql: format!("SELECT {list} FROM {from}{filter}"), columns }
    }

    /// From row to row over one relation: all that can be reached, or a few steps.
    fn recursive(&mut self) -> Query {
        let source = self.tape.choose(&self.sources).clone();
        let name = self.name('z');
        let all = columns_of(&name, &source.columns);
        let steady = |c: &&Column| matches!(c.ty, Ty::Int4 | Ty::Int8 | Ty::Int2 | Ty::Text | Ty::Date | Ty::Uuid);
        let usable: Vec<Column> = all.iter().filter(steady).cloned().collect();
        if usable.is_empty() {
            return self.select(0);
        }
        self.shape("recursive");
        self.loose |= source.loose;
        let from = self.tape.choose(&usable).clone();
        let same: Vec<Column> = usable.iter().filter(|c| c.ty == from.ty).cloned().collect();
        let to = self.tape.choose(&same).clone();
        let start = self.simple_predicate(&all);
        let (reached, ty) = (self.name('r'), from.ty);
        let table = format!("{} AS {name}", source.name);
        let step = format!("FROM {table} JOIN {reached} ON {} = {reached}.c0", from.sql);
        match self.tape.pick(3) {
            0 => Query {
                sql: format!(
                    "WITH RECURSIVE {reached} AS (SELECT {} AS c0 FROM {table} WHERE {start} UNION SELECT {} {step}) \
                     SELECT c0 FROM {reached}",
                    to.sql, to.sql
                ),
                columns: vec![("c0".to_string(), ty)],
            },
            1 => Query {
                sql: format!(
                    "WITH RECURSIVE {reached} AS (SELECT {} AS c0, 0 AS c1 FROM {table} WHERE {start} \
                     UNION ALL SELECT {}, {reached}.c1 + 1 {step} WHERE {reached}.c1 < 2) SELECT c0, c1 FROM {reached}",
                    to.sql, to.sql
                ),
                columns: vec![("c0".to_string(), ty), ("c1".to_string(), Ty::Int4)],
            },
            _ => Query {
                sql: format!(
                    "WITH RECURSIVE {reached} AS (SELECT {} AS c0 FROM {table} WHERE {start} UNION SELECT {} {step}) \
                     SELECT a.c0, count(*) AS c1 FROM {reached} AS a LEFT JOIN {table} ON {} = a.c0 GROUP BY a.c0",
                    to.sql, to.sql, from.sql
                ),
                columns: vec![("c0".to_string(), ty), ("c1".to_string(), Ty::Int8)],
            },
        }
    }

    fn with(&mut self, depth: usize) -> Query {
        self.shape("with");
        let name = self.name('w');
        let materialized = *self.tape.choose(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
        let inner = self.query(depth - 1);
        let source = Source { name: name.clone(), columns: inner.columns, loose: self.loose };
        // The query over it reads it, once or joined with itself or with others.
        let mut sources = vec![source.clone(), source];
        sources.extend(self.sources.iter().cloned());
        let around = std::mem::replace(&mut self.sources, sources);
        let query = self.query(depth - 1);
        self.sources = around;
        // A query has one WITH.
        let outer = match query.sql.starts_with("WITH") {
            true => format!("SELECT * FROM ({}) AS {}", query.sql, self.name('s')),
            false => query.sql,
        };
        let sql = format!("WITH {name} AS {materialized}({}) {outer}", inner.sql);
        Query { sql, columns: query.columns }
    }
}

/// `a.x AS c0, …`
fn select_list(outputs: Vec<(String, Ty)>) -> (String, Vec<(String, Ty)>) {
    let list: Vec<String> = outputs.iter().enumerate().map(|(i, (sql, _))| format!("{sql} AS c{i}")).collect();
    let columns = outputs.iter().enumerate().map(|(i, (_, ty))| (format!("c{i}"), *ty)).collect();
    (list.join(", "), columns)
}

fn columns_of(name: &str, columns: &[(String, Ty)]) -> Vec<Column> {
    columns.iter().map(|(column, ty)| Column { sql: format!("{name}.{column}"), ty: *ty }).collect()
}

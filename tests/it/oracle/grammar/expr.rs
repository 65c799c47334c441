//! Scalar expressions and predicates.

use super::join::comparable;
use super::{Column, Maker, columns_of};
use crate::oracle::tables::{STORED, Ty, quoted};

impl Maker<'_> {
    fn column_of(&mut self, ty: Ty, scope: &[Column]) -> Option<String> {
        let fitting: Vec<&Column> = scope.iter().filter(|c| c.ty == ty).collect();
        (!fitting.is_empty()).then(|| self.tape.choose(&fitting).sql.clone())
    }

    fn literal(&mut self, ty: Ty) -> String {
        ty.literal(self.tape.pick(1000) as u16)
    }

    /// A column of the type where there is one, else a literal.
    fn leaf(&mut self, ty: Ty, scope: &[Column]) -> String {
        // Without the rare values: an operation on constants that always fails may do so before there is a row.
        let literal = |maker: &mut Self| ty.literal(maker.tape.pick(36) as u16);
        match self.tape.pick(4) {
            3 => literal(self),
            _ => self.column_of(ty, scope).unwrap_or_else(|| literal(self)),
        }
    }

    /// An expression of exactly this type.
    pub(super) fn expr(&mut self, ty: Ty, scope: &[Column], depth: usize) -> String {
        if depth == 0 {
            return self.leaf(ty, scope);
        }
        match self.tape.pick(10) {
            0..=3 => self.leaf(ty, scope),
            4..=6 => self.operation(ty, scope, depth - 1),
            7 => {
                self.shape("case");
                let when = self.predicate(scope, depth - 1);
                let (a, b) = (self.expr(ty, scope, depth - 1), self.expr(ty, scope, depth - 1));
                match self.tape.pick(3) {
                    0 => format!("CASE WHEN {when} THEN {a} ELSE {b} END"),
                    1 => format!("CASE WHEN {when} THEN {a} END"),
                    _ => {
                        let other = self.predicate(scope, depth - 1);
                        format!("CASE WHEN {when} THEN {a} WHEN {other} THEN {b} ELSE {} END", self.leaf(ty, scope))
                    }
                }
            }
            8 => {
                let (a, b) = (self.expr(ty, scope, depth - 1), self.leaf(ty, scope));
                // There is no greatest(interval) yet.
                let names = if ty == Ty::Interval { 2 } else { 4 };
                let name = self.tape.choose(&["coalesce", "nullif", "greatest", "least"][..names]);
                if *name != "coalesce" && *name != "nullif" {
                    self.represent(ty);
                }
                format!("{name}({a}, {b})")
            }
            _ => self.scalar_subquery(ty, scope).unwrap_or_else(|| self.leaf(ty, scope)),
        }
    }

    /// What operators and functions of the type give. Floats stay exact.
    fn operation(&mut self, ty: Ty, scope: &[Column], depth: usize) -> String {
        self.shape("arithmetic and functions");
        let choice = self.tape.pick(10);
        macro_rules! e {
            ($ty:ident) => {
                self.expr(Ty::$ty, scope, depth)
            };
        }
        match (ty, choice) {
            (Ty::Int4, 0) => format!("({} + {})", e!(Int4), self.tape.pick(3)),
            (Ty::Int4, 1) => format!("({} - {})", e!(Int4), e!(Int4)),
            (Ty::Int4, 2) => format!("({} * 2)", e!(Int4)),
            (Ty::Int4, 3) => format!("({} % 3)", e!(Int4)),
            (Ty::Int4, 4) => format!("({} / 2)", e!(Int4)),
            (Ty::Int4, 5) => format!("length({})", e!(Text)),
            (Ty::Int4, 6) => format!("extract(hour FROM {})::int4", finite(e!(Timestamp))),
            (Ty::Int4, 7) => format!("cardinality({})", e!(Ints)),
            (Ty::Int4, 8) => format!("({})[1]", e!(Ints)),
            (Ty::Int4, _) => self.failing(scope, depth),
            (Ty::Int2, 0..=3) => format!("({} + {})", e!(Int2), e!(Int2)),
            (Ty::Int2, 4 | 5) => format!("({} % 3::int2)", e!(Int2)),
            (Ty::Int2, _) => format!("({} % 5)::int2", e!(Int4)),
            (Ty::Int8, 0 | 1) => format!("({} + {})", e!(Int4), e!(Int8)),
            (Ty::Int8, 2) => format!("({} % 4)", e!(Int8)),
            (Ty::Int8, 3) => format!("abs({})", e!(Int8)),
            (Ty::Int8, 4) => format!("({} * {})", e!(Int8), e!(Int2)),
            (Ty::Int8, _) => format!("{}::int8", e!(Int4)),
            (Ty::Text, 0) => format!("({} || {})", e!(Text), e!(Text)),
            (Ty::Text, 1) => format!("({} ->> 'a')", e!(Jsonb)),
            (Ty::Text, 2) => format!("upper({})", e!(Text)),
            (Ty::Text, 3) => format!("substr({}, 1, 1)", e!(Text)),
            (Ty::Text, 4) => format!("{}::text", e!(Int4)),
            (Ty::Text, 5) => format!("{}::text", e!(Date)),
            (Ty::Text, 6) => format!("replace({}, 'a', 'c')", e!(Text)),
            (Ty::Text, 7) => format!("{}::text", e!(Char)),
            (Ty::Text, 8) => format!("encode({}, 'hex')", e!(Bytes)),
            (Ty::Text, _) => format!("{}::text", e!(Bool)),
            (Ty::Char, 0..=4) => format!("upper({})::char(3)", e!(Text)),
            (Ty::Char, _) => format!("{}::char(3)", e!(Text)),
            (Ty::Fixed, 0..=6) => format!("round({}, 1)::numeric(10,2)", e!(Fixed)),
            (Ty::Fixed, _) => format!("({} / {})::numeric(10,2)", e!(Fixed), e!(Fixed)),
            (Ty::Numeric, 0 | 1) => format!("({} + {})", e!(Numeric), e!(Fixed)),
            (Ty::Numeric, 2) => format!("({} * {})", e!(Fixed), e!(Int4)),
            (Ty::Numeric, 3) => format!("({} / 4)", e!(Fixed)),
            (Ty::Numeric, 4) => format!("round({}, 1)", e!(Numeric)),
            (Ty::Numeric, 5) => format!("({} - {})", e!(Numeric), e!(Numeric)),
            (Ty::Numeric, _) => format!("{}::numeric", e!(Int8)),
            (Ty::Real, 0..=3) => format!("({} + {})", e!(Real), e!(Real)),
            (Ty::Real, 4..=6) => format!("({} * 0.5::float4)", e!(Real)),
            (Ty::Real, _) => format!("abs({})", e!(Real)),
            (Ty::Float, 0 | 1) => format!("({} + {})", e!(Float), e!(Float)),
            (Ty::Float, 2) => format!("({} * 0.5::float8)", e!(Float)),
            (Ty::Float, 3) => format!("abs({})", e!(Float)),
            (Ty::Float, 4) => format!("{}::float8", e!(Real)),
            (Ty::Float, _) => format!("{}::float8", e!(Int4)),
            (Ty::Bool, _) => format!("({})", self.predicate(scope, depth)),
            (Ty::Timestamp, 0..=3) => format!("date_trunc('hour', {})", e!(Timestamp)),
            (Ty::Timestamp, 4) => format!("({} + interval '30 minutes')", e!(Timestamp)),
            (Ty::Timestamp, 5) => format!("({} AT TIME ZONE 'UTC')", e!(Timestamptz)),
            (Ty::Timestamp, _) => format!("{}::timestamp", e!(Date)),
            (Ty::Timestamptz, 0..=3) => format!("date_trunc('day', {}, 'UTC')", e!(Timestamptz)),
            (Ty::Timestamptz, 4..=6) => format!("({} + interval '90 minutes')", e!(Timestamptz)),
            (Ty::Timestamptz, _) => format!("({} AT TIME ZONE 'UTC')", e!(Timestamp)),
            (Ty::Interval, 0 | 1) => format!("({} + {})", e!(Interval), e!(Interval)),
            (Ty::Interval, 2) => format!("({} * 2)", e!(Interval)),
            (Ty::Interval, 3) => format!("(- {})", e!(Interval)),
            (Ty::Interval, _) => format!("(({} % 20) * interval '1 hour')", e!(Int4)),
            (Ty::Jsonb, 0 | 1) => format!("jsonb_build_object('k', {})", e!(Int4)),
            (Ty::Jsonb, 2) => format!("({} -> 'a')", e!(Jsonb)),
            (Ty::Jsonb, 3) => format!("({} || '[7]'::jsonb)", e!(Jsonb)),
            (Ty::Jsonb, _) => format!("to_jsonb({})", e!(Text)),
            (Ty::Date, 0 | 1) => format!("({} + 1)", e!(Date)),
            (Ty::Date, _) => format!("{}::date", e!(Timestamp)),
            (Ty::Ints, 0..=3) => format!("array_append({}, {})", e!(Ints), e!(Int4)),
            (Ty::Ints, 4..=6) => format!("ARRAY[{}, {}]", e!(Int4), e!(Int4)),
            (Ty::Ints, _) => format!("({} || {})", e!(Ints), e!(Ints)),
            (Ty::Bytes, 0..=5) => format!("({} || {})", e!(Bytes), e!(Bytes)),
            (Ty::Bytes, _) => format!("convert_to({}, 'UTF8')", e!(Text)),
            (Ty::Uuid, _) => self.leaf(Ty::Uuid, scope),
            (Ty::Other, _) => self.leaf(Ty::Text, scope),
        }
    }

    /// An int4 that some rows have none of: a division by zero, a cast of what is no number; now and then with a guard.
    fn failing(&mut self, scope: &[Column], depth: usize) -> String {
        self.shape("may fail over a row");
        let before = std::mem::replace(&mut self.plain, true);
        let sql = match self.tape.pick(4) {
            0 => {
                let (a, b) = (self.expr(Ty::Int4, scope, depth), self.leaf(Ty::Int4, scope));
                format!("CASE WHEN {b} <> 0 THEN {a} / {b} END")
            }
            1 => format!("({} / {})", self.expr(Ty::Int4, scope, depth), self.leaf(Ty::Int4, scope)),
            2 => {
                let text = self.leaf(Ty::Text, scope);
                format!("CASE WHEN {text} ~ '^[0-9]+$' THEN {text}::int4 END")
            }
            _ => format!("nullif({}, '')::int4", self.leaf(Ty::Text, scope)),
        };
        self.plain = before;
        sql
    }

    /// A value of the type out of another relation, for each row.
    fn scalar_subquery(&mut self, ty: Ty, scope: &[Column]) -> Option<String> {
        let source = self.tape.choose(&self.sources).clone();
        let name = self.name('q');
        let columns = columns_of(&name, &source.columns);
        let value = self.column_of(ty, &columns);
        let from = format!("FROM {} AS {name}", source.name);
        if self.plain || !self.fuel(3) {
            return None;
        }
        let filter = match self.tape.pick(3) {
            0 => {
                self.shape("scalar subquery");
                format!(" WHERE {}", self.simple_predicate(&columns))
            }
            _ => {
                self.shape("correlated scalar subquery");
                format!(" WHERE {}", self.correlation(&columns, scope))
            }
        };
        self.loose |= source.loose;
        if ty == Ty::Int8 {
            return Some(format!("(SELECT count(*) {from}{filter})"));
        }
        let value = value?;
        self.represent(ty);
        match self.tape.pick(3) {
            0 | 1 if ty == Ty::Bool => Some(format!("(SELECT bool_or({value}) {from}{filter})")),
            // There is no max(jsonb), max(uuid), max(bytea).
            choice if choice == 2 || !has_extremes(ty) => {
                self.shape("scalar subquery with LIMIT 1");
                let order = self.total_order(&[], &columns);
                Some(format!("(SELECT {value} {from}{filter} ORDER BY {order} LIMIT 1)"))
            }
            choice => Some(format!("(SELECT {}({value}) {from}{filter})", ["max", "min"][choice])),
        }
    }

    pub(super) fn predicate(&mut self, scope: &[Column], depth: usize) -> String {
        if depth == 0 {
            return self.simple_predicate(scope);
        }
        match self.tape.pick(12) {
            0..=3 => self.simple_predicate(scope),
            4 => format!("({} AND {})", self.predicate(scope, depth - 1), self.predicate(scope, depth - 1)),
            5 => format!("({} OR {})", self.predicate(scope, depth - 1), self.predicate(scope, depth - 1)),
            6 => format!("NOT ({})", self.predicate(scope, depth - 1)),
            7 => {
                let ty = *self.tape.choose(&STORED);
                let (a, b) = (self.expr(ty, scope, depth - 1), self.expr(ty, scope, depth - 1));
                let operator = self.tape.choose(&["=", "<", "<>", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]);
                format!("{a} {operator} {b}")
            }
            8 | 9 => self.in_subquery(scope).unwrap_or_else(|| self.simple_predicate(scope)),
            _ => self.exists(scope).unwrap_or_else(|| self.simple_predicate(scope)),
        }
    }

    /// A condition on one column, without subqueries.
    pub(super) fn simple_predicate(&mut self, scope: &[Column]) -> String {
        let usable: Vec<&Column> = scope.iter().filter(|c| c.ty != Ty::Other).collect();
        if usable.is_empty() {
            return self.tape.choose(&["true", "false"]).to_string();
        }
        let Column { sql, ty } = (*self.tape.choose(&usable)).clone();
        match self.tape.pick(10) {
            0..=2 => {
                let operator = self.tape.choose(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{sql} {operator} {}", self.literal(ty))
            }
            3 => format!("{sql} IS NOT NULL"),
            4 => format!("{sql} IS NULL"),
            5 => format!("{sql} IN ({}, {})", self.literal(ty), self.literal(ty)),
            6 => format!("{sql} BETWEEN {} AND {}", self.literal(ty), self.literal(ty)),
            7 => {
                let same: Vec<&Column> = usable.iter().filter(|c| comparable(c.ty, ty)).copied().collect();
                let other = self.tape.choose(&same).sql.clone();
                let operator = self.tape.choose(&["=", "<", "<>"]);
                format!("{sql} {operator} {other}")
            }
            8 if ty == Ty::Bool => sql,
            8 if ty == Ty::Ints => format!("{} = ANY ({sql})", self.tape.pick(3)),
            8 if ty == Ty::Text => format!("{sql} LIKE {}", quoted(["a%", "%b", "_", "%"][self.tape.pick(4)])),
            _ => format!("{sql} IS DISTINCT FROM {}", self.literal(ty)),
        }
    }

    fn in_subquery(&mut self, scope: &[Column]) -> Option<String> {
        let source = self.tape.choose(&self.sources).clone();
        let name = self.name('q');
        let columns = columns_of(&name, &source.columns);
        let pairs: Vec<(&Column, &Column)> = scope
            .iter()
            .flat_map(|o| columns.iter().map(move |i| (o, i)))
            .filter(|(o, i)| comparable(o.ty, i.ty))
            .collect();
        if pairs.is_empty() || self.plain || !self.fuel(3) {
            return None;
        }
        let (outer, inner) = *self.tape.choose(&pairs);
        let filter = match self.tape.pick(4) {
            0 | 1 => String::new(),
            2 => format!(" WHERE {}", self.simple_predicate(&columns)),
            _ => {
                self.shape("correlated IN");
                format!(" WHERE {}", self.correlation(&columns, scope))
            }
        };
        let (word, shape) =
            *self.tape.choose(&[("IN", "IN"), ("NOT IN", "NOT IN"), ("= ANY", "= ANY"), ("< ALL", "< ALL")]);
        self.shape(shape);
        Some(format!("{} {word} (SELECT {} FROM {} AS {name}{filter})", outer.sql, inner.sql, source.name))
    }

    fn exists(&mut self, scope: &[Column]) -> Option<String> {
        if self.plain || !self.fuel(3) {
            return None;
        }
        let source = self.tape.choose(&self.sources).clone();
        let name = self.name('q');
        let columns = columns_of(&name, &source.columns);
        let correlation = self.correlation(&columns, scope);
        let further = match self.tape.pick(3) {
            2 => format!(" AND {}", self.simple_predicate(&columns)),
            _ => String::new(),
        };
        let (word, shape) = *self.tape.choose(&[("EXISTS", "EXISTS"), ("NOT EXISTS", "NOT EXISTS")]);
        self.shape(shape);
        Some(format!("{word} (SELECT 1 FROM {} AS {name} WHERE {correlation}{further})", source.name))
    }
}

/// Is there a `max` and a `min` of the type?
pub(super) fn has_extremes(ty: Ty) -> bool {
    !matches!(ty, Ty::Bool | Ty::Jsonb | Ty::Uuid | Ty::Bytes | Ty::Other)
}

/// `extract(hour …)` of an infinity is NULL in one release and an error in another.
fn finite(timestamp: String) -> String {
    format!("nullif({timestamp}, 'infinity'::timestamp)")
}

//! PostgreSQL 15's own rows for types, functions, operators, casts and aggregates, read by `tests/scripts/pg_facts.sh`
//! from a running server. The binder resolves overloads with them, `pg_catalog` lists them; a function without a
//! kernel is listed and answers `0A000`.

use crate::types::Oid;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A row of `pg_type`.
#[derive(Debug, Clone)]
pub struct TypeRow {
    pub oid: Oid,
    pub name: &'static str,
    pub len: i16,
    pub by_value: bool,
    pub kind: char,
    pub category: char,
    pub preferred: bool,
    pub delimiter: char,
    pub element: Oid,
    pub array: Oid,
    pub input: Oid,
    pub output: Oid,
    pub receive: Oid,
    pub send: Oid,
    pub align: char,
    pub storage: char,
    pub base: Oid,
    pub collation: Oid,
}

/// The functions of Sluice's own, in schema `sluice`, have OIDs from here on, up to those of users.
pub const OWN_PROCS: Oid = Oid(13990);

/// A row of `pg_proc`.
#[derive(Debug, Clone)]
pub struct ProcRow {
    pub oid: Oid,
    pub name: &'static str,
    /// f function, a aggregate, w window, p procedure.
    pub kind: char,
    /// Element type of a variadic last argument, or 0.
    pub variadic: Oid,
    pub strict: bool,
    pub returns_set: bool,
    /// i immutable, s stable, v volatile.
    pub volatility: char,
    pub defaults: usize,
    pub result: Oid,
    pub args: Vec<Oid>,
    /// All arguments with their modes (i, o, b, v, t) where there are others than IN.
    pub all_args: Vec<Oid>,
    pub modes: Vec<char>,
    pub arg_names: Vec<&'static str>,
}

/// A row of `pg_operator`.
#[derive(Debug, Clone)]
pub struct OperatorRow {
    pub oid: Oid,
    pub name: &'static str,
    /// b binary, l prefix.
    pub kind: char,
    pub can_merge: bool,
    pub can_hash: bool,
    pub left: Oid,
    pub right: Oid,
    pub result: Oid,
    pub commutator: Oid,
    pub negator: Oid,
    /// The function that computes it.
    pub code: Oid,
}

/// A row of `pg_cast`.
#[derive(Debug, Clone)]
pub struct CastRow {
    pub oid: Oid,
    pub source: Oid,
    pub target: Oid,
    /// 0 where the cast needs no function.
    pub function: Oid,
    /// i implicit, a assignment, e explicit.
    pub context: char,
    /// f function, b binary-compatible, i through the types' text.
    pub method: char,
}

/// A row of `pg_aggregate`.
#[derive(Debug, Clone)]
pub struct AggregateRow {
    pub function: Oid,
    /// n normal, o ordered-set, h hypothetical-set.
    pub kind: char,
    pub direct_args: usize,
}

/// All rows, with the look-ups that binding needs.
pub struct Facts {
    pub types: Vec<TypeRow>,
    pub procs: Vec<ProcRow>,
    pub operators: Vec<OperatorRow>,
    pub casts: Vec<CastRow>,
    pub aggregates: Vec<AggregateRow>,
    type_by_oid: HashMap<Oid, usize>,
    type_by_name: HashMap<&'static str, usize>,
    proc_by_oid: HashMap<Oid, usize>,
    procs_by_name: HashMap<&'static str, Vec<usize>>,
    operators_by_name: HashMap<&'static str, Vec<usize>>,
    cast_by_types: HashMap<(Oid, Oid), usize>,
    aggregate_by_proc: HashMap<Oid, usize>,
}

static FACTS: LazyLock<Facts> = LazyLock::new(Facts::load);

/// The facts, read on first use.
pub fn facts() -> &'static Facts {
    &FACTS
}

struct Cells(std::str::Split<'static, char>);

impl Cells {
    fn text(&mut self) -> &'static str {
        self.0.next().expect("a fact row has all its columns")
    }
    fn number(&mut self) -> i64 {
        self.text().parse().expect("a fact's number is a number")
    }
    fn oid(&mut self) -> Oid {
        Oid(self.number() as u32)
    }
    fn letter(&mut self) -> char {
        self.text().chars().next().expect("a fact's letter is there")
    }
    fn flag(&mut self) -> bool {
        self.text() == "t"
    }
    fn list(&mut self) -> Vec<&'static str> {
        match self.text() {
            "" | "\\N" => Vec::new(),
            text => text.split(' ').collect(),
        }
    }
    fn oids(&mut self) -> Vec<Oid> {
        let list = self.list();
        list.iter().map(|n| Oid(n.parse().expect("a fact's OID is a number"))).collect()
    }
}

fn rows<T>(tsv: &'static str, row: impl Fn(&mut Cells) -> T) -> Vec<T> {
    tsv.lines().map(|line| row(&mut Cells(line.split('\t')))).collect()
}

impl Facts {
    fn load() -> Self {
        let types = rows(include_str!("pg_type.tsv"), |c| {
            let (oid, name, len, by_value, kind) = (c.oid(), c.text(), c.number() as i16, c.flag(), c.letter());
            let (category, preferred, delimiter, _relation) = (c.letter(), c.flag(), c.letter(), c.oid());
            TypeRow {
                oid,
                name,
                len,
                by_value,
                kind,
                category,
                preferred,
                delimiter,
                element: c.oid(),
                array: c.oid(),
                input: c.oid(),
                output: c.oid(),
                receive: c.oid(),
                send: c.oid(),
                align: c.letter(),
                storage: c.letter(),
                base: c.oid(),
                collation: c.oid(),
            }
        });
        let proc_row = |c: &mut Cells| {
            let (oid, name, kind, variadic) = (c.oid(), c.text(), c.letter(), c.oid());
            let (strict, returns_set, volatility, _count) = (c.flag(), c.flag(), c.letter(), c.number());
            ProcRow {
                oid,
                name,
                kind,
                variadic,
                strict,
                returns_set,
                volatility,
                defaults: c.number() as usize,
                result: c.oid(),
                args: c.oids(),
                all_args: c.oids(),
                modes: c.list().iter().filter_map(|m| m.chars().next()).collect(),
                arg_names: c.list(),
            }
        };
        let mut procs = rows(include_str!("pg_proc.tsv"), proc_row);
        procs.extend(rows(include_str!("own_proc.tsv"), proc_row));
        let operators = rows(include_str!("pg_operator.tsv"), |c| OperatorRow {
            oid: c.oid(),
            name: c.text(),
            kind: c.letter(),
            can_merge: c.flag(),
            can_hash: c.flag(),
            left: c.oid(),
            right: c.oid(),
            result: c.oid(),
            commutator: c.oid(),
            negator: c.oid(),
            code: c.oid(),
        });
        let casts = rows(include_str!("pg_cast.tsv"), |c| CastRow {
            oid: c.oid(),
            source: c.oid(),
            target: c.oid(),
            function: c.oid(),
            context: c.letter(),
            method: c.letter(),
        });
        let aggregates = rows(include_str!("pg_aggregate.tsv"), |c| AggregateRow {
            function: c.oid(),
            kind: c.letter(),
            direct_args: c.number() as usize,
        });
        let mut procs_by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (i, p) in procs.iter().enumerate() {
            procs_by_name.entry(p.name).or_default().push(i);
        }
        let mut operators_by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (i, o) in operators.iter().enumerate() {
            operators_by_name.entry(o.name).or_default().push(i);
        }
        Self {
            type_by_oid: types.iter().enumerate().map(|(i, t)| (t.oid, i)).collect(),
            type_by_name: types.iter().enumerate().map(|(i, t)| (t.name, i)).collect(),
            proc_by_oid: procs.iter().enumerate().map(|(i, p)| (p.oid, i)).collect(),
            cast_by_types: casts.iter().enumerate().map(|(i, c)| ((c.source, c.target), i)).collect(),
            aggregate_by_proc: aggregates.iter().enumerate().map(|(i, a)| (a.function, i)).collect(),
            procs_by_name,
            operators_by_name,
            types,
            procs,
            operators,
            casts,
            aggregates,
        }
    }

    pub fn type_row(&self, oid: Oid) -> Option<&TypeRow> {
        self.type_by_oid.get(&oid).map(|&i| &self.types[i])
    }

    /// By `typname`: `int4`, `_text`; SQL's own spellings are the parser's business.
    pub fn type_named(&self, name: &str) -> Option<&TypeRow> {
        self.type_by_name.get(name).map(|&i| &self.types[i])
    }

    pub fn proc_row(&self, oid: Oid) -> Option<&ProcRow> {
        self.proc_by_oid.get(&oid).map(|&i| &self.procs[i])
    }

    pub fn procs_named(&self, name: &str) -> impl Iterator<Item = &ProcRow> {
        self.procs_by_name.get(name).into_iter().flatten().map(|&i| &self.procs[i])
    }

    pub fn operators_named(&self, name: &str) -> impl Iterator<Item = &OperatorRow> {
        self.operators_by_name.get(name).into_iter().flatten().map(|&i| &self.operators[i])
    }

    pub fn cast(&self, source: Oid, target: Oid) -> Option<&CastRow> {
        self.cast_by_types.get(&(source, target)).map(|&i| &self.casts[i])
    }

    pub fn aggregate(&self, function: Oid) -> Option<&AggregateRow> {
        self.aggregate_by_proc.get(&function).map(|&i| &self.aggregates[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::oid;

    #[test]
    fn every_fact_row_is_read() {
        let facts = facts();
        assert_eq!(facts.type_named("numeric").map(|t| t.oid), Some(oid::NUMERIC));
        assert_eq!(facts.procs_named("length").count(), 8);
        assert!(facts.cast(oid::INT4, oid::INT8).is_some_and(|c| c.context == 'i'));
        assert!(facts.operators_named("+").count() > 30);
    }
}

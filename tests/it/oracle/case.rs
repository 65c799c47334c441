//! One random case: tables, views, ticks; run it, and print what was run.

use super::compare::{Same, same, shown};
use super::coverage::{Counts, Keys};
use super::grammar::{Source, View};
use super::postgres::Postgres;
use super::rig::{Rig, Row};
use super::tables::{Alteration, Change, Kind, RawAlteration, RawChange, Table, announced, announcements};
use proptest::collection::vec;
use proptest::prelude::*;
use sluice::types::PgError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// The numbers that a case is made from. Whatever is taken away from them leaves a case.
#[derive(Debug, Clone)]
pub struct Raw {
    pub tables: Vec<u16>,
    pub steps: Vec<Vec<RawChange>>,
    pub views: Vec<Vec<u16>>,
    /// How many steps come before the views; whether the engine is started anew in the end, and fills its views beside.
    pub before: u8,
    pub restart: Option<bool>,
    /// Changes of columns, before which step.
    pub altered: Vec<RawAlteration>,
}

pub fn raw(steps: usize, views: usize) -> impl Strategy<Value = Raw> {
    let change = (any::<u8>(), any::<u8>(), any::<u8>(), vec(any::<u16>(), 0..8));
    let parts = (
        vec(any::<u16>(), 0..40),
        vec(vec(change, 0..12), 1..=steps),
        vec(vec(any::<u16>(), 0..120), 1..=views),
        0..3u8,
        prop::option::weighted(0.1, any::<bool>()),
        prop_oneof![3 => Just(vec![]), 1 => vec(any::<RawAlteration>(), 1..4)],
    );
    parts.prop_map(|(tables, steps, views, before, restart, altered)| Raw {
        tables,
        steps,
        views,
        before,
        restart,
        altered,
    })
}

#[derive(Clone)]
pub struct Case {
    tables: Vec<Table>,
    pub steps: Vec<Vec<RawChange>>,
    pub views: Vec<View>,
    /// Steps before the views are created.
    before: usize,
    pub restart: Option<bool>,
    pub altered: Vec<RawAlteration>,
}

/// What was seen over many cases.
#[derive(Debug, Default)]
pub struct Seen {
    pub cases: u64,
    pub views: u64,
    /// Comparisons that found rows, and those that found an error on both sides.
    pub compared: u64,
    pub in_error: u64,
    /// `0A000`, by message.
    pub refused: BTreeMap<String, u64>,
    /// Views that failed over the rows at their creation, as their query did.
    pub failed_at_once: u64,
    /// What views, changes and results were like.
    pub constructs: Counts,
    /// Changes of columns that were made, and those that were refused because a view reads the column.
    pub altered: u64,
    pub kept: u64,
}

impl Seen {
    fn note(&mut self, construct: &'static str) {
        *self.constructs.entry(construct).or_default() += 1;
    }

    fn note_result(&mut self, result: &Result<Vec<Row>, PgError>) {
        match result {
            Ok(rows) => {
                self.note(if rows.is_empty() { "no rows" } else { "rows" });
                if rows.iter().flatten().flatten().any(|cell| cell == "NaN") {
                    self.note("NaN shown");
                }
            }
            Err(error) => match error.state.as_str() {
                "22012" => self.note("division by zero"),
                "22003" => self.note("out of range"),
                "22P02" => self.note("invalid text"),
                _ => {}
            },
        }
    }

    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.views += other.views;
        self.compared += other.compared;
        self.in_error += other.in_error;
        self.failed_at_once += other.failed_at_once;
        self.altered += other.altered;
        self.kept += other.kept;
        other.refused.into_iter().for_each(|(message, n)| *self.refused.entry(message).or_default() += n);
        other.constructs.into_iter().for_each(|(name, n)| *self.constructs.entry(name).or_default() += n);
    }
}

impl From<&Raw> for Case {
    fn from(raw: &Raw) -> Self {
        let tables = Table::some(&raw.tables);
        let mut sources: Vec<Source> = tables.iter().map(Source::table).collect();
        let mut views = Vec::new();
        for (i, numbers) in raw.views.iter().enumerate() {
            let view = View::new(format!("v{i}"), numbers, &sources);
            sources.push(view.as_source());
            views.push(view);
        }
        Self {
            tables,
            before: usize::from(raw.before).min(raw.steps.len()),
            steps: raw.steps.clone(),
            views,
            restart: raw.restart,
            altered: raw.altered.clone(),
        }
    }
}

/// A case while it runs.
struct Run<'a> {
    case: &'a Case,
    rig: Rig,
    postgres: Option<Postgres>,
    /// As they are now.
    tables: Vec<Table>,
    live: Vec<Live<'a>>,
    keys: Keys,
    seen: &'a mut Seen,
    /// What was done, as SQL.
    script: &'a mut Vec<String>,
}

/// A view that is there.
struct Live<'a> {
    view: &'a View,
    /// Its query as it is called now.
    query: String,
    /// The tables under it.
    reads: BTreeSet<usize>,
    /// What its query gave when one of them last changed.
    wanted: Option<Result<Vec<Row>, PgError>>,
}

impl Case {
    pub fn drop_steps(&mut self, range: Range<usize>) {
        self.before -= range.clone().filter(|i| *i < self.before).count();
        self.steps.drain(range);
    }

    /// Runs it over an engine of its own. `script`: what was done, as SQL. `Err` says what went wrong.
    pub async fn run(&self, seen: &mut Seen, script: &mut Vec<String>) -> Result<(), String> {
        let rig = Rig::start().await;
        let postgres = Postgres::named(&self.tables).await;
        let (tables, keys) = (self.tables.clone(), Keys::default());
        let mut run = Run { case: self, rig, postgres, tables, live: vec![], keys, seen, script };
        let result = run.all().await;
        // In order: an engine that is left to itself ends too, but nobody would hear why not.
        run.rig.stop().await;
        run.seen.cases += u64::from(result.is_ok());
        result
    }
}

impl<'a> Run<'a> {
    async fn all(&mut self) -> Result<(), String> {
        let Case { steps, before, altered, restart, .. } = self.case;
        self.begin().await?;
        for (i, step) in steps.iter().enumerate() {
            if i == *before {
                self.create().await?;
            }
            for altered in altered.iter().filter(|a| usize::from(a.0) % steps.len() == i && i >= *before) {
                self.alter(altered).await.map_err(|e| format!("before tick {}: {e}", i + 1))?;
            }
            self.step(step, i + 1).await.map_err(|e| format!("after tick {}: {e}", i + 1))?;
        }
        if *before == steps.len() {
            self.create().await?;
        }
        self.through_sql().await.map_err(|e| format!("after all: {e}"))?;
        match (restart, steps.first()) {
            (Some(beside), Some(first)) => self.restart(*beside, first).await,
            _ => Ok(()),
        }
    }

    async fn begin(&mut self) -> Result<(), String> {
        let schemas = ["silver", "bronze", "gold", "managed"].map(|s| format!("CREATE SCHEMA IF NOT EXISTS {s};"));
        self.script.push(schemas.join(" "));
        self.script.extend(self.tables.iter().map(Table::create));
        let bronze = announcements(&self.tables).into_iter().filter(|c| self.tables[c.table()].kind == Kind::Bronze);
        let first: Vec<String> = bronze.map(|change| change.sql(&self.tables)).collect();
        self.script.extend(first.iter().cloned());
        if let Some(postgres) = &self.postgres {
            postgres.run(&first.join(" ")).await?;
        }
        let managed = self.tables.iter().filter(|t| t.kind == Kind::Managed).map(Table::create);
        let managed: Vec<String> = managed.collect();
        if !managed.is_empty() {
            self.rig.must("CREATE SCHEMA managed").await;
        }
        for create in managed {
            self.rig.must(&create).await;
        }
        let delivered = announced(&self.tables);
        self.rig.feed(delivered).await;
        Ok(())
    }

    /// One step: what sources deliver, then what statements change, each a tick.
    async fn step(&mut self, step: &[RawChange], number: usize) -> Result<(), String> {
        let changes: Vec<Change> = step.iter().flat_map(|raw| Change::from_raw(raw, &self.tables)).collect();
        let (written, delivered): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| self.tables[change.table()].kind == Kind::Managed);
        let statements = |changes: &[Change]| changes.iter().map(|c| c.sql(&self.tables)).collect::<Vec<_>>();
        for (nth, changes) in [statements(&delivered), statements(&written)].into_iter().enumerate() {
            if changes.is_empty() && (nth == 1 || !written.is_empty()) {
                continue;
            }
            self.script.push(format!("-- tick {number}"));
            self.script.push("BEGIN;".to_string());
            self.script.extend(changes.iter().cloned());
            self.script.push("COMMIT;".to_string());
            let touched = if nth == 0 { &delivered } else { &written };
            self.keys.note(touched, &self.tables, &mut self.seen.constructs);
            match nth {
                0 => self.rig.feed(Change::together(&delivered, &self.tables)).await,
                _ => {
                    self.rig.must("BEGIN").await;
                    for change in &changes {
                        self.rig.must(change).await;
                    }
                    self.rig.must("COMMIT").await;
                }
            }
            if let Some(postgres) = &self.postgres {
                postgres.run(&format!("BEGIN; {} COMMIT", changes.join(" "))).await?;
            }
            let touched = touched.iter().map(Change::table).collect::<BTreeSet<_>>();
            self.compare(|reads| !reads.is_disjoint(&touched)).await?;
        }
        Ok(())
    }

    /// Changes a table's columns: a source does with its next row, a statement at once.
    async fn alter(&mut self, (_, table, what, nth): &RawAlteration) -> Result<(), String> {
        let table = usize::from(*table) % self.tables.len();
        let Some(alteration) = self.tables[table].alteration(*what, *nth) else { return Ok(()) };
        let (after, sql) = self.tables[table].altered(&alteration);
        // PostgreSQL changes no column that a view reads, and refuses it for both.
        if let Some(postgres) = &self.postgres
            && postgres.run(&sql).await.is_err()
        {
            return Ok(());
        }
        if after.kind == Kind::Managed {
            match self.rig.run(&sql).await {
                Ok(_) => {}
                // A view reads the column.
                Err(error) if self.postgres.is_none() && matches!(error.state.as_str(), "2BP01" | "0A000") => {
                    self.script.push(format!("-- {}: {sql}", error.message));
                    self.seen.kept += 1;
                    return Ok(());
                }
                Err(error) => return Err(format!("{sql}\n  {}", shown(&error))),
            }
        }
        self.script.push(sql);
        self.tables[table] = after;
        self.seen.altered += 1;
        self.seen.note(alteration.name());
        if matches!(alteration, Alteration::RenameColumn(_) | Alteration::Rename) {
            self.follow_names().await?;
        }
        self.compare(|_| true).await
    }

    /// What was renamed is called so in the views' definitions too.
    async fn follow_names(&mut self) -> Result<(), String> {
        let sql = "SELECT schemaname || '.' || matviewname, definition FROM pg_matviews \
                   UNION ALL SELECT schemaname || '.' || viewname, definition FROM pg_views";
        let mut defined: HashMap<String, String> = HashMap::new();
        for row in self.rig.must(sql).await {
            if let [Some(name), Some(definition)] = row.as_slice() {
                defined.insert(name.clone(), definition.trim_end_matches(';').to_string());
            }
        }
        for live in &mut self.live {
            let name = live.view.qualified();
            live.query = defined.remove(&name).ok_or_else(|| format!("{name} has no definition"))?;
        }
        Ok(())
    }

    /// Creates the views; those that are there.
    async fn create(&mut self) -> Result<(), String> {
        // In one transaction, which waits for the lake once; where it fails over the rows, one by one.
        self.rig.must("BEGIN").await;
        let views = &self.case.views;
        let mut live = Vec::new();
        for view in views {
            self.seen.views += 1;
            match self.rig.run_inside(&view.create()).await {
                Ok(_) => live.push(view),
                Err(error) if error.state.as_str() == "0A000" => {
                    self.script.push(format!("-- refused: {}", view.create().replace('\n', " ")));
                    *self.seen.refused.entry(error.message.clone()).or_default() += 1;
                }
                // A view over one that is not there.
                Err(error) if error.state.as_str() == "42P01" && live.len() < views.len() => {}
                Err(error) => {
                    self.script.push(view.create() + ";");
                    return Err(format!("{}\n  {}", view.create(), shown(&error)));
                }
            }
        }
        if self.rig.run("COMMIT").await.is_err() {
            live = self.create_singly(live).await?;
        }
        self.script.extend(live.iter().map(|view| view.create() + ";"));
        if let Some(postgres) = &self.postgres {
            for view in &live {
                postgres.create(view).await?;
            }
        }
        live.iter().flat_map(|v| &v.shapes).for_each(|shape| self.seen.note(shape));
        for view in live {
            let named = |name: &str| view.sql.contains(&format!("{name} "));
            let tables = (0..self.tables.len()).filter(|i| named(&self.tables[*i].qualified()));
            let under = self.live.iter().filter(|l| named(&l.view.qualified())).flat_map(|l| l.reads.iter().copied());
            let reads = tables.chain(under).collect();
            self.live.push(Live { view, query: view.sql.clone(), reads, wanted: None });
        }
        self.through_sql().await.map_err(|e| format!("after the creation: {e}"))
    }

    async fn create_singly(&mut self, views: Vec<&'a View>) -> Result<Vec<&'a View>, String> {
        let mut live = Vec::new();
        for view in views {
            let Err(error) = self.rig.run(&view.create()).await else {
                live.push(view);
                continue;
            };
            match self.rig.run(&view.sql).await {
                _ if error.state.as_str() == "42P01" => {}
                Err(by_hand) if by_hand.state == error.state && error.state.as_str().starts_with("22") => {
                    self.seen.failed_at_once += 1;
                }
                by_hand => {
                    self.script.push(view.create() + ";");
                    let by_hand = by_hand.map_or_else(|e| shown(&e), |_| "it works".to_string());
                    return Err(format!("{}\n  {}\n  and by hand {by_hand}", view.create(), shown(&error)));
                }
            }
        }
        Ok(live)
    }

    async fn restart(&mut self, beside: bool, first: &[RawChange]) -> Result<(), String> {
        let how = if beside { ", views filled beside," } else { "" };
        self.script.push(format!("-- a restart{how} and a tick once more"));
        self.seen.note(if beside { "restart that fills beside" } else { "restart" });
        self.postgres = None;
        self.rig.restart(beside).await;
        let mut compared = self.compare(|_| true).await;
        // Where what is filled anew shows another one of equal values, a view over it is filled again.
        if compared.as_ref().is_err_and(|reason| reason.contains("Hydrating")) {
            self.rig.filled().await;
            compared = self.compare(|_| true).await;
        }
        compared.map_err(|e| format!("after a restart: {e}"))?;
        let again: Vec<RawChange> = first.to_vec();
        let changes: Vec<Change> = again.iter().flat_map(|raw| Change::from_raw(raw, &self.tables)).collect();
        let delivered: Vec<Change> =
            changes.into_iter().filter(|change| self.tables[change.table()].kind != Kind::Managed).collect();
        self.script.extend(delivered.iter().map(|change| change.sql(&self.tables)));
        self.rig.feed(Change::together(&delivered, &self.tables)).await;
        self.rig.filled().await;
        self.live.iter_mut().for_each(|live| live.wanted = None);
        self.through_sql().await.map_err(|e| format!("after a restart and a tick: {e}"))
    }

    /// Compares each view with its query, which is asked again where it may give something else than before.
    async fn compare(&mut self, asked_again: impl Fn(&BTreeSet<usize>) -> bool) -> Result<(), String> {
        for Live { view, query, reads, wanted } in &mut self.live {
            if wanted.is_none() || asked_again(reads) {
                let result = self.rig.run(query).await;
                self.seen.note_result(&result);
                *wanted = Some(result);
            }
            if let Some(wanted) = wanted.as_ref().filter(|_| view.materialized) {
                match same(&view.qualified(), self.rig.held(&view.qualified()), wanted, view.loose)? {
                    Same::Rows => self.seen.compared += 1,
                    Same::Error => self.seen.in_error += 1,
                }
            }
            if let Some(postgres) = &self.postgres {
                postgres.compare(&mut self.rig, view).await?;
            }
        }
        Ok(())
    }

    /// The same, and by what clients see, `sluice.views` included.
    async fn through_sql(&mut self) -> Result<(), String> {
        self.compare(|_| false).await?;
        let mut told = self.rig.errors().await;
        for Live { view, wanted, .. } in self.live.iter().filter(|live| live.view.materialized) {
            let name = view.qualified();
            let held = self.rig.shown(&name, told.remove(&name).flatten()).await?;
            if let Some(wanted) = wanted {
                same(&name, held, wanted, view.loose)?;
            }
        }
        Ok(())
    }
}

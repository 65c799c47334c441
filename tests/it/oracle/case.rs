//! One random case: tables, views, ticks; run it, and print it.

use super::compare::{Same, compare, shown};
use super::grammar::{Source, View};
use super::postgres::Postgres;
use super::rig::Rig;
use super::tables::{Change, RawChange, Table, announced};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
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
    /// A table that its source changes, before which step, and whether it widens a column.
    pub altered: Option<(u8, u8, bool)>,
}

pub fn raw(steps: usize, views: usize) -> impl Strategy<Value = Raw> {
    let change = (any::<u8>(), any::<u8>(), any::<u8>(), vec(any::<u16>(), 0..8));
    let parts = (
        vec(any::<u16>(), 0..32),
        vec(vec(change, 0..12), 1..=steps),
        vec(vec(any::<u16>(), 0..120), 1..=views),
        0..3u8,
        prop::option::weighted(0.1, any::<bool>()),
        prop::option::weighted(0.15, any::<(u8, u8, bool)>()),
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
    pub steps: Vec<Vec<Change>>,
    pub views: Vec<View>,
    /// Steps before the views are created.
    before: usize,
    pub restart: Option<bool>,
    /// Step, table, whether a column is widened.
    pub altered: Option<(usize, usize, bool)>,
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
    pub shapes: BTreeMap<&'static str, u64>,
}

impl From<&Raw> for Case {
    fn from(raw: &Raw) -> Self {
        let tables = Table::some(&raw.tables);
        let changes = |step: &Vec<RawChange>| step.iter().map(|c| Change::from_raw(c, &tables)).collect();
        let steps: Vec<Vec<Change>> = raw.steps.iter().map(changes).collect();
        let mut sources: Vec<Source> = tables.iter().map(Source::table).collect();
        let mut views = Vec::new();
        for (i, numbers) in raw.views.iter().enumerate() {
            let view = View::new(format!("v{i}"), numbers, &sources);
            sources.push(view.as_source());
            views.push(view);
        }
        let altered = raw.altered.map(|(step, table, widens)| {
            (usize::from(step) % steps.len().max(1), usize::from(table) % tables.len(), widens)
        });
        Self { tables, before: usize::from(raw.before).min(steps.len()), steps, views, restart: raw.restart, altered }
    }
}

impl Case {
    pub fn drop_steps(&mut self, range: Range<usize>) {
        self.before -= range.clone().filter(|i| *i < self.before).count();
        if let Some((step, ..)) = &mut self.altered {
            *step -= range.clone().filter(|i| *i < *step).count();
        }
        self.steps.drain(range);
    }

    /// Runs it over an engine of its own. `Err` says what went wrong.
    pub async fn run(&self, seen: &mut Seen) -> Result<(), String> {
        let mut rig = Rig::start().await;
        let postgres = Postgres::named(&self.tables).await;
        rig.feed(announced(&self.tables), 2).await;
        let mut live = Vec::new();
        let mut tables = self.tables.clone();
        for (i, step) in self.steps.iter().enumerate() {
            if i == self.before {
                live = self.create(&mut rig, postgres.as_ref(), seen).await?;
            }
            // PostgreSQL alters no column that a view reads.
            if let Some((_, table, widens)) = self.altered.filter(|(step, ..)| *step == i && postgres.is_none()) {
                tables[table] = tables[table].altered(widens).0;
            }
            rig.feed(Change::together(step, &tables), step.len()).await;
            if let Some(postgres) = &postgres {
                postgres.feed(step, &self.tables).await;
            }
            let compared = self.compare(&mut rig, postgres.as_ref(), &live, seen).await;
            compared.map_err(|e| format!("after tick {}: {e}", i + 1))?;
        }
        if self.before == self.steps.len() {
            live = self.create(&mut rig, postgres.as_ref(), seen).await?;
        }
        if let (Some(beside), Some(first)) = (self.restart, self.steps.first()) {
            rig = rig.restart(beside).await;
            self.compare(&mut rig, None, &live, seen).await.map_err(|e| format!("after a restart: {e}"))?;
            rig.feed(Change::together(first, &tables), first.len()).await;
            rig.filled().await;
            let compared = self.compare(&mut rig, None, &live, seen).await;
            compared.map_err(|e| format!("after a restart and tick 1 once more: {e}"))?;
        }
        rig.stop().await;
        seen.cases += 1;
        Ok(())
    }

    /// Creates the views; those that are there.
    async fn create(&self, rig: &mut Rig, postgres: Option<&Postgres>, seen: &mut Seen) -> Result<Vec<&View>, String> {
        // In one transaction, which waits for the lake once; where it fails over the rows, one by one.
        rig.must("BEGIN").await;
        let mut live = Vec::new();
        for view in &self.views {
            seen.views += 1;
            match rig.run_inside(&view.create()).await {
                Ok(_) => live.push(view),
                Err(error) if error.state.as_str() == "0A000" => {
                    *seen.refused.entry(error.message.clone()).or_default() += 1;
                }
                // A view over one that is not there.
                Err(error) if error.state.as_str() == "42P01" && live.len() < self.views.len() => {}
                Err(error) => return Err(format!("{}\n  {}", view.create(), shown(&error))),
            }
        }
        if rig.run("COMMIT").await.is_err() {
            live = self.create_singly(rig, live, seen).await?;
        }
        if let Some(postgres) = postgres {
            for view in &live {
                postgres.create(view).await?;
            }
        }
        live.iter().flat_map(|v| &v.shapes).for_each(|shape| *seen.shapes.entry(shape).or_default() += 1);
        self.compare(rig, postgres, &live, seen).await.map_err(|e| format!("after the creation: {e}"))?;
        Ok(live)
    }

    async fn create_singly<'v>(
        &self,
        rig: &mut Rig,
        views: Vec<&'v View>,
        seen: &mut Seen,
    ) -> Result<Vec<&'v View>, String> {
        let mut live = Vec::new();
        for view in views {
            let Err(error) = rig.run(&view.create()).await else {
                live.push(view);
                continue;
            };
            match rig.run(&view.sql).await {
                _ if error.state.as_str() == "42P01" => {}
                Err(by_hand) if by_hand.state == error.state && error.state.as_str().starts_with("22") => {
                    seen.failed_at_once += 1;
                }
                Err(by_hand) => {
                    let (create, error, by_hand) = (view.create(), shown(&error), shown(&by_hand));
                    return Err(format!("{create}\n  {error}\n  and by hand {by_hand}"));
                }
                Ok(_) => return Err(format!("{}\n  {}\n  and by hand it works", view.create(), shown(&error))),
            }
        }
        Ok(live)
    }

    async fn compare(
        &self,
        rig: &mut Rig,
        postgres: Option<&Postgres>,
        live: &[&View],
        seen: &mut Seen,
    ) -> Result<(), String> {
        for view in live {
            match compare(rig, &view.qualified(), &view.sql, view.loose).await? {
                Same::Rows => seen.compared += 1,
                Same::Error => seen.in_error += 1,
            }
            if let Some(postgres) = postgres {
                postgres.compare(rig, view).await?;
            }
        }
        Ok(())
    }

    /// The case as SQL, tick by tick.
    pub fn script(&self) -> String {
        let mut lines = vec!["CREATE SCHEMA silver; CREATE SCHEMA gold;".to_string()];
        lines.extend(self.tables.iter().map(Table::create));
        for i in 0..=self.steps.len() {
            if i == self.before {
                lines.extend(self.views.iter().map(|v| v.create() + ";"));
            }
            let Some(step) = self.steps.get(i) else { continue };
            if let Some((_, table, widens)) = self.altered.filter(|(step, ..)| *step == i) {
                lines.push(self.tables[table].altered(widens).1);
            }
            lines.push(format!("-- tick {}", i + 1));
            lines.push("BEGIN;".to_string());
            lines.extend(step.iter().map(|change| change.sql(&self.tables)));
            lines.push("COMMIT;".to_string());
        }
        if let Some(beside) = self.restart {
            let how = if beside { ", views filled beside," } else { "" };
            lines.push(format!("-- a restart{how} and tick 1 once more"));
        }
        lines.join("\n")
    }
}

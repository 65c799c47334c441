//! What foreign keys do to the rows that refer to changed ones: ON DELETE and ON UPDATE, CASCADE, SET NULL and SET DEFAULT.
//!
//! A statement's change of one table is followed by changes of the tables that refer to it, these by others, in turn:
//!
//! ```text
//! statement ─► Change ─► keys that refer to it ─► Change … ─► all keys of all changes hold, or 23503 and nothing is written
//! ```
//!
//! Actions come first and checks last, whatever the order of the keys: a row that two keys reach by different ways goes with the first. RESTRICT
//! alone is looked at before the actions of its own change.

use super::foreign::{self, Key, check_removed, check_unreferred, check_written};
use super::interrupt::Operation;
use super::session::Session;
use super::transaction::View;
use super::write::{Main, Run};
use crate::bind::{self, BindContext, ColumnSource};
use crate::catalog::Relation;
use crate::change::RowId;
use crate::engine::{SavedWrites, TableWrites};
use crate::types::{Oid, PgError, PgResult};
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{filter_record_batch, take};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar, ResTarget, SetToDefault, UpdateStmt};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// What was done to a table's rows.
pub struct Change {
    pub relation: Arc<Relation>,
    /// The rows that ended, as they were.
    pub gone: RecordBatch,
    /// For each of `gone` the place in `rows` of the row that it became; `None`: deleted.
    pub into: Vec<Option<u32>>,
    /// The rows that were written.
    pub rows: RecordBatch,
}

/// The writes to tables as they were before a statement, to go back to.
#[derive(Default)]
pub struct Before(HashMap<Oid, (SavedWrites, Vec<Vec<usize>>)>);

impl Before {
    /// Notes what a table is like, the first time.
    pub fn note(&mut self, session: &mut Session, relation: &Relation) -> PgResult<()> {
        if let Entry::Vacant(entry) = self.0.entry(relation.oid) {
            let writes = session.writes(relation.oid)?;
            entry.insert((writes.save(), writes.uniques().to_vec()));
        }
        Ok(())
    }

    /// Everything as it was noted.
    pub fn restore(self, session: &mut Session) -> PgResult<()> {
        for (oid, (saved, uniques)) in self.0 {
            session.transaction.put_writes(oid, TableWrites::restored(saved, uniques)?);
        }
        Ok(())
    }
}

/// What a key's action puts into the rows that refer to a changed one.
enum Put {
    Delete,
    /// The changed rows' new keys, by the number of the old one.
    Keys(Vec<ArrayRef>),
    Null(Vec<i16>),
    Default(Vec<i16>),
}

impl Session {
    /// Does what the keys that refer to a change say, to whatever end, and holds the outcome against all keys.
    pub(super) async fn follow(&mut self, change: Change, before: &mut Before, operation: &Operation) -> PgResult<()> {
        let mut waiting = VecDeque::from([change]);
        let mut done: Vec<Change> = Vec::new();
        while let Some(change) = waiting.pop_front() {
            let view = self.view();
            let children = match change.gone.num_rows() {
                0 => Vec::new(),
                _ => foreign::referring(&view, change.relation.oid),
            };
            for child in &children {
                for key in foreign::foreign_keys(child).filter(|(.., f)| f.table == change.relation.oid.0) {
                    for (gone, put) in acts(&view, &change, child, key)? {
                        waiting.extend(self.put(child, key, &gone, &change.relation, put, before, operation).await?);
                    }
                }
            }
            done.push(change);
        }
        let view = self.view();
        let deferring = self.transaction.deferring().clone();
        let now = |c: &crate::catalog::Constraint| !deferring.defers(c);
        for (nth, change) in done.iter().enumerate() {
            let again = done.iter().enumerate().any(|(other, c)| other != nth && c.relation.oid == change.relation.oid);
            match again {
                // What one change wrote another may have replaced: all that the transaction has written is looked at.
                true => {
                    let added = self.writes(change.relation.oid)?.added()?;
                    check_written(&view, &change.relation, &added, &now)?;
                }
                false => check_written(&view, &change.relation, &change.rows, &now)?,
            }
            check_removed(&view, &change.relation, &change.gone, &now)?;
        }
        Ok(())
    }

    /// One action over the rows of `child` that refer to `gone`.
    #[allow(clippy::too_many_arguments)]
    async fn put(
        &mut self,
        child: &Arc<Relation>,
        (_, columns, foreign): Key<'_>,
        gone: &RecordBatch,
        parent: &Relation,
        put: Put,
        before: &mut Before,
        operation: &Operation,
    ) -> PgResult<Option<Change>> {
        let view = self.view();
        let (theirs, own) = (child.positions(columns), parent.positions(&foreign.columns));
        let mut seen = HashSet::new();
        let mut found = foreign::find(&view, child.oid, &theirs, &foreign::keys_of(gone, &own))?;
        found.retain(|(_, id)| seen.insert(*id));
        if found.is_empty() {
            return Ok(None);
        }
        let (from, ids): (Vec<u32>, Vec<RowId>) = found.into_iter().unzip();
        self.open_writes(&view, child)?;
        before.note(self, child)?;
        let old = self.writes(child.oid)?.overlay().rows_by_id(&ids)?;
        let set = match &put {
            Put::Delete => {
                let none = RecordBatch::new_empty(old.schema());
                self.writes(child.oid)?.write(&ids, &none)?;
                let into = vec![None; ids.len()];
                return Ok(Some(Change { relation: Arc::clone(child), gone: old, into, rows: none }));
            }
            Put::Keys(_) => theirs.clone(),
            Put::Null(columns) | Put::Default(columns) => child.positions(columns),
        };
        let mut values = old.columns().to_vec();
        match put {
            Put::Keys(keys) => {
                let from = UInt32Array::from(from);
                for (column, key) in theirs.iter().zip(&keys) {
                    values[*column] = take(key, &from, None)?;
                }
            }
            Put::Null(_) => {
                for column in &set {
                    values[*column] = new_null_array(values[*column].data_type(), ids.len());
                }
            }
            Put::Default(_) => {
                let defaults = self.defaults(&view, child, &set, &old, operation).await?;
                for (column, value) in set.iter().zip(defaults.columns()) {
                    values[*column] = Arc::clone(value);
                }
            }
            Put::Delete => {}
        }
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        let rows = RecordBatch::try_new_with_options(old.schema(), values, &options)?;
        let statement = self.update_plan(&view, child, &set, operation).await?;
        let Main::Write(plan) = &statement.main else { return Err(PgError::internal("an UPDATE that writes nothing")) };
        let mut run = Run::new(self, operation, plan, view, Arc::clone(child));
        let rows = run.amended(&ids, rows, &set).await?;
        self.writes(child.oid)?.write(&ids, &rows)?;
        let into = (0..ids.len() as u32).map(Some).collect();
        Ok(Some(Change { relation: Arc::clone(child), gone: old, into, rows }))
    }

    /// The defaults of some columns, for each of these rows.
    async fn defaults(
        &mut self,
        view: &View,
        relation: &Relation,
        columns: &[usize],
        rows: &RecordBatch,
        operation: &Operation,
    ) -> PgResult<RecordBatch> {
        let source = |column: usize| -> PgResult<_> {
            let column = &relation.columns[column];
            let source = match &column.default {
                Some(text) => ColumnSource::Expression { node: Box::new(bind::expression(text)?), explicit: false },
                None => ColumnSource::Null,
            };
            Ok((column.name.clone(), column.expr_type(), source))
        };
        let columns = columns.iter().map(|c| source(*c)).collect::<PgResult<Vec<_>>>()?;
        let bound = {
            let mut cx = BindContext::new(&view.catalog, self.search_path());
            bind::bind_columns(relation, bind::STAGED, &columns, &mut cx)?
        };
        let plan = self.preparation(view, &[]).plan(&bound)?.0;
        let mut execution = self.execution(&plan, Vec::new());
        execution.view = view.clone();
        execution.staged.rows = Some(rows.clone());
        operation.guard(execution.collect()).await?
    }

    /// The table's generated columns and checks, as an UPDATE of these columns has them. An action takes no rights.
    async fn update_plan(
        &mut self,
        view: &View,
        relation: &Relation,
        columns: &[usize],
        operation: &Operation,
    ) -> PgResult<Arc<super::write::WriteStatement>> {
        let target = |column: &usize| ResTarget {
            name: relation.columns[*column].name.clone(),
            val: Some(Box::new(Node { node: Some(NodeEnum::SetToDefault(Box::<SetToDefault>::default())) })),
            ..ResTarget::default()
        };
        let targets = columns.iter().map(|c| Node { node: Some(NodeEnum::ResTarget(Box::new(target(c)))) });
        let update = UpdateStmt {
            relation: Some(RangeVar {
                schemaname: foreign::schema_name(view, relation).to_owned(),
                relname: relation.name.clone(),
                inh: true,
                location: -1,
                ..RangeVar::default()
            }),
            target_list: targets.collect(),
            ..UpdateStmt::default()
        };
        self.unchecked_plan(NodeEnum::UpdateStmt(Box::new(update)), operation).await.map(|(plan, _)| plan)
    }
}

/// What a key says of a change: the rows of it that an action is for, and the action. `23503` where it says RESTRICT.
fn acts(view: &View, change: &Change, child: &Relation, key: Key<'_>) -> PgResult<Vec<(RecordBatch, Put)>> {
    let (_, columns, foreign) = key;
    let own = change.relation.positions(&foreign.columns);
    let moved_to = |row: usize, new: u32| {
        own.iter().any(|c| {
            let (old, new) = (change.gone.column(*c).slice(row, 1), change.rows.column(*c).slice(new as usize, 1));
            old.to_data() != new.to_data()
        })
    };
    let deleted: BooleanArray = change.into.iter().map(|into| Some(into.is_none())).collect();
    let moved: BooleanArray =
        change.into.iter().enumerate().map(|(row, into)| Some(into.is_some_and(|new| moved_to(row, new)))).collect();
    let mut acts = Vec::new();
    for (which, action) in [(&deleted, foreign.on_delete), (&moved, foreign.on_update)] {
        if which.true_count() == 0 || action == 'a' {
            continue;
        }
        let gone = filter_record_batch(&change.gone, which)?;
        let is_delete = std::ptr::eq(which, &deleted);
        let set = match is_delete && !foreign.on_delete_set.is_empty() {
            true => foreign.on_delete_set.clone(),
            false => columns.to_vec(),
        };
        let put = match action {
            'c' if is_delete => Put::Delete,
            'c' => {
                let places = change.into.iter().enumerate().filter(|(row, _)| moved.value(*row));
                let places: UInt32Array = places.map(|(_, into)| *into).collect();
                let keys = own.iter().map(|c| take(change.rows.column(*c), &places, None));
                Put::Keys(keys.collect::<Result<_, _>>()?)
            }
            'n' => Put::Null(set),
            'd' => Put::Default(set),
            _ => {
                check_unreferred(view, &change.relation, child, key, &gone)?;
                continue;
            }
        };
        acts.push((gone, put));
    }
    Ok(acts)
}

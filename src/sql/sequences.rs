//! Sequences as a session uses them.

use super::database::Database;
use crate::catalog::{Access, Catalog, Privileges, Relation, RelationKind, Sequence, denied};
use crate::kernels::context::SequenceCall;
use crate::types::{Oid, PgError, PgResult, SqlState};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `currval` and `lastval` give, and whether the transaction has moved a sequence.
#[derive(Debug, Default)]
pub struct SessionSequences {
    values: Mutex<(HashMap<Oid, i64>, Option<Oid>)>,
    moved: AtomicBool,
}

impl SessionSequences {
    /// Whether a sequence has moved since this was last asked: its value must be durable before anybody relies on it.
    pub fn take_moved(&self) -> bool {
        self.moved.swap(false, Ordering::Relaxed)
    }

    pub fn forget(&self) {
        *self.values.lock() = Default::default();
    }

    /// `42501` where the role may not move or read the sequence.
    pub fn check(&self, catalog: &Catalog, access: &Access, call: SequenceCall) -> PgResult<()> {
        use Privileges as P;
        let (oid, enough) = match call {
            SequenceCall::Next(oid) => (oid, [P::USAGE, P::UPDATE]),
            SequenceCall::Current(oid) => (oid, [P::USAGE, P::SELECT]),
            SequenceCall::Set(oid, ..) => (oid, [P::UPDATE, P::UPDATE]),
            SequenceCall::Last => match self.values.lock().1 {
                Some(oid) => (oid, [P::USAGE, P::SELECT]),
                None => return Ok(()),
            },
        };
        let Some(relation) = catalog.relation(oid).filter(|_| !access.superuser) else { return Ok(()) };
        // An identity column's sequence is part of its table.
        let internal = relation.sequence.as_ref().is_some_and(|sequence| sequence.internal);
        let (held, _) = access.on_relation(relation);
        match internal || enough.iter().any(|privilege| held.contains(*privilege)) {
            true => Ok(()),
            false => Err(denied("sequence", &relation.name)),
        }
    }

    pub fn call(&self, catalog: &Catalog, call: SequenceCall) -> PgResult<i64> {
        match call {
            SequenceCall::Next(oid) => {
                let (relation, sequence) = find(catalog, oid)?;
                let value = sequence.next(&relation.name)?;
                self.moved.store(true, Ordering::Relaxed);
                let mut values = self.values.lock();
                values.0.insert(oid, value);
                values.1 = Some(oid);
                Ok(value)
            }
            SequenceCall::Current(oid) => {
                let (relation, _) = find(catalog, oid)?;
                self.values.lock().0.get(&oid).copied().ok_or_else(|| {
                    let name = &relation.name;
                    let message = format!("currval of sequence \"{name}\" is not yet defined in this session");
                    PgError::new(SqlState::OBJECT_NOT_IN_STATE, message)
                })
            }
            SequenceCall::Last => {
                let values = self.values.lock();
                values.1.and_then(|oid| values.0.get(&oid).copied()).ok_or_else(|| {
                    let message = "lastval is not yet defined in this session";
                    PgError::new(SqlState::OBJECT_NOT_IN_STATE, message)
                })
            }
            SequenceCall::Set(oid, value, called) => {
                let (relation, sequence) = find(catalog, oid)?;
                sequence.set(&relation.name, value, called)?;
                self.moved.store(true, Ordering::Relaxed);
                if called {
                    self.values.lock().0.insert(oid, value);
                }
                Ok(value)
            }
        }
    }
}

fn find(catalog: &Catalog, oid: Oid) -> PgResult<(&Arc<Relation>, &Sequence)> {
    let relation = catalog
        .relation(oid)
        .ok_or_else(|| PgError::new(SqlState::UNDEFINED_TABLE, format!("could not open relation with OID {oid}")))?;
    match &relation.sequence {
        Some(sequence) if relation.kind == RelationKind::Sequence => Ok((relation, sequence)),
        _ => {
            let message = format!("\"{}\" is not a sequence", relation.name);
            Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

/// The one row of a sequence that is read like a table.
pub fn row(relation: &Relation, sequence: &Sequence) -> PgResult<RecordBatch> {
    let (value, called) = sequence.state.get();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![value])),
        Arc::new(Int64Array::from(vec![0])),
        Arc::new(BooleanArray::from(vec![called])),
    ];
    Ok(RecordBatch::try_new(Arc::clone(relation.table_schema().arrow()), columns)?)
}

impl Database {
    /// Makes what sequences have given durable.
    pub(super) async fn keep_sequences(&self) -> PgResult<()> {
        self.storage.commit(crate::engine::Commit::default()).await
    }
}

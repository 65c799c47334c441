//! Sequences: counters that no transaction takes back.

use crate::types::{PgError, PgResult, SqlState};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// What `CREATE SEQUENCE` says, and the counter. All copies of a catalog share the counter; a manifest has the value that it
/// had when it was written, which is not below any that a durable row was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    pub type_oid: u32,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cache: i64,
    pub cycle: bool,
    /// The table and column that it goes with.
    pub owner: Option<(u32, i16)>,
    /// Of an identity column: it is the column's own.
    #[serde(default)]
    pub internal: bool,
    pub state: SequenceState,
}

/// The last value, and whether it was given to anyone.
#[derive(Debug, Clone)]
pub struct SequenceState(Arc<Mutex<(i64, bool)>>);

impl SequenceState {
    pub fn new(start: i64) -> Self {
        Self(Arc::new(Mutex::new((start, false))))
    }

    pub fn get(&self) -> (i64, bool) {
        *self.0.lock()
    }

    pub fn set(&self, value: i64, called: bool) {
        *self.0.lock() = (value, called);
    }
}

/// Two states are the same thing where they are of the same sequence; the counter is not part of a definition.
impl PartialEq for SequenceState {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SequenceState {}

impl Serialize for SequenceState {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(s)
    }
}

impl<'de> Deserialize<'de> for SequenceState {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <(i64, bool)>::deserialize(d).map(|state| Self(Arc::new(Mutex::new(state))))
    }
}

impl Sequence {
    /// The next value. `2200H` at the end of one that does not cycle.
    pub fn next(&self, name: &str) -> PgResult<i64> {
        let mut state = self.state.0.lock();
        let (last, called) = *state;
        let value = if !called {
            last
        } else {
            let next = last.checked_add(self.increment).filter(|v| (self.min..=self.max).contains(v));
            match next {
                Some(next) => next,
                None if self.cycle && self.increment > 0 => self.min,
                None if self.cycle => self.max,
                None => {
                    let (what, limit) = if self.increment > 0 { ("maximum", self.max) } else { ("minimum", self.min) };
                    let message = format!("nextval: reached {what} value of sequence \"{name}\" ({limit})");
                    return Err(PgError::new(SqlState(*b"2200H"), message));
                }
            }
        };
        *state = (value, true);
        Ok(value)
    }

    /// `setval`. `22003` outside the sequence's bounds.
    pub fn set(&self, name: &str, value: i64, called: bool) -> PgResult<i64> {
        if !(self.min..=self.max).contains(&value) {
            let (min, max) = (self.min, self.max);
            let message = format!("setval: value {value} is out of bounds for sequence \"{name}\" ({min}..{max})");
            return Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, message));
        }
        self.state.set(value, called);
        Ok(value)
    }
}

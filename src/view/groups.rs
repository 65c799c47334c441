//! Groups of rows: a small number for each key, for who keeps a state for each.

use super::delta::RowBytes;
use super::ordered::Key;
use crate::types::PgResult;
use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// The groups there are. A number that becomes free is given again.
pub struct Groups {
    encoding: RowBytes,
    hasher: RandomState,
    numbers: HashTable<u32>,
    keys: Vec<Key>,
    /// How many rows each has; 0 for a free number.
    rows: Vec<i64>,
    free: Vec<u32>,
    /// In which step each was last touched.
    touched: Vec<u64>,
    steps: u64,
    /// Bytes of keys that lie elsewhere.
    beside: usize,
}

impl Groups {
    /// `keys`: the columns that rows are grouped by.
    pub fn new(keys: &Schema) -> PgResult<Self> {
        Ok(Self {
            encoding: RowBytes::new(keys)?,
            hasher: RandomState::default(),
            numbers: HashTable::new(),
            keys: vec![],
            rows: vec![],
            free: vec![],
            touched: vec![],
            steps: 0,
            beside: 0,
        })
    }

    /// Numbers that were ever given: all are below.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The group of each row by its key, made where there is none. Without columns, all rows are one group.
    pub fn numbers(&mut self, keys: &[ArrayRef], rows: usize) -> PgResult<Vec<u32>> {
        if keys.is_empty() {
            let only = self.number(&[]);
            return Ok(vec![only; rows]);
        }
        let encoded = self.encoding.encode(keys)?;
        Ok((0..rows).map(|row| self.number(encoded.row(row).data())).collect())
    }

    fn number(&mut self, key: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        let keys = &self.keys;
        if let Some(number) = self.numbers.find(hash, |number| keys[*number as usize].bytes() == key) {
            return *number;
        }
        let number = match self.free.pop() {
            Some(number) => {
                self.keys[number as usize] = key.into();
                number
            }
            None => {
                self.keys.push(key.into());
                self.rows.push(0);
                self.touched.push(0);
                self.keys.len() as u32 - 1
            }
        };
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.beside += keys[number as usize].beside();
        self.numbers.insert_unique(hash, number, |number| hasher.hash_one(keys[*number as usize].bytes()));
        number
    }

    /// The key columns of some groups.
    pub fn columns(&self, groups: &[u32]) -> PgResult<Vec<ArrayRef>> {
        self.encoding.decode(groups.iter().map(|group| self.keys[*group as usize].bytes()))
    }

    /// Begins a step: [`Groups::touch`] tells of each group once.
    pub fn step(&mut self) {
        self.steps += 1;
    }

    /// Is this the first time in this step?
    pub fn touch(&mut self, group: u32) -> bool {
        std::mem::replace(&mut self.touched[group as usize], self.steps) != self.steps
    }

    pub fn add_rows(&mut self, group: u32, weight: i64) {
        self.rows[group as usize] += weight;
    }

    /// Rows of a group; below 0 where more went than were there.
    pub fn rows(&self, group: u32) -> i64 {
        self.rows[group as usize]
    }

    /// Forgets a group that has no rows.
    pub fn forget(&mut self, number: u32) {
        let hash = self.hasher.hash_one(self.keys[number as usize].bytes());
        if let Ok(entry) = self.numbers.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
        let key = std::mem::take(&mut self.keys[number as usize]);
        self.beside -= key.beside();
        self.free.push(number);
    }

    pub fn bytes(&self) -> usize {
        self.beside + self.keys.capacity() * (size_of::<Key>() + 24)
    }
}

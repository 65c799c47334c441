//! What takes a table's memory, index by index.

use super::table::Table;

/// One secondary index; it has an entry for each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexMemory {
    pub columns: Vec<usize>,
    pub bytes: usize,
}

impl Table {
    /// The secondary indexes; what [`Table::memory`] has under `index` beside them is the key's.
    pub fn index_memory(&self) -> Vec<IndexMemory> {
        let one = |index: &super::secondary::Secondary| IndexMemory {
            columns: index.parts.iter().map(|part| part.column).collect(),
            bytes: index.postings.bytes(),
        };
        self.secondaries.iter().map(one).collect()
    }
}

//! What statements need of the engine. The engine is the one real implementation; tests bring fixed tables.

use crate::catalog::Catalog;
use crate::change::Tick;
use crate::engine::{BuiltIndexes, Commit, Rebuilt, Work, Worked};
use crate::lake::{LakeReader, Moment};
use crate::pg_catalog::State;
use crate::source::SourceStatus;
use crate::store::TableSnapshot;
use crate::types::{Oid, PgError, PgResult};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// A change of names and definitions; it sees the catalog as it is when its tick begins.
pub use crate::engine::CatalogChange;

#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The newest tick.
    fn snapshot(&self) -> Arc<dyn StorageSnapshot>;

    /// Applies a transaction in one tick. When it returns, the transaction is durable, a new gold relation is filled,
    /// and [`Storage::snapshot`] shows it. An error leaves everything as it was.
    async fn commit(&self, commit: Commit) -> PgResult<()>;

    /// Indexes of large tables that a commit is about to ask for, by the positions of their columns; not more than are wanted.
    async fn build_indexes(&self, _wanted: Vec<(Oid, Vec<usize>)>) -> PgResult<BuiltIndexes> {
        Ok(BuiltIndexes::new())
    }

    /// All relations as the lake holds them of a moment. Errors: `22023` for one to come, `72000` for one that is too old.
    async fn past(&self, _moment: Moment) -> PgResult<Arc<dyn StorageSnapshot>> {
        Err(PgError::unsupported("reading the past without a lake"))
    }

    /// Maintenance of one table's files in the lake.
    async fn upkeep(&self, _oid: Oid, _work: Work) -> PgResult<Worked> {
        Err(PgError::unsupported("maintenance without a lake"))
    }

    /// Makes a silver table anew out of bronze.
    async fn rebuild(&self, _oid: Oid) -> PgResult<Rebuilt> {
        Err(PgError::unsupported("making a table anew without a lake"))
    }

    /// The lake itself.
    fn lake(&self) -> Option<LakeReader> {
        None
    }

    /// Changes with every tick; `None` where there are none to wait for.
    fn ticks(&self) -> Option<watch::Receiver<u64>> {
        None
    }
}

/// A relation's table in the lake, as a snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeTableAt {
    pub oid: Oid,
    pub folder: String,
    pub version: i64,
}

/// How far the first run of a materialized view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling {
    pub oid: Oid,
    /// Rows of its inputs that were read, and that there are; none where it waits for its turn.
    pub rows: Option<(u64, u64)>,
}

/// All relations and names at one tick.
pub trait StorageSnapshot: Send + Sync + 'static {
    fn tick(&self) -> Tick;
    /// When the tick was made, µs since 1970.
    fn at_us(&self) -> i64;
    fn catalog(&self) -> &Arc<Catalog>;

    /// The rows of a stored relation, in that many partitions; `projection` and `filters` as in
    /// [`crate::bind::Relations::scan`].
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>>;

    /// A table that lies in memory whole.
    fn table(&self, oid: Oid) -> Option<TableSnapshot>;

    /// Rows of a stored relation, `u64::MAX` where nobody has counted them; `None` for a system relation.
    fn rows(&self, oid: Oid) -> Option<u64> {
        self.table(oid).map(|table| table.len() as u64)
    }

    /// The row of one key, in these columns: `conditions` name columns of the relation and what they equal. `None` where the
    /// conditions are not the relation's key, one value of its own type for each column: then [`StorageSnapshot::scan`] knows.
    fn look_up(
        &self,
        oid: Oid,
        conditions: &[(usize, &ScalarValue)],
        outputs: &[usize],
    ) -> Option<PgResult<RecordBatch>>;

    /// The tick in which the rows of a stored relation last changed; `None` where it has none, or cannot be read.
    fn changed_tick(&self, oid: Oid) -> Option<Tick>;

    /// What the engine and its sources say of themselves at this tick.
    fn state(&self, sources: &[Arc<SourceStatus>]) -> State;

    /// Bytes of the relations that hold rows.
    fn sizes(&self) -> Arc<HashMap<Oid, u64>>;

    /// The materialized views that are being filled.
    fn filling(&self) -> Vec<Filling> {
        Vec::new()
    }

    /// The tables in the lake, each at the version that holds what this snapshot has of it.
    fn lake_tables(&self) -> Vec<LakeTableAt> {
        Vec::new()
    }

    /// How each materialized view is maintained, a line for each operator.
    fn plans(&self) -> Arc<HashMap<Oid, Arc<[String]>>> {
        Arc::default()
    }
}

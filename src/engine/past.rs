//! The database as it was: one flush of the lake's history, read from its files with their deletion vectors.
//!
//! The catalog is that of the flush: what was dropped since is there, what was made since is not, columns and names are
//! those of then. Tables, silver, gold and bronze alike, are read from files; nothing of it is kept in memory but which
//! files there are.

use super::recover::stored_schema;
use super::scan::{bronze_columns, to_seen, wanted_rows};
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::change::Tick;
use crate::lake::{LakeFiles, LakeReader, Manifest, Moment, Wanted};
use crate::types::{Oid, PgError, PgResult, SqlState, TableSchema};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Moments that are kept ready.
const READY: usize = 8;

/// The lake's history, for whoever asks for a moment of it.
pub struct Past {
    reader: LakeReader,
    system: Vec<Relation>,
    ready: Mutex<VecDeque<Arc<PastSnapshot>>>,
}

/// The database as of one flush.
pub struct PastSnapshot {
    pub number: u64,
    pub tick: Tick,
    /// µs since 1970.
    pub at_us: i64,
    pub catalog: Arc<Catalog>,
    /// By stream: where reading would go on.
    pub positions: Vec<(String, i64)>,
    tables: HashMap<Oid, Arc<PastTable>>,
    /// Gold views whose rows are not those of their queries.
    unfilled: HashSet<Oid>,
}

/// A table as of one flush.
pub struct PastTable {
    /// Its name, for messages.
    name: String,
    folder: String,
    /// `None`: nothing of it had been written.
    version: Option<i64>,
    stored: Arc<TableSchema>,
    /// The columns that clients see.
    seen: Arc<TableSchema>,
    files: OnceCell<Arc<LakeFiles>>,
    reader: LakeReader,
}

impl Past {
    pub(super) fn new(reader: LakeReader, system: Vec<Relation>) -> Self {
        Self { reader, system, ready: Mutex::default() }
    }

    pub fn reader(&self) -> &LakeReader {
        &self.reader
    }

    /// Tick and time (µs) of the newest flush.
    pub(super) fn newest(&self) -> Option<(Tick, i64)> {
        self.reader.newest()
    }

    /// The newest flush that is not younger than a moment. Errors: `72000` where there is none.
    pub async fn at(&self, moment: Moment) -> PgResult<Arc<PastSnapshot>> {
        let manifest = self.reader.at(moment).await?;
        let known = |ready: &VecDeque<Arc<PastSnapshot>>| ready.iter().find(|s| s.number == manifest.number).cloned();
        if let Some(snapshot) = known(&self.ready.lock()) {
            return Ok(snapshot);
        }
        let snapshot = Arc::new(self.snapshot(&manifest)?);
        let mut ready = self.ready.lock();
        if ready.len() >= READY {
            ready.pop_front();
        }
        ready.push_back(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    fn snapshot(&self, manifest: &Manifest) -> PgResult<PastSnapshot> {
        let catalog = Arc::new(Catalog::from_json(&manifest.catalog, self.system.iter().cloned())?);
        let live: HashSet<u64> = manifest.extra["live"]
            .as_array()
            .map_or_else(HashSet::new, |oids| oids.iter().filter_map(serde_json::Value::as_u64).collect());
        let mut tables = HashMap::new();
        let mut unfilled = HashSet::new();
        for relation in catalog.user_relations() {
            if matches!(relation.kind, RelationKind::View | RelationKind::Sequence) {
                continue;
            }
            if relation.kind == RelationKind::Gold && !live.contains(&u64::from(relation.oid.0)) {
                unfilled.insert(relation.oid);
            }
            let name = catalog.qualified_name(relation);
            let known = manifest.extra["folders"][relation.oid.0.to_string()].as_str();
            let folder = known.unwrap_or(&name).to_owned();
            let stored = Arc::new(stored_schema(relation));
            let seen = match relation.kind {
                RelationKind::Bronze => Arc::new(bronze_columns(&stored)),
                _ => Arc::clone(&stored),
            };
            let version = manifest.tables.get(&folder).map(|table| table.version);
            let (files, reader) = (OnceCell::new(), self.reader.clone());
            tables.insert(relation.oid, Arc::new(PastTable { name, folder, version, stored, seen, files, reader }));
        }
        Ok(PastSnapshot {
            number: manifest.number,
            tick: manifest.tick,
            at_us: manifest.written_at_us,
            positions: manifest.positions.iter().map(|(stream, position)| (stream.clone(), *position)).collect(),
            catalog,
            tables,
            unfilled,
        })
    }
}

impl PastSnapshot {
    /// Did the relation hold rows?
    pub fn has(&self, oid: Oid) -> bool {
        self.tables.contains_key(&oid)
    }

    /// A plan that reads a relation as it was. `filters` are hints: rows that fail them may still come.
    ///
    /// Errors: `55000` for a gold view that was not filled then.
    pub fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let name = || self.catalog.relation(oid).map_or_else(|| oid.to_string(), |r| self.catalog.qualified_name(r));
        if self.unfilled.contains(&oid) {
            let message = format!("materialized view \"{}\" was not filled at tick {}", name(), self.tick);
            return Err(PgError::new(SqlState::OBJECT_NOT_IN_STATE, message).into());
        }
        let missing = || PgError::internal(format!("no rows of relation \"{}\" at tick {}", name(), self.tick));
        let table = self.tables.get(&oid).ok_or_else(missing)?;
        Ok(Arc::new(PastScan::plan(table, projection, filters, partitions)?))
    }

    /// Folder and version of each table of which something was written.
    pub fn folders(&self) -> impl Iterator<Item = (Oid, &str, i64)> + '_ {
        self.tables.iter().filter_map(|(oid, table)| Some((*oid, table.folder.as_str(), table.version?)))
    }

    /// The tables, with the versions of their Delta tables.
    pub fn versions(&self) -> impl Iterator<Item = (Oid, Option<i64>)> + '_ {
        self.tables.iter().map(|(oid, table)| (*oid, table.version))
    }
}

impl PastTable {
    async fn files(&self) -> PgResult<Option<Arc<LakeFiles>>> {
        let Some(version) = self.version else { return Ok(None) };
        let read = || async {
            let files = self.reader.files(&self.folder, version, Arc::clone(&self.stored)).await?;
            Ok::<_, PgError>(Arc::new(files))
        };
        let files = self.files.get_or_try_init(read).await;
        files.cloned().map(Some).map_err(|error| self.told(error))
    }

    /// An error of reading, as somebody should hear it who asked for the past.
    fn told(&self, error: PgError) -> PgError {
        let detail = error.rest.as_ref().and_then(|rest| rest.detail.clone()).unwrap_or_default();
        let version = self.version.unwrap_or_default();
        let message = format!("version {version} of \"{}\" cannot be read: {}", self.name, error.message);
        PgError::new(error.state, message).detail(detail).hint("It may have been vacuumed; see [lake] history.")
    }
}

/// A leaf plan over one table as it was. Which files it reads is known when it runs.
pub struct PastScan {
    table: Arc<PastTable>,
    projection: Vec<usize>,
    wanted: Arc<[Wanted]>,
    partitions: usize,
    properties: Arc<PlanProperties>,
}

impl PastScan {
    fn plan(
        table: &Arc<PastTable>,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> DfResult<Self> {
        let projection = projection.cloned().unwrap_or_else(|| (0..table.seen.columns.len()).collect());
        let schema = Arc::new(table.seen.arrow().project(&projection)?);
        let partitions = partitions.max(1);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let wanted = wanted_rows(&table.stored, filters).into();
        Ok(Self { table: Arc::clone(table), projection, wanted, partitions, properties: Arc::new(properties) })
    }
}

impl fmt::Debug for PastScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastScan").field("projection", &self.projection).finish_non_exhaustive()
    }
}

impl DisplayAs for PastScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PastScan: version {:?}, partitions={}", self.table.version, self.partitions)
    }
}

impl ExecutionPlan for PastScan {
    fn name(&self) -> &str {
        "PastScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let (table, wanted, projection) = (Arc::clone(&self.table), Arc::clone(&self.wanted), self.projection.clone());
        let (partitions, seen) = (self.partitions, Arc::clone(&schema));
        let batches = stream::once(async move {
            let files = table.files().await?;
            let mine: Vec<usize> = files
                .iter()
                .flat_map(|files| {
                    let wanted = &wanted;
                    (0..files.len()).filter(move |i| files.may_have(*i, wanted))
                })
                .enumerate()
                .filter(|(nth, _)| nth % partitions == partition)
                .map(|(_, i)| i)
                .collect();
            let rows = stream::iter(mine).flat_map(move |i| match &files {
                Some(files) => files.read(i, Some(&projection), Arc::clone(&wanted)),
                None => stream::empty().boxed(),
            });
            let rows = rows.map(move |batch| match batch {
                Ok(batch) => to_seen(batch, &seen),
                Err(error) => Err(table.told(error.into()).into()),
            });
            Ok::<_, DataFusionError>(rows)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches.try_flatten())))
    }
}

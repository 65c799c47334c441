//! Reading one relation of a snapshot as a DataFusion plan.
//!
//! Hot tables: an equality on every key column becomes an index look-up; else chunks are skipped by their bounds and
//! spread over the partitions. Append-only tables: the lake's files, then the tail. Filters only save work, they are
//! applied again above.

use super::snapshot::{LakeAndTail, RelationData};
use crate::change::RowId;
use crate::lake::{Comparison, Wanted, is_prunable};
use crate::store::TableSnapshot;
use crate::types::{PgError, PgResult, PgType, TableSchema, jsonb, oid};
use crate::view::Added;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, LargeBinaryBuilder, RecordBatch, RecordBatchOptions,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::error::Result as DfResult;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, stream};
use roaring::RoaringTreemap;
use std::fmt;
use std::sync::Arc;

/// What one partition reads.
#[derive(Clone)]
enum Part {
    /// Chunks of the hot table.
    Chunks(Vec<usize>),
    /// The rows with these values (one array for each column) in these columns, which have an index.
    Lookup(Vec<usize>, Vec<ArrayRef>),
    /// Files of the lake by number, then tail batches by number.
    Appended { files: Vec<usize>, tail: Vec<usize> },
}

/// A leaf plan over one relation of one snapshot.
pub struct RelationScan {
    data: RelationData,
    projection: Vec<usize>,
    parts: Vec<Part>,
    rows: Option<usize>,
    /// Of an append-only table: what the filters ask for.
    wanted: Arc<[Wanted]>,
    /// Rows that do not count, by their ids.
    without: Arc<RoaringTreemap>,
    properties: Arc<PlanProperties>,
}

/// The columns that clients see of a table whose rows lie as `stored`: JSON text of bronze is jsonb to them.
pub fn bronze_columns(stored: &TableSchema) -> TableSchema {
    let columns = stored.columns.iter().cloned().map(|mut column| {
        if column.ty.oid == oid::JSON {
            column.ty = PgType::new(oid::JSONB);
        }
        column
    });
    TableSchema::new(columns.collect(), stored.key.clone())
}

impl RelationScan {
    pub fn plan(
        data: &RelationData,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> DfResult<Self> {
        let seen = match data {
            RelationData::Hot(table) => Arc::clone(table.schema().arrow()),
            RelationData::Appended(appended) => Arc::clone(bronze_columns(&appended.schema).arrow()),
        };
        let projection = projection.cloned().unwrap_or_else(|| (0..seen.fields().len()).collect());
        let schema = match projection.contains(&seen.fields().len()) {
            true => Arc::new(with_row_id(&seen).project(&projection)?),
            false => Arc::new(seen.project(&projection)?),
        };
        let partitions = partitions.max(1);
        let mut wanted: Arc<[Wanted]> = Arc::default();
        let mut rows = (filters.is_empty()).then(|| data.rows() as usize);
        let parts = match data {
            RelationData::Hot(table) => match key_look_up(table, filters) {
                Some(keys) => {
                    rows = Some(1);
                    vec![Part::Lookup(table.schema().key.clone(), keys)]
                }
                None if let Some((columns, keys)) = index_look_up(table, filters) => {
                    vec![Part::Lookup(columns, keys)]
                }
                None => {
                    let chunks = (0..table.chunks()).filter(|i| may_match(table, *i, filters)).collect();
                    spread(chunks, partitions).into_iter().map(Part::Chunks).collect()
                }
            },
            RelationData::Appended(appended) => {
                wanted = wanted_rows(&appended.schema, filters).into();
                let files = appended.files.iter().flat_map(|files| {
                    let wanted = &wanted;
                    (0..files.len()).filter(move |i| files.may_have(*i, wanted))
                });
                let files = spread(files.collect(), partitions);
                let mut parts: Vec<Part> =
                    files.into_iter().map(|files| Part::Appended { files, tail: vec![] }).collect();
                if let Some(Part::Appended { tail, .. }) = parts.last_mut() {
                    *tail = (0..appended.tail.len()).collect();
                }
                parts
            }
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(parts.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            data: data.clone(),
            projection,
            parts,
            rows,
            wanted,
            without: Arc::default(),
            properties: Arc::new(properties),
        })
    }

    /// Leaves these rows out.
    pub fn without(mut self, rows: Arc<RoaringTreemap>) -> Self {
        self.rows = self.rows.map(|n| n.saturating_sub(rows.len() as usize));
        self.without = rows;
        self
    }
}

/// Deals items out to at most `parts` lists of neighbours; at least one list.
fn spread(items: Vec<usize>, parts: usize) -> Vec<Vec<usize>> {
    let size = items.len().div_ceil(parts).max(1);
    let lists: Vec<Vec<usize>> = items.chunks(size).map(<[usize]>::to_vec).collect();
    if lists.is_empty() { vec![vec![]] } else { lists }
}

/// `column op literal`, either way round.
fn comparison(filter: &Expr) -> Option<(&str, Operator, &ScalarValue)> {
    let Expr::BinaryExpr(binary) = filter else { return None };
    match (binary.left.as_ref(), binary.right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) => Some((&column.name, binary.op, value)),
        (Expr::Literal(value, _), Expr::Column(column)) => Some((&column.name, binary.op.swap()?, value)),
        _ => None,
    }
}

/// What filters ask for, as far as bounds of files can tell that they have none of it.
pub(super) fn wanted_rows(schema: &TableSchema, filters: &[Expr]) -> Vec<Wanted> {
    let wanted = |(name, op, value): (&str, Operator, &ScalarValue)| {
        let column = schema.columns.iter().find(|column| column.name == name)?;
        let comparison = match op {
            Operator::Eq => Comparison::Equal,
            Operator::Lt => Comparison::Less,
            Operator::LtEq => Comparison::LessOrEqual,
            Operator::Gt => Comparison::Greater,
            Operator::GtEq => Comparison::GreaterOrEqual,
            _ => return None,
        };
        let fits = !value.is_null() && value.data_type() == column.storage() && is_prunable(&column.storage());
        fits.then(|| Wanted { column: name.to_owned(), comparison, value: value.clone() })
    };
    filters.iter().filter_map(comparison).filter_map(wanted).collect()
}

/// The columns of a relation and, after the last, its row id.
fn with_row_id(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().cloned();
    Schema::new(fields.chain([Arc::new(Field::new(ROW_ID, DataType::Int64, false))]).collect::<Vec<_>>())
}

/// The name of the row id in a scan's schema.
pub const ROW_ID: &str = "?row?";

/// An index whose columns the filters all fix, and the values.
fn index_look_up(table: &TableSnapshot, filters: &[Expr]) -> Option<(Vec<usize>, Vec<ArrayRef>)> {
    if filters.is_empty() {
        return None;
    }
    table.indexes().find_map(|columns| Some((columns.clone(), fixed_values(table, &columns, filters)?)))
}

/// The values to which the filters fix these columns.
fn fixed_values(table: &TableSnapshot, columns: &[usize], filters: &[Expr]) -> Option<Vec<ArrayRef>> {
    let schema = table.schema();
    let value = |index: &usize| {
        let column = schema.columns.get(*index)?;
        filters.iter().filter_map(comparison).find_map(|(name, op, value)| {
            let fits = op == Operator::Eq && name == column.name && !value.is_null();
            (fits && value.data_type() == column.storage()).then(|| value.to_array().ok()).flatten()
        })
    };
    columns.iter().map(value).collect()
}

/// Rows and their ids as a scan gives them.
fn with_ids(
    rows: RecordBatch,
    ids: &[RowId],
    without: &RoaringTreemap,
    projection: &[usize],
    id_column: usize,
    schema: &SchemaRef,
) -> DfResult<RecordBatch> {
    let mut columns = rows.columns().iter();
    let ids_array = || Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| id.0 as i64))) as ArrayRef;
    let arrays = projection.iter().map(|c| match *c == id_column {
        true => Ok(ids_array()),
        false => columns.next().cloned().ok_or_else(|| PgError::internal("a scan lost a column").into()),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays.collect::<DfResult<Vec<_>>>()?, &options)?;
    if without.is_empty() {
        return Ok(batch);
    }
    let kept: BooleanArray = ids.iter().map(|id| Some(!without.contains(id.0))).collect();
    Ok(arrow::compute::filter_record_batch(&batch, &kept)?)
}

/// The key that the filters ask for, where they fix every key column to a value of the column's own storage form.
fn key_look_up(table: &TableSnapshot, filters: &[Expr]) -> Option<Vec<ArrayRef>> {
    let schema = table.schema();
    if schema.key.is_empty() || filters.is_empty() {
        return None;
    }
    fixed_values(table, &schema.key, filters)
}

/// Whether a chunk's bounds leave room for rows that pass all filters.
fn may_match(table: &TableSnapshot, chunk: usize, filters: &[Expr]) -> bool {
    filters.iter().filter_map(comparison).all(|(name, op, value)| {
        let Some(column) = table.schema().index_of(name) else { return true };
        let Some((min, max)) = table.bounds(chunk, column) else { return true };
        if value.is_null() || min.data_type() != value.data_type() {
            return true;
        }
        match op {
            Operator::Eq => min <= *value && *value <= max,
            Operator::Lt => min < *value,
            Operator::LtEq => min <= *value,
            Operator::Gt => max > *value,
            Operator::GtEq => max >= *value,
            _ => true,
        }
    })
}

/// Bronze JSON text → jsonb where the client sees jsonb.
pub(super) fn to_seen(batch: RecordBatch, schema: &SchemaRef) -> DfResult<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() {
            return Ok(Arc::clone(array));
        }
        let text = array.as_string::<i32>();
        let mut out = LargeBinaryBuilder::with_capacity(text.len(), text.value_data().len());
        for value in text.iter() {
            match value {
                Some(value) => out.append_value(jsonb::from_text(value.as_bytes())?),
                None => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()) as ArrayRef)
    });
    let columns = columns.collect::<DfResult<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// Rows that a tick added to an append-only table, as views read them.
pub(super) struct AddedRows {
    rows: Vec<RecordBatch>,
    stored: Arc<TableSchema>,
}

impl AddedRows {
    pub fn new(rows: Vec<RecordBatch>, stored: Arc<TableSchema>) -> Self {
        Self { rows, stored }
    }
}

impl Added for AddedRows {
    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn rows(&self, projection: &[usize]) -> PgResult<Vec<RecordBatch>> {
        let schema = Arc::new(bronze_columns(&self.stored).arrow().project(projection)?);
        self.rows.iter().map(|rows| Ok(to_seen(rows.project(projection)?, &schema)?)).collect()
    }
}

/// A batch in this very schema object's names; equal types are taken as they are.
fn named(batch: RecordBatch, schema: &SchemaRef) -> DfResult<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)?)
}

fn appended_stream(
    appended: LakeAndTail,
    files: Vec<usize>,
    tail: Vec<usize>,
    projection: Vec<usize>,
    schema: SchemaRef,
    wanted: Arc<[Wanted]>,
) -> SendableRecordBatchStream {
    let lake = appended.files.clone();
    let columns = projection.clone();
    let from_files = stream::iter(files)
        .filter_map(move |i| {
            std::future::ready(lake.as_ref().map(|lake| lake.read(i, Some(&columns), Arc::clone(&wanted))))
        })
        .flatten()
        .map(|batch| batch.map_err(|error| PgError::from(error).into()));
    let tail: Vec<RecordBatch> = tail.into_iter().map(|i| appended.tail[i].clone()).collect();
    let from_tail = stream::iter(tail).map(move |batch| Ok(batch.project(&projection)?));
    let seen = Arc::clone(&schema);
    let all = from_files.chain(from_tail).map(move |batch: DfResult<RecordBatch>| to_seen(batch?, &seen));
    Box::pin(RecordBatchStreamAdapter::new(schema, all))
}

impl RelationScan {
    /// Whether rows have to be told apart by their ids: some are left out, the ids are asked for, or an index other than
    /// the key's finds them.
    fn needs_ids(&self, table: &TableSnapshot, part: &Part) -> bool {
        let by_index = matches!(part, Part::Lookup(columns, _) if *columns != table.schema().key);
        by_index || !self.without.is_empty() || self.projection.contains(&table.schema().columns.len())
    }
}

impl fmt::Debug for RelationScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelationScan").field("projection", &self.projection).finish_non_exhaustive()
    }
}

impl DisplayAs for RelationScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match (&self.data, self.parts.first()) {
            (_, Some(Part::Lookup(..))) => "key look-up",
            (RelationData::Hot(_), _) => "chunks",
            (RelationData::Appended(_), _) => "lake and tail",
        };
        write!(f, "RelationScan: {how}, partitions={}", self.parts.len())
    }
}

impl ExecutionPlan for RelationScan {
    fn name(&self) -> &str {
        "RelationScan"
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
        let projection = self.projection.clone();
        let part = self.parts[partition].clone();
        match (&self.data, part) {
            (RelationData::Hot(table), part) if self.needs_ids(table, &part) => {
                let id_column = table.schema().columns.len();
                let stored: Vec<usize> = projection.iter().copied().filter(|c| *c != id_column).collect();
                let (table, without, named_as) = (table.clone(), Arc::clone(&self.without), Arc::clone(&schema));
                let chunks = match part {
                    Part::Chunks(chunks) => chunks,
                    Part::Lookup(columns, keys) => {
                        let ids: Vec<RowId> = table.find_ids(&columns, &keys)?.into_iter().map(|(_, id)| id).collect();
                        let rows = table.rows_by_id(&ids, Some(&stored))?;
                        let found = with_ids(rows, &ids, &without, &projection, id_column, &schema)?;
                        return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter([Ok(found)]))));
                    }
                    Part::Appended { .. } => return Err(PgError::internal("an append-only part of a hot table").into()),
                };
                let batches = stream::iter(chunks)
                    .map(move |i| {
                        let (rows, ids) = table.chunk_with_ids(i, Some(&stored))?;
                        with_ids(rows, &ids, &without, &projection, id_column, &named_as)
                    })
                    .try_filter(|batch| std::future::ready(batch.num_rows() > 0));
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
            }
            (RelationData::Hot(table), Part::Chunks(chunks)) => {
                let (table, named_as) = (table.clone(), Arc::clone(&schema));
                let batches = stream::iter(chunks)
                    .map(move |i| named(table.chunk(i, Some(&projection))?, &named_as))
                    .try_filter(|batch| std::future::ready(batch.num_rows() > 0));
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
            }
            (RelationData::Hot(table), Part::Lookup(_, keys)) => {
                let found = named(table.lookup(&keys, Some(&projection))?, &schema);
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter([found]))))
            }
            (RelationData::Appended(appended), Part::Appended { files, tail }) => {
                Ok(appended_stream(appended.clone(), files, tail, projection, schema, Arc::clone(&self.wanted)))
            }
            _ => Err(PgError::internal("a part of another kind of relation").into()),
        }
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &datafusion::physical_plan::statistics::StatisticsArgs,
    ) -> DfResult<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(self.schema().as_ref() as &Schema);
        if let Some(rows) = self.rows {
            statistics.num_rows = Precision::Inexact(rows);
        }
        Ok(Arc::new(statistics))
    }
}

//! A result on its way into DataRow messages.
//!
//! Encoders are made once for a result; a batch is bound to them once for each piece of output, and rows are written
//! straight into the output buffer.

use super::channel::SEND_AT;
use super::reply::{self, Field};
use crate::kernels::facts::facts;
use crate::sql::{ObjectNames, OutputColumn, shown_by_name};
use crate::types::codec::{ColumnEncoder, Format, TextSettings};
use crate::types::{Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field as ArrowField, FieldRef, Schema, UInt32Type};
use bytes::BufMut;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use std::sync::Arc;

/// Messages are shorter than this, as in PostgreSQL.
const LONGEST_ROW: usize = (1 << 30) - 1;

/// How one row is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A DataRow message.
    DataRow,
    /// A tuple of `COPY … (FORMAT binary)` within CopyData.
    CopyBinary,
}

/// The encoder of a column as text; objects come as their names.
pub fn text_encoder(column: &OutputColumn, settings: &TextSettings) -> PgResult<ColumnEncoder> {
    match shown_by_name(column.ty.pg.oid) {
        true => ColumnEncoder::new(PgType::new(oid::TEXT), &DataType::Utf8, Format::Text, settings),
        false => ColumnEncoder::new(column.ty.pg, &column.ty.storage, Format::Text, settings),
    }
}

/// Where batches come from.
enum Source {
    Running(SendableRecordBatchStream),
    Ready(std::vec::IntoIter<RecordBatch>),
}

pub struct Rows {
    source: Source,
    encoders: Vec<ColumnEncoder>,
    /// Columns of OIDs that are sent as their objects' names, and what names them.
    named: Vec<(usize, Oid)>,
    names: Option<ObjectNames>,
    batch: Option<RecordBatch>,
    /// The next row of `batch`.
    at: usize,
    /// What the first row's message begins with.
    pub prefix: &'static [u8],
}

impl Rows {
    /// `formats`: one for each column.
    pub fn new(
        columns: &[OutputColumn],
        stream: SendableRecordBatchStream,
        formats: &[i16],
        settings: &TextSettings,
        names: Option<ObjectNames>,
    ) -> PgResult<Self> {
        Self::of(columns, Source::Running(stream), formats, settings, names)
    }

    /// Batches that are there already: [`Rows::at_once`] says all of them.
    pub fn ready(
        columns: &[OutputColumn],
        batches: Vec<RecordBatch>,
        formats: &[i16],
        settings: &TextSettings,
        names: Option<ObjectNames>,
    ) -> PgResult<Self> {
        Self::of(columns, Source::Ready(batches.into_iter()), formats, settings, names)
    }

    fn of(
        columns: &[OutputColumn],
        source: Source,
        formats: &[i16],
        settings: &TextSettings,
        names: Option<ObjectNames>,
    ) -> PgResult<Self> {
        let encoder = |(column, format): (&OutputColumn, &i16)| match format {
            1 => ColumnEncoder::new(column.ty.pg, &column.ty.storage, Format::Binary, settings),
            _ => text_encoder(column, settings),
        };
        let encoders = columns.iter().zip(formats).map(encoder).collect::<PgResult<_>>()?;
        let by_name = |(i, (column, format)): (usize, (&OutputColumn, &i16))| {
            let ty = column.ty.pg.oid;
            (*format != 1 && shown_by_name(ty)).then_some((i, ty))
        };
        let named = columns.iter().zip(formats).enumerate().filter_map(by_name).collect();
        Ok(Self { source, encoders, named, names, batch: None, at: 0, prefix: &[] })
    }

    /// The batch with names in the place of OIDs.
    fn name_objects(&self, batch: RecordBatch) -> PgResult<RecordBatch> {
        let Some(names) = self.names.as_ref().filter(|_| !self.named.is_empty()) else { return Ok(batch) };
        let mut arrays = batch.columns().to_vec();
        let mut fields: Vec<FieldRef> = batch.schema().fields().iter().map(Arc::clone).collect();
        for (i, ty) in &self.named {
            let oids = arrays[*i].as_primitive_opt::<UInt32Type>();
            let oids = oids.ok_or_else(|| PgError::internal("an object's OID is in another storage"))?;
            let texts: StringArray = oids.iter().map(|value| value.map(|value| names(*ty, Oid(value)))).collect();
            arrays[*i] = Arc::new(texts);
            fields[*i] = Arc::new(ArrowField::new(fields[*i].name(), DataType::Utf8, true));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|e| PgError::internal(format!("a batch with names: {e}")))
    }

    /// Whether there is a row to write, where that is known without waiting.
    pub fn at_once(&mut self) -> PgResult<Option<bool>> {
        loop {
            if self.batch.as_ref().is_some_and(|batch| self.at < batch.num_rows()) {
                return Ok(Some(true));
            }
            self.batch = None;
            let Source::Ready(batches) = &mut self.source else { return Ok(None) };
            let Some(batch) = batches.next() else { return Ok(Some(false)) };
            self.take(batch)?;
        }
    }

    /// Makes sure that there is a row to write: false at the end of the result.
    pub async fn advance(&mut self) -> PgResult<bool> {
        loop {
            if let Some(known) = self.at_once()? {
                return Ok(known);
            }
            let Source::Running(stream) = &mut self.source else { return Ok(false) };
            match stream.next().await {
                Some(batch) => self.take(batch?)?,
                None => return Ok(false),
            }
        }
    }

    fn take(&mut self, batch: RecordBatch) -> PgResult<()> {
        if batch.num_columns() != self.encoders.len() {
            let (got, want) = (batch.num_columns(), self.encoders.len());
            return Err(PgError::internal(format!("a result has {got} columns instead of {want}")));
        }
        (self.batch, self.at) = (Some(self.name_objects(batch)?), 0);
        Ok(())
    }

    /// Writes rows of the batch at hand: up to `most`, and until the output is worth sending.
    pub fn write(&mut self, out: &mut Vec<u8>, most: usize, framing: Framing) -> PgResult<usize> {
        let Some(batch) = &self.batch else { return Ok(0) };
        let bind = |(encoder, array)| ColumnEncoder::column(encoder, array);
        let arrays = batch.columns().iter().map(|array| array.as_ref());
        let columns = self.encoders.iter().zip(arrays).map(bind).collect::<PgResult<Vec<_>>>()?;
        let tag = if framing == Framing::DataRow { b'D' } else { b'd' };
        let end = batch.num_rows().min(self.at.saturating_add(most));
        let first = self.at;
        while self.at < end && out.len() < SEND_AT {
            let start = out.len();
            out.put_u8(tag);
            out.put_u32(0);
            out.put_slice(std::mem::take(&mut self.prefix));
            out.put_u16(columns.len() as u16);
            for column in &columns {
                column.write(self.at, out);
            }
            if out.len() - start > LONGEST_ROW {
                out.truncate(start);
                return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a row is longer than 1 GB"));
            }
            reply::finish(out, start + 1);
            self.at += 1;
        }
        Ok(self.at - first)
    }

    /// Takes the batch at hand whole, from the row that is next.
    pub fn take_batch(&mut self) -> Option<RecordBatch> {
        let batch = self.batch.take()?;
        Some(batch.slice(self.at, batch.num_rows() - self.at))
    }
}

/// RowDescription of a result in these formats.
pub fn describe(out: &mut Vec<u8>, columns: &[OutputColumn], formats: &[i16]) {
    let fields = columns.iter().enumerate().map(|(i, column)| Field {
        name: &column.name,
        table: column.table.0,
        attnum: column.attnum,
        ty: column.ty.pg,
        length: facts().type_row(column.ty.pg.oid).map_or(-1, |row| row.len),
        format: formats.get(i).copied().unwrap_or(0),
    });
    reply::row_description(out, fields);
}

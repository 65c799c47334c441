//! Deletion vectors: which rows of a data file are dead. Format: Delta's protocol, "Deletion Vector Format".

use super::error::{LakeError, LakeResult};
use bytes::Bytes;
use roaring::{RoaringBitmap, RoaringTreemap};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// Vectors up to this many bytes lie in the log itself: they cost a reader no request, and delta-rs and polars lock
/// up from some hundreds of vectors in files.
const INLINE_MAX: usize = 1024;
/// "RoaringBitmapArray, portable", little-endian before the bitmap.
const MAGIC: u32 = 1_681_511_377;
/// Of files that hold vectors.
const FILE_VERSION: u8 = 1;

/// Where a vector lies, as the log says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub storage_type: String,
    pub path_or_inline_dv: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i32>,
    pub size_in_bytes: i32,
    pub cardinality: i64,
}

impl Descriptor {
    /// The file of the vector, relative to the table; `None`: it lies inline.
    pub(super) fn file(&self) -> LakeResult<Option<String>> {
        let damaged = || LakeError::damaged("deletion vector", format!("path \"{}\"", self.path_or_inline_dv));
        match self.storage_type.as_str() {
            "i" => Ok(None),
            "u" => {
                let text = &self.path_or_inline_dv;
                let at = text.len().checked_sub(20).ok_or_else(damaged)?;
                let (prefix, id) = text.split_at_checked(at).ok_or_else(damaged)?;
                let id = z85::decode(id).ok().and_then(|id| Uuid::from_slice(&id).ok()).ok_or_else(damaged)?;
                let name = format!("deletion_vector_{id}.bin");
                Ok(Some(if prefix.is_empty() { name } else { format!("{prefix}/{name}") }))
            }
            _ => Err(damaged()),
        }
    }

    /// The dead rows; `file`: the content of [`Descriptor::file`].
    pub(super) fn read(&self, file: Option<&Bytes>) -> LakeResult<RoaringBitmap> {
        let damaged = |problem: &str| LakeError::damaged("deletion vector", problem);
        let size = usize::try_from(self.size_in_bytes).map_err(|_| damaged("negative size"))?;
        let inline;
        let bytes: &[u8] = match file {
            None => {
                inline = z85::decode(&self.path_or_inline_dv).map_err(|error| damaged(&error.to_string()))?;
                inline.get(..size).ok_or_else(|| damaged("shorter than it says"))?
            }
            Some(file) => {
                let start = usize::try_from(self.offset.unwrap_or(1)).map_err(|_| damaged("negative offset"))? + 4;
                let bytes = file.get(start..start + size).ok_or_else(|| damaged("shorter than it says"))?;
                let sum = file.get(start + size..start + size + 4).ok_or_else(|| damaged("no checksum"))?;
                if sum != crc32(bytes).to_be_bytes() {
                    return Err(damaged("wrong checksum"));
                }
                bytes
            }
        };
        let (magic, map) = bytes.split_at_checked(4).ok_or_else(|| damaged("too short"))?;
        if magic != MAGIC.to_le_bytes() {
            return Err(damaged("wrong magic number"));
        }
        let map = RoaringTreemap::deserialize_from(map).map_err(|error| damaged(&error.to_string()))?;
        let rows: Result<RoaringBitmap, _> = RoaringBitmap::from_sorted_iter(map.iter().map(|row| row as u32))
            .map_err(|_| damaged("more than 2^32 rows"));
        rows
    }
}

/// The dead rows of a file, and where that is written.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    pub rows: Arc<RoaringBitmap>,
    pub descriptor: Arc<Descriptor>,
}

/// Writes the vectors of one commit: small ones inline, the others into one file.
pub(super) struct VectorWriter {
    id: Uuid,
    file: Vec<u8>,
}

impl VectorWriter {
    pub(super) fn new() -> Self {
        Self { id: Uuid::new_v4(), file: Vec::new() }
    }

    pub(super) fn add(&mut self, rows: RoaringBitmap) -> LakeResult<Vector> {
        let cardinality = rows.len() as i64;
        let mut bytes = Vec::with_capacity(rows.serialized_size() + 16);
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        // A 64-bit map of one 32-bit map, that of the high half 0: a file has less than 2^32 rows.
        bytes.extend_from_slice(&1u64.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        rows.serialize_into(&mut bytes).map_err(|error| LakeError::internal(error.to_string()))?;
        let size = bytes.len();
        let size_in_bytes = i32::try_from(size).map_err(|_| LakeError::internal("a deletion vector above 2 GB"))?;
        let descriptor = if size <= INLINE_MAX {
            bytes.resize(size.next_multiple_of(4), 0);
            Descriptor {
                storage_type: "i".into(),
                path_or_inline_dv: z85::encode(&bytes),
                offset: None,
                size_in_bytes,
                cardinality,
            }
        } else {
            if self.file.is_empty() {
                self.file.push(FILE_VERSION);
            }
            let offset = i32::try_from(self.file.len()).map_err(|_| LakeError::internal("vectors above 2 GB"))?;
            self.file.extend_from_slice(&(size as u32).to_be_bytes());
            self.file.extend_from_slice(&bytes);
            self.file.extend_from_slice(&crc32(&bytes).to_be_bytes());
            Descriptor {
                storage_type: "u".into(),
                path_or_inline_dv: z85::encode(self.id.as_bytes()),
                offset: Some(offset),
                size_in_bytes,
                cardinality,
            }
        };
        Ok(Vector { rows: Arc::new(rows), descriptor: Arc::new(descriptor) })
    }

    /// Name and content of the file, where there is one. It must be stored before the commit.
    pub(super) fn finish(self) -> Option<(String, Vec<u8>)> {
        (!self.file.is_empty()).then(|| (format!("deletion_vector_{}.bin", self.id), self.file))
    }
}

/// CRC-32 (IEEE 802.3), as zlib's.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut value = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[byte] = value;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum, byte| TABLE[((sum ^ u32::from(*byte)) & 0xff) as usize] ^ (sum >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn vectors_come_back_inline_and_from_files() {
        let small: RoaringBitmap = [0, 5, 70_000].into_iter().collect();
        let big: RoaringBitmap = (0..100_000).filter(|row| row % 7 == 0 || row % 11 == 3).collect();
        let bigger: RoaringBitmap = (0..200_000).filter(|row| row % 3 == 0).collect();
        let mut writer = VectorWriter::new();
        let vectors: Vec<_> =
            [&small, &big, &bigger].into_iter().map(|map| writer.add(map.clone()).expect("small")).collect();
        let (name, file) = writer.finish().expect("two are too big for the log");
        let file = Bytes::from(file);
        assert_eq!(vectors[0].descriptor.file().expect("well formed"), None);
        assert_eq!(vectors[0].descriptor.read(None).expect("well formed"), small);
        assert_eq!(vectors[1].descriptor.file().expect("well formed"), Some(name));
        assert_eq!(vectors[1].descriptor.read(Some(&file)).expect("well formed"), big);
        assert_eq!(vectors[2].descriptor.read(Some(&file)).expect("well formed"), bigger);
    }
}

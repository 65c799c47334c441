//! One partition's messages, taken from librdkafka in batches.
//!
//! The safe interface of `rdkafka` makes an event, an `Arc` and two clock readings of each message, and panics on
//! header names that are not UTF-8; `rd_kafka_consume_batch_queue` fills an array of pointers. The batch borrows
//! librdkafka's memory until it is dropped: nothing is copied.

use super::client::Consumer;
use crate::change::Position;
use crate::debezium::Record;
use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use std::ffi::{CStr, CString, c_void};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use tokio::sync::Notify;

/// A partition's own queue; nothing of it comes through [`Consumer::poll`].
pub struct PartitionQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// What librdkafka notifies; its address is with librdkafka until the queue is dropped.
    wake: Arc<Notify>,
    /// Keeps the client alive as long as its queue.
    consumer: Arc<Consumer>,
}

// SAFETY: librdkafka's queues may be used from any thread; `PartitionQueue` has no other state that is not `Send`.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// To be made before the partition is assigned, so that no message goes elsewhere. `wake` is notified when the
    /// queue was empty and no longer is.
    pub fn new(consumer: &Arc<Consumer>, topic: &str, partition: i32, wake: &Arc<Notify>) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client lives as long as `consumer`; librdkafka copies the name.
        let queue =
            unsafe { sys::rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), partition) };
        let made = Self { queue: NonNull::new(queue)?, wake: Arc::clone(wake), consumer: Arc::clone(consumer) };
        // SAFETY: the queue is ours. The opaque pointer is that of `made.wake`, which outlives the callback: `drop` takes
        // the callback out, under the lock of the queue that also guards its calls.
        unsafe {
            sys::rd_kafka_queue_forward(made.queue.as_ptr(), std::ptr::null_mut());
            let opaque = Arc::as_ptr(&made.wake).cast::<c_void>().cast_mut();
            sys::rd_kafka_queue_cb_event_enable(made.queue.as_ptr(), Some(notify), opaque);
        }
        Some(made)
    }

    /// All that is there, up to about so many messages and bytes.
    pub fn take(&self, max_messages: usize, max_bytes: usize) -> Batch<'_> {
        const STRIDE: usize = 512;
        let mut batch = Batch { messages: Vec::new(), bytes: 0, queue: std::marker::PhantomData };
        // SAFETY: the queue is ours.
        if unsafe { sys::rd_kafka_queue_length(self.queue.as_ptr()) } == 0 {
            return batch;
        }
        while batch.messages.len() < max_messages && batch.bytes < max_bytes {
            let old = batch.messages.len();
            batch.messages.reserve(STRIDE);
            // SAFETY: there is room for STRIDE pointers behind the old ones, and librdkafka fills the first `count` of
            // them with messages that are ours to destroy.
            let count = unsafe {
                let free = batch.messages.as_mut_ptr().add(old);
                let count = sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, free, STRIDE);
                let count = usize::try_from(count).unwrap_or(0);
                batch.messages.set_len(old + count);
                count
            };
            for message in &batch.messages[old..] {
                // SAFETY: just filled, and not destroyed before the batch is.
                let message = unsafe { &**message };
                batch.bytes += message.len + message.key_len;
            }
            if count < STRIDE {
                break;
            }
        }
        batch
    }

    /// The broker's low and high watermark as of the last answer to a fetch; no request is made.
    pub fn watermarks(&self, topic: &CStr, partition: i32) -> Option<(i64, i64)> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client lives as long as `self.consumer`, and the two numbers are written to.
        let error = unsafe {
            let client = self.consumer.client().native_ptr();
            sys::rd_kafka_get_watermark_offsets(client, topic.as_ptr(), partition, &mut low, &mut high)
        };
        let known = error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
        known.then_some((low, high))
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this; without the callback nobody holds the address of `wake`.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, std::ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

unsafe extern "C" fn notify(_: *mut sys::rd_kafka_t, wake: *mut c_void) {
    // SAFETY: the pointer that `PartitionQueue::new` gave, of a `Notify` that is alive while the callback is set.
    let wake = unsafe { &*wake.cast::<Notify>() };
    wake.notify_one();
}

/// Messages, and errors that came between them; librdkafka's memory until dropped.
pub struct Batch<'q> {
    messages: Vec<*mut sys::rd_kafka_message_t>,
    bytes: usize,
    queue: std::marker::PhantomData<&'q PartitionQueue>,
}

/// What came of a partition, in order.
pub enum Item<'b> {
    Message(Message<'b>),
    /// An error, and the offset that it is about (of `PartitionEOF`: the next).
    Error(RDKafkaErrorCode, i64, String),
}

/// One message of a batch.
#[derive(Clone, Copy)]
pub struct Message<'b>(&'b sys::rd_kafka_message_t);

impl Batch<'_> {
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        self.messages.iter().map(|message| {
            // SAFETY: alive until the batch is dropped.
            let message = unsafe { &**message };
            if message.err == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Item::Message(Message(message));
            }
            // SAFETY: of a message with an error librdkafka gives a text that lives as long as the message.
            let text = unsafe { CStr::from_ptr(sys::rd_kafka_message_errstr(message)) };
            Item::Error(message.err.into(), message.offset, text.to_string_lossy().into_owned())
        })
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for message in &self.messages {
            // SAFETY: ours, and destroyed once.
            unsafe { sys::rd_kafka_message_destroy(*message) }
        }
    }
}

impl<'b> Message<'b> {
    pub fn offset(self) -> i64 {
        self.0.offset
    }

    fn key(self) -> Option<&'b [u8]> {
        // SAFETY: `key_len` bytes that live as long as the message.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    fn value(self) -> Option<&'b [u8]> {
        // SAFETY: `len` bytes that live as long as the message.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    fn timestamp_ms(self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: a message that is alive.
        let ms = unsafe { sys::rd_kafka_message_timestamp(self.0, &mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms >= 0).then_some(ms)
    }

    fn push_headers(self, out: &mut Vec<Header<'b>>) {
        let mut headers = std::ptr::null_mut();
        // SAFETY: a message that is alive; the headers stay its own.
        let error = unsafe { sys::rd_kafka_message_headers(self.0, &mut headers) };
        if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: headers of a message that is alive; beyond the last one it says that there is none.
            let header = unsafe {
                let error = sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return;
                }
                (CStr::from_ptr(name).to_str().unwrap_or("(a name that is not UTF-8)"), bytes(value.cast_mut(), size))
            };
            out.push(header);
        }
    }
}

/// # Safety
/// `data` is null or points to `length` bytes that live for `'b`.
unsafe fn bytes<'b>(data: *mut c_void, length: usize) -> Option<&'b [u8]> {
    // SAFETY: the caller's promise.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) })
}

type Header<'b> = (&'b str, Option<&'b [u8]>);

/// Messages as records; headers lie side by side in `headers`, which the caller keeps.
pub fn records<'b>(messages: &[Message<'b>], headers: &'b mut Vec<Header<'b>>) -> Vec<Record<'b>> {
    let ranges: Vec<Range<usize>> = messages
        .iter()
        .map(|message| {
            let start = headers.len();
            message.push_headers(headers);
            start..headers.len()
        })
        .collect();
    let headers: &'b [Header<'b>] = headers;
    let record = |(message, range): (&Message<'b>, Range<usize>)| Record {
        position: Position(message.offset()),
        timestamp_ms: message.timestamp_ms(),
        key: message.key(),
        value: message.value(),
        headers: &headers[range],
    };
    messages.iter().zip(ranges).map(record).collect()
}

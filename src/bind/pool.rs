//! The memory of running plans: DataFusion's pools, inside the process's own limit.

use crate::memory;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, UnboundedMemoryPool,
};
use std::fmt;
use std::sync::Arc;

/// A pool of so many bytes for all plans together, or of as many as there are; one plan may use what is free. What would pass
/// the process's limit is refused too, so that a plan fails rather than the process.
pub fn memory_pool(bytes: Option<usize>) -> Arc<dyn MemoryPool> {
    let inner: Arc<dyn MemoryPool> = match bytes {
        Some(bytes) => Arc::new(GreedyMemoryPool::new(bytes)),
        None => Arc::new(UnboundedMemoryPool::default()),
    };
    Arc::new(ProcessPool { inner })
}

#[derive(Debug)]
struct ProcessPool {
    inner: Arc<dyn MemoryPool>,
}

impl fmt::Display for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in the process's limit", self.inner)
    }
}

impl MemoryPool for ProcessPool {
    fn name(&self) -> &str {
        "process"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if let Some(limit) = memory::limit()
            && memory::used().saturating_add(additional as u64) > limit
        {
            return Err(memory::exhausted(limit).into());
        }
        self.inner.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

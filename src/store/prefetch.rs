//! Asking for memory before it is needed.
//!
//! In a table that no cache can hold, a look-up is waiting: for the index, for the key's column, for the row. Batches are
//! therefore worked through in steps, each of which asks for what the next one reads: the waits of many rows are one.

/// Rows that are on their way through the steps at once: what they ask for fits into the first cache.
pub(super) const BLOCK: usize = 128;

/// Asks for the cache line of `values[at]`; nothing where there is no such value.
#[inline(always)]
pub(super) fn prefetch<T>(values: &[T], at: usize) {
    if let Some(value) = values.get(at) {
        hint(std::ptr::from_ref(value).cast());
    }
}

/// Asks for the first cache lines of a value that has several.
#[inline(always)]
pub(super) fn prefetch_lines<T: ?Sized>(value: &T, lines: usize) {
    let start: *const i8 = std::ptr::from_ref(value).cast();
    (0..lines).for_each(|line| hint(start.wrapping_add(line * 64)));
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn hint(at: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint reads nothing; every processor of this architecture knows the instruction.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn hint(_: *const i8) {}

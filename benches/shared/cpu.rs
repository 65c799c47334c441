//! The CPU time of a thread.

use std::time::Duration;

/// What this thread had used when it was asked.
#[derive(Clone, Copy)]
pub struct Cpu(pub Duration);

impl Cpu {
    pub fn now() -> Self {
        #[repr(C)]
        struct Timespec {
            seconds: i64,
            nanos: i64,
        }
        unsafe extern "C" {
            fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
        }
        const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
        let mut time = Timespec { seconds: 0, nanos: 0 };
        // SAFETY: the C library's function (64-bit Linux), with room for what it writes.
        let failed = unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) };
        assert_eq!(failed, 0, "the kernel counts CPU by thread");
        Self(Duration::new(time.seconds as u64, time.nanos as u32))
    }

    pub fn elapsed(self) -> Duration {
        Self::now().0 - self.0
    }
}

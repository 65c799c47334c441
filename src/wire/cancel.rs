//! Who may cancel what: process id and secret of each session.

use crate::sql::CancelHandle;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};

#[derive(Default)]
pub struct Registry {
    sessions: Mutex<HashMap<i32, (i32, CancelHandle)>>,
    next: AtomicI32,
}

/// A session's entry, until it is dropped.
pub struct Registered<'a> {
    registry: &'a Registry,
    pid: i32,
}

impl Registry {
    /// A process id that no living session has.
    pub fn new_pid(&self) -> i32 {
        loop {
            let pid = (self.next.fetch_add(1, Ordering::Relaxed) & 0x3fff_ffff) + 1;
            if !self.sessions.lock().contains_key(&pid) {
                return pid;
            }
        }
    }

    pub fn register(&self, pid: i32, secret: i32, handle: CancelHandle) -> Registered<'_> {
        self.sessions.lock().insert(pid, (secret, handle));
        Registered { registry: self, pid }
    }

    /// Cancels what the session runs, if the secret is its own.
    pub fn cancel(&self, pid: i32, secret: &[u8]) {
        let handle = match self.sessions.lock().get(&pid) {
            Some((expected, handle)) if expected.to_be_bytes() == secret => handle.clone(),
            _ => return,
        };
        handle.cancel();
    }

    pub fn cancel_all(&self) {
        self.sessions.lock().values().for_each(|(_, handle)| handle.cancel());
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.registry.sessions.lock().remove(&self.pid);
    }
}

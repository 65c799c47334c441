//! Advisory locks: numbers that sessions hold, alone or shared, until they let go of them, their transaction or they end.
//!
//! As in PostgreSQL: a session may take a lock more than once and has to let go of it as often; who waits is served in order;
//! two who wait for each other are told so (`40P01`). They lock nothing but themselves.

use super::database::now_us;
use crate::pg_catalog::LockRow;
use crate::types::{PgError, PgResult, SqlState};
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is locked: `pg_locks.classid`, `objid`, `objsubid`.
pub type Key = (u32, u32, i16);

/// How often whoever waits looks whether the wait has an end.
const NAP: Duration = Duration::from_millis(50);
/// Locks of all sessions together.
const MOST: usize = 100_000;

struct Holder {
    pid: i32,
    shared: bool,
    /// How often it was taken for the session, and for the transaction.
    session: u32,
    transaction: u32,
}

struct Waiter {
    pid: i32,
    shared: bool,
    since_us: i64,
}

#[derive(Default)]
struct Entry {
    holders: Vec<Holder>,
    waiting: VecDeque<Waiter>,
}

impl Entry {
    /// Whom a request would wait for: sessions that hold the lock otherwise, and those that asked for it before.
    fn blockers(&self, pid: i32, shared: bool) -> impl Iterator<Item = i32> {
        let held = self.holders.iter().any(|holder| holder.pid == pid);
        let before = self.waiting.iter().take_while(move |waiter| waiter.pid != pid).filter(move |_| !held);
        let holders = self.holders.iter().map(|holder| (holder.pid, holder.shared));
        let others = holders.chain(before.map(|waiter| (waiter.pid, waiter.shared)));
        others.filter(move |(other, theirs)| *other != pid && !(shared && *theirs)).map(|(other, _)| other)
    }

    fn take(&mut self, pid: i32, shared: bool, transaction: bool) {
        let place = self.holders.iter().position(|holder| holder.pid == pid && holder.shared == shared);
        let place = place.unwrap_or_else(|| {
            self.holders.push(Holder { pid, shared, session: 0, transaction: 0 });
            self.holders.len() - 1
        });
        let holder = &mut self.holders[place];
        *(if transaction { &mut holder.transaction } else { &mut holder.session }) += 1;
    }

    fn forget(&mut self, pid: i32) {
        self.waiting.retain(|waiter| waiter.pid != pid);
    }

    fn is_free(&self) -> bool {
        self.holders.is_empty() && self.waiting.is_empty()
    }
}

type Entries = HashMap<Key, Entry>;

/// All advisory locks of the database.
#[derive(Default)]
pub struct AdvisoryLocks {
    entries: Mutex<Entries>,
    changed: Condvar,
}

impl AdvisoryLocks {
    /// For `pg_locks`.
    pub fn rows(&self) -> Vec<LockRow> {
        let entries = self.entries.lock();
        let mut rows = Vec::new();
        for (key, entry) in entries.iter() {
            let row = |pid, shared, waiting_since_us: Option<i64>| LockRow { key: *key, pid, shared, waiting_since_us };
            rows.extend(entry.holders.iter().map(|holder| row(holder.pid, holder.shared, None)));
            rows.extend(entry.waiting.iter().map(|waiter| row(waiter.pid, waiter.shared, Some(waiter.since_us))));
        }
        rows.sort_unstable_by_key(|row| (row.key, row.waiting_since_us, row.pid, row.shared));
        rows
    }

    /// Lets go of what `which` says of each of a session's locks.
    fn release(&self, pid: i32, which: impl Fn(&mut Holder)) {
        let mut entries = self.entries.lock();
        entries.retain(|_, entry| {
            entry.holders.iter_mut().filter(|holder| holder.pid == pid).for_each(&which);
            entry.holders.retain(|holder| holder.session + holder.transaction > 0);
            !entry.is_free()
        });
        drop(entries);
        self.changed.notify_all();
    }
}

/// Whether somebody whom `pid` waits for waits for `pid`.
fn is_deadlock(entries: &Entries, pid: i32) -> bool {
    let waited_for = |of: i32| {
        let waits = entries.values().filter_map(move |entry| {
            let waiter = entry.waiting.iter().find(|waiter| waiter.pid == of)?;
            Some(entry.blockers(of, waiter.shared).collect::<Vec<_>>())
        });
        waits.flatten().collect::<Vec<_>>()
    };
    let (mut seen, mut open) = (HashSet::new(), waited_for(pid));
    while let Some(next) = open.pop() {
        if next == pid {
            return true;
        }
        if seen.insert(next) {
            open.extend(waited_for(next));
        }
    }
    false
}

/// One session's hold on them; what it has goes with it.
pub struct SessionLocks {
    all: Arc<AdvisoryLocks>,
    pid: i32,
    /// It may hold locks, of the transaction among them.
    any: AtomicBool,
    of_transaction: AtomicBool,
    closed: AtomicBool,
}

impl SessionLocks {
    pub fn new(all: Arc<AdvisoryLocks>, pid: i32) -> Self {
        let no = || AtomicBool::new(false);
        Self { all, pid, any: no(), of_transaction: no(), closed: no() }
    }

    /// Takes a lock; `false` where it is another's and `wait` is `None`. `wait` is asked now and then whether to go on.
    pub fn take(
        &self,
        key: Key,
        shared: bool,
        transaction: bool,
        wait: Option<&dyn Fn() -> PgResult<()>>,
    ) -> PgResult<bool> {
        let mut entries = self.all.entries.lock();
        loop {
            if self.closed.load(Ordering::Relaxed) {
                return Err(PgError::new(SqlState::QUERY_CANCELED, "the session has ended"));
            }
            if entries.len() >= MOST && !entries.contains_key(&key) {
                let message = format!("there may be {MOST} advisory locks at once");
                return Err(PgError::new(SqlState(*b"53200"), message));
            }
            let entry = entries.entry(key).or_default();
            if entry.blockers(self.pid, shared).next().is_none() {
                entry.forget(self.pid);
                entry.take(self.pid, shared, transaction);
                self.any.store(true, Ordering::Relaxed);
                self.of_transaction.fetch_or(transaction, Ordering::Relaxed);
                drop(entries);
                // Others may share it.
                self.all.changed.notify_all();
                return Ok(true);
            }
            let Some(wait) = wait else { return Ok(false) };
            if !entry.waiting.iter().any(|waiter| waiter.pid == self.pid) {
                entry.waiting.push_back(Waiter { pid: self.pid, shared, since_us: now_us() });
            }
            let deadlock = || PgError::new(SqlState(*b"40P01"), "deadlock detected");
            let go_on = if is_deadlock(&entries, self.pid) { Err(deadlock()) } else { wait() };
            if let Err(error) = go_on {
                if let Some(entry) = entries.get_mut(&key) {
                    entry.forget(self.pid);
                }
                entries.retain(|_, entry| !entry.is_free());
                drop(entries);
                self.all.changed.notify_all();
                return Err(error);
            }
            self.all.changed.wait_for(&mut entries, NAP);
        }
    }

    /// Lets go of a lock of the session; `false` where it has none.
    pub fn unlock(&self, key: Key, shared: bool) -> bool {
        let mut entries = self.all.entries.lock();
        let Some(entry) = entries.get_mut(&key) else { return false };
        let mine = |holder: &&mut Holder| holder.pid == self.pid && holder.shared == shared && holder.session > 0;
        let Some(holder) = entry.holders.iter_mut().find(mine) else { return false };
        holder.session -= 1;
        entry.holders.retain(|holder| holder.session + holder.transaction > 0);
        if entry.is_free() {
            entries.remove(&key);
        }
        drop(entries);
        self.all.changed.notify_all();
        true
    }

    pub fn unlock_all(&self) {
        if self.any.load(Ordering::Relaxed) {
            self.all.release(self.pid, |holder| holder.session = 0);
        }
    }

    pub fn end_transaction(&self) {
        if self.of_transaction.swap(false, Ordering::Relaxed) {
            self.all.release(self.pid, |holder| holder.transaction = 0);
        }
    }

    /// The session ends.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        if self.any.load(Ordering::Relaxed) {
            self.all.release(self.pid, |holder| (holder.session, holder.transaction) = (0, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = (0, 42, 1);

    fn sessions<const N: usize>() -> ([SessionLocks; N], Arc<AdvisoryLocks>) {
        let all = Arc::new(AdvisoryLocks::default());
        let session = |pid| SessionLocks::new(Arc::clone(&all), pid as i32);
        (std::array::from_fn(session), all)
    }

    fn tried(session: &SessionLocks, shared: bool) -> bool {
        session.take(KEY, shared, false, None).expect("it is told at once")
    }

    #[test]
    fn a_lock_is_one_sessions_or_shared() {
        let ([one, other, third], all) = sessions();
        assert!(tried(&one, false) && tried(&one, false) && !tried(&other, false) && !tried(&other, true));
        assert!(one.unlock(KEY, false) && !tried(&other, true), "it was taken twice");
        assert!(one.unlock(KEY, false) && !one.unlock(KEY, false));
        assert!(tried(&other, true) && tried(&third, true) && !tried(&one, false));
        other.close();
        third.unlock_all();
        assert!(tried(&one, false));
        one.close();
        assert_eq!(all.rows(), []);
    }

    #[test]
    fn a_transactions_lock_ends_with_it_and_a_sessions_does_not() {
        let ([one, other], _) = sessions();
        one.take(KEY, false, true, None).expect("it is free");
        assert!(!one.unlock(KEY, false), "a transaction keeps its lock");
        one.end_transaction();
        assert!(tried(&other, false));
        other.end_transaction();
        assert!(!tried(&one, true));
    }

    #[test]
    fn two_who_wait_for_each_other_are_told() {
        let ([one, other], all) = sessions();
        const SECOND: Key = (0, 43, 1);
        let forever: &(dyn Fn() -> PgResult<()> + Sync) = &|| Ok(());
        one.take(KEY, false, false, None).expect("it is free");
        other.take(SECOND, false, false, None).expect("it is free");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| one.take(SECOND, false, false, Some(&|| forever())));
            while !all.rows().iter().any(|row| row.waiting_since_us.is_some()) {
                std::thread::yield_now();
            }
            let error = other.take(KEY, false, false, Some(&|| forever())).expect_err("a deadlock");
            assert_eq!(error.state, SqlState(*b"40P01"));
            other.close();
            assert!(waiting.join().expect("the thread ends").expect("it is free now"));
        });
    }
}

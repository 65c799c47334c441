//! LISTEN, NOTIFY, and notifications of changes.
//!
//! ```text
//! NOTIFY ─► Pending (of the transaction) ─ COMMIT ─► Channels ─► Mailbox of each listener ─► wire
//! tick ─► Watcher ─────────────────────────────────────┘
//! ```
//!
//! A mailbox is bounded: where a listener has not taken what it was sent, NOTIFY fails as PostgreSQL's does when its queue is
//! full; of changes the oldest of the same channel goes, for the newest says where things stand.

use super::database::Database;
use super::session::Session;
use super::storage::StorageSnapshot;
use crate::types::{Oid, PgError, PgResult, SqlState};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

/// Notifications that one listener may have waiting.
const WAITING: usize = 10_000;
/// PostgreSQL's limits, in bytes.
const CHANNEL: usize = 63;
const PAYLOAD: usize = 7999;
/// Relations that one session may watch.
const WATCHED: usize = 1_000;

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Process id of the session that notified.
    pub pid: i32,
    pub channel: Arc<str>,
    pub payload: Arc<str>,
}

/// What one session listens to, and what has come for it.
#[derive(Debug, Default)]
pub struct Mailbox {
    state: Mutex<Waiting>,
    /// Something has come, or the session is to look up.
    pub wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    channels: BTreeSet<Arc<str>>,
    /// Relations whose changes this session wants told, on these channels.
    watched: Vec<(Oid, Arc<str>)>,
    queue: VecDeque<Notification>,
}

impl Mailbox {
    pub fn take(&self) -> Vec<Notification> {
        self.state.lock().queue.drain(..).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.state.lock().queue.is_empty()
    }

    pub fn channels(&self) -> Vec<String> {
        self.state.lock().channels.iter().map(|channel| channel.to_string()).collect()
    }
}

/// What a transaction will do at COMMIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Listen(Arc<str>),
    /// `None`: all.
    Unlisten(Option<Arc<str>>),
    Notify(Notification),
}

/// Shared between a session and the functions of its statements.
pub type Pending = Arc<Mutex<Vec<Action>>>;

/// Checks a NOTIFY and keeps it for COMMIT; twice the same is once.
pub fn notify(pending: &Pending, pid: i32, channel: &str, payload: &str) -> PgResult<()> {
    let invalid = |message: &str| Err(PgError::new(SqlState::INVALID_PARAMETER, message));
    if channel.is_empty() {
        return invalid("channel name cannot be empty");
    }
    if channel.len() > CHANNEL {
        return invalid("channel name too long");
    }
    if payload.len() > PAYLOAD {
        return invalid("payload string too long");
    }
    let action = Action::Notify(Notification { pid, channel: channel.into(), payload: payload.into() });
    let mut pending = pending.lock();
    if !pending.contains(&action) {
        if pending.len() >= WAITING {
            return Err(full());
        }
        pending.push(action);
    }
    Ok(())
}

fn full() -> PgError {
    PgError::new(SqlState(*b"54000"), "too many notifications in the NOTIFY queue")
}

/// The mailboxes of all sessions that listen.
#[derive(Debug, Default)]
pub struct Channels {
    mailboxes: Mutex<Vec<Weak<Mailbox>>>,
    watching: Mutex<bool>,
}

impl Channels {
    fn living(&self) -> Vec<Arc<Mailbox>> {
        self.mailboxes.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn add(&self, mailbox: &Arc<Mailbox>) {
        let mut all = self.mailboxes.lock();
        all.retain(|known| known.strong_count() > 0);
        if !all.iter().any(|known| known.as_ptr() == Arc::as_ptr(mailbox)) {
            all.push(Arc::downgrade(mailbox));
        }
    }

    /// `54000` where a listener's mailbox has no room for what `actions` would send it.
    fn check_room(&self, actions: &[Action]) -> PgResult<()> {
        let sent = || actions.iter().filter_map(|a| if let Action::Notify(n) = a { Some(n) } else { None });
        if sent().next().is_none() {
            return Ok(());
        }
        for mailbox in self.living() {
            let state = mailbox.state.lock();
            let more = sent().filter(|n| state.channels.contains(&n.channel)).count();
            if state.queue.len() + more > WAITING {
                return Err(full());
            }
        }
        Ok(())
    }

    /// How full the fullest mailbox is, from 0 to 1.
    pub fn usage(&self) -> f64 {
        let fullest = self.living().iter().map(|mailbox| mailbox.state.lock().queue.len()).max();
        fullest.unwrap_or(0) as f64 / WAITING as f64
    }

    fn send(&self, notification: &Notification, newest_counts: bool) {
        for mailbox in self.living() {
            let mut state = mailbox.state.lock();
            if !state.channels.contains(&notification.channel) {
                continue;
            }
            if state.queue.len() >= WAITING {
                let old = state.queue.iter().position(|n| newest_counts && n.channel == notification.channel);
                match old {
                    Some(old) => drop(state.queue.remove(old)),
                    // The room was there before the commit; whoever took it meanwhile was first.
                    None => continue,
                }
            }
            state.queue.push_back(notification.clone());
            drop(state);
            mailbox.wake.notify_one();
        }
    }

    /// Every relation that somebody watches, with the channels.
    fn watched(&self) -> HashMap<Oid, BTreeSet<Arc<str>>> {
        let mut all: HashMap<Oid, BTreeSet<Arc<str>>> = HashMap::new();
        for mailbox in self.living() {
            for (oid, channel) in &mailbox.state.lock().watched {
                all.entry(*oid).or_default().insert(Arc::clone(channel));
            }
        }
        all
    }
}

/// One relation at one tick.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    tick: u64,
    rows: u64,
    /// The id that the next row version gets, where the relation is in memory.
    next: Option<u64>,
}

fn seen(snapshot: &dyn StorageSnapshot, oid: Oid) -> Option<Seen> {
    let tick = snapshot.changed_tick(oid)?.0;
    let table = snapshot.table(oid);
    let rows = table.as_ref().map_or(0, |table| table.len() as u64);
    Some(Seen { tick, rows, next: table.map(|table| table.next_row_id().0) })
}

/// `{"relation": …, "tick": …, "rows": …, "inserted": …, "deleted": …}`: an updated row counts as both.
fn payload(name: &str, before: Seen, now: Seen) -> String {
    let name = serde_json::Value::from(name);
    let counts = match (before.next, now.next) {
        (Some(from), Some(to)) if to >= from => {
            let inserted = to - from;
            let deleted = (before.rows + inserted).saturating_sub(now.rows);
            format!(",\"rows\":{},\"inserted\":{inserted},\"deleted\":{deleted}", now.rows)
        }
        (_, Some(_)) => format!(",\"rows\":{}", now.rows),
        _ => String::new(),
    };
    format!("{{\"relation\":{name},\"tick\":{}{counts}}}", now.tick)
}

impl Database {
    /// Tells listeners of changes, tick by tick, for as long as somebody watches.
    fn watch(self: &Arc<Self>) {
        let Some(mut ticks) = self.storage.ticks() else { return };
        let mut watching = self.channels.watching.lock();
        if std::mem::replace(&mut *watching, true) {
            return;
        }
        let database = Arc::downgrade(self);
        self.runtime().spawn(async move {
            let mut known: HashMap<Oid, Seen> = HashMap::new();
            loop {
                let Some(database) = database.upgrade() else { return };
                let watched = database.channels.watched();
                if watched.is_empty() {
                    let mut watching = database.channels.watching.lock();
                    // Somebody may have begun in between.
                    if database.channels.watched().is_empty() {
                        *watching = false;
                        return;
                    }
                    continue;
                }
                ticks.borrow_and_update();
                let snapshot = database.storage.snapshot();
                known.retain(|oid, _| watched.contains_key(oid));
                for (oid, channels) in watched {
                    let Some(now) = seen(&*snapshot, oid) else { continue };
                    let Some(before) = known.insert(oid, now) else { continue };
                    if before == now {
                        continue;
                    }
                    let catalog = snapshot.catalog();
                    let Some(relation) = catalog.relation(oid) else { continue };
                    let payload: Arc<str> = payload(&catalog.qualified_name(relation), before, now).into();
                    for channel in channels {
                        let payload = Arc::clone(&payload);
                        database.channels.send(&Notification { pid: 0, channel, payload }, true);
                    }
                }
                drop(snapshot);
                drop(database);
                if ticks.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// From now on `mailbox`'s session wants changes of the relation told on the channel; `None`: no longer.
    pub(super) fn notify_on_change(
        self: &Arc<Self>,
        mailbox: &Arc<Mailbox>,
        relation: Oid,
        channel: Option<&str>,
    ) -> PgResult<()> {
        let mut state = mailbox.state.lock();
        match channel {
            None => state.watched.retain(|(oid, _)| *oid != relation),
            Some("") => return Err(PgError::new(SqlState::INVALID_PARAMETER, "channel name cannot be empty")),
            Some(channel) if channel.len() > CHANNEL => {
                return Err(PgError::new(SqlState::INVALID_PARAMETER, "channel name too long"));
            }
            Some(channel) => {
                let wanted: (Oid, Arc<str>) = (relation, channel.into());
                if !state.watched.contains(&wanted) {
                    if state.watched.len() >= WATCHED {
                        let message = format!("a session can watch at most {WATCHED} relations");
                        return Err(PgError::new(SqlState(*b"54000"), message));
                    }
                    state.watched.push(wanted);
                }
            }
        }
        drop(state);
        self.channels.add(mailbox);
        self.watch();
        Ok(())
    }
}

impl Session {
    /// LISTEN, UNLISTEN and NOTIFY count at COMMIT.
    pub(super) fn at_commit(&mut self, action: Action) -> PgResult<()> {
        if let Action::Listen(channel) = &action
            && channel.len() > CHANNEL
        {
            return Err(PgError::new(SqlState::INVALID_PARAMETER, "channel name too long"));
        }
        self.pending.lock().push(action);
        Ok(())
    }

    pub(super) fn notify(&mut self, channel: &str, payload: &str) -> PgResult<()> {
        notify(&self.pending, self.identity.backend_pid, channel, payload)
    }

    /// DISCARD ALL and UNLISTEN *.
    pub(super) fn stop_listening(&mut self, channel: Option<Arc<str>>) {
        self.pending.lock().push(Action::Unlisten(channel));
    }

    /// Whether COMMIT can send what the transaction wants sent.
    pub(super) fn check_room(&self) -> PgResult<()> {
        let pending = self.pending.lock();
        if pending.is_empty() { Ok(()) } else { self.database.channels.check_room(&pending) }
    }

    /// The transaction is over: what it wanted happens, or does not.
    pub(super) fn finish_pending(&mut self, committed: bool) {
        let actions = std::mem::take(&mut *self.pending.lock());
        if !committed {
            return;
        }
        for action in actions {
            match action {
                Action::Listen(channel) => {
                    self.database.channels.add(&self.mailbox);
                    self.mailbox.state.lock().channels.insert(channel);
                }
                Action::Unlisten(Some(channel)) => drop(self.mailbox.state.lock().channels.remove(&channel)),
                Action::Unlisten(None) => {
                    let mut state = self.mailbox.state.lock();
                    state.channels.clear();
                    state.watched.clear();
                }
                Action::Notify(notification) => self.database.channels.send(&notification, false),
            }
        }
    }

    /// What the session listens with.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(channels: &Channels, channel: &str) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        mailbox.state.lock().channels.insert(channel.into());
        channels.add(&mailbox);
        mailbox
    }

    fn note(payload: usize) -> Notification {
        Notification { pid: 1, channel: "c".into(), payload: payload.to_string().into() }
    }

    #[test]
    fn a_full_mailbox_refuses_notify_and_forgets_old_changes() {
        let channels = Channels::default();
        let (mailbox, other) = (listener(&channels, "c"), listener(&channels, "d"));
        for i in 0..WAITING {
            channels.check_room(&[Action::Notify(note(i))]).unwrap();
            channels.send(&note(i), false);
        }
        let error = channels.check_room(&[Action::Notify(note(0))]).unwrap_err();
        assert_eq!(error.state, SqlState(*b"54000"));
        assert_eq!(channels.usage(), 1.0);
        channels.send(&note(WAITING), true);
        let taken = mailbox.take();
        assert_eq!((taken.len(), &*taken[0].payload), (WAITING, "1"));
        assert!(other.take().is_empty() && mailbox.is_empty());
    }

    #[test]
    fn the_same_notification_counts_once_in_a_transaction() {
        let pending = Pending::default();
        for payload in ["x", "x", "y"] {
            notify(&pending, 1, "c", payload).unwrap();
        }
        assert_eq!(pending.lock().len(), 2);
        assert!(notify(&pending, 1, "", "x").is_err());
        assert!(notify(&pending, 1, "c", &"x".repeat(8000)).is_err());
    }
}

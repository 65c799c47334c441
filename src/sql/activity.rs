//! Who is connected and what runs: `pg_stat_activity`.

use super::channels::Mailbox;
use super::context::Identity;
use super::database::now_us;
use super::interrupt::CancelHandle;
use super::settings::Settings;
use crate::pg_catalog::SessionRow;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// One session as the others see it.
pub struct Activity {
    identity: Arc<Identity>,
    settings: Arc<Mutex<Settings>>,
    cancel: CancelHandle,
    started_us: i64,
    mailbox: Arc<Mailbox>,
    /// Somebody ended the session.
    terminated: AtomicBool,
    now: Mutex<Now>,
}

struct Now {
    state: &'static str,
    since_us: i64,
    query: Arc<str>,
    query_us: Option<i64>,
    transaction_us: Option<i64>,
}

impl Activity {
    pub fn new(
        identity: Arc<Identity>,
        settings: Arc<Mutex<Settings>>,
        cancel: CancelHandle,
        mailbox: Arc<Mailbox>,
    ) -> Self {
        let started_us = now_us();
        let (query, query_us, transaction_us) = ("".into(), None, None);
        let now = Mutex::new(Now { state: "idle", since_us: started_us, query, query_us, transaction_us });
        let terminated = AtomicBool::new(false);
        Self { identity, settings, cancel, started_us, mailbox, terminated, now }
    }

    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Relaxed)
    }

    /// A statement begins.
    pub fn begin(&self, at_us: i64, transaction_us: Option<i64>) {
        let mut now = self.now.lock();
        (now.state, now.since_us, now.query_us) = ("active", at_us, Some(at_us));
        now.transaction_us = transaction_us.or(Some(at_us));
    }

    pub fn query(&self, text: &str) {
        // Enough to recognise it, as PostgreSQL's track_activity_query_size.
        let text = &text[..text.floor_char_boundary(1023)];
        let mut now = self.now.lock();
        if *now.query != *text {
            now.query = text.into();
        }
    }

    /// Nothing runs any more.
    pub fn end(&self, status: u8, transaction_us: Option<i64>) {
        let mut now = self.now.lock();
        now.state = match status {
            b'T' => "idle in transaction",
            b'E' => "idle in transaction (aborted)",
            _ => "idle",
        };
        (now.since_us, now.transaction_us) = (now_us(), transaction_us);
    }

    fn row(&self) -> SessionRow {
        let application_name = self.settings.lock().show("application_name").unwrap_or_default();
        let now = self.now.lock();
        SessionRow {
            pid: self.identity.backend_pid,
            user: self.identity.user.clone(),
            database: self.identity.database.clone(),
            application_name,
            client_address: self.identity.client.map(|a| a.ip().to_string()),
            client_port: self.identity.client.map(|a| a.port().into()),
            started_us: self.started_us,
            transaction_us: now.transaction_us,
            query_us: now.query_us,
            state_us: Some(now.since_us),
            state: now.state.to_owned(),
            query: now.query.to_string(),
        }
    }
}

/// All sessions of the database.
#[derive(Default)]
pub struct Activities(Mutex<Vec<Weak<Activity>>>);

impl Activities {
    pub fn add(&self, activity: &Arc<Activity>) {
        let mut all = self.0.lock();
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(activity));
    }

    fn living(&self) -> Vec<Arc<Activity>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn find(&self, pid: i32) -> Option<Arc<Activity>> {
        self.living().into_iter().find(|activity| activity.identity.backend_pid == pid)
    }

    /// Cancels what the session with this process id runs, or ends it: whether there is one.
    pub fn signal(&self, pid: i32, end: bool) -> bool {
        let found = self.find(pid);
        found
            .inspect(|activity| {
                if end {
                    activity.terminated.store(true, Ordering::Relaxed);
                    activity.mailbox.wake.notify_one();
                }
                activity.cancel.cancel();
            })
            .is_some()
    }

    /// Who logged in with this process id.
    pub fn user(&self, pid: i32) -> Option<String> {
        self.find(pid).map(|activity| activity.identity.user.clone())
    }

    /// Sessions of this user.
    pub fn count(&self, user: &str) -> usize {
        self.living().iter().filter(|activity| activity.identity.user == user).count()
    }

    pub fn rows(&self) -> Vec<SessionRow> {
        self.living().iter().map(|activity| activity.row()).collect()
    }

    /// Every user with a session, each once, `first` before all others.
    pub fn users(&self, first: &str) -> Vec<String> {
        let mut users = vec![first.to_owned()];
        for activity in self.living() {
            if !users.contains(&activity.identity.user) {
                users.push(activity.identity.user.clone());
            }
        }
        users
    }
}

//! Support tickets: the same table in two databases of two SQL Servers; one [`Tickets`] is one of them.

use super::dice::Dice;
use super::envelope::{At, Change, Events, Object, SqlServer};
use super::{Counts, Recent, Workload, past_us};

pub struct Tickets {
    seed: u64,
    rows: u64,
    topics: [&'static str; 1],
    server: SqlServer,
    recent: Recent<Ticket>,
}

#[derive(Clone, Copy)]
struct Ticket {
    id: u64,
    status: &'static str,
    created_ms: i64,
    updated_ms: i64,
}

enum Kind {
    Create,
    Update,
    /// Delete and tombstone.
    Delete,
}

const STATUSES: [&str; 4] = ["open", "in_progress", "waiting", "closed"];
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];
const SUBJECTS: [&str; 6] = ["Login", "Invoice", "Delivery", "Password", "Printer", "Return"];
const TROUBLES: [&str; 6] =
    ["does not work", "is missing", "is late", "was refused", "shows \"error 17\"", "löst nicht"];

impl Tickets {
    /// `database`: 1 or 2.
    pub fn new(seed: u64, rows: u64, database: u8) -> Self {
        let (server, topic) = match database {
            1 => (SqlServer { prefix: "shori1", db: "ShoriDB_1" }, "shori1.ShoriDB_1.dbo.tickets"),
            _ => (SqlServer { prefix: "shori2", db: "ShoriDB_2" }, "shori2.ShoriDB_2.dbo.tickets"),
        };
        let seed = seed ^ (u64::from(database) << 32);
        Self { seed, rows, topics: [topic], server, recent: Recent::default() }
    }

    fn kind(&self, step: u64) -> Kind {
        match Dice::new(self.seed, 1, step).below(100) {
            0..45 => Kind::Create,
            45..92 => Kind::Update,
            _ => Kind::Delete,
        }
    }

    /// The ticket as the snapshot shows it; title and priority are functions of the id for all tickets.
    fn at_start(&self, id: u64) -> Ticket {
        let mut dice = Dice::new(self.seed, 2, id);
        let created_ms = past_us(&mut dice) / 1000;
        Ticket { id, status: dice.pick(&STATUSES), created_ms, updated_ms: created_ms }
    }

    fn row(&self, ticket: Ticket) -> impl Fn(Object<'_>) + use<> {
        let mut dice = Dice::new(self.seed, 3, ticket.id);
        let title = format!("{} {}", dice.pick(&SUBJECTS), dice.pick(&TROUBLES));
        let priority = dice.pick(&PRIORITIES);
        move |object| {
            let object = object.int("id", ticket.id as i64).text("title", &title).text("status", ticket.status);
            let object = object.text("priority", priority).int("created_at", ticket.created_ms);
            object.int("updated_at", ticket.updated_ms).end();
        }
    }

    fn emit(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        self.server.change(out, (0, "tickets"), at, &|key| key.int("id", id as i64).end(), change);
    }

    fn create(&mut self, out: &mut Events, at: At) {
        let now_ms = at.now_us / 1000;
        let ticket = Ticket { id: self.rows + at.step + 1, status: "open", created_ms: now_ms, updated_ms: now_ms };
        self.emit(out, at, ticket.id, &Change::Create { after: &self.row(ticket) });
        self.recent.push(ticket);
    }

    fn update(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let old = match self.recent.take(dice, self.rows) {
            Some(ticket) => ticket,
            None if self.rows > 0 => self.at_start(1 + dice.below(self.rows)),
            None => return self.create(out, at),
        };
        let new = Ticket { status: dice.pick(&STATUSES), updated_ms: at.now_us / 1000, ..old };
        let change = Change::Update { before: Some(&self.row(old)), after: &self.row(new) };
        self.emit(out, at, new.id, &change);
        if new.id > self.rows {
            self.recent.push(new);
        }
    }
}

impl Workload for Tickets {
    fn source(&self) -> &'static str {
        self.server.prefix
    }

    fn topics(&self) -> &[&'static str] {
        &self.topics
    }

    fn snapshot_rows(&self, _stream: usize) -> u64 {
        self.rows
    }

    fn snapshot(&self, _stream: usize, index: u64, snapshot: &'static str, now_us: i64, out: &mut Events) {
        let ticket = self.at_start(index + 1);
        let at = At { step: 0, change: 0, now_us };
        self.emit(out, at, ticket.id, &Change::Snapshot { snapshot, after: &self.row(ticket) });
    }

    fn step_events(&self, step: u64) -> Counts {
        match self.kind(step) {
            Kind::Create | Kind::Update => [1, 0, 0, 0],
            Kind::Delete => [2, 0, 0, 0],
        }
    }

    fn step(&mut self, step: u64, now_us: i64, out: &mut Events) {
        let at = At { step, change: 0, now_us };
        let mut dice = Dice::new(self.seed, 4, step);
        match self.kind(step) {
            Kind::Create => self.create(out, at),
            Kind::Update => self.update(out, at, &mut dice),
            Kind::Delete => match self.recent.take(&mut dice, 0) {
                Some(ticket) => self.emit(out, at, ticket.id, &Change::Delete { before: &self.row(ticket) }),
                // Nothing that may go: as many events of another kind.
                None => {
                    self.create(out, at);
                    self.update(out, At { change: 1, ..at }, &mut dice);
                }
            },
        }
    }
}

//! Stock trades on PostgreSQL, with a composite key (`trade_id`, `created_at`).

use super::dice::Dice;
use super::envelope::{At, Change, Events, Object, Postgres};
use super::{Counts, Recent, Workload, past_us};
use uuid::Uuid;

pub struct Trades {
    seed: u64,
    rows: u64,
    server: Postgres,
    recent: Recent<Trade>,
}

#[derive(Clone, Copy)]
struct Trade {
    id: Uuid,
    trader: Uuid,
    stock: &'static str,
    buy: bool,
    cents: i64,
    quantity: i64,
    created_us: i64,
    updated_us: i64,
}

enum Kind {
    Trade,
    Correct,
    /// Delete and tombstone.
    Bust,
}

/// Name and price in cents around which it moves.
const STOCKS: [(&str, i64); 8] = [
    ("ACME", 12_350),
    ("BOLT", 4_205),
    ("CRUX", 31_990),
    ("DUNE", 890),
    ("ECHO", 7_777),
    ("FLUX", 15_010),
    ("GRID", 2_468),
    ("HELM", 50_000),
];

impl Trades {
    pub fn new(seed: u64, rows: u64) -> Self {
        Self { seed, rows, server: Postgres { prefix: "trades", db: "exchange" }, recent: Recent::default() }
    }

    fn kind(&self, step: u64) -> Kind {
        match Dice::new(self.seed, 31, step).below(100) {
            0..80 => Kind::Trade,
            80..95 => Kind::Correct,
            _ => Kind::Bust,
        }
    }

    /// The trade of a number (snapshot row or step); prices swing slowly with the number, with noise on top.
    fn draw(&self, subject: u64, number: u64, now_us: Option<i64>) -> Trade {
        let mut dice = Dice::new(self.seed, subject, number);
        let (id, trader) = (dice.uuid(), Dice::new(self.seed, 33, dice.below(500)).uuid());
        let choice = dice.below(STOCKS.len() as u64) as usize;
        let (stock, around) = STOCKS[choice];
        let swing = (number as f64 / 5_000.0 + choice as f64).sin() * 0.05;
        let noise = (dice.below(2_001) as f64 - 1_000.0) / 100_000.0;
        let cents = (around as f64 * (1.0 + swing + noise)).round() as i64;
        let (buy, quantity) = (dice.below(2) == 0, 1 + dice.below(500) as i64);
        let created_us = now_us.unwrap_or_else(|| past_us(&mut dice));
        Trade { id, trader, stock, buy, cents, quantity, created_us, updated_us: created_us }
    }

    fn emit(&self, out: &mut Events, at: At, trade: Trade, change: &Change<'_>) {
        let key = |key: Object<'_>| key.uuid("trade_id", trade.id).zoned("created_at", trade.created_us).end();
        self.server.change(out, (0, "stock_trades"), at, &key, change);
    }

    fn trade(&mut self, out: &mut Events, at: At) {
        let trade = self.draw(34, at.step, Some(at.now_us));
        self.emit(out, at, trade, &Change::Create { after: &row(trade) });
        self.recent.push(trade);
    }

    fn correct(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let (old, is_recent) = match self.recent.take(dice, self.rows) {
            Some(trade) => (trade, true),
            None if self.rows > 0 => (self.draw(32, dice.below(self.rows), None), false),
            None => return self.trade(out, at),
        };
        let cents = (old.cents + dice.below(21) as i64 - 10).max(1);
        let new = Trade { cents, updated_us: at.now_us, ..old };
        self.emit(out, at, new, &Change::Update { before: None, after: &row(new) });
        if is_recent {
            self.recent.push(new);
        }
    }
}

fn row(trade: Trade) -> impl Fn(Object<'_>) {
    move |object| {
        let object = object.uuid("trade_id", trade.id).text("stock_name", trade.stock);
        let object = object.decimal("stock_price", trade.cents).int("quantity", trade.quantity);
        let object = object.text("trade_type", if trade.buy { "BUY" } else { "SELL" });
        let object = object.uuid("trader_id", trade.trader).zoned("created_at", trade.created_us);
        object.zoned("updated_at", trade.updated_us).end();
    }
}

/// What PostgreSQL's connector sends before a delete with replica identity DEFAULT: the key, and for the other NOT
/// NULL columns defaults that mean nothing.
fn key_and_defaults(trade: Trade) -> impl Fn(Object<'_>) {
    move |object| {
        let object = object.uuid("trade_id", trade.id).text("stock_name", "").decimal("stock_price", 0);
        let object = object.int("quantity", 0).text("trade_type", "").uuid("trader_id", Uuid::nil());
        object.zoned("created_at", trade.created_us).zoned("updated_at", 0).end();
    }
}

impl Workload for Trades {
    fn source(&self) -> &'static str {
        self.server.prefix
    }

    fn topics(&self) -> &[&'static str] {
        &["trades.public.stock_trades"]
    }

    fn snapshot_rows(&self, _stream: usize) -> u64 {
        self.rows
    }

    fn snapshot(&self, _stream: usize, index: u64, snapshot: &'static str, now_us: i64, out: &mut Events) {
        let trade = self.draw(32, index, None);
        let at = At { step: 0, change: 0, now_us };
        self.emit(out, at, trade, &Change::Snapshot { snapshot, after: &row(trade) });
    }

    fn step_events(&self, step: u64) -> Counts {
        match self.kind(step) {
            Kind::Trade | Kind::Correct => [1, 0, 0, 0],
            Kind::Bust => [2, 0, 0, 0],
        }
    }

    fn step(&mut self, step: u64, now_us: i64, out: &mut Events) {
        let at = At { step, change: 0, now_us };
        let mut dice = Dice::new(self.seed, 35, step);
        match self.kind(step) {
            Kind::Trade => self.trade(out, at),
            Kind::Correct => self.correct(out, at, &mut dice),
            Kind::Bust => match self.recent.take(&mut dice, 0) {
                Some(trade) => self.emit(out, at, trade, &Change::Delete { before: &key_and_defaults(trade) }),
                // Nothing that may go: as many events of another kind.
                None => {
                    self.trade(out, at);
                    self.correct(out, At { change: 1, ..at }, &mut dice);
                }
            },
        }
    }
}

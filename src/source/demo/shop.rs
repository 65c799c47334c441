//! A web shop on SQL Server: customers, orders and payments. An order and its payment change in one transaction.

use super::dice::Dice;
use super::envelope::{At, Change, Events, Object, SqlServer};
use super::{Counts, Recent, Workload, past_us};

pub struct Shop {
    seed: u64,
    customers: u64,
    orders: u64,
    server: SqlServer,
    recent_orders: Recent<Order>,
    recent_customers: Recent<Customer>,
}

#[derive(Clone, Copy)]
struct Customer {
    id: u64,
    segment: &'static str,
    city: &'static str,
    created_ms: i64,
}

/// An order and its one payment, which has the same id.
#[derive(Clone, Copy)]
struct Order {
    id: u64,
    customer_id: u64,
    cents: i64,
    status: &'static str,
    method: &'static str,
    created_ms: i64,
    updated_ms: i64,
    paid_ms: Option<i64>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Order and payment, created in one transaction.
    Order,
    /// Order and payment, updated in one transaction.
    Pay,
    /// The order alone.
    Ship,
    NewCustomer,
    ChangeCustomer,
    /// Payment and order deleted in one transaction, each with its tombstone.
    Cancel,
}

const CUSTOMERS: usize = 0;
const ORDERS: usize = 1;
const PAYMENTS: usize = 2;

const SEGMENTS: [&str; 3] = ["consumer", "business", "enterprise"];
const CITIES: [&str; 6] = ["Berlin", "Łódź", "São Paulo", "Osaka", "Reykjavík", "Nairobi"];
const METHODS: [&str; 4] = ["card", "transfer", "paypal", "invoice"];
const FIRST: [&str; 8] = ["Ada", "Björn", "Chiara", "Dmitri", "Eun-ji", "Fatima", "Gabriel", "Hanna"];
const LAST: [&str; 8] = ["Okafor", "Nguyen", "Müller", "O'Brien", "Silva", "Tanaka", "Kowalski", "Haddad"];

impl Shop {
    pub fn new(seed: u64, rows: u64) -> Self {
        let server = SqlServer { prefix: "shop", db: "ShopDB" };
        // Orders need somebody to belong to, whatever `rows` says.
        let customers = (rows / 10).max(10);
        let (recent_orders, recent_customers) = (Recent::default(), Recent::default());
        Self { seed, customers, orders: rows, server, recent_orders, recent_customers }
    }

    fn kind(&self, step: u64) -> Kind {
        match Dice::new(self.seed, 11, step).below(100) {
            0..52 => Kind::Order,
            52..80 => Kind::Pay,
            80..90 => Kind::Ship,
            90..94 => Kind::NewCustomer,
            94..97 => Kind::ChangeCustomer,
            _ => Kind::Cancel,
        }
    }

    fn customer_at_start(&self, id: u64) -> Customer {
        let mut dice = Dice::new(self.seed, 12, id);
        let created_ms = past_us(&mut dice) / 1000;
        Customer { id, segment: dice.pick(&SEGMENTS), city: dice.pick(&CITIES), created_ms }
    }

    fn order_at_start(&self, id: u64) -> Order {
        let mut dice = Dice::new(self.seed, 13, id);
        let created_ms = past_us(&mut dice) / 1000;
        let (customer_id, cents) = (1 + dice.below(self.customers), 199 + dice.below(50_000) as i64);
        let status = dice.pick(&["pending", "paid", "shipped", "shipped"]);
        let paid_ms = (status != "pending").then(|| created_ms + 1 + dice.below(3_600_000) as i64);
        let updated_ms = paid_ms.unwrap_or(created_ms);
        let method = dice.pick(&METHODS);
        Order { id, customer_id, cents, status, method, created_ms, updated_ms, paid_ms }
    }

    fn customer_row(&self, customer: Customer) -> impl Fn(Object<'_>) + use<> {
        let mut dice = Dice::new(self.seed, 14, customer.id);
        let (first, last) = (dice.pick(&FIRST), dice.pick(&LAST));
        move |object| {
            let object = object.int("customer_id", customer.id as i64).text("name", &format!("{first} {last}"));
            let email = format!("customer{}@shop.example", customer.id);
            let object = object.text("email", &email).text("segment", customer.segment).text("city", customer.city);
            object.int("created_at", customer.created_ms).end();
        }
    }

    fn emit_customer(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        let key = |key: Object<'_>| key.int("customer_id", id as i64).end();
        self.server.change(out, (CUSTOMERS, "customers"), at, &key, change);
    }

    fn emit_order(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        self.server.change(out, (ORDERS, "orders"), at, &|key| key.int("order_id", id as i64).end(), change);
    }

    fn emit_payment(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        let key = |key: Object<'_>| key.int("payment_id", id as i64).end();
        self.server.change(out, (PAYMENTS, "payments"), at, &key, change);
    }

    fn new_order(&mut self, out: &mut Events, at: At, dice: &mut Dice, with_payment: bool) {
        let now_ms = at.now_us / 1000;
        let customer_id = match self.recent_customers.look(dice, self.customers) {
            Some(customer) => customer.id,
            None => 1 + dice.below(self.customers),
        };
        let order = Order {
            id: self.orders + at.step + 1,
            customer_id,
            cents: 199 + dice.below(50_000) as i64,
            status: "pending",
            method: dice.pick(&METHODS),
            created_ms: now_ms,
            updated_ms: now_ms,
            paid_ms: None,
        };
        self.emit_order(out, at, order.id, &Change::Create { after: &order_row(order) });
        if with_payment {
            let at = At { change: at.change + 1, ..at };
            self.emit_payment(out, at, order.id, &Change::Create { after: &payment_row(order) });
            self.recent_orders.push(order);
        }
    }

    fn some_order(&mut self, dice: &mut Dice) -> Option<Order> {
        match self.recent_orders.take(dice, self.orders) {
            None if self.orders > 0 => Some(self.order_at_start(1 + dice.below(self.orders))),
            order => order,
        }
    }

    fn change_order(&mut self, out: &mut Events, at: At, (old, new): (Order, Order), with_payment: bool) {
        let change = Change::Update { before: Some(&order_row(old)), after: &order_row(new) };
        self.emit_order(out, at, new.id, &change);
        if with_payment {
            let change = Change::Update { before: Some(&payment_row(old)), after: &payment_row(new) };
            self.emit_payment(out, At { change: at.change + 2, ..at }, new.id, &change);
        }
        if new.id > self.orders {
            self.recent_orders.push(new);
        }
    }

    fn pay(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let Some(old) = self.some_order(dice) else {
            return self.new_order(out, at, dice, true);
        };
        let now_ms = at.now_us / 1000;
        let new = Order { status: "paid", updated_ms: now_ms, paid_ms: Some(old.paid_ms.unwrap_or(now_ms)), ..old };
        self.change_order(out, at, (old, new), true);
    }

    fn new_customer(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let (segment, city) = (dice.pick(&SEGMENTS), dice.pick(&CITIES));
        let customer = Customer { id: self.customers + at.step + 1, segment, city, created_ms: at.now_us / 1000 };
        self.emit_customer(out, at, customer.id, &Change::Create { after: &self.customer_row(customer) });
        self.recent_customers.push(customer);
    }

    fn change_customer(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let old = match self.recent_customers.take(dice, self.customers) {
            Some(customer) => customer,
            None => self.customer_at_start(1 + dice.below(self.customers)),
        };
        let new = Customer { segment: dice.pick(&SEGMENTS), city: dice.pick(&CITIES), ..old };
        let (before, after) = (self.customer_row(old), self.customer_row(new));
        self.emit_customer(out, at, new.id, &Change::Update { before: Some(&before), after: &after });
        if new.id > self.customers {
            self.recent_customers.push(new);
        }
    }
}

fn order_row(order: Order) -> impl Fn(Object<'_>) {
    move |object| {
        let object = object.int("order_id", order.id as i64).int("customer_id", order.customer_id as i64);
        let object = object.text("status", order.status).decimal("total", order.cents);
        object.int("created_at", order.created_ms).int("updated_at", order.updated_ms).end();
    }
}

fn payment_row(order: Order) -> impl Fn(Object<'_>) {
    move |object| {
        let object = object.int("payment_id", order.id as i64).int("order_id", order.id as i64);
        let object = object.decimal("amount", order.cents).text("method", order.method);
        let object = object.text("status", if order.paid_ms.is_some() { "captured" } else { "authorized" });
        match order.paid_ms {
            Some(ms) => object.int("paid_at", ms).end(),
            None => object.null("paid_at").end(),
        }
    }
}

impl Workload for Shop {
    fn source(&self) -> &'static str {
        self.server.prefix
    }

    fn topics(&self) -> &[&'static str] {
        &["shop.ShopDB.dbo.customers", "shop.ShopDB.dbo.orders", "shop.ShopDB.dbo.payments"]
    }

    fn snapshot_rows(&self, stream: usize) -> u64 {
        if stream == CUSTOMERS { self.customers } else { self.orders }
    }

    fn snapshot(&self, stream: usize, index: u64, snapshot: &'static str, now_us: i64, out: &mut Events) {
        let (at, id) = (At { step: 0, change: 0, now_us }, index + 1);
        match stream {
            CUSTOMERS => {
                let after = self.customer_row(self.customer_at_start(id));
                self.emit_customer(out, at, id, &Change::Snapshot { snapshot, after: &after });
            }
            ORDERS => {
                let after = order_row(self.order_at_start(id));
                self.emit_order(out, at, id, &Change::Snapshot { snapshot, after: &after });
            }
            _ => {
                let after = payment_row(self.order_at_start(id));
                self.emit_payment(out, at, id, &Change::Snapshot { snapshot, after: &after });
            }
        }
    }

    fn step_events(&self, step: u64) -> Counts {
        match self.kind(step) {
            Kind::Order | Kind::Pay => [0, 1, 1, 0],
            Kind::Ship => [0, 1, 0, 0],
            Kind::NewCustomer | Kind::ChangeCustomer => [1, 0, 0, 0],
            Kind::Cancel => [0, 2, 2, 0],
        }
    }

    fn step(&mut self, step: u64, now_us: i64, out: &mut Events) {
        let at = At { step, change: 0, now_us };
        let mut dice = Dice::new(self.seed, 15, step);
        let dice = &mut dice;
        match self.kind(step) {
            Kind::Order => self.new_order(out, at, dice, true),
            Kind::Pay => self.pay(out, at, dice),
            Kind::Ship => match self.some_order(dice) {
                Some(old) => {
                    let new = Order { status: "shipped", updated_ms: now_us / 1000, ..old };
                    self.change_order(out, at, (old, new), false);
                }
                None => self.new_order(out, at, dice, false),
            },
            Kind::NewCustomer => self.new_customer(out, at, dice),
            Kind::ChangeCustomer => self.change_customer(out, at, dice),
            Kind::Cancel => match self.recent_orders.take(dice, 0) {
                Some(order) => {
                    self.emit_payment(out, at, order.id, &Change::Delete { before: &payment_row(order) });
                    let at = At { change: 1, ..at };
                    self.emit_order(out, at, order.id, &Change::Delete { before: &order_row(order) });
                }
                // Nothing that may go: as many events of another kind.
                None => {
                    self.new_order(out, at, dice, true);
                    self.pay(out, At { change: 4, ..at }, dice);
                }
            },
        }
    }
}

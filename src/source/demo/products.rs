//! A parts catalogue on SQL Server: products, their availability in warehouses, original manufacturers' numbers, and
//! products that may stand in for each other.

use super::dice::Dice;
use super::envelope::{At, Change, Events, Object, SqlServer};
use super::{Counts, Recent, Workload, past_us};

pub struct Products {
    seed: u64,
    rows: u64,
    server: SqlServer,
    recent_products: Recent<Product>,
    recent_analogues: Recent<Link>,
    recent_numbers: Recent<Link>,
}

#[derive(Clone, Copy)]
struct Product {
    id: u64,
    cents: i64,
    active: bool,
    created_ms: i64,
    updated_ms: i64,
}

#[derive(Clone, Copy)]
struct Availability {
    id: u64,
    product_id: u64,
    warehouse: &'static str,
    quantity: i64,
    updated_ms: i64,
}

/// A row of ProductAnalogue or ProductOriginalNumber.
#[derive(Clone, Copy)]
struct Link {
    id: u64,
    product_id: u64,
    created_ms: i64,
    /// Drawn anew by an update: the similarity of an analogue, the brand of a number.
    variant: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Price,
    Stock,
    /// A product, two availabilities, an analogue and a number, in one transaction.
    NewProduct,
    AddAnalogue,
    /// Delete and tombstone.
    RemoveAnalogue,
    AddNumber,
    RemoveNumber,
}

const PRODUCT: usize = 0;
const AVAILABILITY: usize = 1;
const ANALOGUE: usize = 2;
const NUMBER: usize = 3;

const WAREHOUSES: [&str; 4] = ["Hamburg", "Lyon", "Gdańsk", "Porto"];
const PARTS: [&str; 8] =
    ["brake disc", "oil filter", "spark plug", "clutch kit", "wiper blade", "fuel pump", "air filter", "timing belt"];
const BRANDS: [&str; 5] = ["Arvo", "Bremsa", "Corda", "Deltek", "Emmer"];
const COUNTRIES: [&str; 5] = ["DE", "FR", "PL", "PT", "JP"];

impl Products {
    pub fn new(seed: u64, rows: u64) -> Self {
        Self {
            seed,
            rows: rows.max(10),
            server: SqlServer { prefix: "catalogue", db: "ProductDB" },
            recent_products: Recent::default(),
            recent_analogues: Recent::default(),
            recent_numbers: Recent::default(),
        }
    }

    fn kind(&self, step: u64) -> Kind {
        match Dice::new(self.seed, 21, step).below(100) {
            0..35 => Kind::Price,
            35..80 => Kind::Stock,
            80..88 => Kind::NewProduct,
            88..92 => Kind::AddAnalogue,
            92..94 => Kind::RemoveAnalogue,
            94..98 => Kind::AddNumber,
            _ => Kind::RemoveNumber,
        }
    }

    fn product_at_start(&self, id: u64) -> Product {
        let mut dice = Dice::new(self.seed, 22, id);
        let created_ms = past_us(&mut dice) / 1000;
        Product { id, cents: 150 + dice.below(40_000) as i64, active: true, created_ms, updated_ms: created_ms }
    }

    /// Each product of the snapshot is in two warehouses.
    fn availability_at_start(&self, id: u64) -> Availability {
        let mut dice = Dice::new(self.seed, 23, id);
        let warehouse = WAREHOUSES[((id - 1) % 2) as usize];
        let (quantity, updated_ms) = (dice.below(500) as i64, past_us(&mut dice) / 1000);
        Availability { id, product_id: id.div_ceil(2), warehouse, quantity, updated_ms }
    }

    fn link_at_start(&self, id: u64) -> Link {
        let mut dice = Dice::new(self.seed, 24, id);
        Link { id, product_id: 1 + (id - 1) % self.rows, created_ms: past_us(&mut dice) / 1000, variant: dice.next() }
    }

    fn product_row(&self, product: Product) -> impl Fn(Object<'_>) + use<> {
        let mut dice = Dice::new(self.seed, 25, product.id);
        let (brand, part, country) = (dice.pick(&BRANDS), dice.pick(&PARTS), dice.pick(&COUNTRIES));
        let size: [i64; 4] = std::array::from_fn(|_| 10 + dice.below(5_000) as i64);
        let (category, manufacturer) = (1 + dice.below(40) as i64, 1 + dice.below(200) as i64);
        let (warranty, sold_in_sets) = (6 * (1 + dice.below(6) as i64), dice.below(10) == 0);
        move |object| {
            let [length, width, height, weight] = size;
            let object = object.int("product_id", product.id as i64).text("name", &format!("{brand} {part}"));
            let object = object.text("vendor_code", &format!("{}-{:07}", &brand[..2], product.id));
            let object = match product.id % 7 {
                0 => object.null("description"),
                _ => object.text("description", &format!("{part} \"{brand}\", {warranty} months of warranty")),
            };
            let object = object.decimal("weight", weight).decimal("length", length).decimal("width", width);
            let object = object.decimal("height", height).decimal("volume", length * width * height / 1_000);
            let object = object.decimal("price", product.cents).bool("is_active", product.active);
            let object = object.int("category_id", category).int("manufacturer_id", manufacturer);
            let object = object.text("country_of_origin", country).int("warranty_months", warranty);
            let object = object.text("unit", if sold_in_sets { "set" } else { "piece" });
            let object = object.text("barcode", &format!("40{:011}", product.id));
            object.int("created_at", product.created_ms).int("updated_at", product.updated_ms).end();
        }
    }

    fn analogue_row(&self, link: Link) -> impl Fn(Object<'_>) + use<> {
        let rows = self.rows;
        let other = 1 + Dice::new(self.seed, 26, link.id).below(rows - 1);
        // Never itself.
        let other = if other >= link.product_id && link.product_id <= rows { other + 1 } else { other };
        move |object| {
            let object = object.int("analogue_id", link.id as i64).int("product_id", link.product_id as i64);
            let object = object.int("analogue_product_id", other as i64);
            object.decimal("similarity", (500 + link.variant % 500) as i64).int("created_at", link.created_ms).end();
        }
    }

    fn emit_product(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        self.server.change(out, (PRODUCT, "Product"), at, &|key| key.int("product_id", id as i64).end(), change);
    }

    fn emit_availability(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        let key = |key: Object<'_>| key.int("availability_id", id as i64).end();
        self.server.change(out, (AVAILABILITY, "ProductAvailability"), at, &key, change);
    }

    fn emit_analogue(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        let key = |key: Object<'_>| key.int("analogue_id", id as i64).end();
        self.server.change(out, (ANALOGUE, "ProductAnalogue"), at, &key, change);
    }

    fn emit_number(&self, out: &mut Events, at: At, id: u64, change: &Change<'_>) {
        let key = |key: Object<'_>| key.int("number_id", id as i64).end();
        self.server.change(out, (NUMBER, "ProductOriginalNumber"), at, &key, change);
    }

    /// A link of a product of the snapshot, or of the given new one.
    fn new_link(&self, at: At, dice: &mut Dice, product_id: Option<u64>) -> Link {
        let product_id = product_id.unwrap_or_else(|| 1 + dice.below(self.rows));
        Link { id: self.rows + at.step + 1, product_id, created_ms: at.now_us / 1000, variant: dice.next() }
    }

    fn add_analogue(&mut self, out: &mut Events, at: At, link: Link) {
        self.emit_analogue(out, at, link.id, &Change::Create { after: &self.analogue_row(link) });
        self.recent_analogues.push(link);
    }

    fn add_number(&mut self, out: &mut Events, at: At, link: Link) {
        self.emit_number(out, at, link.id, &Change::Create { after: &number_row(link) });
        self.recent_numbers.push(link);
    }

    fn change_price(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let old = match self.recent_products.take(dice, self.rows) {
            Some(product) => product,
            None => self.product_at_start(1 + dice.below(self.rows)),
        };
        let cents = (old.cents * (90 + dice.below(21) as i64) / 100).max(99);
        let new = Product { cents, active: dice.below(50) != 0, updated_ms: at.now_us / 1000, ..old };
        let (before, after) = (self.product_row(old), self.product_row(new));
        self.emit_product(out, at, new.id, &Change::Update { before: Some(&before), after: &after });
        if new.id > self.rows {
            self.recent_products.push(new);
        }
    }

    fn change_stock(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let old = self.availability_at_start(1 + dice.below(2 * self.rows));
        let new = Availability { quantity: dice.below(500) as i64, updated_ms: at.now_us / 1000, ..old };
        let (before, after) = (availability_row(old), availability_row(new));
        self.emit_availability(out, at, new.id, &Change::Update { before: Some(&before), after: &after });
    }

    fn new_product(&mut self, out: &mut Events, at: At, dice: &mut Dice) {
        let (id, now_ms) = (self.rows + at.step + 1, at.now_us / 1000);
        let cents = 150 + dice.below(40_000) as i64;
        let product = Product { id, cents, active: true, created_ms: now_ms, updated_ms: now_ms };
        self.emit_product(out, at, id, &Change::Create { after: &self.product_row(product) });
        self.recent_products.push(product);
        for (i, warehouse) in WAREHOUSES[2..].iter().enumerate() {
            let availability = Availability {
                id: 2 * (self.rows + at.step) + 1 + i as u64,
                product_id: id,
                warehouse,
                quantity: dice.below(500) as i64,
                updated_ms: now_ms,
            };
            let at = At { change: 1 + i as u64, ..at };
            let change = Change::Create { after: &availability_row(availability) };
            self.emit_availability(out, at, availability.id, &change);
        }
        let link = self.new_link(at, dice, Some(id));
        self.add_analogue(out, At { change: 3, ..at }, link);
        self.add_number(out, At { change: 4, ..at }, link);
    }
}

fn availability_row(availability: Availability) -> impl Fn(Object<'_>) {
    move |object| {
        let object = object.int("availability_id", availability.id as i64);
        let object = object.int("product_id", availability.product_id as i64);
        let object = object.text("warehouse", availability.warehouse).int("quantity", availability.quantity);
        object.int("updated_at", availability.updated_ms).end();
    }
}

fn number_row(link: Link) -> impl Fn(Object<'_>) {
    move |object| {
        let object = object.int("number_id", link.id as i64).int("product_id", link.product_id as i64);
        let brand = BRANDS[(link.variant % BRANDS.len() as u64) as usize];
        let object = object.text("original_number", &format!("{}{:08}", &brand[..1], link.id)).text("brand", brand);
        object.int("created_at", link.created_ms).end();
    }
}

impl Workload for Products {
    fn source(&self) -> &'static str {
        self.server.prefix
    }

    fn topics(&self) -> &[&'static str] {
        &[
            "catalogue.ProductDB.dbo.Product",
            "catalogue.ProductDB.dbo.ProductAvailability",
            "catalogue.ProductDB.dbo.ProductAnalogue",
            "catalogue.ProductDB.dbo.ProductOriginalNumber",
        ]
    }

    fn snapshot_rows(&self, stream: usize) -> u64 {
        if stream == AVAILABILITY { 2 * self.rows } else { self.rows }
    }

    fn snapshot(&self, stream: usize, index: u64, snapshot: &'static str, now_us: i64, out: &mut Events) {
        let (at, id) = (At { step: 0, change: 0, now_us }, index + 1);
        match stream {
            PRODUCT => {
                let after = self.product_row(self.product_at_start(id));
                self.emit_product(out, at, id, &Change::Snapshot { snapshot, after: &after });
            }
            AVAILABILITY => {
                let after = availability_row(self.availability_at_start(id));
                self.emit_availability(out, at, id, &Change::Snapshot { snapshot, after: &after });
            }
            ANALOGUE => {
                let after = self.analogue_row(self.link_at_start(id));
                self.emit_analogue(out, at, id, &Change::Snapshot { snapshot, after: &after });
            }
            _ => {
                let after = number_row(self.link_at_start(id));
                self.emit_number(out, at, id, &Change::Snapshot { snapshot, after: &after });
            }
        }
    }

    fn step_events(&self, step: u64) -> Counts {
        match self.kind(step) {
            Kind::Price => [1, 0, 0, 0],
            Kind::Stock => [0, 1, 0, 0],
            Kind::NewProduct => [1, 2, 1, 1],
            Kind::AddAnalogue => [0, 0, 1, 0],
            Kind::RemoveAnalogue => [0, 0, 2, 0],
            Kind::AddNumber => [0, 0, 0, 1],
            Kind::RemoveNumber => [0, 0, 0, 2],
        }
    }

    fn step(&mut self, step: u64, now_us: i64, out: &mut Events) {
        let at = At { step, change: 0, now_us };
        let after = At { change: 1, ..at };
        let mut dice = Dice::new(self.seed, 27, step);
        let dice = &mut dice;
        match self.kind(step) {
            Kind::Price => self.change_price(out, at, dice),
            Kind::Stock => self.change_stock(out, at, dice),
            Kind::NewProduct => self.new_product(out, at, dice),
            Kind::AddAnalogue => self.add_analogue(out, at, self.new_link(at, dice, None)),
            Kind::AddNumber => self.add_number(out, at, self.new_link(at, dice, None)),
            // Where nothing may go: as many events of another kind.
            Kind::RemoveAnalogue => match self.recent_analogues.take(dice, 0) {
                Some(link) => {
                    self.emit_analogue(out, at, link.id, &Change::Delete { before: &self.analogue_row(link) });
                }
                None => {
                    let old = self.new_link(at, dice, None);
                    self.emit_analogue(out, at, old.id, &Change::Create { after: &self.analogue_row(old) });
                    let new = Link { variant: dice.next(), ..old };
                    let (before, row) = (self.analogue_row(old), self.analogue_row(new));
                    self.emit_analogue(out, after, new.id, &Change::Update { before: Some(&before), after: &row });
                    self.recent_analogues.push(new);
                }
            },
            Kind::RemoveNumber => match self.recent_numbers.take(dice, 0) {
                Some(link) => self.emit_number(out, at, link.id, &Change::Delete { before: &number_row(link) }),
                None => {
                    let old = self.new_link(at, dice, None);
                    self.emit_number(out, at, old.id, &Change::Create { after: &number_row(old) });
                    let new = Link { variant: dice.next(), ..old };
                    let (before, row) = (number_row(old), number_row(new));
                    self.emit_number(out, after, new.id, &Change::Update { before: Some(&before), after: &row });
                    self.recent_numbers.push(new);
                }
            },
        }
    }
}

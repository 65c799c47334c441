use super::*;
use crate::change::StreamId;
use crate::source::testing::start;
use arrow::array::{RecordBatch, TimestampMicrosecondArray};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

fn workloads(rows: u64) -> Vec<(Business, Box<dyn Workload>)> {
    vec![
        (Business::Tickets, Box::new(tickets::Tickets::new(7, rows, 1))),
        (Business::Tickets, Box::new(tickets::Tickets::new(7, rows, 2))),
        (Business::Shop, Box::new(shop::Shop::new(7, rows))),
        (Business::Products, Box::new(products::Products::new(7, rows))),
        (Business::Trades, Box::new(trades::Trades::new(7, rows))),
    ]
}

const NOW: i64 = 1_795_000_000_123_456;

/// The snapshot and `steps` steps.
fn play(workload: &mut dyn Workload, steps: u64) -> Events {
    let mut events = Events::default();
    for stream in 0..workload.topics().len() {
        for index in 0..workload.snapshot_rows(stream) {
            workload.snapshot(stream, index, "true", NOW, &mut events);
        }
    }
    for step in 0..steps {
        workload.step(step, NOW + step as i64, &mut events);
    }
    events
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(bytes)))
}

#[test]
fn a_step_makes_the_events_that_it_announces() {
    for rows in [0, 25] {
        for (_, mut workload) in workloads(rows) {
            for step in 0..3000 {
                let mut events = Events::default();
                workload.step(step, NOW, &mut events);
                let mut made = Counts::default();
                events.items.iter().for_each(|e| made[e.stream] += 1);
                assert_eq!(made, workload.step_events(step), "{} step {step}", workload.source());
            }
        }
    }
}

#[test]
fn a_seed_gives_the_same_bytes() {
    for ((_, mut one), (_, mut two)) in workloads(25).into_iter().zip(workloads(25)) {
        assert_eq!(play(&mut *one, 500).bytes, play(&mut *two, 500).bytes);
    }
}

#[test]
fn changes_fit_the_rows_that_are_there() {
    for rows in [0, 25] {
        for (_, mut workload) in workloads(rows) {
            let events = play(&mut *workload, 1500);
            let mut there: Vec<HashMap<String, Value>> = vec![HashMap::new(); workload.topics().len()];
            let mut tombstone_due: Option<String> = None;
            for event in &events.items {
                let key = json(events.key(event)).to_string();
                let rows = &mut there[event.stream];
                let Some(value) = events.value(event) else {
                    assert_eq!(tombstone_due.take(), Some(key), "a tombstone follows its delete");
                    continue;
                };
                assert_eq!(tombstone_due, None, "a delete is followed by its tombstone");
                let mut value = json(value);
                let what = format!("{} {} {key}", workload.source(), value["op"]);
                let after = value["after"].take();
                match value["op"].as_str().unwrap() {
                    "r" | "c" => assert!(rows.insert(key, after).is_none(), "{what}: was there already"),
                    "u" => {
                        let before = rows.insert(key, after.clone()).unwrap_or_else(|| panic!("{what}: not there"));
                        assert_eq!(before.get("created_at"), after.get("created_at"), "{what}: time of creation");
                    }
                    "d" => {
                        assert!(rows.remove(&key).is_some(), "{what}: not there");
                        tombstone_due = Some(key);
                    }
                    op => panic!("{op}"),
                }
            }
        }
    }
}

#[test]
fn lsns_ascend_and_a_transaction_over_tables_has_one() {
    for (business, mut workload) in workloads(25) {
        if business == Business::Trades {
            continue;
        }
        let events = play(&mut *workload, 2000);
        let mut last = (String::new(), String::new());
        let mut streams: HashMap<String, BTreeSet<usize>> = HashMap::new();
        for event in &events.items {
            let Some(value) = events.value(event).map(json) else { continue };
            let source = &value["source"];
            let lsn = source["commit_lsn"].as_str().unwrap().to_string();
            let change = source["change_lsn"].as_str().unwrap_or_default().to_string();
            assert_eq!(lsn.len(), 22, "{lsn}");
            assert!((&lsn, &change) >= (&last.0, &last.1), "{change} in {lsn} after {last:?}");
            if !change.is_empty() {
                streams.entry(lsn.clone()).or_default().insert(event.stream);
            }
            last = (lsn, change);
        }
        let several = streams.values().filter(|s| s.len() > 1).count();
        assert_eq!(several > 0, business != Business::Tickets, "{several} transactions over several tables");
    }
}

#[test]
fn every_topic_is_declared_with_the_columns_that_its_rows_have() {
    for (business, mut workload) in workloads(25) {
        let events = play(&mut *workload, 100);
        for (stream, topic) in workload.topics().iter().enumerate() {
            let tables = business.tables();
            let table = tables.iter().find(|t| t.topics.iter().any(|p| p.matches(topic)));
            let table = table.unwrap_or_else(|| panic!("nobody declares {topic}"));
            let declared: Vec<String> = table.columns().iter().map(|c| c.name.clone()).collect();
            let event = events.items.iter().find(|e| e.stream == stream).expect("each stream has events");
            let row = json(events.value(event).expect("a row"));
            let names: HashSet<&String> = row["after"].as_object().unwrap().keys().collect();
            assert_eq!(names, declared.iter().collect(), "{topic}");
        }
    }
}

#[test]
fn views_are_single_statements_of_their_name() {
    for business in Business::ALL {
        for (name, sql) in business.views() {
            assert!(sql.contains(&format!("CREATE MATERIALIZED VIEW {name} AS\n")), "{name}: {sql}");
            assert!(!sql.contains(';') || sql.lines().all(|l| l.starts_with("--") || !l.contains(';')), "{name}");
        }
    }
}

#[test]
fn the_whole_demo_has_a_source_for_each_database() {
    let options = DemoOptions { businesses: Business::ALL.to_vec(), rate: 100.0, rows: 10, seed: 1 };
    let names: Vec<String> = sources(&options).unwrap().iter().map(|s| s.name().to_string()).collect();
    assert_eq!(names, ["shori1", "shori2", "shop", "catalogue", "trades"]);
}

fn every_source(rows: u64) -> Vec<Box<dyn Source>> {
    sources(&DemoOptions { businesses: Business::ALL.to_vec(), rate: 0.0, rows, seed: 3 }).unwrap()
}

/// A wrong unit would put a moment into another age.
fn moments_are_of_our_days(rows: &RecordBatch) {
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        if let Some(moments) = column.as_any().downcast_ref::<TimestampMicrosecondArray>() {
            for moment in moments.iter().flatten() {
                let days = moment / 86_400_000_000;
                assert!((20_000..40_000).contains(&days), "{} is on day {days}", field.name());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_decodes() {
    for source in every_source(50) {
        let mut running = start(source, HashMap::new());
        running.until("some thousand events", |r| r.count() >= 4000);
        let (_, _, deliveries) = running.stop().await;
        for delivery in &deliveries {
            assert_eq!(delivery.dead, [], "{}", delivery.stream);
            let kept: usize = delivery.bronze.iter().map(|b| b.rows.num_rows()).sum();
            assert_eq!(kept, delivery.positions.len());
        }
        for change in deliveries.iter().flat_map(|d| &d.changes) {
            moments_are_of_our_days(&change.rows);
        }
        let changes: usize = deliveries.iter().flat_map(|d| &d.changes).map(|c| c.rows.num_rows()).sum();
        assert!(changes > 3000, "{changes} changes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_was_stopped_goes_on_without_hole_or_double() {
    let ids: Vec<Arc<str>> = every_source(40).iter().map(|s| Arc::clone(s.name())).collect();
    for (index, id) in ids.iter().enumerate() {
        let mut positions: HashMap<StreamId, Position> = HashMap::new();
        let mut seen: HashMap<String, Vec<i64>> = HashMap::new();
        // The first stop is within the snapshot or soon after it.
        for events in [30, 500, 3000] {
            let source = every_source(40).swap_remove(index);
            let mut running = start(source, positions);
            running.until("events", |r| r.count() >= events);
            let (next, new, _) = running.stop().await;
            positions = next;
            new.into_iter().for_each(|(stream, p)| seen.entry(stream).or_default().extend(p));
        }
        for (stream, positions) in seen {
            assert_eq!(positions, (0..positions.len() as i64).collect::<Vec<_>>(), "{id} {stream}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_at_different_places_are_each_resumed_at_their_own() {
    let resume = HashMap::from([
        (StreamId("shop/shop.ShopDB.dbo.orders/0".into()), Position(900)),
        (StreamId("shop/shop.ShopDB.dbo.payments/0".into()), Position(700)),
    ]);
    let mut running = start(every_source(40).swap_remove(2), resume);
    running.until("events", |r| r.seen.len() == 3 && r.count() >= 3000);
    let (_, seen, _) = running.stop().await;
    let first: Vec<i64> = seen.values().map(|p| p[0]).collect();
    assert_eq!(first, [0, 900, 700]);
    for positions in seen.values() {
        assert!(positions.windows(2).all(|w| w[0] + 1 == w[1]));
    }
}

//! Promise 4: each event counts once, however often the process is killed.

use crate::landing::{SOURCE, delete, land, upsert};
use crate::support::{self, Sluice, ask, eventually};
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::time::Duration;

const TOPICS: [&str; 3] = ["a.one", "a.two", "a.three"];
const KILLS: usize = 25;
const ROUND: i64 = 60;

/// The events of one round on one topic: the same in every lake.
fn events(round: usize, topic: usize) -> String {
    let first = round as i64 * ROUND;
    (first..first + ROUND)
        .map(|n| match n % 7 {
            6 => delete((n * 3) % 97),
            _ => upsert((n * 5) % 97, &format!("{{\"id\":{},\"n\":{n},\"topic\":{topic}}}", (n * 5) % 97)),
        })
        .collect()
}

fn land_round(folder: &Path, round: usize) {
    for (number, topic) in TOPICS.iter().enumerate() {
        land(folder, topic, &events(round, number));
    }
}

fn serve(folder: &Path) -> Sluice {
    support::serve(folder, &format!("{SOURCE}[lake]\nflush_interval = \"50ms\"\n"))
}

async fn views(sluice: &Sluice) {
    let client = sluice.connect().await;
    for topic in ["one", "two", "three"] {
        let there = format!("SELECT count(*) > 0 FROM silver.{topic}");
        eventually(&client, &there, "t").await;
    }
    let joined = "CREATE MATERIALIZED VIEW gold.joined AS SELECT a.id, a.n, b.n AS m FROM silver.one a LEFT JOIN silver.two b USING (id)";
    client.batch_execute(joined).await.unwrap();
    let summed = "CREATE MATERIALIZED VIEW gold.summed AS SELECT id % 10 AS g, sum(n) AS n, count(*) AS c FROM silver.three GROUP BY 1";
    client.batch_execute(summed).await.unwrap();
}

/// All that the lake holds, but for the times of ingestion.
async fn content(sluice: &Sluice) -> Vec<String> {
    let client = sluice.connect().await;
    let mut all = vec![];
    for topic in ["one", "two", "three"] {
        let bronze = format!("bronze.{topic}");
        let whole = (KILLS as i64 * ROUND).to_string();
        eventually(&client, &format!("SELECT count(*) FROM {bronze}"), &whole).await;
        let columns = "topic, partition, \"offset\", key::text, payload::text, headers::text, payload_raw";
        all.push(ask(&client, &format!("SELECT {columns} FROM {bronze} ORDER BY \"offset\"")).await.unwrap());
        all.push(ask(&client, &format!("SELECT id, n, topic FROM silver.{topic} ORDER BY id")).await.unwrap());
    }
    all.push(ask(&client, "SELECT * FROM gold.joined ORDER BY id").await.unwrap());
    all.push(ask(&client, "SELECT * FROM gold.summed ORDER BY g").await.unwrap());
    all.push(ask(&client, "SELECT count(*) FROM sluice.dead_letters").await.unwrap());
    all
}

#[tokio::test]
async fn a_lake_of_a_process_killed_often_is_that_of_one_never_killed() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let (killed, calm) = (support::folder(), support::folder());
    land_round(killed.path(), 0);
    let mut sluice = serve(killed.path());
    views(&sluice).await;
    for round in 1..KILLS {
        land_round(killed.path(), round);
        // The instant is the point: any will do, and none is waited for.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..120))).await;
        sluice.kill();
        sluice = serve(killed.path());
    }
    sluice.kill();
    sluice = serve(killed.path());
    let after_kills = content(&sluice).await;
    assert!(sluice.stop().success());
    let sluice = serve(killed.path());
    assert_eq!(content(&sluice).await, after_kills, "an orderly restart changes nothing; seed {seed}");

    land_round(calm.path(), 0);
    let sluice = serve(calm.path());
    views(&sluice).await;
    (1..KILLS).for_each(|round| land_round(calm.path(), round));
    let uninterrupted = content(&sluice).await;
    for (got, wanted) in after_kills.iter().zip(&uninterrupted) {
        assert!(got == wanted, "seed {seed}\nkilled:\n{got}\nnever killed:\n{wanted}");
    }
}

#[tokio::test]
async fn a_second_process_is_refused_and_the_first_goes_on() {
    let folder = support::folder();
    land_round(folder.path(), 0);
    let first = serve(folder.path());
    views(&first).await;
    let (status, _, said) = support::run(folder.path(), &["serve", "--config", "sluice.toml"]);
    assert!(!status.success() && said.contains("is in use by another process"), "{said}");
    land_round(folder.path(), 1);
    let client = first.connect().await;
    eventually(&client, "SELECT count(*) FROM bronze.one", &(2 * ROUND).to_string()).await;
    eventually(&client, "SELECT bool_and(checkpoint = position) FROM sluice.streams", "t").await;
}

//! Promise 6: tables follow their sources' columns without a restart, and after one.

use crate::landing::{SOURCE, land};
use crate::support::{self, ask, eventually};

/// An event with a schema block: `fields` are name, Connect type and value.
fn event(id: i64, fields: &[(&str, &str, &str)]) -> String {
    let field = |name: &str, ty: &str, optional: bool| match ty.strip_prefix("decimal") {
        Some(scale) => format!(
            "{{\"field\":\"{name}\",\"type\":\"bytes\",\"optional\":{optional},\"name\":\"org.apache.kafka.connect.data.Decimal\",\
             \"version\":1,\"parameters\":{{\"scale\":\"{scale}\",\"connect.decimal.precision\":\"10\"}}}}"
        ),
        None => format!("{{\"field\":\"{name}\",\"type\":\"{ty}\",\"optional\":{optional}}}"),
    };
    let mut types = vec![field("id", "int32", false)];
    types.extend(fields.iter().map(|(name, ty, _)| field(name, ty, true)));
    let mut values = vec![format!("\"id\":{id}")];
    values.extend(fields.iter().map(|(name, _, value)| format!("\"{name}\":{value}")));
    let row = format!("{{\"type\":\"struct\",\"field\":\"after\",\"optional\":true,\"fields\":[{}]}}", types.join(","));
    let op = "{\"field\":\"op\",\"type\":\"string\",\"optional\":false}";
    format!(
        "{{\"key\":{{\"schema\":{{\"type\":\"struct\",\"fields\":[{}]}},\"payload\":{{\"id\":{id}}}}},\
         \"value\":{{\"schema\":{{\"type\":\"struct\",\"fields\":[{row},{op}]}},\
         \"payload\":{{\"after\":{{{}}},\"op\":\"c\"}}}}}}\n",
        field("id", "int32", false),
        values.join(",")
    )
}

#[tokio::test]
async fn columns_come_widen_and_go_without_a_restart_and_after_one() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let put = |line: String| land(folder.path(), "a.t", &line);
    put(event(1, &[("n", "int32", "1"), ("price", "decimal1", "\"Dw==\"")]));
    eventually(&client, "SELECT id, n, price FROM silver.t", "1|1|1.5").await;

    // One column more, and a wider integer and a finer price.
    put(event(2, &[("n", "int64", "5000000000"), ("price", "decimal2", "\"fQ==\""), ("note", "string", "\"new\"")]));
    let all = "SELECT id, n, price, note FROM silver.t ORDER BY id";
    eventually(&client, all, "1|1|1.50|∅\n2|5000000000|1.25|new").await;

    // A column that the source no longer sends stays, empty in new rows.
    put(event(3, &[("n", "int64", "3")]));
    eventually(&client, "SELECT n, price, note FROM silver.t WHERE id = 3", "3|∅|∅").await;

    // What fits no common type is a dead letter, never a silent NULL.
    put(event(4, &[("n", "boolean", "true")]));
    eventually(&client, "SELECT position, table_name FROM sluice.dead_letters", "3|silver.t").await;
    put(event(5, &[("n", "int32", "5")]));
    eventually(&client, "SELECT n FROM silver.t WHERE id >= 4", "5").await;
    assert!(sluice.stop().success());

    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let before = "1|1|1.50|∅\n2|5000000000|1.25|new\n3|3|∅|∅\n5|5|∅|∅";
    eventually(&client, all, before).await;
    put(event(6, &[("n", "int64", "6"), ("late", "string", "\"x\"")]));
    eventually(&client, "SELECT n, late FROM silver.t WHERE id = 6", "6|x").await;
}

#[tokio::test]
async fn a_gold_view_follows_a_column_that_widens() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    land(folder.path(), "a.t", &event(1, &[("n", "int32", "1")]));
    eventually(&client, "SELECT n FROM silver.t", "1").await;
    client.batch_execute("CREATE MATERIALIZED VIEW gold.v AS SELECT id, n FROM silver.t").await.unwrap();
    land(folder.path(), "a.t", &event(2, &[("n", "int64", "5000000000")]));
    eventually(&client, "SELECT id, n FROM gold.v ORDER BY id", "1|1\n2|5000000000").await;
    eventually(&client, "SELECT DISTINCT pg_typeof(n) FROM gold.v", "bigint").await;
}

#[tokio::test]
async fn a_schema_block_is_kept_once_beside_the_payloads() {
    let folder = support::folder();
    let block = |extra: &str| {
        format!(
            "{{\"type\":\"struct\",\"fields\":[{{\"field\":\"after\",\"type\":\"struct\",\"fields\":[\
             {{\"field\":\"id\",\"type\":\"int32\"}}{extra}]}},{{\"field\":\"op\",\"type\":\"string\"}}]}}"
        )
    };
    let event = |id: i64, schema: &str| {
        format!(
            "{{\"key\":{{\"id\":{id}}},\"value\":{{\"schema\":{schema},\"payload\":{{\"op\":\"c\",\"before\":null,\"after\":{{\"id\":{id}}},\"source\":{{\"ts_ms\":1}}}}}}}}\n"
        )
    };
    let (old, new) = (block(""), block(",{\"field\":\"n\",\"type\":\"int64\",\"optional\":true}"));
    let lines: String = (0..6).map(|id| event(id, if id % 4 < 2 { &old } else { &new })).collect();
    land(folder.path(), "s.t", &lines);
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM silver.t", "6").await;
    let kept = "SELECT source, position, part, jsonb_array_length(schema->'fields'->0->'fields') FROM sluice.schema_blocks ORDER BY position";
    assert_eq!(ask(&client, kept).await.as_deref(), Ok("landing|0|value|1\nlanding|2|value|2"));
    let payloads = "SELECT count(DISTINCT payload->'after'), count(payload->'schema') FROM bronze.t";
    assert_eq!(ask(&client, payloads).await.as_deref(), Ok("6|0"));
}

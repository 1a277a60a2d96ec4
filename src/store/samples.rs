//! Rows of `metric_samples`.

use super::seconds;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use futures::{TryStreamExt, stream::BoxStream};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, types::Json};
use streamgauge_core::metric::measure::{
    counters::Counters,
    packed::{Compressed, Packed},
    sample::Measure,
    tiers::{Stretch, TIERS},
};

/// Whether all rows of a tier are there from `start` on, so that a bucket can be merged from them. Nothing is dropped until
/// the transaction ends.
pub(super) async fn is_whole(connection: &mut PgConnection, tier: i64, start: i64) -> sqlx::Result<bool> {
    let resolution = i32::try_from(tier).unwrap_or(0);
    let whole =
        sqlx::query_scalar!(r#"SELECT metric_samples_whole($1, $2) AS "whole!""#, resolution, seconds(start));
    whole.fetch_one(connection).await
}

/// Writes a row, or writes it again: the same sample twice changes nothing. `run`: see the migration. Its coarser bucket
/// is marked by a trigger.
pub(super) async fn write(connection: &mut PgConnection, sample: &Packed, run: i64) -> sqlx::Result<()> {
    let resolution = i32::try_from(sample.step).unwrap_or(0);
    let start = seconds(sample.start);
    sqlx::query!("SELECT metric_samples_partition($1, $2)", resolution, start)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "INSERT INTO metric_samples (node, region, resolution, bucket_start, run, counters, histograms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (resolution, node, region, bucket_start, run) DO UPDATE
         SET counters = excluded.counters, histograms = excluded.histograms, stored_at = excluded.stored_at",
        sample.node,
        sample.region,
        resolution,
        start,
        run,
        sample.counters().to_json(),
        histograms(sample),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes rows of one node that measured alone, which nobody has written yet, in one statement. Its coarse rows are thus
/// those of all nodes too, and are written as both.
pub(super) async fn write_many(connection: &mut PgConnection, rows: &[Packed]) -> sqlx::Result<()> {
    let resolutions: Vec<i32> = rows.iter().map(|row| i32::try_from(row.step).unwrap_or(0)).collect();
    let starts: Vec<DateTime<Utc>> = rows.iter().map(|row| seconds(row.start)).collect();
    let (nodes, regions): (Vec<String>, Vec<String>) =
        rows.iter().map(|row| (row.node.clone(), row.region.clone())).unzip();
    // As text: for many rows, values of JSON would cost more than all the rest.
    let (counters, maps): (Vec<String>, Vec<String>) =
        rows.iter().map(|row| (row.counters().to_json_text(), histograms_text(row))).unzip();
    sqlx::query!(
        "SELECT metric_samples_partition(resolution, day) FROM
             (SELECT DISTINCT resolution, date_trunc('day', bucket_start) AS day
              FROM unnest($1::integer[], $2::timestamptz[]) AS row (resolution, bucket_start)) AS days",
        &resolutions,
        &starts,
    )
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO metric_samples (node, region, resolution, bucket_start, run, counters, histograms)
         SELECT whose, region, resolution, bucket_start, 0, counters::jsonb, histograms::jsonb
         FROM unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[], $5::text[], $6::text[])
              AS row (node, region, resolution, bucket_start, counters, histograms),
              unnest(CASE WHEN region = '' AND resolution > 10 THEN ARRAY[node, ''] ELSE ARRAY[node] END) AS whose
         ON CONFLICT (resolution, node, region, bucket_start, run) DO NOTHING",
        &nodes,
        &regions,
        &resolutions,
        &starts,
        &counters,
        &maps,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What [`histograms`] makes, as text. Neither names nor Base64 need escaping.
fn histograms_text(sample: &Packed) -> String {
    let mut text = String::from("{");
    for (measure, bytes) in Measure::ALL.into_iter().zip(sample.histograms()) {
        let Some(bytes) = bytes else { continue };
        if text.len() > 1 {
            text.push(',');
        }
        text.extend(["\"", measure.name(), "\":\""]);
        STANDARD.encode_string(bytes, &mut text);
        text.push('"');
    }
    text + "}"
}

/// Histograms by name, as Base64; empty ones are left out.
fn histograms(sample: &Packed) -> Value {
    let named = Measure::ALL.into_iter().zip(sample.histograms());
    let encoded = named
        .filter_map(|(measure, bytes)| Some((measure.name().into(), Value::from(STANDARD.encode(bytes?)))));
    Value::Object(encoded.collect())
}

/// Reads what [`histograms`] wrote. It skips names of other versions and values that are not Base64.
fn read_histograms(stored: &Value) -> Compressed<Vec<u8>> {
    Measure::ALL.map(|measure| STANDARD.decode(stored.get(measure.name())?.as_str()?).ok())
}

/// As the queries here and in the roll-up read it.
pub(super) struct Row {
    pub(super) node: String,
    pub(super) region: String,
    pub(super) start: i64,
    pub(super) counters: Json<Value>,
    pub(super) histograms: Json<Value>,
}

/// A query of whole rows, by what stands behind their columns.
macro_rules! rows {
    ($rest:literal, $($value:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT node, region, extract(epoch FROM bucket_start)::bigint AS "start!",
                      counters AS "counters: Json<serde_json::Value>",
                      metric_samples_histograms(metric_samples) AS "histograms!: Json<serde_json::Value>"
               FROM metric_samples "# + $rest,
            $($value),*
        )
    };
}
pub(super) use rows;

impl Row {
    pub(super) fn packed(self, step: i64) -> Packed {
        let counters = Counters::from_json(&self.counters);
        Packed::new(self.node, self.region, (self.start, step), &counters, read_histograms(&self.histograms))
    }
}

/// One by one: a row's counters weigh ten times as much before they are read.
async fn packed(rows: BoxStream<'_, sqlx::Result<Row>>, step: i64) -> sqlx::Result<Vec<Packed>> {
    rows.map_ok(|row| row.packed(step)).try_collect().await
}

/// Whose rows a chart shows. The fields are empty for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Whose {
    pub node: String,
    pub region: String,
}

/// The rows of a stretch, oldest first. Of all nodes: their merged rows, and where those are not made yet each node's own.
pub(super) async fn read(pool: &PgPool, stretch: Stretch, whose: &Whose) -> sqlx::Result<Vec<Packed>> {
    let rows = if stretch.tier == TIERS[0] {
        rows!(
"WHERE resolution = 10 AND bucket_start >= $1 AND bucket_start < $2 AND region = $3 AND ($4 = '' OR node = $4) ORDER BY bucket_start",
            seconds(stretch.from),
            seconds(stretch.to),
            whose.region,
            whose.node,
        )
        .fetch(pool)
    } else {
        rows!(
"WHERE resolution = $1 AND node = $2 AND region = $3 AND bucket_start >= $4 AND bucket_start < $5 ORDER BY bucket_start",
            i32::try_from(stretch.tier).unwrap_or(0),
            whose.node,
            whose.region,
            seconds(stretch.from),
            seconds(stretch.to),
        )
        .fetch(pool)
    };
    packed(rows, stretch.tier).await
}

/// The rows by region of a stretch; of all nodes where `node` is empty.
pub(super) async fn read_regions(pool: &PgPool, stretch: Stretch, node: &str) -> sqlx::Result<Vec<Packed>> {
    let base = stretch.tier == TIERS[0];
    let rows = rows!(
"WHERE resolution = $1 AND bucket_start >= $2 AND bucket_start < $3 AND region <> '' AND (node = $4 OR ($4 = '' AND $5))",
        i32::try_from(stretch.tier).unwrap_or(0),
        seconds(stretch.from),
        seconds(stretch.to),
        node,
        base,
    )
    .fetch(pool);
    packed(rows, stretch.tier).await
}

/// 10 s rows of all nodes, about all followers, that start in `[from, to)`.
pub(super) async fn recent(pool: &PgPool, from: i64, to: i64) -> sqlx::Result<Vec<Packed>> {
    read(pool, Stretch { tier: TIERS[0], from, to }, &Whose::default()).await
}

/// Of the same those that other nodes stored within the last `seconds`, however long after their time.
pub(super) async fn of_others(
    pool: &PgPool,
    node: &str,
    (from, to): (i64, i64),
    seconds: f64,
) -> sqlx::Result<Vec<Packed>> {
    let rows = rows!(
"WHERE resolution = 10 AND bucket_start >= $1 AND bucket_start < $2 AND region = '' AND node <> $3 AND stored_at > now() - make_interval(secs => $4)",
        self::seconds(from),
        self::seconds(to),
        node,
        seconds,
    )
    .fetch(pool);
    packed(rows, TIERS[0]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::metric::measure::sample::Sample;

    #[test]
    fn every_histogram_is_read_back_by_its_name() {
        let mut sample = Sample::new("a", 0, 10);
        for (value, measure) in (1..).zip(Measure::ALL) {
            sample.histograms.record_n(measure, value, value);
        }
        let packed = sample.pack();
        let mut stored = histograms(&packed);
        assert_eq!(serde_json::from_str::<Value>(&histograms_text(&packed)).expect("JSON"), stored);
        let read = read_histograms(&stored);
        assert_eq!(read.each_ref().map(|bytes| bytes.as_deref()), packed.histograms());

        stored["of_a_newer_version"] = "AAAA".into();
        stored[Measure::ALL[0].name()] = "no Base64!".into();
        let read = read_histograms(&stored);
        assert_eq!((read[0].is_none(), read[1].is_some()), (true, true), "the others stay");
        let none = histograms(&Sample::new("a", 0, 10).pack());
        assert_eq!(none, serde_json::json!({}), "what was not measured takes no room");
    }
}

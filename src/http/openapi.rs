//! The HTTP API as OpenAPI 3.1: a file a group of routes, joined. A server test holds it against the routes and against
//! what they really answer.

use super::unsent::InProgram;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use streamgauge_core::{metric::table::Metric, settings::limits::Limit, text};

const BASE: &str = include_str!("openapi/base.json");
const GROUPS: &[&str] = &[
    include_str!("openapi/publish.json"),
    include_str!("openapi/follow.json"),
    include_str!("openapi/admin.json"),
    include_str!("openapi/gauge.json"),
    include_str!("openapi/audit.json"),
    include_str!("openapi/load_tests.json"),
    include_str!("openapi/alerts.json"),
    include_str!("openapi/ops.json"),
    include_str!("openapi/people.json"),
];

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // The files are part of the program, and a test reads them: one that is no JSON does not get here.
    let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let mut document: Value = read(BASE);
    for group in GROUPS {
        join(&mut document, read(group));
    }
    join(&mut document, limits());
    join(&mut document, json!({ "info": { "version": env!("CARGO_PKG_VERSION") } }));
    join(&mut document, metrics());
    spell_out(&mut document);
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.filter_map(|(_, methods)| methods.as_object_mut()).flatten();
    operations.for_each(|(_, operation)| misdirected(operation));
    document.to_string()
});

/// What the metric table says: the steps of charts, the rows of the history, and the metrics' names.
fn metrics() -> Value {
    let charted = Metric::CHARTED.map(|metric| {
        let words = format!("{}, {}.", metric.title(), metric.unit().base());
        (metric.name().to_owned(), json!({ "type": ["number", "null"], "description": words }))
    });
    let mut point = Map::from_iter(charted);
    point.insert("at".into(), json!({ "type": "integer", "description": "Unix seconds." }));
    let row = json!({ "required": super::export::columns() });
    json!({ "components": { "schemas": {
        "Point": {
            "type": "object",
            "description": "One step of the charts; null where nothing was measured.",
            "required": point.keys().collect::<Vec<_>>(),
            "properties": point,
            "additionalProperties": false,
        },
        "Metrics": { "properties": { "rows": { "items": row } } },
        "Entry": { "properties": { "number": { "enum": Metric::ALL.map(Metric::name).to_vec() } } },
    } } })
}

/// What every request is answered that calls the server by a name that it does not know.
fn misdirected(operation: &mut Value) {
    join(operation, json!({ "responses": { "421": { "$ref": "#/components/responses/Problem" } } }));
}

/// The settings that may change while the server runs, from their one table.
fn limits() -> Value {
    let properties = Limit::ALL.iter().map(|limit| {
        let (setting, (least, most)) = (limit.setting(), limit.bounds());
        let schema =
            json!({ "type": "integer", "minimum": least, "maximum": most, "description": setting.help });
        (setting.name.to_owned(), schema)
    });
    let properties: Map<String, Value> = properties.collect();
    let required: Vec<&String> = properties.keys().collect();
    json!({ "components": { "schemas": {
        "Limits": {
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        },
        "SomeLimits": {
            "type": "object",
            "description": "Some of Limits; the others keep their value.",
            "properties": properties,
            "additionalProperties": false,
        },
    } } })
}

/// Objects are joined member by member, down to what is in one of them only.
fn join(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                join(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// What a text may hold is said once, in `core::text`: the files name its pattern.
fn spell_out(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some("label") if name == "pattern" => *value = text::label_pattern().into(),
                    Some("prose") if name == "pattern" => *value = text::prose_pattern().into(),
                    _ => spell_out(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(spell_out),
        _ => {}
    }
}

pub async fn document() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    let mut response = (headers, DOCUMENT.as_str()).into_response();
    response.extensions_mut().insert(InProgram);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_every_metric_of_the_table() {
        let document: Value = serde_json::from_str(&DOCUMENT).expect("JSON");
        let named = |path: &str| {
            let names = document.pointer(path).and_then(Value::as_array).expect("a list").iter();
            names.map(|name| name.as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        let schemas = "/components/schemas";
        let numbers = named(&format!("{schemas}/Entry/properties/number/enum"));
        assert_eq!(numbers, Metric::ALL.map(Metric::name));
        let point = named(&format!("{schemas}/Point/required"));
        assert!(Metric::CHARTED.iter().all(|metric| point.iter().any(|name| name == metric.name())));
        let row = named(&format!("{schemas}/Metrics/properties/rows/items/required"));
        let derived = Metric::ALL.into_iter().filter(|metric| !metric.unit().is_percentile());
        for column in derived.map(Metric::column) {
            assert!(row.contains(&column), "{column}");
        }
        // What the files say of the same schemas stays.
        let at = document.pointer(&format!("{schemas}/Metrics/properties/rows/items/properties/at/type"));
        assert_eq!(at.and_then(Value::as_str), Some("integer"));
    }

    #[test]
    fn every_limit_is_in_the_document_with_its_bounds() {
        let document: Value = serde_json::from_str(&DOCUMENT).expect("JSON");
        for schema in ["Limits", "SomeLimits"] {
            let listed = document["components"]["schemas"][schema]["properties"].as_object().expect("limits");
            assert_eq!(listed.len(), Limit::ALL.len(), "{schema}");
            let batch = &listed["batch_ms"];
            assert_eq!((&batch["minimum"], &batch["maximum"]), (&json!(0), &json!(1_000)), "{schema}");
        }
    }

    #[test]
    fn every_file_is_json_and_says_something_of_its_own() {
        let mut paths = 0;
        for text in GROUPS {
            let group: Value = serde_json::from_str(text).expect("JSON");
            for (path, methods) in group["paths"].as_object().expect("paths") {
                paths += methods.as_object().map_or(0, serde_json::Map::len);
                let document: Value = serde_json::from_str(&DOCUMENT).expect("JSON");
                for (method, operation) in methods.as_object().expect("methods") {
                    let mut operation = operation.clone();
                    misdirected(&mut operation);
                    spell_out(&mut operation);
                    assert_eq!(document["paths"][path][method], operation, "{method} {path} stands twice");
                }
            }
        }
        assert!(paths > 20, "{paths}");
    }
}

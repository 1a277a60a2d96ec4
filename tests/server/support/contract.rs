use super::{Client, client::body};
use reqwest::{Method, Request, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One method of one path, as the API's document has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub method: String,
    pub path: String,
}

/// The API's document, and which of its answers were really given.
pub struct Contract {
    document: Value,
    http: reqwest::Client,
    seen: BTreeSet<(Operation, u16)>,
}

impl Contract {
    pub async fn of(client: &Client) -> Contract {
        let answer = client.get("/api/openapi.json").send().await.expect("an answer");
        let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
        Contract { document: body(answer).await, http, seen: BTreeSet::new() }
    }

    pub fn version(&self) -> &str {
        self.document["info"]["version"].as_str().expect("a version")
    }

    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.document["paths"].as_object().expect("paths");
        let methods = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(|method| Operation { method: method.to_uppercase(), path: path.clone() })
        });
        methods.collect()
    }

    fn operation(&self, operation: &Operation) -> &Value {
        let found = &self.document["paths"][&operation.path][operation.method.to_lowercase()];
        assert!(found.is_object(), "{operation:?} is not in the document");
        found
    }

    /// Statuses that it may be answered with.
    pub fn statuses(&self, operation: &Operation) -> Vec<u16> {
        let responses = self.operation(operation)["responses"].as_object().expect("responses");
        responses.keys().map(|status| status.parse().expect("a status")).collect()
    }

    /// The type that its body is of, the first if there are several.
    pub fn takes(&self, operation: &Operation) -> Option<&str> {
        Some(self.operation(operation)["requestBody"]["content"].as_object()?.keys().next()?)
    }

    /// What the document has at `$ref`, or the value itself.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(at) = value["$ref"].as_str() else { return value };
        self.document.pointer(at.strip_prefix('#').expect("in this document")).expect(at)
    }

    fn validate(&self, schema: &Value, value: &Value, what: &str) {
        let whole = json!({ "components": self.document["components"], "allOf": [schema] });
        let validator = jsonschema::draft202012::new(&whole).expect("a schema");
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{} {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what}: {errors:?} in {value}");
    }

    /// Against a schema by its name.
    pub fn is(&self, name: &str, value: &Value) {
        self.validate(&json!({ "$ref": format!("#/components/schemas/{name}") }), value, name);
    }

    /// Sends it. The answer must have that status and be as the document says.
    pub async fn answers(
        &mut self,
        operation: &Operation,
        request: RequestBuilder,
        status: u16,
    ) -> Option<Value> {
        let answer = self.sent(operation, request, status).await;
        let what = format!("{operation:?} {status}");
        let declared = self.resolve(&self.operation(operation)["responses"][status.to_string()]).clone();
        let kind = answer.headers().get("content-type").map(|value| value.to_str().expect("text").to_owned());
        let kind = kind.as_deref().and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if declared["content"].is_null() {
            assert_eq!(answer.text().await.expect("text"), "", "{what} has no body");
            return None;
        }
        let schema = &declared["content"][kind]["schema"];
        assert!(schema.is_object(), "{what} is {kind:?}, which is not in the document");
        if !kind.ends_with("json") {
            return None;
        }
        let value = body(answer).await;
        self.validate(schema, &value, &what);
        Some(value)
    }

    /// Sends it; the body is for the caller to read.
    pub async fn sent(&mut self, operation: &Operation, request: RequestBuilder, status: u16) -> Response {
        let what = format!("{operation:?} {status}");
        let request = request.build_split().1.expect("a request");
        assert_eq!(request.method(), &operation.method.parse::<Method>().expect("a method"));
        let sent = request.body().and_then(|body| body.as_bytes()).map(<[u8]>::to_vec);
        let answer = self.execute(request, status).await;
        assert_eq!(answer.status(), status, "{what}: {}", answer.text().await.unwrap_or_default());
        let declared = self.operation(operation)["responses"][status.to_string()].clone();
        assert!(declared.is_object(), "{what} is not in the document");
        for (name, header) in self.resolve(&declared)["headers"].as_object().into_iter().flatten() {
            let required = header["required"] == json!(true);
            assert!(!required || answer.headers().contains_key(name), "{what} without {name}");
        }
        let schema = &self.operation(operation)["requestBody"]["content"]["application/json"]["schema"];
        if let Some(sent) = sent.filter(|_| status < 300 && schema.is_object()) {
            let value = serde_json::from_slice(&sent).expect("JSON");
            self.validate(schema, &value, &format!("the request of {what}"));
        }
        self.seen.insert((operation.clone(), status));
        answer
    }

    /// A server that refuses a body by its length closes while the rest of it is on its way, and then what it said may be
    /// lost: asked again.
    async fn execute(&self, request: Request, status: u16) -> Response {
        let tries = if status == 413 { 20 } else { 1 };
        for _ in 1..tries {
            if let Ok(answer) = self.http.execute(request.try_clone().expect("bytes")).await {
                return answer;
            }
        }
        self.http.execute(request).await.expect("an answer")
    }

    /// What the document says and was not seen.
    pub fn unseen(&self) -> Vec<(Operation, u16)> {
        let operations = self.operations().into_iter();
        let all = operations.flat_map(|operation| {
            self.statuses(&operation).into_iter().map(move |status| (operation.clone(), status))
        });
        all.filter(|one| !self.seen.contains(one)).collect()
    }
}

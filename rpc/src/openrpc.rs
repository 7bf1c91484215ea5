//! The description of the interface, OpenRPC 1.3.2 (spec.open-rpc.org): generated, committed as `rpc/openrpc.json`, and
//! served by `rpc.discover`.
//!
//! Names and schemas come from [`crate::contract`], words from the documentation of the traits in `src/api`. A test
//! compares what is generated with what is committed; `CAIRN_OPENRPC=write cargo test -p cairn-rpc` commits anew.

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::api;
use crate::contract::{self, Method, schema_of};
use crate::error::{CallError, ErrorData};

/// The method that answers with the description.
pub const DISCOVER: &str = "rpc.discover";

/// The text that was committed.
pub const COMMITTED: &str = include_str!("../openrpc.json");

static COMMITTED_JSON: LazyLock<Box<RawValue>> =
    LazyLock::new(|| serde_json::from_str(COMMITTED).expect("the committed description is JSON: a test compares it"));

/// The answer of `rpc.discover`.
pub(crate) fn committed() -> &'static RawValue {
    &COMMITTED_JSON
}

/// The documentation of one method.
#[derive(Default)]
struct Words {
    summary: String,
    description: String,
    parameters: Vec<(String, String)>,
    errors: Vec<String>,
}

/// Where a documentation comment is in.
enum Section {
    Description,
    Parameters,
    Errors,
}

/// Reads the comment before `#[method(name = "…"` or `#[subscription(name = "…"` in a trait's source.
fn words_of(source: &str, method: &str) -> Option<Words> {
    let attributes = [format!("#[method(name = \"{method}\""), format!("#[subscription(name = \"{method}\"")];
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| attributes.iter().any(|attribute| line.starts_with(attribute)))?;
    let above: Vec<&str> =
        lines.iter().take(at).rev().map_while(|line| line.strip_prefix("///")).map(str::trim).collect();
    let mut words = Words::default();
    let mut section = Section::Description;
    for line in above.into_iter().rev() {
        match (&section, line) {
            (_, "# Parameters") => section = Section::Parameters,
            (_, "# Errors") => section = Section::Errors,
            (_, "") => {}
            (Section::Description, line) if words.summary.is_empty() => words.summary = line.to_owned(),
            (Section::Description, line) => join(&mut words.description, line),
            (Section::Parameters, line) => match line.strip_prefix("- `").and_then(|line| line.split_once("`: ")) {
                Some((name, text)) => words.parameters.push((name.to_owned(), text.to_owned())),
                None => words.parameters.last_mut().into_iter().for_each(|(_, text)| join(text, line)),
            },
            (Section::Errors, line) => match line.strip_prefix("- ") {
                Some(text) => words.errors.push(text.to_owned()),
                None => words.errors.last_mut().into_iter().for_each(|text| join(text, line)),
            },
        }
    }
    Some(words)
}

fn join(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(line);
}

fn words(method: &Method) -> Words {
    let source_of = |namespace: &str| api::SOURCES.iter().find(|(name, _)| *name == namespace).map(|(_, text)| *text);
    method.name.split_once('_').and_then(|(namespace, name)| words_of(source_of(namespace)?, name)).unwrap_or_default()
}

fn describe(method: &Method, generator: &mut SchemaGenerator) -> Value {
    let words = words(method);
    let parameter = |parameter: &contract::Parameter, generator: &mut SchemaGenerator| {
        let text = words.parameters.iter().find(|(name, _)| name == parameter.name).map_or("", |(_, text)| text);
        json!({
            "name": parameter.name,
            "description": text,
            "required": parameter.required,
            "schema": (parameter.schema)(generator),
        })
    };
    let parameters: Vec<Value> = method.parameters.iter().map(|one| parameter(one, generator)).collect();
    let mut description = Map::new();
    description.insert("name".into(), method.name.into());
    description.insert("summary".into(), words.summary.into());
    if !words.description.is_empty() {
        description.insert("description".into(), words.description.into());
    }
    description.insert("paramStructure".into(), "either".into());
    description.insert("params".into(), parameters.into());
    description.insert("result".into(), json!({ "name": "result", "schema": (method.result)(generator) }));
    if !words.errors.is_empty() {
        description.insert("x-errors".into(), words.errors.into());
    }
    if let Some(unsubscribe) = method.unsubscribe {
        // OpenRPC knows no subscriptions: the result described here is what each notification holds.
        description.insert("x-subscription".into(), json!({ "unsubscribe": unsubscribe }));
    }
    Value::Object(description)
}

/// Every error: code, name and, where the words do not depend on the case, nothing more.
fn errors() -> Value {
    let own = CallError::TABLE.iter().map(|(name, code)| json!({ "code": code, "message": name }));
    let rejections = cairn_types::Rejection::TABLE
        .iter()
        .map(|(code, name)| json!({ "code": crate::error::rejection_code(*code), "message": name }));
    own.chain(rejections).collect()
}

/// Makes the description.
pub fn generate() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let methods: Vec<Value> = contract::methods().map(|method| describe(method, &mut generator)).collect();
    let error_data = schema_of::<ErrorData>(&mut generator);
    let schemas = generator.take_definitions(true);
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Cairn",
            "description": "A ledger node for fleets of devices: device identities, authorizations and data attestations. \
                64-bit integers are decimal strings; hashes, keys and bytes lowercase hexadecimal; every answer names the \
                final height at which it was read. Over HTTP and WebSocket at /.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "methods": methods,
        "components": { "schemas": schemas },
        "x-errors": { "data": error_data, "table": errors() },
    })
}

/// The description as it is committed: indented, with a line's end.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&generate()).expect("a value of JSON serializes");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{COMMITTED, contract, text, words};

    #[test]
    fn the_committed_description_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openrpc.json");
        if std::env::var("CAIRN_OPENRPC").as_deref() == Ok("write") {
            std::fs::write(&path, text()).expect("the description can be written");
            return;
        }
        assert!(
            text() == COMMITTED,
            "rpc/openrpc.json is out of date: run CAIRN_OPENRPC=write cargo test -p cairn-rpc, and look at the change"
        );
    }

    #[test]
    fn the_table_has_every_method_of_the_traits_and_no_other() {
        let attributes = ["#[method(name = \"", "#[subscription(name = \""];
        let mut served: Vec<String> = Vec::new();
        for (namespace, source) in crate::api::SOURCES {
            for line in source.lines() {
                let name =
                    attributes.iter().find_map(|attribute| line.trim().strip_prefix(attribute)?.split('"').next());
                served.extend(name.map(|name| format!("{namespace}_{name}")));
            }
        }
        let mut known: Vec<&str> = contract::methods().map(|method| method.name).collect();
        served.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, served);
    }

    #[test]
    fn every_method_and_parameter_has_words() {
        for method in contract::methods() {
            let words = words(method);
            assert!(!words.summary.is_empty(), "{} has no documentation", method.name);
            let described: Vec<&str> = words.parameters.iter().map(|(name, _)| name.as_str()).collect();
            let known: Vec<&str> = method.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(described, known, "parameters of {}, in their order", method.name);
        }
    }
}

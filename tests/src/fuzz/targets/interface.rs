//! JSON-RPC and the raw routes, through everything that stands before a method but the socket. Garbage is answered by an
//! error that blames the caller, and never by one that blames the node.

use std::sync::{Arc, LazyLock};

use cairn_rpc::{Direct, RpcConfig, contract};
use cairn_types::encode;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{Seen, Target, hold};
use crate::fuzz::mutate::Random;
use crate::fuzz::node::Node;
use crate::fuzz::scene::Scene;

/// JSON-RPC's code for bugs and broken disks.
const INTERNAL: i64 = -32_603;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_time().build().expect("a runtime starts")
});

/// Values that no parameter expects.
fn strange(random: &mut Random) -> Value {
    match random.below(16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(random.edge()),
        3 => json!(-1),
        4 => json!(1e300),
        5 => json!(""),
        6 => json!([]),
        7 => json!({}),
        8 => json!("\u{0}\u{202e}"),
        9 => json!("A".repeat(64)),
        10 => json!("f".repeat(random.below(2_000))),
        11 => json!(random.edge().to_string()),
        12 => json!({"organization": {"device": []}}),
        13 => (0..random.below(200)).fold(json!(0), |value, _| json!([value])),
        14 => (0..random.below(200)).fold(json!(0), |value, _| json!({ "a": value })),
        _ => json!(format!("{}/{}", random.edge(), random.edge())),
    }
}

/// A value that a parameter of this name may have.
fn value(scene: &Scene, random: &mut Random, name: &str) -> Value {
    if random.once_in(6) {
        return strange(random);
    }
    let place = |scene: &Scene, random: &mut Random| {
        let stream = random.pick(&scene.streams);
        format!("{stream}/{}", random.below(6))
    };
    let zone = |scene: &Scene, random: &mut Random| {
        let path = *random.pick(&["", "north", "north/pump", "a/b"]);
        json!({"organization": random.pick(&scene.organizations).to_string(), "path": path})
    };
    match name {
        "at" | "block" | "anchor" => json!(random.below(scene.blocks.len() + 2).to_string()),
        "limit" | "depth" => json!(*random.pick(&[0_u64, 1, 2, 64, 65, 1_000, 1_001, u64::from(u32::MAX)])),
        "prove" | "prefix" => json!(random.once_in(2)),
        "timeoutMs" => json!(*random.pick(&[0_u64, 1, 60_000, 60_001])),
        "ageMaxMs" => json!(random.edge().to_string()),
        "format" => json!(*random.pick(&["provJson", "dot", "prov-json", "mermaid"])),
        "action" => json!(*random.pick(&["attest", "register", "place", "delegate", "Attest"])),
        "device" => json!(random.pick(&scene.devices).to_string()),
        "stream" => json!(random.pick(&scene.streams).to_string()),
        "lot" => json!(random.pick(&scene.lots).to_string()),
        "grant" => json!(random.pick(&scene.grants).to_string()),
        "id" => json!(random.pick(&scene.transactions).id().to_string()),
        "organization" | "manufacturer" if random.once_in(2) => json!("water-works"),
        "organization" | "manufacturer" => json!(random.pick(&scene.organizations).to_string()),
        "attestation" if random.once_in(2) => json!(place(scene, random)),
        "attestation" => json!(random.pick(&scene.attestations).to_string()),
        "content" if random.once_in(2) => json!(Scene::content().to_string()),
        "content" => json!({"hash": Scene::content().to_string(), "bytes": "30"}),
        "zone" => zone(scene, random),
        "scope" | "target" => match random.below(3) {
            0 => json!({"zone": zone(scene, random)}),
            1 => json!({"device": random.pick(&scene.devices).to_string()}),
            _ => json!({"stream": random.pick(&scene.streams).to_string()}),
        },
        "principal" => json!({"device": random.pick(&scene.devices).to_string()}),
        "question" => json!(random.pick(&scene.questions).to_string()),
        "key" => {
            let key = random.pick(&scene.keys);
            let length = if random.once_in(2) { key.len() } else { random.below(key.len() + 1) };
            json!(hex::encode(&key[..length]))
        }
        "transaction" => json!(hex::encode(random.pick(&scene.transactions).bytes())),
        "transactions" => {
            let some = (0..random.below(4)).map(|_| hex::encode(random.pick(&scene.transactions).bytes()));
            json!(some.collect::<Vec<_>>())
        }
        "after" => match random.below(5) {
            0 => json!(random.pick(&scene.devices).to_string()),
            1 => json!("3/0"),
            2 => json!("water-works"),
            3 => json!(random.edge().to_string()),
            _ => json!(random.pick(&scene.grants).to_string()),
        },
        "from" => json!(random.below(8).to_string()),
        _ => strange(random),
    }
}

fn call(scene: &Scene, random: &mut Random, methods: &[&'static contract::Method]) -> Value {
    let method = random.pick(methods);
    let given: Vec<_> = method.parameters.iter().filter(|wanted| wanted.required || random.once_in(3)).collect();
    let values = given.iter().map(|wanted| (wanted.name.to_owned(), value(scene, random, wanted.name)));
    let mut values: Map<String, Value> = values.collect();
    if random.once_in(16) {
        values.insert("other".to_owned(), strange(random));
    }
    let by_place = random.once_in(4);
    let params =
        if by_place { json!(values.into_iter().map(|(_, value)| value).collect::<Vec<_>>()) } else { json!(values) };
    let id = if random.once_in(8) { strange(random) } else { json!(1) };
    json!({"jsonrpc": "2.0", "id": id, "method": method.name, "params": params})
}

/// One request: the first byte says by which way the rest comes.
fn request(scene: &Scene, random: &mut Random, methods: &[&'static contract::Method]) -> Vec<u8> {
    match random.below(20) {
        0 => {
            let batch: Vec<Value> = (0..random.below(6)).map(|_| call(scene, random, methods)).collect();
            [&[0], json!(batch).to_string().as_bytes()].concat()
        }
        1 => {
            let some = (0..random.below(5)).map(|_| random.pick(&scene.transactions).bytes().to_vec());
            [&[6], encode(&some.collect::<Vec<_>>()).as_slice()].concat()
        }
        2 => {
            let path = *random.pick(&["/", "/health", "/metrics", "/tx", "/a/../tx", "//", "*"]);
            let method = *random.pick(&["GET", "POST", "PUT", "OPTIONS", "HEAD", "CONNECT", "X"]);
            let header = *random.pick(&[
                "host: localhost:1",
                "origin: null",
                "content-length: 18446744073709551615",
                "content-type: text/plain",
                "upgrade: websocket\nconnection: upgrade\nsec-websocket-version: 13\nsec-websocket-key: AAAA",
            ]);
            [&[7], format!("{method} {path}\n{header}\n\n[]").as_bytes()].concat()
        }
        _ => [&[0], call(scene, random, methods).to_string().as_bytes()].concat(),
    }
}

/// The request that an input stands for, if HTTP can express it.
fn http_request(input: &[u8]) -> Option<http::Request<Vec<u8>>> {
    let (way, body) = input.split_first()?;
    let post = |path: &str, kind: &str| {
        let builder = http::Request::post(path).header("host", "localhost:1").header("content-type", kind);
        builder.header("content-length", body.len()).body(body.to_vec()).ok()
    };
    match way % 8 {
        6 => post("/tx", "application/octet-stream"),
        7 => {
            let at = body.windows(2).position(|pair| pair == b"\n\n")?;
            let (head, body) = (std::str::from_utf8(&body[..at]).ok()?, &body[at + 2..]);
            let mut lines = head.lines();
            let (method, path) = lines.next()?.split_once(' ')?;
            let builder = http::Request::builder().method(method).uri(path).header("content-type", "application/json");
            let builder = lines
                .filter_map(|line| line.split_once(": "))
                .fold(builder, |builder, (name, value)| builder.header(name, value));
            builder.body(body.to_vec()).ok()
        }
        _ => post("/", "application/json"),
    }
}

/// Whether something in an answer blames the node.
fn internal(answer: &Value) -> bool {
    let code = |answer: &Value| answer.pointer("/error/code").or(answer.get("code")).and_then(Value::as_i64);
    match answer {
        Value::Array(answers) => answers.iter().any(|answer| code(answer) == Some(INTERNAL)),
        answer => code(answer) == Some(INTERNAL),
    }
}

pub(super) fn targets() -> Vec<Target> {
    let scene = Scene::lean();
    let methods: Vec<&'static contract::Method> = contract::methods().collect();
    let mut random = Random::new(11);
    // Every method, with parameters that it may have.
    let corpus = methods.iter().flat_map(|method| (0..12).map(move |_| method)).map(|method| {
        let made = call(scene, &mut random, &[*method]);
        [&[0], made.to_string().as_bytes()].concat()
    });
    let corpus: Vec<Vec<u8>> = corpus.collect();
    let _runtime = RUNTIME.enter();
    let node = Arc::new(Node::new(scene));
    let direct = Direct::new(RpcConfig::default(), &node).expect("the defaults are valid");
    let check = move |input: &[u8]| {
        let Some(request) = http_request(input) else { return Ok(Seen::Refused) };
        let Some(answer) = RUNTIME.block_on(direct.answer(request)) else { return Ok(Seen::Refused) };
        let (status, body) = (answer.status(), answer.body());
        let shown = || format!("{status}: {}", String::from_utf8_lossy(body));
        hold(!status.is_server_error(), "the node blames itself", shown)?;
        if status.is_success() && input.first().is_some_and(|way| way % 8 < 6) && !body.is_empty() {
            let answer: Value =
                serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}: {}", shown()))?;
            hold(!internal(&answer), "an internal error", shown)?;
            // A call without a sound id is a notification, which has no answer.
            let one =
                |answer: &Value| answer.is_null() || answer.get("result").is_some() != answer.get("error").is_some();
            let sound = answer.as_array().map_or_else(|| one(&answer), |answers| answers.iter().all(one));
            hold(sound, "neither a result nor an error", shown)?;
            return Ok(if answer.get("result").is_some() { Seen::Accepted } else { Seen::Refused });
        }
        Ok(if status.is_success() { Seen::Accepted } else { Seen::Refused })
    };
    // Of what may be right, what is.
    let corpus: Vec<Vec<u8>> = corpus.into_iter().filter(|input| check(input) == Ok(Seen::Accepted)).collect();
    let make = move |random: &mut Random| request(scene, random, &methods);
    vec![
        Target::new("json-rpc", 14, corpus, check)
            .making(make)
            .knowing(&[
                b"\"jsonrpc\":\"2.0\"",
                b"\"id\":null",
                b"\"params\":",
                b",",
                b"[[[[",
                b"{\"a\":",
                b"1e308",
                b"-0.0",
            ])
            .within(2_000, 24 * 1024 * 1024),
    ]
}

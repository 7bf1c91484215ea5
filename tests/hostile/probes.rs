//! Hostile requests that want a wrong answer: each must be refused in words or cut off, and never be answered as if it were
//! right.

use std::net::SocketAddr;

use serde_json::Value;

use crate::http::{exchange, post, request};

/// What must become of a request.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// This status.
    Status(&'static [u16]),
    /// An error of JSON-RPC with one of these codes, or of HTTP with status 4xx.
    Refusal(&'static [i64]),
    /// Closed without a word, or status 4xx.
    Closed,
}

/// A request, and what must become of it.
struct Probe {
    name: &'static str,
    bytes: Vec<u8>,
    expected: Expected,
}

const PARAMETER: Expected = Expected::Refusal(&[-32_602]);
const NO_METHOD: Expected = Expected::Refusal(&[-32_601]);
const NO_JSON: Expected = Expected::Refusal(&[-32_700, -32_600]);
const FORBIDDEN: Expected = Expected::Status(&[400, 403]);
const JSON: &str = "Content-Type: application/json\r\n";

fn called(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

/// Everything that is tried on a node at `address`.
fn probes(address: SocketAddr) -> Vec<Probe> {
    let mut probes = Vec::new();
    let mut add = |name, bytes: Vec<u8>, expected| probes.push(Probe { name, bytes, expected });
    let version = called("node_getVersion", "[]");
    let json = |text: &str| post(address, text.as_bytes());

    let batch = format!("[{}]", vec![version.as_str(); 10_000].join(","));
    add("a batch of ten thousand", json(&batch), Expected::Refusal(&[-32_010]));
    add("a hundred thousand brackets", json(&"[".repeat(100_000)), NO_JSON);
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    add("brackets in parameters", json(&called("device_list", &deep)), Expected::Refusal(&[-32_602, -32_700, -32_600]));
    let deep = format!("{}null{}", r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    add("braces in parameters", json(&called("device_list", &deep)), Expected::Refusal(&[-32_602, -32_700, -32_600]));

    for (name, number) in [
        ("a number above 2^53", "9007199254740993"),
        ("a number above 2^64", "18446744073709551616"),
        ("a number without end", "1e400"),
        ("a negative number", "-1"),
        ("half a number", "1.5"),
        ("a height with a sign", r#""+4""#),
        ("a height with a zero before it", r#""04""#),
        ("a height above 2^64", r#""18446744073709551616""#),
    ] {
        add(name, json(&called("device_list", &format!(r#"{{"at":{number}}}"#))), PARAMETER);
    }
    for (name, limit) in
        [("a limit of 2^32", "4294967296"), ("a limit of 4 billion", "4294967295"), ("a limit of 0", "0")]
    {
        add(name, json(&called("device_list", &format!(r#"{{"limit":{limit}}}"#))), PARAMETER);
    }
    let cursor = "f".repeat(100_000);
    add("a cursor of 100 kB", json(&called("device_list", &format!(r#"{{"after":"{cursor}"}}"#))), PARAMETER);
    add(
        "a wait of 50 days",
        json(&called("tx_wait", &format!(r#"{{"id":"{}","timeoutMs":4294967295}}"#, "00".repeat(32)))),
        PARAMETER,
    );
    add("a parameter given twice", json(&called("device_list", r#"{"limit":1,"limit":2}"#)), PARAMETER);
    add("an unknown parameter", json(&called("device_list", r#"{"limitt":1}"#)), PARAMETER);
    add(
        "a method given twice",
        json(r#"{"jsonrpc":"2.0","id":1,"method":"node_getVersion","method":"chain_getStatus"}"#),
        NO_JSON,
    );
    let id = "0a".repeat(32);
    for (name, text) in [
        ("hexadecimal in capitals", id.to_uppercase()),
        ("hexadecimal with 0x", format!("0x{id}")),
        ("hexadecimal with a space", format!("{id} ")),
        ("hexadecimal of odd length", id[1..].to_owned()),
        ("hexadecimal of digits that look alike", format!("\u{ff10}{}", &id[1..])),
    ] {
        add(name, json(&called("tx_get", &format!(r#"{{"id":"{text}"}}"#))), PARAMETER);
    }
    add("bytes that are no transaction", json(&called("tx_submit", r#"["00ff"]"#)), Expected::Refusal(&[]));
    add("bytes that are no text", post(address, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}"), NO_JSON);

    for method in [
        "admin_stop",
        "node_stop",
        "node_sign",
        "tx_sign",
        "key_export",
        "personal_sign",
        "debug_traceBlock",
        "rpc_modules",
        "admin_addPeer",
    ] {
        add("a method for administrators", json(&called(method, "[]")), NO_METHOD);
    }
    add("a method called __proto__", json(&called("__proto__", "[]")), NO_METHOD);

    let port = address.port();
    for (name, host) in [
        ("a foreign host", "evil.example".to_owned()),
        ("a foreign host on our port", format!("evil.example:{port}")),
        ("our address as a foreign name", format!("127.0.0.1.evil.example:{port}")),
        ("a name that begins like ours", format!("localhost.evil.example:{port}")),
        ("another address", format!("0.0.0.0:{port}")),
        ("a host with a user", format!("localhost@evil.example:{port}")),
        ("two hosts in one", format!("localhost:{port}, evil.example")),
    ] {
        let headers = format!("{JSON}Host: {host}\r\n");
        add(name, request(address, "POST /", &headers, version.as_bytes()), FORBIDDEN);
    }
    let target = request(address, "POST http://evil.example/", JSON, version.as_bytes());
    add("a foreign host as the target", target, FORBIDDEN);
    let two = format!("{JSON}Host: {address}\r\nHost: evil.example\r\n");
    add("two hosts", request(address, "POST /", &two, version.as_bytes()), FORBIDDEN);
    for (name, origin) in [
        ("a foreign origin", "http://evil.example".to_owned()),
        ("no origin", "null".to_owned()),
        ("our origin on another port", "http://127.0.0.1:1".to_owned()),
        ("our origin as a foreign name", format!("http://{address}.evil.example")),
    ] {
        let headers = format!("{JSON}Origin: {origin}\r\n");
        add(name, request(address, "POST /", &headers, version.as_bytes()), FORBIDDEN);
    }
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let headers = format!("Origin: http://evil.example\r\n{upgrade}");
    add("a WebSocket of a foreign origin", request(address, "GET /", &headers, b""), FORBIDDEN);

    let host = format!("Host: {address}\r\n");
    let raw = |head: &str, body: &str| format!("{head}\r\n{host}{body}").into_bytes();
    let second = format!("GET /metrics HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
    let lengths = format!("{JSON}Content-Length: 5\r\nContent-Length: 50\r\n\r\nAAAAA{second}");
    add("two lengths", raw("POST / HTTP/1.1", &lengths), Expected::Closed);
    let both =
        format!("{JSON}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}", second.len() + 5);
    add("a length and chunks", raw("POST / HTTP/1.1", &both), Expected::Closed);
    let odd = format!("{JSON}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{second}");
    add("an unknown encoding", raw("POST / HTTP/1.1", &odd), Expected::Closed);
    let signed = format!("{JSON}Content-Length: +5\r\n\r\nAAAAA{second}");
    add("a length with a sign", raw("POST / HTTP/1.1", &signed), Expected::Closed);
    let spaced = format!("{JSON}Content-Length : 5\r\n\r\nAAAAA{second}");
    add("a space before the colon", raw("POST / HTTP/1.1", &spaced), Expected::Closed);
    let huge = format!("{JSON}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nAAAA");
    add("a chunk of 16 EiB", [raw("POST / HTTP/1.1", &huge), vec![b'A'; 2_000_000]].concat(), Expected::Closed);
    let chunks = format!(
        "{JSON}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}0\r\n\r\n",
        format!("10000\r\n{}\r\n", "[".repeat(65_536)).repeat(30)
    );
    add("two MiB in chunks", raw("POST / HTTP/1.1", &chunks), Expected::Closed);
    add("two MiB", post(address, &vec![b'['; 2_000_000]), Expected::Status(&[413]));
    add(
        "a head of one MiB",
        raw("GET /health HTTP/1.1", &format!("X: {}\r\n\r\n", "a".repeat(1_000_000))),
        Expected::Closed,
    );
    add(
        "ten thousand headers",
        raw("GET /health HTTP/1.1", &format!("{}\r\n", "X: a\r\n".repeat(10_000))),
        Expected::Closed,
    );
    add("a target of 1 MB", raw(&format!("GET /{} HTTP/1.1", "a".repeat(1_000_000)), "\r\n"), Expected::Closed);
    add("a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), Expected::Closed);
    add("a greeting of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Expected::Closed);
    add(
        "a path out of the house",
        raw("GET /../../etc/passwd HTTP/1.1", "Connection: close\r\n\r\n"),
        Expected::Status(&[404, 400]),
    );
    add("a tunnel", raw("CONNECT evil.example:443 HTTP/1.1", "Connection: close\r\n\r\n"), Expected::Closed);
    probes
}

impl Expected {
    fn holds(self, answer: &str) -> bool {
        let status: Option<u16> = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let is_refused = status.is_some_and(|status| (400..500).contains(&status));
        // Whatever came after the request must not have been taken for another one.
        let is_one = answer.matches("HTTP/1.1 ").count() <= 1 && !answer.contains("cairn_ledger_height");
        let says = match self {
            Self::Status(expected) => status.is_some_and(|status| expected.contains(&status)),
            Self::Closed => answer.is_empty() || is_refused,
            Self::Refusal(codes) => {
                let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                let code = serde_json::from_str::<Value>(body).ok().and_then(|body| body["error"]["code"].as_i64());
                is_refused || code.is_some_and(|code| codes.is_empty() || codes.contains(&code))
            }
        };
        says && is_one
    }
}

/// Tries everything on a node; how many there were, and what was not refused as it must be.
pub(crate) async fn run(address: SocketAddr) -> (usize, Vec<String>) {
    let mut broken = Vec::new();
    let probes = probes(address);
    for Probe { name, bytes, expected } in &probes {
        let problem = match exchange(address, bytes).await {
            Ok(answer) if expected.holds(&answer) => continue,
            Ok(answer) => format!("answered {:?}", answer.chars().take(300).collect::<String>()),
            Err(error) => error.to_string(),
        };
        broken.push(format!("{name}: expected {expected:?}, {problem}"));
    }
    (probes.len(), broken)
}

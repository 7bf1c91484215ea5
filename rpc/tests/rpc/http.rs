//! What the server refuses before any method is reached, and the routes beside JSON-RPC: raw HTTP.

use std::time::Duration;

use cairn_rpc::backend::Warning;
use cairn_rpc::{Client, RpcConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::backend::{Node, Served};

/// An answer of HTTP.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }
}

/// Sends a request with these headers (one a line) and this body on a connection of its own.
async fn send(served: &Served, line: &str, headers: &str, body: &[u8]) -> Answer {
    let address = served.server.address();
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let head = format!("{line} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    socket.write_all(head.as_bytes()).await.expect("sent");
    // A server that refuses may close before it has read everything.
    let _ = socket.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

const JSON: &str = "Content-Type: application/json\r\n";

async fn post(served: &Served, headers: &str, body: &Value) -> Answer {
    send(served, "POST /", &format!("{JSON}{headers}"), body.to_string().as_bytes()).await
}

fn call(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

#[tokio::test]
async fn a_foreign_host_is_refused() {
    let served = Served::new().await;
    let status = call("chain_getStatus", json!([]));
    for host in ["rebound.example", "rebound.example:7201", "127.0.0.1.rebound.example"] {
        let answer = post(&served, &format!("Host: {host}\r\n"), &status).await;
        assert_eq!(answer.status, 403, "{host}");
    }
    for host in ["localhost:1", "127.0.0.1:7201", "[::1]:7201", "localhost"] {
        let answer = post(&served, &format!("Host: {host}\r\n"), &status).await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_page_calls_only_if_its_origin_is_listed() {
    let config = RpcConfig { origins: vec!["https://audit.example".to_owned()], ..RpcConfig::default() };
    let served = Served::with(config, Node::new()).await;
    let own = format!("http://{}", served.server.address());
    let status = call("chain_getStatus", json!([]));

    let answer = post(&served, "Origin: https://evil.example\r\n", &status).await;
    assert_eq!(answer.status, 403);
    assert!(!answer.head.contains("access-control"));
    for origin in ["https://audit.example", &own] {
        let answer = post(&served, &format!("Origin: {origin}\r\n"), &status).await;
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains(&format!("access-control-allow-origin: {origin}")), "{}", answer.head);
    }
    let asked = send(&served, "OPTIONS /", "Origin: https://audit.example\r\n", b"").await;
    assert_eq!(asked.status, 204);
    assert!(asked.head.contains("access-control-allow-headers: content-type"));
    assert_eq!(send(&served, "OPTIONS /", "Origin: https://evil.example\r\n", b"").await.status, 403);

    // A browser asks nobody before it opens a WebSocket.
    let upgrade = "Origin: https://evil.example\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(send(&served, "GET /", upgrade, b"").await.status, 403);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let served = Served::new().await;
    let large = call("tx_submit", json!(["00".repeat(600_000)]));
    let answer = post(&served, "", &large).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (413, Some(-32_007)));
    let answer = send(&served, "POST /tx", "Content-Type: application/octet-stream\r\n", &vec![0; 1_100_000]).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_batch_of_100_is_answered_and_one_of_101_is_not() {
    let served = Served::new().await;
    let batch = |length| Value::Array(vec![call("node_getVersion", json!([])); length]);
    let answer = post(&served, "", &batch(100)).await.json();
    assert_eq!(answer.as_array().map(Vec::len), Some(100));
    let answer = post(&served, "", &batch(101)).await.json();
    assert_eq!(answer["error"]["code"], -32_010);
}

#[tokio::test]
async fn parameters_that_a_method_does_not_have_are_refused() {
    let served = Served::new().await;
    let refused = async |params: Value| post(&served, "", &call("device_list", params)).await.json()["error"].clone();
    let misspelt = refused(json!({ "zoen": null })).await;
    assert_eq!(misspelt["code"], -32_602);
    assert_eq!(
        misspelt["data"],
        json!({
            "name": "InvalidParameter", "code": -32_602, "parameter": "zoen", "reason": "no such parameter"
        })
    );
    assert_eq!(refused(json!([null, null, null, null, null])).await["code"], -32_602);
    // Within a parameter as well, and numbers that JSON cannot hold are strings.
    let unknown_field = json!({ "zone": { "organization": "00".repeat(32), "path": "", "deep": true } });
    assert_eq!(refused(unknown_field).await["code"], -32_602);
    assert_eq!(refused(json!({ "at": 4 })).await["code"], -32_602);
    assert_eq!(refused(json!({ "at": "04" })).await["code"], -32_602);
    // In a batch, only the call that is wrong.
    let batch = json!([call("device_list", json!({ "zoen": null })), call("device_list", json!({}))]);
    let answers = post(&served, "", &batch).await.json();
    assert_eq!(answers[0]["error"]["code"], -32_602);
    assert_eq!(answers[1]["result"]["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_is_not_json_rpc_gets_an_answer_that_says_so() {
    let served = Served::new().await;
    assert_eq!(send(&served, "POST /", "Content-Type: text/plain\r\n", b"{}").await.status, 415);
    assert_eq!(send(&served, "GET /", "", b"").await.status, 405);
    assert_eq!(send(&served, "POST /elsewhere", JSON, b"{}").await.status, 404);
    assert_eq!(post(&served, "", &call("no_such", json!([]))).await.json()["error"]["code"], -32_601);
    let broken = send(&served, "POST /", JSON, b"{\"jsonrpc\"").await;
    assert_eq!(broken.json()["error"]["code"], -32_700);
}

#[tokio::test]
async fn transactions_are_taken_as_raw_bytes() {
    let served = Served::new().await;
    let octets = "Content-Type: application/octet-stream\r\n";
    let fresh = served.world().fresh();
    let body = cairn_types::encode(&vec![fresh.bytes().to_vec(), vec![1, 2, 3]]);
    let answer = send(&served, "POST /tx", octets, &body).await;
    let answered = answer.json();
    assert_eq!((answer.status, &answered["taken"]), (200, &json!(1)));
    let refused = &answered["refused"][0];
    assert_eq!((&refused["first"], &refused["count"]), (&json!(1), &json!(1)));
    assert_eq!(refused["error"]["code"], -33_100);
    let data = &refused["error"]["data"];
    assert_eq!((&data["name"], &data["code"]), (&json!("Malformed"), &json!(100)));
    assert!(data["reason"].is_string(), "a rejection's fields stand beside its name: {data}");
    assert_eq!(send(&served, "POST /tx", "", &body).await.status, 415, "a form could send this");
    assert_eq!(send(&served, "POST /tx", octets, b"\xff\xff\xff\xff").await.status, 400);
    let many = cairn_types::encode(&vec![Vec::<u8>::new(); 4_097]);
    assert_eq!(send(&served, "POST /tx", octets, &many).await.status, 400);
}

#[tokio::test]
async fn who_posts_transactions_hears_what_became_of_each_and_when_to_come_again() {
    let served = Served::with(RpcConfig::default(), Node::with_room_for(2)).await;
    let client = Client::http(&format!("http://{}", served.server.address())).expect("a URL");
    let fresh = |number| served.world().fresh_of(number).bytes().to_vec();
    let taken = client.post_transactions(&[fresh(0), vec![1], vec![2], fresh(1), fresh(2), fresh(3)]).await;
    let taken = taken.expect("an answer");
    let runs: Vec<_> = taken.refused.iter().map(|run| (run.first, run.count, run.error.data.name.as_str())).collect();
    assert_eq!((taken.taken, runs), (2, vec![(1, 2, "Malformed"), (4, 2, "Busy")]));

    // Nothing is taken any more: the answer says so in a way that every HTTP client knows.
    let batch = [fresh(4), fresh(5)];
    let body = cairn_types::encode(&batch.to_vec());
    let answer = send(&served, "POST /tx", "Content-Type: application/octet-stream\r\n", &body).await;
    assert!(answer.status == 503 && answer.head.contains("retry-after: 1"), "{} {}", answer.status, answer.head);
    let taken = client.post_transactions(&batch).await.expect("an answer");
    assert_eq!((taken.taken, taken.refused[0].count, taken.refused[0].error.data.name.as_str()), (0, 2, "Busy"));
    let nothing = client.post_transactions(&[]).await.expect("an answer");
    assert_eq!((nothing.taken, nothing.refused.len()), (0, 0));
    let refused = client.post_transactions(&vec![Vec::new(); 4_097]).await.expect_err("too many");
    assert_eq!(refused.name(), Some("InvalidParameter"));
}

#[tokio::test]
async fn health_and_metrics_are_plain_http() {
    let served = Served::new().await;
    let health = send(&served, "GET /health", "", b"").await;
    let healthy =
        json!({ "height": "4", "healthy": true, "state": "validating", "upgradeNeeded": null, "warnings": [] });
    assert_eq!((health.status, health.json()), (200, healthy));
    let metrics = send(&served, "GET /metrics", "", b"").await;
    assert!(metrics.status == 200 && metrics.body.contains("cairn_chain_height 4"));
    let warnings =
        vec![Warning::DiskNearlyFull { free_bytes: 7, low_water_bytes: 9 }, Warning::ClockOff { off_ms: -3_600_000 }];
    let warning = Served::with(RpcConfig::default(), Node::warning(warnings)).await;
    let health = send(&warning, "GET /health", "", b"").await;
    let said = json!([
        { "name": "diskNearlyFull", "message": "7 bytes are left on its disk, and below 9 it takes no more transactions" },
        { "name": "clockOff", "message": "its clock is 3600000 ms behind the time that the validators agree on" },
    ]);
    assert_eq!((health.status, &health.json()["warnings"]), (200, &said), "it goes on, and says so");
    let behind = Served::with(RpcConfig::default(), Node::syncing()).await;
    assert_eq!(send(&behind, "GET /health", "", b"").await.status, 503);
}

#[tokio::test]
async fn the_interface_describes_itself_and_has_what_it_describes() {
    let served = Served::new().await;
    let answer = post(&served, "", &call("rpc.discover", json!([]))).await.json();
    let described = answer["result"]["methods"].as_array().expect("methods").clone();
    assert!(described.len() > 30);
    for method in described {
        let name = method["name"].as_str().expect("a name").to_owned();
        // A method that is not registered is not found, before its parameters are looked at.
        let code = post(&served, "", &call(&name, json!([]))).await.json()["error"]["code"].clone();
        assert_ne!(code, json!(-32_601), "{name} is described but not served");
    }
}

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let served = Served::new().await;
    let mut socket = TcpStream::connect(served.server.address()).await.expect("a connection");
    for _ in 0..3 {
        let request = format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", served.server.address());
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = vec![0; 15];
        socket.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer, b"HTTP/1.1 200 OK");
        let mut rest = vec![0; 1024];
        let read = socket.read(&mut rest).await.expect("the rest");
        assert!(read > 0);
    }
}

/// Sends a request and does not close; the first bytes of the answer.
async fn ask(socket: &mut TcpStream, host: &str) -> String {
    let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 1024];
    let read = socket.read(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn a_connection_too_many_waits_until_another_ends() {
    let config = RpcConfig { connections_max: 2, ..RpcConfig::default() };
    let served = Served::with(config, Node::new()).await;
    let address = served.server.address();
    let mut first = TcpStream::connect(address).await.expect("a connection");
    assert!(ask(&mut first, "localhost").await.starts_with("HTTP/1.1 200"));
    // A WebSocket keeps its place for as long as it is open.
    let web_socket = Client::web_socket(&format!("ws://{address}")).await.expect("a WebSocket");
    assert!(web_socket.node_get_health().await.is_ok());

    let mut third = TcpStream::connect(address).await.expect("the kernel's queue has room");
    let waiting = ask(&mut third, "localhost");
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
    assert!(early.is_err(), "there is no place for it");
    drop(web_socket);
    assert!(waiting.await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_says_nothing_makes_room_and_websockets_leave_some() {
    let config = RpcConfig { connections_max: 4, ..RpcConfig::default() };
    let served = Served::with(config, Node::new()).await;
    let address = served.server.address();
    let url = format!("ws://{address}");
    let sockets = [Client::web_socket(&url).await, Client::web_socket(&url).await];
    let sockets = sockets.map(|socket| socket.expect("half of the places are for WebSockets"));
    let refused = Client::web_socket(&url).await;
    assert!(refused.is_err(), "and no more than half");

    // One says nothing, one never ends its body, and three more come in their place.
    let mut silent = TcpStream::connect(address).await.expect("a connection");
    let mut slow = TcpStream::connect(address).await.expect("a connection");
    let head = format!("POST / HTTP/1.1\r\nHost: {address}\r\n{JSON}Content-Length: 100\r\n\r\n[");
    slow.write_all(head.as_bytes()).await.expect("sent");
    let mut guests = Vec::new();
    for _ in 0..3 {
        let mut guest = TcpStream::connect(address).await.expect("a connection");
        let answered = tokio::time::timeout(Duration::from_secs(10), ask(&mut guest, "localhost")).await;
        assert!(answered.expect("it gets a place").starts_with("HTTP/1.1 200"));
        guests.push(guest);
    }
    let mut nothing = [0; 1];
    for closed in [&mut silent, &mut slow] {
        // A connection that is closed with bytes unread is reset.
        assert!(matches!(closed.read(&mut nothing).await, Ok(0) | Err(_)));
    }
    for socket in sockets {
        assert!(socket.node_get_health().await.is_ok(), "a WebSocket may be silent");
    }
}

/// A text frame of a WebSocket, masked as a client must.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("a short text");
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_not_read_from() {
    let served = Served::new().await;
    let address = served.server.address();
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let upgrade = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(upgrade.as_bytes()).await.expect("sent");
    let mut head = vec![0; 12];
    socket.read_exact(&mut head).await.expect("an answer");
    assert_eq!(head, b"HTTP/1.1 101");

    // Each of these asks for some 200 kB, and nobody ever reads them.
    let asks = frame(&call("rpc.discover", json!([])).to_string()).repeat(1_000);
    let mut sent = 0_usize;
    while tokio::time::timeout(Duration::from_secs(2), socket.write_all(&asks)).await.is_ok() {
        sent += asks.len();
        assert!(sent < 64 << 20, "the node reads on and on");
    }
    // It has time for others.
    assert!(served.client.node_get_health().await.is_ok());
}

//! HTTP and WebSocket by hand: only so can a client be as wrong as it likes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cairn_tests::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a node may take to answer or to close, while it is attacked.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a node answers.
pub(crate) fn address(node: &Node) -> SocketAddr {
    node.rpc.trim_start_matches("http://").parse().expect("a generated URL names an address")
}

/// Sends these bytes on a connection of their own, and reads until the node has closed or the time is over; what it said.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // A node that refuses may close before everything is sent.
    let _ = tokio::time::timeout(ANSWER_TIMEOUT, stream.write_all(bytes)).await;
    let mut answer = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        match tokio::time::timeout(ANSWER_TIMEOUT, stream.read(&mut part)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(length)) => answer.extend_from_slice(&part[..length]),
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "neither answered nor closed")),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A request with these further headers (each ending in CRLF) and this body, after which the node is to close.
pub(crate) fn request(address: SocketAddr, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let host =
        if headers.to_ascii_lowercase().contains("host:") { String::new() } else { format!("Host: {address}\r\n") };
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// A call by JSON-RPC.
pub(crate) fn post(address: SocketAddr, body: &[u8]) -> Vec<u8> {
    request(address, "POST /", "Content-Type: application/json\r\n", body)
}

/// The same, on a connection that is to stay open.
pub(crate) fn post_open(address: SocketAddr, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The body of a plain answer, if the node gives one in time.
pub(crate) async fn get(node: &Node, path: &str) -> Option<String> {
    let address = address(node);
    let bytes = request(address, &format!("GET {path}"), "", b"");
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, exchange(address, &bytes)).await.ok()?.ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

/// Opens a WebSocket.
pub(crate) async fn socket(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = [0; 12];
    tokio::time::timeout(ANSWER_TIMEOUT, stream.read_exact(&mut answer)).await??;
    if answer.ends_with(b"101") { Ok(stream) } else { Err(io::Error::other("no WebSocket")) }
}

/// A WebSocket frame of a client: whole, and masked with zeros.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        length @ ..=125 => bytes.push(0x80 | length as u8),
        length @ ..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

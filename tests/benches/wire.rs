//! `POST /tx` over one connection that stays open: as little work for each request as can be, because the load generator
//! shares the cores with the nodes.
//!
//! Requests may follow one another before they are answered; a node answers in their order. It knows what an answer looks
//! like, and not what was sent.

use std::io;

use cairn_rpc::views::{RefusedView, TakenView};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The end of a connection that requests go into.
pub(crate) struct Requests {
    stream: OwnedWriteHalf,
    host: String,
}

/// The end that answers come out of.
pub(crate) struct Answers {
    stream: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

/// What a node said to one request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Connects to a node at `http://HOST`.
pub(crate) async fn connect(url: &str) -> io::Result<(Requests, Answers)> {
    let host = url.trim_start_matches("http://").to_owned();
    let stream = TcpStream::connect(&host).await?;
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let answers = Answers { stream: BufReader::new(read), line: Vec::new() };
    Ok((Requests { stream: write, host }, answers))
}

impl Requests {
    /// Sends a list of `count` transactions, of which `encoded` has each as its length and its bytes; the bytes sent.
    pub(crate) async fn post(&mut self, count: usize, encoded: &[u8]) -> io::Result<usize> {
        let count = u32::try_from(count).expect("a request holds few").to_le_bytes();
        let length = count.len() + encoded.len();
        let mut head = format!(
            "POST /tx HTTP/1.1\r\nHost: {}\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n",
            self.host
        )
        .into_bytes();
        head.extend_from_slice(&count);
        let sent = head.len() + encoded.len();
        let mut whole = head.as_slice().chain(encoded);
        tokio::io::copy_buf(&mut whole, &mut self.stream).await?;
        Ok(sent)
    }
}

impl Answers {
    /// The answer to the request after the last one.
    pub(crate) async fn next(&mut self) -> io::Result<Answer> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| broken(&status_line))?;
        let mut length = None;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        let mut body = vec![0; length.ok_or_else(|| broken("an answer without a length"))?];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body })
    }

    async fn line(&mut self) -> io::Result<String> {
        self.line.clear();
        if self.stream.read_until(b'\n', &mut self.line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&self.line).trim_end().to_owned())
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an answer in HTTP: {what:?}"))
}

impl Answer {
    /// What was refused: its place in the request, and the name of the rule. `count` transactions were in it.
    pub(crate) fn refused(&self, count: usize) -> Vec<(usize, String)> {
        let taken: TakenView = match serde_json::from_slice(&self.body) {
            Ok(taken) => taken,
            Err(_) => {
                let why = format!("HTTP {}", self.status);
                return (0..count).map(|place| (place, why.clone())).collect();
            }
        };
        let places = |run: RefusedView| {
            let end = run.first.saturating_add(run.count);
            (run.first..end).map(move |place| (usize::try_from(place).expect("small"), run.error.data.name.clone()))
        };
        taken.refused.into_iter().flat_map(places).collect()
    }
}

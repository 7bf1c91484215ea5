//! The wire form of catch-up: a request and one answer, each a 4-byte big-endian length and that many bytes.
//!
//! Does not know what is asked. Nothing above the bound is read, and memory grows only with bytes that have come.

use std::{io, time::Duration};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{
    StreamProtocol,
    request_response::{self, OutboundFailure, ProtocolSupport},
};

use crate::{
    config::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX},
    error::RequestError,
};

/// Requests and answers that may be under way on one connection, both directions together. Above it the library refuses.
const STREAMS_PER_CONNECTION_MAX: usize = 16;

pub(crate) type Behaviour = request_response::Behaviour<Codec>;

/// The catch-up protocol of one chain.
pub(crate) fn behaviour(protocol: StreamProtocol, timeout: Duration) -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(timeout)
        .with_max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
    request_response::Behaviour::with_codec(Codec, [(protocol, ProtocolSupport::Full)], config)
}

/// Lengths before bytes.
#[derive(Debug, Clone)]
pub(crate) struct Codec;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, REQUEST_BYTES_MAX).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, RESPONSE_BYTES_MAX).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &bytes).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &bytes).await
    }
}

async fn read(io: &mut (impl AsyncRead + Unpin), max: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length);
    if length as usize > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, TooLong { max }));
    }
    let mut bytes = Vec::new();
    io.take(u64::from(length)).read_to_end(&mut bytes).await?;
    if bytes.len() == length as usize { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

async fn write(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).expect("lengths are checked against their bound before they come here");
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}

/// The peer announced more than the bound.
#[derive(Debug, thiserror::Error)]
#[error("a message of more than {max} bytes was announced")]
struct TooLong {
    max: usize,
}

/// What the library's failure means to who asked.
pub(crate) fn request_error(failure: OutboundFailure) -> RequestError {
    match failure {
        OutboundFailure::DialFailure | OutboundFailure::ConnectionClosed => RequestError::Disconnected,
        OutboundFailure::Timeout => RequestError::TimedOut,
        OutboundFailure::UnsupportedProtocols => RequestError::Unsupported,
        OutboundFailure::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<TooLong>()) {
            Some(TooLong { max }) => RequestError::ResponseTooLarge { max: *max },
            // A peer that will not answer closes the stream instead.
            None if error.kind() == io::ErrorKind::UnexpectedEof => RequestError::Refused,
            None => RequestError::Stream { reason: error.to_string() },
        },
    }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, io::Cursor};

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 4_000] {
            let mut wire = Vec::new();
            block_on(write(&mut wire, &vec![7; length])).expect("memory takes everything");
            assert_eq!(wire.len(), length + 4);
            assert_eq!(block_on(read(&mut Cursor::new(&wire), 4_000)).expect("whole"), vec![7; length]);
        }
    }

    #[test]
    fn an_announcement_above_the_bound_is_refused_before_anything_is_read() {
        let mut cursor = Cursor::new(u32::MAX.to_be_bytes());
        let error = block_on(read(&mut cursor, RESPONSE_BYTES_MAX)).expect_err("4 GiB were announced");
        let error = request_error(OutboundFailure::Io(error));
        assert_eq!(error, RequestError::ResponseTooLarge { max: RESPONSE_BYTES_MAX });
    }

    #[test]
    fn a_stream_that_ends_early_is_a_refusal() {
        for wire in [vec![], vec![0, 0], vec![0, 0, 0, 9, 1]] {
            let error = block_on(read(&mut Cursor::new(&wire), 100)).expect_err("something is missing");
            assert_eq!(request_error(OutboundFailure::Io(error)), RequestError::Refused, "{wire:?}");
        }
    }
}

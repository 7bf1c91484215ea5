//! Consensus frames, from one validator straight to another: one long-lived stream in each direction.
//!
//! ```text
//! send ─▶ outbox (bounded, drops the oldest) ─▶ writer ══stream══▶ reader ─▶ budget (bounded, waits) ─▶ consumer
//! ```
//!
//! A stream carries, after one byte by which the receiver accepts it, frames of a 4-byte big-endian length and that many
//! bytes. A consumer that is behind is not read from; so the stream fills, the sender's outbox fills, and the sender drops
//! its oldest frames, which are the ones that consensus needs least.
//!
//! Invariant: on one stream frames arrive whole, once and in order. When a stream breaks, the frames inside it are lost,
//! and a new one starts with the frame that could not be written.

mod outbox;
mod reader;
mod writer;

pub(crate) use outbox::Outbox;
pub(crate) use reader::{Frame, Reader};
pub(crate) use writer::Writer;

/// What the receiver writes when it takes a stream. Without it the sender would write into streams that nobody reads: the
/// library drops an incoming stream when another one is being handed over.
const ACCEPTED: u8 = 1;

/// Buffer at both ends: the size of one data frame of the multiplexer, so that header and short frames leave as one.
const BUFFER_BYTES: usize = 16 * 1024;

//! Every limit of the interface, with its unit and its reason.
//!
//! jsonrpsee's own defaults are an unlimited batch, bodies of 10 MiB, 1,024 subscriptions on a connection and no host
//! filter; none of them is used.

use std::time::Duration;

use cairn_proofs::lookup::LOOKUP_BYTES_MAX;

/// Most bytes of a request: sixteen of the largest transactions in hexadecimal, or a block's worth as raw bytes.
pub const BODY_BYTES_MAX: u32 = 1024 * 1024;

/// Most bytes of an answer: a lookup of 4 MiB in hexadecimal fits, and a full page beside it.
pub const ANSWER_BYTES_MAX: u32 = 10 * 1024 * 1024;

/// Most KiB of all requests' bodies that are being read or worked on at once: 64 of the largest. The next one waits.
pub const BODIES_KIB_MAX: u32 = 64 * 1024;

/// How long a request's body may take to arrive, a wait for room included.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Most calls in one JSON-RPC batch. Beyond, `tx_submitMany` and `POST /tx` carry more at less cost.
pub const BATCH_CALLS_MAX: u32 = 100;

/// Most transactions in one `tx_submitMany` or `POST /tx`: what one block can hold.
pub const SUBMIT_TRANSACTIONS_MAX: usize = cairn_types::limits::BLOCK_TRANSACTIONS_MAX;

/// When whoever offered transactions to a busy node may try again, in seconds: by then it has made several blocks.
pub const RETRY_AFTER_S: u32 = 1;

/// Most subscriptions on one connection: one for each kind there is, and a few to spare.
pub const SUBSCRIPTIONS_MAX: u32 = 8;

/// Most open connections, of HTTP and WebSocket together: at 64 KiB each they cost 16 MiB. The next one takes the place of
/// the one that has waited longest for its peer.
pub const CONNECTIONS_MAX: usize = 256;

/// Most WebSockets at once: half of the connections, because one may be silent for as long as it likes. The next one is told
/// that the node is busy.
pub const SOCKETS_MAX: usize = CONNECTIONS_MAX / 2;

/// How long a connection may wait for its peer while others want its place: a request on a slow line comes in less.
pub const PLACE_PATIENCE: Duration = Duration::from_millis(500);

/// Most calls at work at once, waits not counted: more would only wait for the same cores. The next one is told that the
/// node is busy. A batch counts as its calls.
pub const CALLS_MAX: usize = 1_024;

/// Most waits for finality at once: as many as a block holds. Each costs a few hundred bytes. The next one is told that
/// the node is busy.
pub const WAITS_MAX: usize = cairn_types::limits::BLOCK_TRANSACTIONS_MAX;

/// Messages that may wait for a slow reader on one connection; beyond, nothing more is done for that connection, and its
/// subscriptions fall behind and are closed.
pub const CONNECTION_MESSAGES_MAX: u32 = 64;

/// Most calls at work for one WebSocket, waits not counted: enough to keep the cores busy. The next one waits its turn.
pub const CONNECTION_CALLS_MAX: usize = 16;

/// Most bytes of answers that wait for the reader of one WebSocket. Beyond, no call of that connection begins and nothing
/// more is read from it, until the peer has read.
pub const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// How long a call may take, a wait not counted.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// An answer by HTTP of more bytes than this is long: of shorter ones every connection may hold one unread, which is 16 MiB.
pub const LONG_ANSWER_BYTES: u64 = 64 * 1024;

/// Most KiB of long answers that wait for their readers: one of the longest, or some fifty pages of a list. Beyond, the next
/// one is dropped and the node says that it is busy; and the connection that has waited longest is closed.
pub const LONG_ANSWERS_KIB_MAX: usize = 16 * 1024;

/// Longest wait for finality that can be asked for: a minute is many rounds of agreement; who needs longer asks again.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a wait takes if the caller does not say.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a request may take in all, from its first byte to its answer: the longest wait, a slow sender, and some.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// A connection on which nothing is asked for so long is closed, so that idle ones do not keep others out.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a WebSocket is asked whether it is still there; unanswered, it is closed at the next but one.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long a stopping server lets calls finish.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// Items in a page if the caller does not say.
pub const PAGE_DEFAULT: u32 = 100;

/// Most items in a page: about 1 MiB of JSON for the largest items.
pub const PAGE_MAX: u32 = 1_000;

/// Most entries that a filtered list looks at for one page, so that no filter makes a page expensive.
pub const FILTER_EXAMINED_MAX: usize = 2_000;

/// Most attestations of a provenance graph, so that one answer reads at most so many transactions from the log.
pub const TRACE_ATTESTATIONS_MAX: usize = 500;

/// Deepest provenance graph: generations of derivation.
pub const TRACE_DEPTH_MAX: u32 = 64;

/// Depth of a provenance graph if the caller does not say.
pub const TRACE_DEPTH_DEFAULT: u32 = 8;

/// Most grants that one check of authority tries, so that a crowded zone cannot make the check expensive.
pub const CHECK_GRANTS_MAX: usize = 1_000;

/// Most failures that a check of authority tells.
pub const CHECK_FAILURES_MAX: usize = 16;

/// Most streams of a device whose grants are listed together with those over the device: each has a list of its own to look
/// at. A device with more is asked about stream by stream.
pub const DEVICE_STREAMS_EXAMINED_MAX: usize = 1_000;

/// Most state entries in one proof by prefix; `proof_getState` refuses longer lists.
pub const PROOF_ENTRIES_MAX: usize = 4_096;

/// Most bytes of a state proof: in hexadecimal it leaves room in an answer.
pub const PROOF_BYTES_MAX: usize = 3_584 * 1024;

/// Most items of a list that is shown together with its proof, when it is not cut into pages. Longer lists are had as a
/// proof alone, or scope by scope.
pub const PROVEN_ITEMS_MAX: usize = PAGE_MAX as usize;

/// Most intervals of the past that an answer about council or parameters lists: they change a few times a year. The proof
/// has all of them.
pub const GOVERNANCE_INTERVALS_MAX: u32 = 100;

/// Most claims on a lot that `lot_get` counts: counting walks them, and a lot may have a million.
pub const CLAIMS_COUNTED_MAX: usize = 10_000;

const _: () = assert!(PROOF_BYTES_MAX * 2 + 64 * 1024 < ANSWER_BYTES_MAX as usize);
// A kilobyte for each item, as a page has it.
const _: () = assert!(LOOKUP_BYTES_MAX * 2 + PROVEN_ITEMS_MAX * 1024 + 64 * 1024 < ANSWER_BYTES_MAX as usize);
const _: () = assert!(WAIT_MAX.as_secs() < REQUEST_TIMEOUT.as_secs());
const _: () = assert!(CALL_TIMEOUT.as_secs() < REQUEST_TIMEOUT.as_secs());
const _: () = assert!(BODY_BYTES_MAX.div_ceil(1024) <= BODIES_KIB_MAX);
const _: () = assert!(BODY_TIMEOUT.as_secs() + WAIT_MAX.as_secs() <= REQUEST_TIMEOUT.as_secs());
const _: () = assert!(ANSWER_BYTES_MAX as usize / 1024 <= LONG_ANSWERS_KIB_MAX);
const _: () = assert!(PAGE_DEFAULT <= PAGE_MAX);
const _: () = assert!(BATCH_CALLS_MAX as usize <= CALLS_MAX);

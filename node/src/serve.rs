//! Answers to peers that catch up, on a thread of its own: it reads the disk.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread;

use cairn_network::Reply;
use cairn_types::{Height, encode};

use crate::chain::{Chain, ReadError};
use crate::frame::{BLOCK_BYTES_PER_ANSWER, BLOCKS_PER_ANSWER_MAX, FinalBlock, Request, Response};
use crate::shared::Shared;
use crate::snapshot::offer;

/// Requests that wait; further ones are refused, and the peer asks somebody else.
const REQUESTS_MAX: usize = 32;

/// See the module.
pub(crate) struct Serve {
    requests: SyncSender<(Vec<u8>, Reply)>,
}

impl Serve {
    pub(crate) fn start(chain: Arc<Chain>, shared: Arc<Shared>) -> Self {
        let (requests, received) = sync_channel::<(Vec<u8>, Reply)>(REQUESTS_MAX);
        thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || {
                for (bytes, reply) in received {
                    let Ok(request) = Request::decode(&bytes) else { continue };
                    match answer(&chain, &shared, &request) {
                        // Whoever asked may have gone.
                        Ok(response) => drop(reply.send(encode(&response))),
                        Err(error) => tracing::error!(%error, "a peer's request could not be answered from the disk"),
                    }
                }
            })
            .expect("the system can start a thread at startup");
        Self { requests }
    }

    /// Hands a request over; without room the reply is dropped, which refuses it.
    pub(crate) fn offer(&self, bytes: Vec<u8>, reply: Reply) {
        let _ = self.requests.try_send((bytes, reply));
    }
}

/// Answers one request.
///
/// # Errors
/// [`ReadError`]: this node's disk is to blame.
pub(crate) fn answer(chain: &Chain, shared: &Shared, request: &Request) -> Result<Response, ReadError> {
    match request {
        Request::Head => Ok(Response::Head(chain.tip().header.height)),
        Request::Undecided { block } => {
            let undecided = shared.undecided.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(Response::Undecided(undecided.get(block).map(|bytes| bytes.to_vec())))
        }
        Request::Blocks { from } => blocks(chain, *from).map(Response::Blocks),
        Request::Snapshot => offer::newest(chain).map(Response::Snapshot),
        Request::SnapshotHeaders { snapshot, from } => {
            offer::headers(chain, *snapshot, *from).map(Response::SnapshotHeaders)
        }
        Request::SnapshotState { snapshot, after } => {
            Ok(Response::SnapshotState(offer::state(chain, *snapshot, after.as_deref())))
        }
    }
}

fn blocks(chain: &Chain, from: Height) -> Result<Vec<FinalBlock>, ReadError> {
    // What is in the log but not published yet is not known to this node's readers either.
    let tip = chain.tip().header.height;
    let mut blocks = Vec::new();
    let mut bytes = 0;
    let mut next = Some(from);
    while let Some(height) = next.filter(|height| *height <= tip) {
        if blocks.len() >= BLOCKS_PER_ANSWER_MAX || bytes >= BLOCK_BYTES_PER_ANSWER {
            break;
        }
        let Some(record) = chain.log.read(height)? else { break };
        bytes += record.block.len();
        blocks.push(FinalBlock { block: record.block, certificate: record.certificate });
        next = height.next();
    }
    Ok(blocks)
}

//! Byzantine agreement, as a machine without I/O.
//!
//! Validators agree on one block a height by Tendermint: in each round one of them proposes a block; all prevote for it
//! if it is valid; whoever sees two thirds prevote for it is locked on it and precommits; whoever sees two thirds
//! precommit has decided, and those precommits are the certificate. When a step takes too long the next round begins,
//! with the next proposer. The protocol is not ours: it is the core of Malachite, a specified and audited engine, wrapped
//! so that none of its types can be seen from outside and another engine could take its place.
//!
//! ```text
//!   network ── bytes ──► Message::decode ──► Message::verify ──► VerifiedMessage ─┐
//!   executor ── BlockProposed, BlockExecuted ─────────────────────────────────────┤
//!   clock ── TimerFired ──────────────────────────────────────────────────────────┤
//!                                                                                 ▼
//!                          Signer ◄─── sign ───────────────────── Machine::step(Input) ──► [Effect]
//!                                                                                            │
//!            log: Append, Sync ◄── network: Broadcast, Restream ◄── ledger: Decide ◄── …  ◄──┘
//! ```
//!
//! What it deliberately does not know: network, disk, clock, randomness, private keys, and what a block contains. It
//! agrees on hashes; the node moves the bytes, executes them and says whether they are valid.
//!
//! The invariants it keeps:
//! - Two honest nodes never decide different blocks at one height while less than a third of the power lies.
//! - A node never contradicts itself, across crashes too, as long as the node does effects in their order and gives back
//!   the log of the height at which it stopped.
//! - No timer runs and nothing is sent between heights, so an idle network is silent.
//! - Every collection is bounded, and no message makes a step fail.
//!
//! How a node drives it: see [`Input`] and [`Effect`]; the simulator in this crate's tests is a complete example.

mod timers;
mod message;
mod verify;
mod evidence;
mod wal;
mod interface;
mod next_height;
mod engine;
mod machine;
#[cfg(test)]
mod testing;

pub use evidence::{Evidence, EvidenceError};
pub use interface::{Config, Effect, Fault, Input, SignRequest, Signer, Start};
pub use machine::Machine;
pub use message::{
    MESSAGE_BYTES_MAX, Message, PolkaCertificate, Proposal, ROUND_MAX, RoundCertificate, RoundCertificateKind,
    RoundVote, SignedProposal, SignedVote, Vote, VoteKind,
};
pub use timers::{Timeouts, Timer, TimerKind, WAIT_MS_MAX};
pub use verify::{MessageError, VerifiedMessage};
pub use wal::{Validity, WAL_ENTRY_BYTES_MAX, WalEntry, WalRecord, usable};

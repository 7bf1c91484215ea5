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
//! How a node drives it, with the parts that are easily done wrong:
//! 1. *At the beginning.* Read the log, cut it by [`usable`], make the [`Machine`] with it, and start
//!    [`Machine::unfinished`] at once.
//! 2. *Messages.* Decode and verify on any thread with the set of the message's height; ask nothing of a message that fails.
//!    Messages of heights above the next cannot be verified yet; they say only that we are behind.
//! 3. *Blocks.* Send a block's bytes before what [`Effect::Broadcast`] says of it. Execute what arrives for the height under
//!    way, keep its bytes, and say [`Input::BlockExecuted`]. Keep what arrives for the next height until
//!    [`Effect::NeedBlock`] asks for it.
//! 4. *Effects.* One at a time, in order. After a failed [`Effect::Sync`] nothing more leaves this node.
//! 5. *After a decision.* Commit, forget the height's undecided blocks, and cut the log when the next height starts. A block
//!    that is committed by catch-up instead is told by [`Input::Committed`].
//!
//! The simulator in this crate's tests (`tests/sim/node.rs`) is such a node in miniature.

#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

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

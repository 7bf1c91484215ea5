//! What goes into the machine and what comes out: the seam between agreement and the node.
//!
//! Agreement knows no network, disk, clock, key or block. All of that is the node's, and meets it here.

use std::sync::Arc;

use cairn_types::{BlockHash, Certificate, ChainId, Height, Round, ValidatorIndex, ValidatorSet};

use crate::evidence::Evidence;
use crate::message::{Message, Proposal, Vote};
use crate::timers::{Timeouts, Timer};
use crate::verify::VerifiedMessage;
use crate::wal::{Validity, WalEntry};

/// What the machine must know before its first step.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network: part of everything that is signed.
    pub chain: ChainId,
    /// Our consensus key, if we have one. In a set without it we follow and decide, but neither vote nor propose.
    pub key: Option<[u8; 32]>,
}

/// A height to agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The height: above everything decided.
    pub height: Height,
    /// Who decides it.
    pub validators: Arc<ValidatorSet>,
    /// How long its rounds wait.
    pub timeouts: Timeouts,
}

/// Everything that can happen to agreement.
#[derive(Clone, Debug)]
pub enum Input {
    /// Agree on the next height. Nothing happens if it is decided or under way already. A lower height that is still
    /// under way is given up.
    ///
    /// The node chooses when: when there is something to say, when a peer speaks of the height
    /// ([`Effect::PeerAhead`]), or at the heartbeat. Until then the machine is quiet.
    Start(Start),
    /// A block of this height was committed by another way (catch-up, its certificate verified by the node): stop
    /// agreeing on it.
    Committed {
        /// The height.
        height: Height,
    },
    /// A checked message of another validator. What arrives for the next height before its [`Start`] is kept, a few
    /// messages for each validator, and used then.
    Message(VerifiedMessage),
    /// We built a block in answer to [`Effect::Propose`]; its bytes are in the node's store of undecided blocks and on
    /// their way to the others. Ignored if that round is over.
    BlockProposed {
        /// As asked.
        height: Height,
        /// As asked.
        round: Round,
        /// The block.
        block: BlockHash,
    },
    /// The bytes of a block arrived and were executed, whether or not its proposal did. Ignored unless its height is
    /// under way. A valid block's bytes are in the node's store of undecided blocks.
    BlockExecuted {
        /// The block's height.
        height: Height,
        /// The block.
        block: BlockHash,
        /// What the rules say. `Invalid` means that the block breaks them; an executor that fails says nothing.
        validity: Validity,
    },
    /// A timer that [`Effect::StartTimer`] asked for.
    TimerFired(Timer),
}

/// What agreement asks of the world, **in the order in which it must happen**.
///
/// The one order that safety rests on: what [`Effect::Append`] collected, and the bytes of every undecided block that was
/// reported as built or valid, is on disk before any effect after [`Effect::Sync`] leaves the machine. If `Sync` fails,
/// nothing after it may be done, and the node stops.
#[must_use = "an effect left undone is a safety or liveness bug"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Add an entry to the write-ahead log; it need not be on disk yet.
    Append(WalEntry),
    /// Make everything appended, the signer's own state, and the bytes of undecided blocks durable, in one go.
    Sync,
    /// Send to every other validator.
    Broadcast(Message),
    /// Send the bytes of this block to every other validator, before what follows in the list: its proposal, or proof
    /// that it may be proposed again.
    Restream {
        /// The height under way.
        height: Height,
        /// The round for which the block is proposed.
        round: Round,
        /// The block.
        block: BlockHash,
    },
    /// Start this timer, anew if it runs.
    StartTimer {
        /// Its name.
        timer: Timer,
        /// How long, in milliseconds.
        after_ms: u64,
    },
    /// Forget this timer, if it runs.
    CancelTimer(Timer),
    /// Forget all timers.
    CancelAllTimers,
    /// A round began: for the node's metrics and its log.
    RoundStarted {
        /// The height under way.
        height: Height,
        /// The round.
        round: Round,
        /// Whose turn it is.
        proposer: ValidatorIndex,
    },
    /// It is our turn: build a block now and send its bytes to the others, then answer with [`Input::BlockProposed`]. If
    /// there is nothing to propose, or the wait for a proposal ends before it is built, the round goes by without.
    Propose {
        /// The height under way.
        height: Height,
        /// The round.
        round: Round,
    },
    /// A proposal came whose block was not reported as executed. If its bytes are here or come, execute them and answer
    /// with [`Input::BlockExecuted`]; if not, ask the proposer.
    NeedBlock {
        /// The height under way.
        height: Height,
        /// The round of the proposal.
        round: Round,
        /// The block.
        block: BlockHash,
        /// Who proposed it.
        proposer: ValidatorIndex,
    },
    /// The height is decided: commit the block with this certificate. The machine is quiet from here on, until
    /// [`Input::Start`]. Certificates are not canonical; never hash one.
    Decide(Certificate),
    /// A validator contradicted itself; keep it. It comes when the height ends.
    Evidence(Evidence),
    /// A validator speaks of this height, and we have not started it. Between heights: it is time to start, if it is the
    /// next one. During a height, or if it is later than the next: others have decided without us, so ask them. It comes
    /// with every such message; ask now and then, not each time.
    PeerAhead {
        /// The height spoken of.
        height: Height,
    },
    /// This validator repeats a vote for a height that is decided: it missed the decision, so send it, but not more often
    /// than it can have arrived.
    PeerBehind {
        /// Who waits: a place in the validator set of that height.
        validator: ValidatorIndex,
        /// For what.
        height: Height,
    },
    /// Something happened that should not. After a fatal fault the machine does nothing more, and the node should stop.
    Fault(Fault),
}

/// What went wrong with us. No message of another validator can cause any of these: our disk, our code, or a second user of
/// our key is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The log, played back, does not lead to what it says we said. Going on could contradict what we said before.
    #[error("the write-ahead log of height {height} does not lead to the messages that it records: {reason}")]
    Replay {
        /// The height.
        height: Height,
        /// What the engine says.
        reason: String,
    },
    /// A message came that our key signed, and we never said it: another node uses our key, or our log was lost. It is not
    /// counted. Two such nodes will sooner or later contradict each other, so the operator must stop one.
    #[error("at height {height}, round {round}, a message came that our key signed and we did not send")]
    KeyUsedElsewhere {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
    },
    /// The engine could not process one input. It goes on without.
    #[error("at height {height} an input was not processed: {reason}")]
    Engine {
        /// The height.
        height: Height,
        /// What the engine says.
        reason: String,
    },
}

impl Fault {
    /// Whether the node must stop, because to go on could be unsafe.
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Replay { .. } => true,
            Self::KeyUsedElsewhere { .. } | Self::Engine { .. } => false,
        }
    }
}

/// A message that wants our signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignRequest {
    /// Our proposal.
    Proposal(Proposal),
    /// Our vote.
    Vote(Vote),
}

impl SignRequest {
    /// The bytes to sign.
    pub fn sign_bytes(&self, chain: &ChainId) -> Vec<u8> {
        match self {
            Self::Proposal(proposal) => proposal.sign_bytes(chain),
            Self::Vote(vote) => vote.sign_bytes(chain),
        }
    }
}

/// Signs for us, or refuses.
///
/// The only call out of [`crate::Machine::step`]: the engine counts our own vote in the middle of a step, with its
/// signature, and may decide by it in that very step, so an effect answered by a later input would come too late. Private
/// keys stay with the node.
pub trait Signer {
    /// The Ed25519 signature over [`SignRequest::sign_bytes`], or `None` if the sign state forbids it: we signed something
    /// else there, or may have. The machine then goes on as if the message had never been wanted; nothing of it is sent.
    ///
    /// No I/O is needed here. A signature leaves the machine only after the next [`Effect::Sync`], which makes the sign
    /// state durable with the log; one lost in a crash before that was never seen by anybody.
    fn sign(&mut self, request: &SignRequest) -> Option<[u8; 64]>;
}

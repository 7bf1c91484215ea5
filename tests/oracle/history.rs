//! One random history, in which the rules and the oracle decide on every transaction, each for itself.

use std::collections::BTreeMap;
use std::fmt;

use cairn_tests::oracle::{Flaw, Oracle, wordless};
use cairn_types::lot::Endorsement;
use cairn_types::{Call, Position, Rejection, SignedTransaction};

use crate::ledger::Ledger;
use crate::player::{Memory, Player};
use crate::pool::{Pool, Scheme};
use crate::random::Random;
use crate::wild::Wild;

/// How often each call was accepted and each refusal given, by name.
pub(crate) type Tally = BTreeMap<&'static str, usize>;

/// Adds one tally to another.
pub(crate) fn add(to: &mut Tally, from: &Tally) {
    for (name, count) in from {
        *to.entry(name).or_insert(0) += count;
    }
}

/// Kinds of network: parameters and councils that differ.
const KINDS: usize = 12;

/// Once in so many histories authority is passed on as deep as it goes.
const DIGGERS: usize = 12;

/// What is shown of a transaction: certificates are long.
const SAID_CHARACTERS_MAX: usize = 2_000;

/// The rules and the oracle disagree.
pub(crate) struct Difference {
    position: Position,
    transaction: SignedTransaction,
    rules: Result<(), Rejection>,
    oracle: Result<(), Rejection>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |ruling: &Result<(), Rejection>| match ruling {
            Ok(()) => "accepted".to_owned(),
            Err(rejection) => format!("{rejection:?}"),
        };
        let (rules, oracle) = (word(&self.rules), word(&self.oracle));
        let said: String = format!("{:?}", self.transaction.transaction()).chars().take(SAID_CHARACTERS_MAX).collect();
        let chain = match &self.transaction.body().call {
            Call::RegisterDevice(call) => match &call.endorsement {
                Some(Endorsement::Certificate(shown)) => Pool::get().name_of(&shown.chain),
                _ => None,
            },
            _ => None,
        };
        let chain = chain.map_or(String::new(), |name| format!("\n  by a chain that is {name:?}"));
        write!(f, "at {}\n  the rules:  {rules}\n  the oracle: {oracle}{chain}\n  of: {said}", self.position)
    }
}

/// What a history left behind.
pub(crate) struct History {
    pub(crate) ledger: Ledger,
    pub(crate) oracle: Oracle,
    pub(crate) memory: Memory,
    pub(crate) seen: Tally,
}

/// How a history is played.
#[derive(Clone, Copy)]
pub(crate) struct Play {
    pub(crate) seed: u64,
    /// How many transactions are proposed.
    pub(crate) transactions: usize,
    pub(crate) scheme: Scheme,
    /// The mistake that the oracle makes.
    pub(crate) flaw: Flaw,
    /// How many wild ones follow.
    pub(crate) wild: usize,
}

impl Play {
    pub(crate) const fn of(seed: u64, transactions: usize) -> Self {
        Self { seed, transactions, scheme: Scheme::Plain, flaw: Flaw::None, wild: 0 }
    }

    /// In which kind of network a seed plays.
    pub(crate) fn kind(seed: u64) -> usize {
        Random::new(seed).below(KINDS)
    }

    /// Plays it to its end, or to the first difference. `each_block` sees how things stand after every block.
    pub(crate) fn run(self, mut each_block: impl FnMut(&Ledger, &Oracle)) -> Result<History, Box<Difference>> {
        let Self { seed, transactions, scheme, flaw, wild } = self;
        let mut random = Random::new(seed);
        let (mut ledger, oracle, mut memory) = Ledger::new(Self::kind(seed), scheme);
        let mut oracle = oracle.with_flaw(flaw);
        memory.digs = random.once_in(DIGGERS);
        let mut seen = Tally::new();
        let mut proposed = 0;
        while proposed < transactions + wild {
            let height = ledger.height();
            let mut rulings: Vec<(SignedTransaction, Position, Result<(), Rejection>)> = Vec::new();
            let mut index = 0;
            let count = if random.once_in(6) { 0 } else { random.below(7) };
            for _ in 0..count {
                let position = Position { height, index };
                let transaction = if proposed < transactions {
                    Player { oracle: &oracle, random: &mut random, memory: &mut memory, scheme, position }.propose()
                } else {
                    let wild = Wild { oracle: &oracle, random: &mut random, position }.transaction();
                    // It arrives as bytes, as it would from a peer; only what decodes comes further.
                    let Ok(decoded) = SignedTransaction::from_bytes(wild.bytes().to_vec()) else { continue };
                    decoded
                };
                let ruling = oracle.judge(&transaction, position, &scheme);
                if ruling.is_ok() {
                    oracle.accept(position, transaction.clone());
                    index += 1;
                }
                rulings.push((transaction, position, ruling));
            }
            proposed += rulings.len();
            let candidates = rulings.iter().map(|(transaction, ..)| transaction.clone()).collect();
            let built = ledger.block(candidates, &mut oracle);
            let (mut included, mut rejected) =
                (built.included.iter().peekable(), built.rejected.into_iter().peekable());
            for (transaction, position, by_oracle) in rulings {
                // A transaction that stands twice among the candidates is refused the second time, so what is included
                // stands first.
                let by_rules = if rejected.peek().is_some_and(|(refused, _)| *refused == transaction)
                    && (by_oracle.is_err() || included.peek().is_none_or(|next| **next != transaction))
                {
                    rejected.next().map_or(Ok(()), |(_, rejection)| Err(rejection))
                } else {
                    included.next();
                    Ok(())
                };
                let by_rules = by_rules.map_err(wordless);
                if by_rules != by_oracle {
                    return Err(Box::new(Difference { position, transaction, rules: by_rules, oracle: by_oracle }));
                }
                *seen.entry(name(&transaction.body().call, &by_rules)).or_insert(0) += 1;
            }
            each_block(&ledger, &oracle);
        }
        Ok(History { ledger, oracle, memory, seen })
    }
}

/// The refusal, or the call and the measure that were accepted.
fn name(call: &Call, ruling: &Result<(), Rejection>) -> &'static str {
    match (ruling, call) {
        (Err(rejection), _) => rejection.name(),
        (Ok(()), Call::Govern(govern)) => govern.measure.name(),
        (Ok(()), call) => call.name(),
    }
}

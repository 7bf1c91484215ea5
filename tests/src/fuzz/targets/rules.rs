//! The rules: any transaction on states of the scene, by itself and in a block.
//!
//! What holds of each: the same twice; what is refused changes nothing; what is accepted changes entries only as the
//! specification allows, into what reads back; and a block takes it exactly if the rules do.

use cairn_proofs::tree::{StateTree, check_entry};
use cairn_runtime::signatures::likely_keys;
use cairn_runtime::{Changes, CheckDirectly, Context, Overlay, SignatureCheck, apply, build, execute};
use cairn_types::transaction::signed_message;
use cairn_types::{
    Height, Position, Principal, PublicKey, Rejection, Signature, SignatureBytes, SignedTransaction, Transaction,
    TransactionId, decode, encode,
};
use ed25519_dalek::Signer;

use super::{Seen, Target, growth, hold};
use crate::fuzz::mutate::Random;
use crate::fuzz::scene::Scene;
use crate::fuzz::wild::Wild;

/// Takes every signature for one, so that wild calls get as far as they can.
struct Gullible;

impl SignatureCheck for Gullible {
    fn verifies(&self, _: &PublicKey, _: &TransactionId, _: &SignatureBytes) -> bool {
        true
    }
}

/// States that inputs choose from, by height.
fn heights(scene: &Scene) -> [usize; 4] {
    let last = scene.chain.len() - 1;
    [last, last - 2, last / 2, 3]
}

/// The state that the first byte names, and the height after it.
fn base(scene: &Scene, first: u8) -> (&StateTree, Height) {
    let height = heights(scene)[usize::from(first >> 2) % 4];
    (scene.chain.state(height), Height::new(height as u64 + 1))
}

/// Adds the signatures that the rules ask for, as long as they ask.
fn with_signers(
    state: &StateTree,
    context: Context<'_>,
    position: Position,
    transaction: SignedTransaction,
) -> SignedTransaction {
    let mut transaction = transaction;
    for _ in 0..4 {
        let refused = apply(&Overlay::new(state), context, &Gullible, &transaction, position).err();
        let mut signatures = transaction.transaction().signatures.clone();
        let mut add = |signer, count| {
            let bytes = SignatureBytes::Ed25519([0; 64]);
            signatures.extend((0..count).map(|key| Signature { signer, key, bytes }));
        };
        match refused {
            Some(Rejection::SignatureMissing { signer, needed, found: 0 }) => add(signer, needed),
            Some(Rejection::CouncilQuorumMissing { found: 0, .. }) => {
                let organizations = &Scene::get().organizations[..3];
                organizations.iter().for_each(|id| add(Principal::Organization(*id), 1));
            }
            _ => return transaction,
        }
        signatures.sort_by_key(|signature| (signature.signer, signature.key));
        let body = transaction.body().clone();
        transaction = SignedTransaction::new(Transaction { body, signatures });
    }
    transaction
}

/// Signs in earnest, with whatever keys are known; `None` if one is not.
fn signed(scene: &Scene, state: &StateTree, transaction: &SignedTransaction) -> Option<SignedTransaction> {
    let keys = likely_keys(state, transaction.transaction());
    let Transaction { body, mut signatures } = transaction.transaction().clone();
    if keys.len() != signatures.len() {
        return None;
    }
    let message = signed_message(&transaction.id());
    for (signature, (key, _)) in signatures.iter_mut().zip(keys) {
        signature.bytes = SignatureBytes::Ed25519(scene.secrets.get(&key)?.sign(&message).to_bytes());
    }
    Some(SignedTransaction::new(Transaction { body, signatures }))
}

/// Whether every change is one that the specification allows.
fn check_changes(state: &StateTree, changes: &Changes) -> Result<(), String> {
    for (key, new) in changes {
        let shown = || hex::encode(key);
        let old = state.get(key);
        match new {
            Some(value) => {
                hold(check_entry(key, value).is_ok(), "an entry that no tree holds", shown)?;
                growth::check(key, old.as_deref(), value)?;
            }
            None => hold(growth::may_leave(key), "an entry left that must stay", shown)?,
        }
    }
    Ok(())
}

fn rules(scene: &'static Scene) -> Target {
    // The transactions of the blocks that came after these states.
    let corpus = heights(scene).into_iter().enumerate().filter_map(|(place, height)| {
        let transaction = scene.blocks.get(height + 1)?.transactions.first()?;
        Some([&[(place as u8) << 2], transaction.as_slice()].concat())
    });
    Target::new("apply", 80, corpus.collect(), move |input| check_rules(scene, input)).making(move |random| {
        let first = random.number() as u8;
        let height = heights(scene)[usize::from(first >> 2) % 4];
        let made = Wild { scene, random, height }.unsigned();
        [&[first], made.bytes()].concat()
    })
}

fn check_rules(scene: &Scene, input: &[u8]) -> Result<Seen, String> {
    let Some((first, bytes)) = input.split_first() else { return Ok(Seen::Refused) };
    let Ok(mut transaction) = SignedTransaction::from_bytes(bytes.to_vec()) else { return Ok(Seen::Refused) };
    let (state, height) = base(scene, *first);
    let context = Context { chain: scene.chain.id(), parameters: &scene.genesis.parameters, history: &scene.chain };
    let position = Position { height, index: if first & 1 == 1 { u32::MAX } else { 0 } };
    if transaction.transaction().signatures.is_empty() {
        transaction = with_signers(state, context, position, transaction);
    }
    let tried = |check: &dyn SignatureCheck, transaction: &SignedTransaction| {
        apply(&Overlay::new(state), context, check, transaction, position)
    };
    let result = tried(&Gullible, &transaction);
    hold(result == tried(&Gullible, &transaction), "not the same twice", || format!("{transaction:?}"))?;
    match &result {
        Ok(changes) => check_changes(state, changes)?,
        Err(rejection) => {
            let known =
                Rejection::TABLE.iter().any(|(code, name)| *code == rejection.code() && *name == rejection.name());
            hold(known, "a refusal that is not in the table", || format!("{rejection:?}"))?;
            hold(!rejection.to_string().is_empty(), "a refusal without words", || format!("{rejection:?}"))?;
            let _ = rejection.fields();
        }
    }
    if bytes.len() % 8 == 0 {
        in_a_block(state, context, height, &transaction)?;
        if let (Ok(changes), Some(signed)) = (&result, signed(scene, state, &transaction)) {
            let found = tried(&CheckDirectly, &signed);
            hold(found.as_ref() == Ok(changes), "signed and refused", || format!("{found:?}"))?;
            let forged = tried(&CheckDirectly, &forged(&signed));
            let refused = matches!(forged, Err(Rejection::SignatureInvalid { .. }));
            hold(refused || forged.as_ref().is_err(), "a forged signature counts", || format!("{signed:?}"))?;
        }
    }
    Ok(if result.is_ok() { Seen::Accepted } else { Seen::Refused })
}

/// The same with one bit of its last signature changed.
fn forged(signed: &SignedTransaction) -> SignedTransaction {
    let Transaction { body, mut signatures } = signed.transaction().clone();
    if let Some(Signature { bytes: SignatureBytes::Ed25519(bytes), .. }) = signatures.last_mut() {
        bytes[5] ^= 4;
    }
    SignedTransaction::new(Transaction { body, signatures })
}

/// A proposer leaves out exactly what the rules refuse, and what is left out changes nothing.
fn in_a_block(
    state: &StateTree,
    context: Context<'_>,
    height: Height,
    transaction: &SignedTransaction,
) -> Result<(), String> {
    let position = Position::start_of(height);
    let alone = apply(&Overlay::new(state), context, &Gullible, transaction, position);
    let built = build(state, context, &Gullible, height, [transaction.clone()]);
    let executed = execute(state, context, &Gullible, height, &built.included);
    let root = executed.map(|executed| executed.state.root());
    hold(root == Ok(built.executed.state.root()), "built and refused", || format!("{root:?}"))?;
    hold(built.included.len() == usize::from(alone.is_ok()), "two opinions on a transaction", || format!("{alone:?}"))?;
    if alone.is_err() {
        let empty: [SignedTransaction; 0] = [];
        let nothing = build(state, context, &Gullible, height, empty);
        let same = nothing.executed.state.root() == built.executed.state.root();
        hold(same, "what was refused left a trace", || format!("{transaction:?}"))?;
    }
    Ok(())
}

/// Many candidates for one block: what a proposer makes of them, every validator accepts.
fn blocks(scene: &'static Scene) -> Target {
    let make = move |random: &mut Random| {
        let first = random.number() as u8;
        let height = heights(scene)[usize::from(first >> 2) % 4];
        let count = 1 + random.below(12);
        let made: Vec<Vec<u8>> =
            (0..count).map(|_| Wild { scene, random: &mut *random, height }.unsigned().bytes().to_vec()).collect();
        [&[first], encode(&made).as_slice()].concat()
    };
    let mut random = Random::new(9);
    Target::new("candidates", 6, (0..30).map(|_| make(&mut random)).collect(), move |input| {
        let Some((first, bytes)) = input.split_first() else { return Ok(Seen::Refused) };
        let Ok(list) = decode::<Vec<Vec<u8>>>(bytes, 1 << 20) else { return Ok(Seen::Refused) };
        let (state, height) = base(scene, *first);
        let context = Context { chain: scene.chain.id(), parameters: &scene.genesis.parameters, history: &scene.chain };
        let candidates = list.into_iter().take(40).filter_map(|bytes| SignedTransaction::from_bytes(bytes).ok());
        let position = Position::start_of(height);
        let candidates: Vec<SignedTransaction> =
            candidates.map(|candidate| with_signers(state, context, position, candidate)).collect();
        let count = candidates.len();
        let built = build(state, context, &Gullible, height, candidates);
        hold(built.included.len() + built.rejected.len() <= count, "more than there were", || count.to_string())?;
        let executed = execute(state, context, &Gullible, height, &built.included);
        let root = executed.as_ref().map(|executed| executed.state.root());
        hold(root == Ok(built.executed.state.root()), "built and refused", || format!("{root:?}"))?;
        check_changes(state, &built.executed.changes)?;
        // The root is a function of what is in the state, however it came to be.
        let entries = built.executed.state.prefix(&[]).map(|(key, value)| (key, value.into_owned()));
        let at_once = StateTree::from_sorted(entries).map(|tree| tree.root());
        hold(at_once == Ok(built.executed.state.root()), "two roots of one state", || format!("{at_once:?}"))?;
        Ok(Seen::Accepted)
    })
    .making(make)
}

pub(super) fn targets() -> Vec<Target> {
    let scene = Scene::get();
    vec![rules(scene), blocks(scene)]
}

//! Decoders of our one encoding: whatever is accepted encodes to the very bytes that came, and no byte can be added or
//! taken away. What is decoded takes no more memory than a small multiple of the bytes.

use std::fmt::Debug;

use borsh::{BorshDeserialize, BorshSerialize};
use cairn_consensus::{MESSAGE_BYTES_MAX, Message, WAL_ENTRY_BYTES_MAX, WalEntry};
use cairn_proofs::accumulator::{Frontier, InclusionProof};
use cairn_proofs::checkpoint::CheckpointProof;
use cairn_proofs::lookup::Question;
use cairn_types::limits::{BLOCK_BYTES_MAX, TRANSACTION_BYTES_MAX};
use cairn_types::lot::LotLeaf;
use cairn_types::record::{
    DeviceKey, DeviceRecord, GrantTerms, LotRecord, OrganizationKeys, OrganizationRecord, Recovery, StreamRecord,
    Superseded, Usage,
};
use cairn_types::transaction::split_batch;
use cairn_types::{
    Block, Certificate, DeviceId, DeviceStatus, Header, Inception, Interval, KeySet, OrganizationId,
    OrganizationInception, Parameters, Principal, PublicKey, Scope, SignedTransaction, Transaction, ValidatorSet, Zone,
    decode, encode, governance::Upgrade, state_key,
};

use super::{Seen, Target, bytes_of, hold, seen, vectors};
use crate::fuzz::scene::Scene;

/// Bytes of memory for each byte of input: an empty list of 4 bytes becomes one of 24, in what was decoded and in the
/// comparison of its encoding, and lists grow by doubling.
const FOR_EACH_BYTE: u64 = 40;
/// Bytes of memory besides: before borsh reads a string of bytes it takes what was announced, up to 1 MiB, and gives it back
/// when the bytes are not there.
const BESIDES: u64 = 1024 * 1024 + 64 * 1024;

/// One encoding: what was decoded encodes to its input, reads back as the same, and neither more nor fewer bytes decode.
fn one_encoding<T>(input: &[u8], max: usize) -> Result<Seen, String>
where
    T: BorshSerialize + BorshDeserialize + PartialEq + Debug,
{
    let Ok(value) = decode::<T>(input, max) else { return Ok(Seen::Refused) };
    let bytes = encode(&value);
    hold(bytes == input, "two encodings", || format!("{value:?}"))?;
    hold(decode::<T>(&bytes, max).as_ref() == Ok(&value), "does not read back", || format!("{value:?}"))?;
    let longer = [input, &[0]].concat();
    hold(decode::<T>(&longer, max).is_err(), "a byte too many", || format!("{value:?}"))?;
    let shorter = input.split_last().is_some_and(|(_, shorter)| decode::<T>(shorter, max).is_ok());
    hold(!shorter, "a byte too few", || format!("{value:?}"))?;
    Ok(Seen::Accepted)
}

type Decoder = fn(&[u8]) -> Result<Seen, String>;

fn decoder<T>() -> Decoder
where
    T: BorshSerialize + BorshDeserialize + PartialEq + Debug,
{
    |input| one_encoding::<T>(input, TRANSACTION_BYTES_MAX)
}

/// What stands in the state and in hashes, by the names that the vectors give.
fn values() -> Vec<(&'static str, Decoder)> {
    vec![
        ("DeviceId", decoder::<DeviceId>()),
        ("DeviceRecord", decoder::<DeviceRecord>()),
        ("Header", decoder::<Header>()),
        ("Inception", decoder::<Inception>()),
        ("Interval<DeviceKey>", decoder::<Interval<DeviceKey>>()),
        ("Interval<DeviceStatus>", decoder::<Interval<DeviceStatus>>()),
        ("Interval<GrantTerms>", decoder::<Interval<GrantTerms>>()),
        ("Interval<LotRecord>", decoder::<Interval<LotRecord>>()),
        ("Interval<OrganizationId>", decoder::<Interval<OrganizationId>>()),
        ("Interval<OrganizationKeys>", decoder::<Interval<OrganizationKeys>>()),
        ("Interval<Parameters>", decoder::<Interval<Parameters>>()),
        ("Interval<Recovery>", decoder::<Interval<Recovery>>()),
        ("Interval<Upgrade>", decoder::<Interval<Upgrade>>()),
        ("Interval<ValidatorSet>", decoder::<Interval<ValidatorSet>>()),
        ("Interval<Vec<OrganizationId>>", decoder::<Interval<Vec<OrganizationId>>>()),
        ("Interval<Zone>", decoder::<Interval<Zone>>()),
        ("KeySet", decoder::<KeySet>()),
        ("LotLeaf", decoder::<LotLeaf>()),
        ("OrganizationId", decoder::<OrganizationId>()),
        ("OrganizationInception", decoder::<OrganizationInception>()),
        ("OrganizationRecord", decoder::<OrganizationRecord>()),
        ("Principal", decoder::<Principal>()),
        ("PublicKey", decoder::<PublicKey>()),
        ("Scope", decoder::<Scope>()),
        ("StreamRecord", decoder::<StreamRecord>()),
        ("Superseded", decoder::<Superseded>()),
        ("Usage", decoder::<Usage>()),
        ("ValidatorSet", decoder::<ValidatorSet>()),
    ]
}

/// All values by a first byte that says which one.
fn state_values() -> Target {
    let values = values();
    let place = |kind: &str| values.iter().position(|(name, _)| *name == kind);
    let named = |file, kind| {
        let vectors = vectors(file).into_iter();
        vectors.filter_map(move |vector| {
            let place = place(vector.get(kind)?.as_str()?)?;
            Some([&[place as u8], bytes_of(&vector, "encoding").as_slice()].concat())
        })
    };
    let corpus: Vec<Vec<u8>> = named("records.json", "type").chain(named("hashes.json", "type")).collect();
    let covered = |place: &usize| corpus.iter().any(|input| usize::from(input[0]) == *place);
    assert!((0..values.len()).all(|place| covered(&place)), "a value without a vector");
    Target::new("state-value", 60, corpus, move |input| {
        let Some((kind, rest)) = input.split_first() else { return Ok(Seen::Refused) };
        let (_, decode) = values[usize::from(*kind) % values.len()];
        decode(rest)
    })
    .within(FOR_EACH_BYTE, BESIDES)
}

/// Keys of the state, taken apart.
fn state_keys() -> Target {
    let corpus = vectors("records.json").iter().map(|vector| bytes_of(vector, "key")).collect();
    Target::new("state-key", 40, corpus, |input| {
        let (facet, ordinal) = (state_key::split_facet(input), state_key::split_ordinal(input));
        if let Some((_, number)) = facet {
            hold(ordinal == Some(number), "two ordinals in one key", || hex::encode(input))?;
        }
        if let Some(number) = ordinal {
            let before = input[..input.len() - 4].to_vec();
            hold(state_key::ordinal(before, number) == input, "an ordinal that is not there", || hex::encode(input))?;
        }
        let _ = state_key::remembered_expiry(input);
        if let Some((height, device)) = state_key::split_due_recovery(input) {
            let again = state_key::due_recovery(height, &device);
            hold(again[1..] == input[1..], "a reminder of something else", || hex::encode(input))?;
        }
        Ok(Seen::Accepted)
    })
    .within(FOR_EACH_BYTE, BESIDES)
}

fn transactions(scene: &Scene) -> Target {
    let vectors = vectors("transactions.json").into_iter();
    let mut corpus: Vec<Vec<u8>> = vectors.map(|vector| bytes_of(&vector, "encoding")).collect();
    corpus.extend(scene.transactions.iter().map(|transaction| transaction.bytes().to_vec()));
    Target::new("transaction", 110, corpus, |input| {
        let seen = one_encoding::<Transaction>(input, TRANSACTION_BYTES_MAX)?;
        let signed = SignedTransaction::from_bytes(input.to_vec());
        hold(signed.is_ok() == (seen == Seen::Accepted), "two opinions on a transaction", || format!("{signed:?}"))?;
        if let Ok(signed) = signed {
            let again = SignedTransaction::new(signed.transaction().clone());
            hold(again == signed, "two names for a transaction", || format!("{signed:?}"))?;
        }
        Ok(seen)
    })
    .within(FOR_EACH_BYTE, BESIDES)
}

fn blocks(scene: &Scene) -> Target {
    Target::new("block", 60, scene.blocks.iter().map(encode).collect(), |input| {
        let block = Block::from_bytes(input);
        if let Ok(block) = &block {
            hold(encode(block) == input, "two encodings", || format!("{block:?}"))?;
            let _ = block.header.chain_id();
        }
        Ok(seen(&block))
    })
    .within(FOR_EACH_BYTE, BESIDES)
}

/// What is gossiped and posted: many transactions, each as a string of bytes.
fn batches(scene: &Scene) -> Target {
    let bytes: Vec<Vec<u8>> = scene.transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect();
    let corpus = vec![encode(&bytes), encode(&bytes[..1].to_vec()), encode(&Vec::<Vec<u8>>::new())];
    Target::new("batch", 40, corpus, |input| {
        let seen = one_encoding::<Vec<Vec<u8>>>(input, BLOCK_BYTES_MAX)?;
        let decoded = decode::<Vec<Vec<u8>>>(input, BLOCK_BYTES_MAX).ok();
        let split = split_batch(input, BLOCK_BYTES_MAX).ok();
        let strings = decoded.as_ref().map(|strings| strings.iter().map(Vec::as_slice).collect::<Vec<_>>());
        hold(split == strings, "two opinions on a batch", || format!("{split:?}"))?;
        let few = split_batch(input, 1).is_ok();
        hold(few == strings.is_some_and(|strings| strings.len() <= 1), "too many", || format!("{split:?}"))?;
        Ok(seen)
    })
    .within(FOR_EACH_BYTE, BESIDES)
}

/// The parts of proofs that have a size of their own.
fn parts(scene: &Scene) -> Vec<Target> {
    let questions = scene.questions.iter().map(encode).collect();
    let frontiers: Vec<Vec<u8>> = (0..40).map(|count| encode(&Frontier::from_items(&scene.items[..count]))).collect();
    let proofs: Vec<Vec<u8>> = scene.inclusions.iter().map(|(_, _, _, proof)| encode(proof)).collect();
    vec![
        Target::new("question", 30, questions, decoder::<Question>()).within(FOR_EACH_BYTE, BESIDES),
        Target::new("frontier", 30, frontiers, |input| {
            let seen = one_encoding::<Frontier>(input, 10_000)?;
            if let Ok(mut frontier) = decode::<Frontier>(input, 10_000) {
                let count = frontier.count();
                let nodes = frontier.append(&cairn_types::Hash::ZERO);
                hold(!nodes.is_empty() && frontier.count() == count + 1, "an item is lost", || count.to_string())?;
                let parts = Frontier::from_parts(frontier.count(), frontier.peaks().to_vec());
                let within = frontier.count() <= cairn_proofs::accumulator::ITEMS_MAX;
                hold(!within || parts.as_ref() == Some(&frontier), "its parts do not fit", || format!("{frontier:?}"))?;
                let _ = frontier.root();
            }
            Ok(seen)
        })
        .within(FOR_EACH_BYTE, BESIDES),
        Target::new("inclusion", 30, proofs, |input| one_encoding::<InclusionProof>(input, 10_000))
            .within(FOR_EACH_BYTE, BESIDES),
        Target::new("certificate", 40, vec![encode(&scene.finality.certificate)], |input| {
            let seen = one_encoding::<Certificate>(input, cairn_types::certificate::CERTIFICATE_BYTES_MAX)?;
            Ok(seen)
        })
        .within(FOR_EACH_BYTE, BESIDES),
        Target::new("checkpoint", 40, vec![encode(&scene.finality)], decoder::<CheckpointProof>())
            .within(FOR_EACH_BYTE, BESIDES),
        Target::new("message", 50, scene.messages.iter().map(Message::encode).collect(), |input| {
            let seen = one_encoding::<Message>(input, MESSAGE_BYTES_MAX)?;
            if let Ok(message) = Message::decode(input) {
                let _ = (message.height(), message.round(), format!("{message:?}"));
            }
            Ok(seen)
        })
        .within(FOR_EACH_BYTE, BESIDES),
        Target::new("log-entry", 30, scene.log.iter().map(WalEntry::encode).collect(), |input| {
            one_encoding::<WalEntry>(input, WAL_ENTRY_BYTES_MAX)
        })
        .within(FOR_EACH_BYTE, BESIDES),
    ]
}

pub(super) fn targets() -> Vec<Target> {
    let scene = Scene::get();
    let mut targets = vec![state_values(), state_keys(), transactions(scene), blocks(scene), batches(scene)];
    targets.extend(parts(scene));
    targets
}

//! Streams: dense, linked sequences of what one device said.

use cairn_proofs::accumulator::Frontier;
use cairn_types::call::{Attest, CloseStream, OpenStream, ReportFork, Supersede};
use cairn_types::limits::DERIVED_FROM_MAX;
use cairn_types::record::{StreamRecord, Superseded};
use cairn_types::{
    Action, AttestationRef, Call, ChainId, DeviceId, Position, Principal, Rejection, SignedTransaction, StreamId,
    TransactionId, state_key,
};

use crate::device;
use crate::grant;
use crate::signatures::SignatureCheck;
use crate::state::{self, Changes, State};

/// Streams are a device's own: nobody else speaks in them.
fn speaking_device(signer: Principal, call: &'static str) -> Result<DeviceId, Rejection> {
    match signer {
        Principal::Device(device) => Ok(device),
        Principal::Organization(_) => {
            Err(Rejection::SignerNotEntitled { signer, call, needed: "the stream's device does" })
        }
    }
}

pub(crate) fn open(
    state: &impl State,
    signer: Principal,
    call: &OpenStream,
    id: &TransactionId,
    position: Position,
) -> Result<Changes, Rejection> {
    let device = speaking_device(signer, "OpenStream")?;
    if call.cadence_s == Some(0) {
        return Err(Rejection::FieldInvalid { field: "cadence_s", reason: "is at least one second" });
    }
    let stream = StreamId::of(&device, &call.name);
    if state::stream(state, &stream).is_some() {
        return Err(Rejection::StreamExists { stream });
    }
    let mut target = device::target_of(state, &device)?;
    target.stream = Some(stream);
    grant::check(state, signer, Action::Attest, &target, Some(&call.authority), position)?;

    let record = StreamRecord {
        device,
        name: call.name.clone(),
        cadence_s: call.cadence_s,
        opened: position,
        count: 0,
        head: *id,
        head_position: position,
        peaks: Vec::new(),
        closed: None,
        forked_at: None,
        owned_from: 0,
    };
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::stream(&stream), &record);
    changes.insert(state_key::device_stream(&device, &stream), Some(Vec::new()));
    Ok(changes)
}

/// The stream that `signer`'s device goes on with: its own, and neither closed nor frozen.
fn going_on(
    state: &impl State,
    signer: Principal,
    call: &'static str,
    stream: StreamId,
) -> Result<(DeviceId, StreamRecord), Rejection> {
    let device = speaking_device(signer, call)?;
    let record = record_of(state, stream)?;
    if record.device != device {
        return Err(Rejection::SignerNotEntitled { signer, call, needed: "the stream's device does" });
    }
    if record.closed.is_some() || record.forked_at.is_some() {
        return Err(Rejection::StreamEnded { stream });
    }
    Ok((device, record))
}

fn record_of(state: &impl State, stream: StreamId) -> Result<StreamRecord, Rejection> {
    state::stream(state, &stream).ok_or(Rejection::StreamUnknown { stream })
}

pub(crate) fn close(
    state: &impl State,
    signer: Principal,
    call: &CloseStream,
    position: Position,
) -> Result<Changes, Rejection> {
    let (_, mut record) = going_on(state, signer, "CloseStream", call.stream)?;
    record.closed = Some(position);
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::stream(&call.stream), &record);
    Ok(changes)
}

pub(crate) fn attest(
    state: &impl State,
    signer: Principal,
    call: &Attest,
    id: &TransactionId,
    position: Position,
) -> Result<Changes, Rejection> {
    let stream = call.stream;
    let (device, mut record) = going_on(state, signer, "Attest", stream)?;
    if call.sequence != record.count {
        return Err(Rejection::SequenceNotNext { stream, expected: record.count, found: call.sequence });
    }
    if call.previous != record.head {
        return Err(Rejection::PreviousNotHead { stream, expected: record.head, found: call.previous });
    }
    check_fields(call)?;
    for source in &call.derived_from {
        let exists = state::stream(state, &source.stream).is_some_and(|record| source.sequence < record.count);
        if !exists {
            return Err(Rejection::SourceUnknown { attestation: *source });
        }
    }
    let mut target = device::target_of(state, &device)?;
    target.stream = Some(stream);
    grant::check(state, signer, Action::Attest, &target, Some(&call.authority), position)?;

    let mut accumulator = Frontier::from_parts(record.count, std::mem::take(&mut record.peaks))
        .expect("a stream's peaks are those of its count: only this function writes them");
    accumulator.add(&id.hash());
    if target.owned_since > record.head_position {
        record.owned_from = record.count;
    }
    (record.count, record.peaks) = accumulator.into_parts();
    record.head = *id;
    record.head_position = position;
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::stream(&stream), &record);
    Ok(changes)
}

/// The record of the stream of an attestation that exists.
fn existing(state: &impl State, attestation: &AttestationRef) -> Result<StreamRecord, Rejection> {
    let record = record_of(state, attestation.stream)?;
    if attestation.sequence < record.count {
        Ok(record)
    } else {
        Err(Rejection::AttestationUnknown { attestation: *attestation })
    }
}

pub(crate) fn supersede(
    state: &impl State,
    signer: Principal,
    call: &Supersede,
    position: Position,
) -> Result<Changes, Rejection> {
    let target = call.target;
    let device = record_of(state, target.stream)?.device;
    let owner = device::owner_entry(state, &device)?.interval;
    if signer != Principal::Device(device) && signer != Principal::Organization(owner.value) {
        let needed = "the stream's device or its owner does";
        return Err(Rejection::SignerNotEntitled { signer, call: "Supersede", needed });
    }
    let record = existing(state, &target)?;
    // A new owner disowns nothing that was said before its time.
    if owner.from > record.head_position || target.sequence < record.owned_from {
        return Err(Rejection::AttestationOfEarlierOwner { attestation: target });
    }
    if state::superseded(state, &target).is_some() {
        return Err(Rejection::SupersededAlready { attestation: target });
    }
    if let Some(replacement) = &call.replacement {
        check_replacement(state, device, &target, replacement)?;
    }
    let superseded = Superseded { at: position, by: signer, replacement: call.replacement };
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::superseded(&target.stream, target.sequence), &superseded);
    Ok(changes)
}

fn check_replacement(
    state: &impl State,
    device: DeviceId,
    target: &AttestationRef,
    replacement: &AttestationRef,
) -> Result<(), Rejection> {
    if record_of(state, replacement.stream)?.device != device {
        return Err(Rejection::ReplacementInvalid { reason: "is of another device" });
    }
    existing(state, replacement)?;
    if replacement.stream == target.stream && replacement.sequence <= target.sequence {
        return Err(Rejection::ReplacementInvalid { reason: "is not later in the stream" });
    }
    Ok(())
}

pub(crate) fn report_fork(
    state: &impl State,
    chain: ChainId,
    check: &dyn SignatureCheck,
    call: &ReportFork,
) -> Result<Changes, Rejection> {
    let not_shown = |reason| Rejection::ForkNotShown { reason };
    let (first, second) = (said(chain, &call.first)?, said(chain, &call.second)?);
    if (first.device, first.attest.stream, first.attest.sequence)
        != (second.device, second.attest.stream, second.attest.sequence)
    {
        return Err(not_shown("the two are of different devices, streams or places"));
    }
    if first.attest.content.hash == second.attest.content.hash {
        return Err(not_shown("the two attest the same content"));
    }
    if first.transaction.id() >= second.transaction.id() {
        return Err(not_shown("the one with the lower id comes first"));
    }
    let (stream, sequence) = (first.attest.stream, first.attest.sequence);
    let mut record = record_of(state, stream)?;
    if record.device != first.device {
        return Err(not_shown("the stream is another device's"));
    }
    if let Some(at) = record.forked_at.filter(|at| *at <= sequence) {
        return Err(Rejection::ForkKnown { stream, at });
    }
    // With the present key only: whoever holds an old one could else freeze what was said long before.
    let epoch = state::device_key(state, &record.device).filter(|epoch| epoch.interval.is_open());
    let key = epoch.ok_or(not_shown("the device has no key any more"))?.interval.value.key;
    for said in [&first, &second] {
        let [signature] = said.transaction.transaction().signatures.as_slice() else {
            return Err(not_shown("an attestation has exactly one signature"));
        };
        let is_device = signature.signer == Principal::Device(record.device) && signature.key == 0;
        if !is_device || !check.verifies(&key, &said.transaction.id(), &signature.bytes) {
            return Err(not_shown("a signature is not of the device's present key"));
        }
    }
    record.forked_at = Some(sequence);
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::stream(&stream), &record);
    Ok(changes)
}

/// Something that a device signed, in the ledger or not.
struct Said {
    transaction: SignedTransaction,
    device: DeviceId,
    attest: Attest,
}

fn said(chain: ChainId, bytes: &[u8]) -> Result<Said, Rejection> {
    let not_shown = |reason| Rejection::ForkNotShown { reason };
    let transaction =
        SignedTransaction::from_bytes(bytes.to_vec()).map_err(|_| not_shown("not the encoding of a transaction"))?;
    let body = transaction.body();
    if body.chain != chain {
        return Err(not_shown("not said on this network"));
    }
    match (body.signer, &body.call) {
        (Principal::Device(device), Call::Attest(attest)) => {
            let attest = attest.clone();
            Ok(Said { transaction, device, attest })
        }
        _ => Err(not_shown("not a device's attestation")),
    }
}

// A text below names this limit.
const _: () = assert!(DERIVED_FROM_MAX == 32);

fn check_fields(call: &Attest) -> Result<(), Rejection> {
    let invalid = |field, reason| Err(Rejection::FieldInvalid { field, reason });
    if call.claimed.is_some_and(|claimed| claimed.to_ms < claimed.from_ms) {
        return invalid("claimed", "ends before it begins");
    }
    if call.derived_from.len() > DERIVED_FROM_MAX {
        return invalid("derived_from", "names more than 32 sources; derive in steps");
    }
    if !call.derived_from.is_sorted_by(|a, b| a < b) {
        return invalid("derived_from", "is not strictly ascending");
    }
    Ok(())
}

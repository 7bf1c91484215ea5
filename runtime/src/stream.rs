//! Streams: dense, linked sequences of what one device said.

use cairn_proofs::accumulator::Frontier;
use cairn_types::call::{Attest, OpenStream};
use cairn_types::limits::DERIVED_FROM_MAX;
use cairn_types::record::StreamRecord;
use cairn_types::{Action, DeviceId, Position, Principal, Rejection, StreamId, TransactionId, state_key};

use crate::device;
use crate::grant;
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
    };
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::stream(&stream), &record);
    changes.insert(state_key::device_stream(&device, &stream), Some(Vec::new()));
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
    let device = speaking_device(signer, "Attest")?;
    let mut record = state::stream(state, &stream).ok_or(Rejection::StreamUnknown { stream })?;
    if record.device != device {
        return Err(Rejection::SignerNotEntitled { signer, call: "Attest", needed: "the stream's device does" });
    }
    if record.closed.is_some() || record.forked_at.is_some() {
        return Err(Rejection::StreamEnded { stream });
    }
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
    accumulator.append(&id.hash());
    record.count = accumulator.count();
    record.peaks = accumulator.peaks().to_vec();
    record.head = *id;
    record.head_position = position;
    let mut changes = Changes::new();
    state::put(&mut changes, state_key::stream(&stream), &record);
    Ok(changes)
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

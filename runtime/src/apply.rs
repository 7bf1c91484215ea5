//! One transaction against one state: the function that everything else leads to.

use cairn_types::{Call, Position, Principal, Rejection, SignedTransaction};

use crate::envelope::{self, Context};
use crate::signatures::{self, SignatureCheck, Signer};
use crate::state::{Changes, State};
use crate::{device, grant, stream};

/// What `transaction` does to `state` at `position`, which lies after everything that made `state`.
///
/// Checks come cheapest first and signatures last, because they cost a hundred times the rest together.
///
/// # Errors
/// The first rule that it breaks; whoever signed or sent it is to blame, and nothing changes.
pub fn apply(
    state: &impl State,
    context: Context<'_>,
    check: &dyn SignatureCheck,
    transaction: &SignedTransaction,
    position: Position,
) -> Result<Changes, Rejection> {
    let (body, id) = (transaction.body(), transaction.id());
    let given = &transaction.transaction().signatures;
    envelope::check_size(context.parameters, transaction.bytes().len())?;
    signatures::check_form(given)?;
    envelope::check(state, context, body, &id, position)?;
    let signers = signers(state, body.signer, &body.call)?;
    let mut changes = call(state, body.signer, &body.call, &id, position)?;
    signatures::check(check, &id, given, &signers)?;
    envelope::remember(body, &id, &mut changes);
    Ok(changes)
}

fn signers(state: &impl State, signer: Principal, call: &Call) -> Result<Vec<Signer>, Rejection> {
    match call {
        Call::RegisterDevice(call) => device::registration_signers(state, signer, call),
        Call::RotateDeviceKey(call) => device::rotation_signers(signer, call),
        Call::PlaceDevice(_)
        | Call::SetDeviceStatus(_)
        | Call::Grant(_)
        | Call::RevokeGrant(_)
        | Call::OpenStream(_)
        | Call::Attest(_) => Ok(vec![Signer::current(state, signer)?]),
    }
}

fn call(
    state: &impl State,
    signer: Principal,
    call: &Call,
    id: &cairn_types::TransactionId,
    position: Position,
) -> Result<Changes, Rejection> {
    match call {
        Call::RegisterDevice(call) => device::register(state, signer, call, position),
        Call::RotateDeviceKey(call) => device::rotate(state, call, position),
        Call::PlaceDevice(call) => device::place(state, signer, call, position),
        Call::SetDeviceStatus(call) => device::set_status(state, signer, call, position),
        Call::Grant(call) => grant::give(state, signer, call, id, position),
        Call::RevokeGrant(call) => grant::revoke(state, signer, call, position),
        Call::OpenStream(call) => stream::open(state, signer, call, id, position),
        Call::Attest(call) => stream::attest(state, signer, call, id, position),
    }
}

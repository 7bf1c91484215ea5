//! One transaction against one state: the function that everything else leads to.

use cairn_types::{Body, Call, Position, Principal, Rejection, SignedTransaction, TransactionId};

use crate::envelope::{self, Context};
use crate::signatures::{self, SignatureCheck, Signer, Signers};
use crate::state::{Changes, State};
use crate::{device, governance, grant, lot, organization, quota, stream};

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
    let charge = quota::check(state, context.parameters, body, position)?;
    let mut changes = call(state, context, check, body, &id, position)?;
    signatures::check(check, &id, given, &signers)?;
    envelope::remember(body, &id, &mut changes);
    charge.enter(&mut changes);
    Ok(changes)
}

fn signers(state: &impl State, signer: Principal, call: &Call) -> Result<Signers, Rejection> {
    let all = match call {
        Call::Govern(_) => return governance::signers(state, signer).map(Signers::Council),
        Call::RotateOrganizationKeys(call) => organization::rotation_signers(state, signer, call)?,
        Call::RegisterDevice(call) => device::registration_signers(state, signer, call)?,
        Call::RotateDeviceKey(call) => device::rotation_signers(signer, call)?,
        Call::RecoverDeviceKey(call) => device::recovery_signers(state, signer, call)?,
        Call::CancelRecovery(_) => vec![device::cancellation_signer(state, signer)?],
        Call::EndorseLot(_)
        | Call::DistrustLot(_)
        | Call::OfferDevice(_)
        | Call::AcceptDevice(_)
        | Call::PlaceDevice(_)
        | Call::SetDeviceStatus(_)
        | Call::Grant(_)
        | Call::RevokeGrant(_)
        | Call::OpenStream(_)
        | Call::CloseStream(_)
        | Call::Attest(_)
        | Call::Supersede(_)
        | Call::ReportFork(_) => vec![Signer::current(state, signer)?],
    };
    Ok(Signers::All(all))
}

fn call(
    state: &impl State,
    context: Context<'_>,
    check: &dyn SignatureCheck,
    body: &Body,
    id: &TransactionId,
    position: Position,
) -> Result<Changes, Rejection> {
    let signer = body.signer;
    match &body.call {
        Call::Govern(call) => governance::govern(state, call, position),
        Call::RotateOrganizationKeys(call) => organization::rotate(state, call, position),
        Call::EndorseLot(call) => lot::endorse(state, signer, call, id, position),
        Call::DistrustLot(call) => lot::distrust(state, signer, call, position),
        Call::RecoverDeviceKey(call) => device::recover(state, signer, call, context.parameters, position),
        Call::CancelRecovery(call) => device::cancel_recovery(state, signer, call, position),
        Call::OfferDevice(call) => device::offer(state, signer, call, position),
        Call::AcceptDevice(call) => device::accept(state, signer, call, position),
        Call::CloseStream(call) => stream::close(state, signer, call, position),
        Call::Supersede(call) => stream::supersede(state, signer, call, position),
        Call::ReportFork(call) => stream::report_fork(state, context.chain, check, call),
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

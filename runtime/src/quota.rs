//! Quotas: how much of the ledger an organization, and each of its devices, may fill in a window of heights.
//!
//! Only what is included counts. A device's transactions count for it and for its owner; the council's measures for
//! nobody. The last tenth of a quota is kept for calls that take authority away: whoever floods in an organization's name,
//! with a stolen key, cannot keep it from stopping that.

use cairn_types::record::Usage;
use cairn_types::{Body, Call, Height, Parameters, Position, Principal, Rejection, state_key};

use crate::state::{self, Changes, State, memo};

/// Ordinary calls leave this part of a quota to protective ones.
const RESERVE: u32 = 10;

/// What a transaction counts for, and how that stands after it.
pub(crate) struct Charge(Vec<(Principal, Usage)>);

/// Checks that the signer's quotas, and its owner's, have room for one more transaction.
pub(crate) fn check(
    state: &impl State,
    parameters: &Parameters,
    body: &Body,
    position: Position,
) -> Result<Charge, Rejection> {
    let mut charge = Charge(Vec::new());
    if matches!(body.call, Call::Govern(_)) {
        return Ok(charge);
    }
    let owner = match body.signer {
        Principal::Organization(_) => Some(body.signer),
        Principal::Device(device) => {
            memo::device_facts(state, &device).owner.map(|(owner, _)| Principal::Organization(owner))
        }
    };
    let device = matches!(body.signer, Principal::Device(_)).then_some(body.signer);
    let counted = [(owner, parameters.organization_quota), (device, parameters.device_quota)];
    for (principal, quota) in counted {
        let Some(principal) = principal.filter(|_| quota > 0) else { continue };
        // A window of no height is refused with the parameters; it would be one long window here.
        let window = position.height.get().checked_div(parameters.quota_window).unwrap_or(0);
        let usage = state::usage(state, &principal).filter(|usage| usage.window == window);
        let used = usage.map_or(0, |usage| usage.count);
        let reserve = if body.call.is_protective() { 0 } else { quota / RESERVE };
        let bound = quota.saturating_sub(reserve);
        if used >= bound {
            let until = Height::new(window.saturating_add(1).saturating_mul(parameters.quota_window));
            return Err(Rejection::QuotaExceeded { principal, quota: bound, until });
        }
        charge.0.push((principal, Usage { window, count: used.saturating_add(1) }));
    }
    Ok(charge)
}

impl Charge {
    /// Counts a transaction that succeeded.
    pub(crate) fn enter(&self, changes: &mut Changes) {
        for (principal, usage) in &self.0 {
            state::put(changes, state_key::usage(principal), usage);
        }
    }
}

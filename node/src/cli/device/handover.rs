//! What gives a device another key or another owner although nobody committed to it: recovery, and sale.

use cairn_types::call::{AcceptDevice, CancelRecovery as CancelCall, OfferDevice, RecoverDeviceKey};
use cairn_types::{Call, Principal, Zone};

use super::super::connect::Connection;
use super::super::output::Report;
use super::super::sign::Party;
use super::super::submit;
use super::change::device;
use super::{Accept, CancelRecovery, Offer, Recover};
use crate::keys::private::PrivateKey;

pub(super) async fn recover(connection: &Connection, args: &Recover) -> anyhow::Result<Report> {
    let new_key = PrivateKey::read(&args.new_key)?;
    let key = new_key.public();
    let owner = Principal::Organization(device(connection, args.device).await?.owner.0);
    let owner = Party::of(connection, owner, &args.keys).await?;
    let call = Call::RecoverDeviceKey(RecoverDeviceKey {
        device: args.device,
        key,
        next: args.next.commitment()?,
        suspect_since: args.suspect_since,
    });
    let possession = Party::device(args.device, new_key);
    let sent = submit::call_with(connection, &args.submit, call, &owner, &[&possession]).await?;
    let delay = connection.parameters().await?.recovery_delay;
    let headline = format!("announced a new key, which speaks for the device {delay} heights later");
    sent.report(&headline, &[("device", args.device.to_string()), ("key", key.to_string())])
}

pub(super) async fn cancel(connection: &Connection, args: &CancelRecovery) -> anyhow::Result<Report> {
    let owner = device(connection, args.device).await?.owner.0;
    let signer = match args.keys.as_slice() {
        [] => Party::without_keys(Principal::Organization(owner)),
        keys => Party::recovery(connection, owner, keys).await?,
    };
    let call = Call::CancelRecovery(CancelCall { device: args.device });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report("called the recovery off", &[("device", args.device.to_string())])
}

pub(super) async fn offer(connection: &Connection, args: &Offer) -> anyhow::Result<Report> {
    let owner = Principal::Organization(device(connection, args.device).await?.owner.0);
    let signer = Party::of(connection, owner, &args.keys).await?;
    let to = match &args.to {
        Some(name) => Some(connection.organization_id(name).await?),
        None => None,
    };
    let call = Call::OfferDevice(OfferDevice { device: args.device, to });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    let mut subjects = vec![("device", args.device.to_string())];
    subjects.extend(to.map(|to| ("to", to.to_string())));
    sent.report(if to.is_some() { "offered the device" } else { "withdrew the offer" }, &subjects)
}

pub(super) async fn accept(connection: &Connection, args: &Accept) -> anyhow::Result<Report> {
    let owner = connection.organization_id(&args.owner).await?;
    let signer = Party::of(connection, Principal::Organization(owner), &args.keys).await?;
    let zone = Zone { organization: owner, path: args.zone.clone() };
    let call = Call::AcceptDevice(AcceptDevice { device: args.device, zone });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report(
        "the device has a new owner",
        &[("device", args.device.to_string()), ("owner", owner.to_string()), ("zone", args.zone.to_string())],
    )
}

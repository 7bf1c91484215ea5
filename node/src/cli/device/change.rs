//! What changes a device: registration, rotation, placement, status.

use anyhow::Context;
use cairn_rpc::views::{DeviceView, Text};
use cairn_types::call::{PlaceDevice, RegisterDevice, RotateDeviceKey, SetDeviceStatus};
use cairn_types::{Call, DeviceId, Inception, KeyCommitment, OrganizationId, Principal, Zone};

use super::super::connect::Connection;
use super::super::output::Report;
use super::super::sign::Party;
use super::super::submit;
use super::{Authority, NextKey, Place, Register, Rotate, Status};
use crate::keys::private::PrivateKey;

impl NextKey {
    pub(super) fn commitment(&self) -> anyhow::Result<KeyCommitment> {
        match (&self.next_key, self.next_commitment) {
            (Some(name), _) => Ok(name.public()?.commitment()),
            (None, commitment) => commitment.context("--next-key or --next-commitment is missing"),
        }
    }
}

impl Authority {
    /// Who signs: the one who was named, or the owner.
    async fn signer(&self, connection: &Connection, owner: OrganizationId) -> anyhow::Result<Principal> {
        match &self.signer {
            Some(name) => connection.principal(name).await,
            None => Ok(Principal::Organization(owner)),
        }
    }
}

pub(super) async fn device(connection: &Connection, id: DeviceId) -> anyhow::Result<DeviceView> {
    Ok(connection.client.device_get(Text(id), None).await?.value)
}

pub(super) async fn register(connection: &Connection, args: &Register) -> anyhow::Result<Report> {
    let device_key = PrivateKey::read(&args.device_key)?;
    let inception = Inception { key: device_key.public(), next: args.next.commitment()?, model: args.model.clone() };
    let owner = connection.organization_id(&args.owner).await?;
    let signer = args.authority.signer(connection, owner).await?;
    let signer = Party::of(connection, signer, &args.keys).await?;
    let id = inception.id();
    let call = Call::RegisterDevice(RegisterDevice {
        inception,
        owner,
        zone: Zone { organization: owner, path: args.zone.clone() },
        endorsement: args.endorsement.of(id, &device_key.public())?,
        authority: args.authority.authority,
    });
    let possession = Party::device(id, device_key);
    let sent = submit::call_with(connection, &args.submit, call, &signer, &[&possession]).await?;
    sent.report("registered a device", &[("device", id.to_string())])
}

pub(super) async fn rotate(connection: &Connection, args: &Rotate) -> anyhow::Result<Report> {
    let new_key = PrivateKey::read(&args.new_key)?;
    let key = new_key.public();
    let call = Call::RotateDeviceKey(RotateDeviceKey { device: args.device, key, next: args.next.commitment()? });
    let signer = Party::device(args.device, new_key);
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report("the device speaks with its new key", &[("device", args.device.to_string()), ("key", key.to_string())])
}

pub(super) async fn place(connection: &Connection, args: &Place) -> anyhow::Result<Report> {
    let owner = device(connection, args.device).await?.owner.0;
    let signer = args.authority.signer(connection, owner).await?;
    let signer = Party::of(connection, signer, &args.keys).await?;
    let call = Call::PlaceDevice(PlaceDevice {
        device: args.device,
        zone: Zone { organization: owner, path: args.zone.clone() },
        authority: args.authority.authority,
    });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report("placed the device", &[("device", args.device.to_string()), ("zone", args.zone.to_string())])
}

pub(super) async fn status(connection: &Connection, args: &Status) -> anyhow::Result<Report> {
    let signer = if args.as_device {
        Principal::Device(args.device)
    } else {
        Principal::Organization(device(connection, args.device).await?.owner.0)
    };
    let signer = Party::of(connection, signer, &args.keys).await?;
    let call = Call::SetDeviceStatus(SetDeviceStatus {
        device: args.device,
        status: args.set,
        suspect_since: args.suspect_since,
    });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    let status = args.set.to_string();
    sent.report(&format!("the device is {status}"), &[("device", args.device.to_string()), ("status", status)])
}

//! Devices: from the factory to the end of their days.

use cairn_types::call::{
    AcceptDevice, CancelRecovery, OfferDevice, PlaceDevice, RecoverDeviceKey, RegisterDevice, RotateDeviceKey,
    SetDeviceStatus,
};
use cairn_types::{Action, Call, DeviceStatus, Inception, Principal, Scope};

use super::{Player, Proposal};

impl Player<'_> {
    pub(super) fn register(&mut self) -> Proposal {
        let inception = self.inception();
        let owner = self.organization();
        let zone = if self.careful() { self.zone_of(owner) } else { self.any_zone() };
        let scope = Scope::Zone(zone.clone());
        let (signer, authority) = self.entitled(Principal::Organization(owner), Action::Register, &scope);
        let endorsement = if self.random.once_in(2) { self.endorsement(&inception) } else { None };
        (signer, Call::RegisterDevice(RegisterDevice { inception, owner, zone, endorsement, authority }))
    }

    /// A device of the factory that is not registered, or a new one; if no care is taken, perhaps one that is there.
    fn inception(&mut self) -> Inception {
        let now = self.now();
        let made = self.random.pick(&self.pool().factory).clone();
        if self.random.once_in(2) && (now.registration(&made.id()).is_none() || self.random.once_in(8)) {
            return made;
        }
        let devices = now.devices();
        if !devices.is_empty() && self.random.once_in(20) {
            let again = self.random.pick(&devices);
            let (_, _, call) = now.registration(again).expect("it is a device");
            return call.inception.clone();
        }
        Inception { key: self.new_key(), next: self.new_commitment(), model: self.text("FM-100", 64) }
    }

    pub(super) fn rotate_device(&mut self) -> Proposal {
        let device = self.device();
        let committed = self.now().key(&device).and_then(|epoch| self.pool().committed(&epoch.value.next));
        let key = committed.filter(|_| self.careful()).unwrap_or_else(|| self.new_key());
        let next = if self.random.once_in(40) {
            // A commitment to a key that cannot be registered, or to its own.
            let odd = self.new_key();
            odd.commitment()
        } else {
            self.new_commitment()
        };
        let signer = self.mostly(Principal::Device(device));
        (signer, Call::RotateDeviceKey(RotateDeviceKey { device, key, next }))
    }

    pub(super) fn recover(&mut self) -> Proposal {
        let fresh = self.device_where(|now, device| {
            now.status(device).is_some_and(|status| !status.is_final()) && now.recovery_pending(device).is_none()
        });
        let device = fresh.unwrap_or_else(|| self.device());
        let now = self.now();
        let since = now.key(&device).map(|epoch| epoch.from).max(now.owner(&device).map(|owner| owner.from));
        let suspect_since = match since {
            Some(since) if self.random.once_in(2) => Some(self.some_time_since(since)),
            _ => None,
        };
        let call = RecoverDeviceKey { device, key: self.new_key(), next: self.new_commitment(), suspect_since };
        let owner = self.owner_of(&device);
        (self.mostly(owner), Call::RecoverDeviceKey(call))
    }

    pub(super) fn cancel_recovery(&mut self) -> Proposal {
        let pending = self.device_where(|now, device| now.recovery_pending(device).is_some());
        let device = pending.unwrap_or_else(|| self.device());
        let owner = self.owner_of(&device);
        (self.mostly(owner), Call::CancelRecovery(CancelRecovery { device }))
    }

    pub(super) fn offer(&mut self) -> Proposal {
        let device = self.device();
        let to = if self.random.once_in(6) { None } else { Some(self.organization()) };
        let to = if self.random.once_in(80) {
            Some(cairn_types::OrganizationId::from_hash(cairn_types::Hash::plain(b"nobody")))
        } else {
            to
        };
        let owner = self.owner_of(&device);
        (self.mostly(owner), Call::OfferDevice(OfferDevice { device, to }))
    }

    pub(super) fn accept(&mut self) -> Proposal {
        let offered = self.device_where(|now, device| now.offer(device).is_some());
        let device = offered.unwrap_or_else(|| self.any_device());
        let to = self.now().offer(&device).unwrap_or_else(|| self.organization());
        let zone = if self.careful() { self.zone_of(to) } else { self.any_zone() };
        (self.mostly(Principal::Organization(to)), Call::AcceptDevice(AcceptDevice { device, zone }))
    }

    pub(super) fn place(&mut self) -> Proposal {
        let device = self.device();
        let owner = self.owner_of(&device);
        let zone = match owner {
            Principal::Organization(owner) if self.careful() => self.zone_of(owner),
            _ => self.any_zone(),
        };
        let (signer, authority) = self.entitled(owner, Action::Place, &Scope::Device(device));
        (signer, Call::PlaceDevice(PlaceDevice { device, zone, authority }))
    }

    pub(super) fn set_status(&mut self) -> Proposal {
        let suspended = self.device_where(|now, device| now.status(device) == Some(DeviceStatus::Suspended));
        let device = match suspended {
            Some(device) if self.random.once_in(2) => device,
            _ if self.random.once_in(5) => self.any_device(),
            _ => self.device(),
        };
        let now = self.now();
        let status = match (now.status(&device), self.random.below(30)) {
            (Some(DeviceStatus::Revoked), 2..) | (_, 0 | 1) => DeviceStatus::Revoked,
            (_, 2) => DeviceStatus::Decommissioned,
            (Some(DeviceStatus::Suspended), 5..) => DeviceStatus::Active,
            _ => DeviceStatus::Suspended,
        };
        let since = now.owner(&device).map(|owner| owner.from).unwrap_or_default();
        let doubted = (status == DeviceStatus::Revoked && self.random.below(4) > 0) || !self.careful();
        let suspect_since = if doubted { Some(self.some_time_since(since)) } else { None };
        let signer = match self.random.below(10) {
            0 => self.any_principal(),
            1 | 2 => Principal::Device(device),
            _ => self.owner_of(&device),
        };
        (signer, Call::SetDeviceStatus(SetDeviceStatus { device, status, suspect_since }))
    }
}

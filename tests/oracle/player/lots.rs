//! Manufacturers' words, and devices that appeal to them.

use cairn_types::call::{DistrustLot, EndorseLot};
use cairn_types::lot::{CertificateEndorsement, Endorsement, LotBasis, endorsement_message};
use cairn_types::{Call, Hash, Inception, LotId, Principal, Role, SignatureBytes};

use super::{Player, Proposal};
use crate::certificates::Chain;

impl Player<'_> {
    pub(super) fn endorse_lot(&mut self) -> Proposal {
        let now = self.now();
        let pool = self.pool();
        let basis = if self.random.once_in(2) {
            let lot = self.random.pick(&pool.lots);
            let count = if self.random.once_in(20) { 0 } else { u32::try_from(lot.leaves.len()).expect("few") };
            LotBasis::Merkle { root: lot.root, count }
        } else if self.random.once_in(20) {
            LotBasis::Issuer { key: self.new_key() }
        } else {
            LotBasis::Issuer { key: *self.random.pick(&pool.issuers) }
        };
        let is_maker = |id: &cairn_types::OrganizationId| {
            now.organization(id).is_some_and(|(_, _, roles)| roles.contains(Role::Manufacturer))
        };
        let makers: Vec<_> = now.organizations().into_iter().filter(is_maker).collect();
        let signer = Principal::Organization(*self.random.pick(&makers));
        let label = self.text("meters of 2025", 64);
        (self.mostly(signer), Call::EndorseLot(EndorseLot { basis, label }))
    }

    fn any_lot(&mut self) -> LotId {
        let lots = self.now().lots();
        if lots.is_empty() || self.random.once_in(40) {
            return LotId::from_hash(Hash::plain(b"no lot"));
        }
        *self.random.pick(&lots)
    }

    pub(super) fn distrust_lot(&mut self) -> Proposal {
        let lot = self.any_lot();
        let maker = match self.now().lot(&lot) {
            Some((maker, _)) => Principal::Organization(maker),
            None => self.any_principal(),
        };
        let suspect_since = if self.random.once_in(3) { None } else { Some(self.some_time()) };
        (self.mostly(maker), Call::DistrustLot(DistrustLot { lot, suspect_since }))
    }

    /// Something that may vouch for a device.
    pub(super) fn endorsement(&mut self, inception: &Inception) -> Option<Endorsement> {
        let now = self.now();
        let mut lots = now.lots();
        if self.careful() {
            lots.retain(|lot| now.distrusted(lot).is_none());
        }
        let lot = if lots.is_empty() { self.any_lot() } else { *self.random.pick(&lots) };
        let (_, endorsed) = now.lot(&lot)?;
        let is_merkle = matches!(endorsed.basis, LotBasis::Merkle { .. });
        // Sometimes the lot is of the other kind.
        if is_merkle == self.careful() {
            self.by_lot(lot, endorsed.basis, inception)
        } else {
            self.by_chain(lot, endorsed.basis, inception)
        }
    }

    fn by_lot(&mut self, lot: LotId, basis: LotBasis, inception: &Inception) -> Option<Endorsement> {
        let pool = self.pool();
        let device = inception.id();
        let known = pool.lots.iter().find(|known| matches!(basis, LotBasis::Merkle { root, .. } if root == known.root));
        let merkle = known.unwrap_or(&pool.lots[0]);
        let own = |leaf: &cairn_types::lot::LotLeaf| leaf.device.is_none_or(|named| named == device);
        let fitting: Vec<usize> = (0..merkle.leaves.len()).filter(|index| own(&merkle.leaves[*index])).collect();
        let index = if fitting.is_empty() || !self.careful() {
            self.random.below(merkle.leaves.len())
        } else {
            *self.random.pick(&fitting)
        };
        let mut shown = merkle.endorsement(lot, index);
        match self.random.below(40) {
            0 => shown.index += 1,
            1 => drop(shown.siblings.pop()),
            2 => shown.siblings.push(Hash::ZERO),
            3 => shown.bound = !shown.bound,
            4 => shown.serial.push('x'),
            5 => shown.salt[0] ^= 1,
            6 => shown.serial = "bell \u{7}".to_owned(),
            _ => {}
        }
        Some(Endorsement::Lot(shown))
    }

    fn by_chain(&mut self, lot: LotId, basis: LotBasis, inception: &Inception) -> Option<Endorsement> {
        let chains = &self.pool().chains;
        let device = inception.id();
        let number = self.pool().factory.iter().position(|made| made.id() == device);
        let fits = |chain: &&Chain| {
            let issued = matches!(basis, LotBasis::Issuer { key } if key == chain.issuer);
            issued && (chain.device.is_none() || chain.device == number)
        };
        let careful = self.careful();
        let fitting: Vec<&Chain> = chains.iter().filter(|chain| !careful || fits(chain)).collect();
        if fitting.is_empty() {
            return None;
        }
        let chain = *self.random.pick(&fitting);
        let mut signature = chain.certified.as_ref().map(|secret| secret.sign(&endorsement_message(&device)));
        match (&mut signature, self.random.below(20)) {
            (Some(SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)), 0) => bytes[5] ^= 1,
            (_, 1) => signature = None,
            (None, 2) => signature = Some(SignatureBytes::Ed25519([7; 64])),
            _ => {}
        }
        let chain = chain.certificates.clone();
        Some(Endorsement::Certificate(CertificateEndorsement { lot, chain, signature }))
    }
}

//! The word of a device's maker, as a registration carries it: a ticket of a lot, or certificates.

use cairn_types::lot::{CertificateEndorsement, Endorsement, endorsement_message};
use cairn_types::{DeviceId, PublicKey};

use super::super::certificates;
use super::super::lot::ticket::Ticket;
use super::super::output::Usage;
use super::EndorsementArgs;
use crate::keys::private::PrivateKey;

impl EndorsementArgs {
    /// The endorsement of a device whose first key is `first`, if one was named.
    pub(super) fn of(&self, device: DeviceId, first: &PublicKey) -> anyhow::Result<Option<Endorsement>> {
        if let Some(ticket) = &self.ticket {
            return Ok(Some(Endorsement::Lot(Ticket::endorsement(ticket, device)?)));
        }
        let (Some(path), Some(lot)) = (&self.certificate, self.lot) else {
            return Ok(None);
        };
        let chain = certificates::read(path)?;
        let certified = chain.first().map(|certificate| certificates::key_of(certificate)).transpose()?;
        let key = self.certified_key.as_deref().map(PrivateKey::read).transpose()?;
        let key = key.filter(|key| key.public() != *first);
        let shown = key.as_ref().map_or(*first, PrivateKey::public);
        if certified != Some(shown) {
            return Err(Usage(format!(
                "{} is about another key than {shown}; --certified-key names its private half",
                path.display()
            ))
            .into());
        }
        let signature = key.map(|key| key.sign(&endorsement_message(&device)));
        Ok(Some(Endorsement::Certificate(CertificateEndorsement { lot, chain, signature })))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use cairn_types::lot::{Endorsement, endorsement_message};
    use cairn_types::{DeviceId, Hash, LotId, PublicKey};

    use super::EndorsementArgs;
    use crate::cli::certificates::tests::{P256, P256_PRIVATE};
    use crate::keys::private::{Algorithm, PrivateKey};

    #[test]
    fn a_certified_key_that_is_not_the_devices_first_says_that_they_belong_together() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (chain, pem) = (directory.path().join("chain.pem"), directory.path().join("certified.pem"));
        std::fs::write(&chain, P256).expect("writes");
        std::fs::write(&pem, P256_PRIVATE).expect("writes");
        std::fs::set_permissions(&pem, std::fs::Permissions::from_mode(0o600)).expect("changes the mode");
        let certified = PrivateKey::read(&pem).expect("a key");
        let first = PrivateKey::generate(Algorithm::Ed25519).public();
        let device = DeviceId::from_hash(Hash::plain(b"meter"));
        let args = |certified_key| EndorsementArgs {
            ticket: None,
            certificate: Some(chain.clone()),
            lot: Some(LotId::from_hash(Hash::plain(b"lot"))),
            certified_key,
        };
        let signature = |args: EndorsementArgs, first: &PublicKey| match args.of(device, first).expect("an endorsement")
        {
            Some(Endorsement::Certificate(endorsement)) => endorsement.signature,
            _ => panic!("certificates"),
        };
        assert_eq!(signature(args(None), &certified.public()), None);
        assert_eq!(signature(args(Some(pem.clone())), &certified.public()), None);
        let signed = signature(args(Some(pem)), &first).expect("signed");
        assert_eq!(certified.public().verify(&endorsement_message(&device), &signed), Ok(()));
        assert!(args(None).of(device, &first).is_err_and(|error| error.to_string().contains("--certified-key")));
    }
}

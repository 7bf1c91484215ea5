//! A certificate authority in miniature: just enough DER (X.690) to issue what manufacturers issue, good and bad.

use cairn_types::{PublicKey, SignatureBytes};

use super::Key;

pub(in crate::tests) const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
pub(in crate::tests) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// What a certificate says. A story changes a field and issues it.
#[derive(Clone)]
pub(in crate::tests) struct Wanted {
    pub(in crate::tests) version: u8,
    pub(in crate::tests) serial: Vec<u8>,
    pub(in crate::tests) subject: &'static str,
    pub(in crate::tests) issuer: &'static str,
    pub(in crate::tests) key: PublicKey,
    /// Whether it is an authority, and how many others may stand below it.
    pub(in crate::tests) authority: Option<Option<u8>>,
    /// The one byte of keyUsage, if it is there.
    pub(in crate::tests) key_usage: Option<u8>,
    /// More extensions: id, whether it is critical.
    pub(in crate::tests) others: Vec<(&'static [u8], bool)>,
}

impl Wanted {
    /// A device's own certificate.
    pub(in crate::tests) fn device(key: PublicKey, issuer: &'static str) -> Self {
        let others = Vec::new();
        let (version, serial, subject) = (2, vec![0x12, 0xab], "FM-100 4711");
        Self { version, serial, subject, issuer, key, authority: None, key_usage: Some(0x80), others }
    }

    /// An authority's certificate.
    pub(in crate::tests) fn authority(subject: &'static str, key: PublicKey, issuer: &'static str) -> Self {
        Self { subject, authority: Some(None), key_usage: Some(0x04), ..Self::device(key, issuer) }
    }

    /// The certificate in DER, signed by `signer`.
    pub(in crate::tests) fn issued_by(&self, signer: &Key) -> Vec<u8> {
        let algorithm = match signer.public {
            PublicKey::Ed25519(_) => sequence(&[oid(ED25519)]),
            PublicKey::P256(_) => sequence(&[oid(ECDSA_WITH_SHA256)]),
        };
        let validity = sequence(&[tlv(0x17, b"200101000000Z"), tlv(0x18, b"99991231235959Z")]);
        let body = sequence(&[
            tlv(0xa0, &tlv(0x02, &[self.version])),
            tlv(0x02, &self.serial),
            algorithm.clone(),
            name(self.issuer),
            validity,
            name(self.subject),
            public_key(&self.key),
            tlv(0xa3, &sequence(&self.extensions())),
        ]);
        let signature = match signer.sign_message(&body) {
            SignatureBytes::Ed25519(bytes) => bytes.to_vec(),
            SignatureBytes::P256(bytes) => sequence(&[unsigned(&bytes[..32]), unsigned(&bytes[32..])]),
        };
        sequence(&[body, algorithm, tlv(0x03, &[&[0][..], &signature].concat())])
    }

    fn extensions(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        if let Some(path) = self.authority {
            let path = path.map(|path| tlv(0x02, &[path]));
            let value = sequence(&[vec![0x01, 0x01, 0xff], path.unwrap_or_default()]);
            all.push(extension(&[0x55, 0x1d, 0x13], true, &value));
        }
        if let Some(usage) = self.key_usage {
            let unused = u8::try_from(usage.trailing_zeros()).expect("at most 8");
            all.push(extension(&[0x55, 0x1d, 0x0f], true, &tlv(0x03, &[unused, usage])));
        }
        all.extend(self.others.iter().map(|(id, critical)| extension(id, *critical, &sequence(&[]))));
        all
    }
}

pub(in crate::tests) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let header = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header, value.to_vec()].concat()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    tlv(0x06, bytes)
}

fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let digits = &bytes[first..];
    let pad: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
    tlv(0x02, &[pad, digits].concat())
}

fn name(text: &str) -> Vec<u8> {
    sequence(&[tlv(0x31, &sequence(&[oid(COMMON_NAME), tlv(0x0c, text.as_bytes())]))])
}

fn public_key(key: &PublicKey) -> Vec<u8> {
    let algorithm = match key {
        PublicKey::Ed25519(_) => sequence(&[oid(ED25519)]),
        PublicKey::P256(_) => sequence(&[oid(EC_PUBLIC_KEY), oid(P256)]),
    };
    sequence(&[algorithm, tlv(0x03, &[&[0][..], key.as_bytes()].concat())])
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { vec![0x01, 0x01, 0xff] } else { Vec::new() };
    sequence(&[oid(id), critical, tlv(0x04, value)])
}

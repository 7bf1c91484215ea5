//! X.509 certificates (RFC 5280) as manufacturers issue them to devices: IEEE 802.1AR, Matter device attestation.
//!
//! A chain leads from the key that a manufacturer endorsed down to the key of one device. Of X.509 only what such chains
//! need is known here, and everything else is refused: a critical extension that is not understood may forbid what the
//! certificate is used for. Validity dates are not read, because no rule knows the time; trust ends with the lot.

use cairn_types::PublicKey;
use cairn_types::limits::{CERTIFICATE_CHAIN_MAX, CERTIFICATE_DER_BYTES_MAX};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::{Certificate, TbsCertificate, Version};

/// ecdsa-with-SHA256, RFC 5758 section 3.2.
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// Ed25519, as key and as signature, RFC 8410 section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// id-ecPublicKey, RFC 5480 section 2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp256r1, likewise.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// basicConstraints, RFC 5280 section 4.2.1.9.
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
/// keyUsage, RFC 5280 section 4.2.1.3.
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// extendedKeyUsage, RFC 5280 section 4.2.1.12.
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

/// What a chain certifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The device's key.
    pub key: PublicKey,
    /// The serial number of its certificate, in lowercase hexadecimal digits.
    pub serial: String,
}

/// Why a chain certifies nothing. Whoever offers it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainError {
    /// No certificate, too many, or one that is too long.
    Length,
    /// Not X.509 version 3, or not its one encoding.
    Encoding,
    /// Signed in a way that is not known here.
    Algorithm,
    /// A key that is not known here, or may not be registered.
    Key,
    /// An extension twice, or a critical one that is not known here.
    Extension,
    /// An authority that is none, or a device that is one.
    Authority,
    /// An issuer that is not the subject of the next.
    Names,
    /// A signature that does not verify.
    Signature,
}

impl ChainError {
    /// In words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Length => "a chain has 1 to 4 certificates of at most 8192 bytes",
            Self::Encoding => "a certificate is not X.509 version 3 in DER",
            Self::Algorithm => "a certificate is signed with neither ecdsa-with-SHA256 nor Ed25519",
            Self::Key => "a certificate's key is neither a P-256 nor an Ed25519 key, or may not be registered",
            Self::Extension => "a certificate has an extension twice, or a critical one that is not known here",
            Self::Authority => "a certificate is used as an authority and is none, or the device's is one",
            Self::Names => "a certificate's issuer is not the subject of the next",
            Self::Signature => "a certificate's signature does not verify",
        }
    }
}

// A text above names these limits.
const _: () = assert!(CERTIFICATE_CHAIN_MAX == 4 && CERTIFICATE_DER_BYTES_MAX == 8192);

/// Checks that `chain`, the device's certificate first, leads to a certificate that `issuer` signed.
///
/// # Errors
/// [`ChainError`]; whoever offers the chain is to blame.
pub fn check_chain(chain: &[Vec<u8>], issuer: &PublicKey) -> Result<Certified, ChainError> {
    if chain.is_empty() || chain.len() > CERTIFICATE_CHAIN_MAX {
        return Err(ChainError::Length);
    }
    let read: Vec<(Certificate, PublicKey)> =
        chain.iter().enumerate().map(|(place, der)| read(der, place)).collect::<Result<_, _>>()?;
    for pair in read.windows(2) {
        if let [(below, _), (above, _)] = pair
            && der_of(below.tbs_certificate().issuer())? != der_of(above.tbs_certificate().subject())?
        {
            return Err(ChainError::Names);
        }
    }
    let signers = read.iter().skip(1).map(|(_, key)| key).chain([issuer]);
    for ((certificate, _), signer) in read.iter().zip(signers) {
        check_signature(certificate, signer)?;
    }
    let (first, key) = read.first().ok_or(ChainError::Length)?;
    Ok(Certified { key: *key, serial: serial_of(first.tbs_certificate()) })
}

/// Reads the certificate at `place` of a chain, 0 being the device's own, and checks all that concerns it alone.
fn read(der: &[u8], place: usize) -> Result<(Certificate, PublicKey), ChainError> {
    if der.len() > CERTIFICATE_DER_BYTES_MAX {
        return Err(ChainError::Length);
    }
    let certificate = Certificate::from_der(der).map_err(|_| ChainError::Encoding)?;
    // One value, one encoding: the signature is checked over the encoding of what was read.
    if der_of(&certificate)? != der || certificate.tbs_certificate().version() != Version::V3 {
        return Err(ChainError::Encoding);
    }
    let body = certificate.tbs_certificate();
    let algorithm = certificate.signature_algorithm();
    if body.signature() != algorithm || ![ECDSA_WITH_SHA256, ED25519].contains(&algorithm.oid) {
        return Err(ChainError::Algorithm);
    }
    let key = key_of(body)?;
    check_extensions(body, place)?;
    Ok((certificate, key))
}

fn der_of(value: &impl Encode) -> Result<Vec<u8>, ChainError> {
    value.to_der().map_err(|_| ChainError::Encoding)
}

fn key_of(body: &TbsCertificate) -> Result<PublicKey, ChainError> {
    let info = body.subject_public_key_info();
    let bytes = info.subject_public_key.as_bytes().ok_or(ChainError::Key)?;
    let key = if info.algorithm.oid == ED25519 && info.algorithm.parameters.is_none() {
        PublicKey::Ed25519(bytes.try_into().map_err(|_| ChainError::Key)?)
    } else if info.algorithm.oid == EC_PUBLIC_KEY {
        let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        if curve != Some(P256) {
            return Err(ChainError::Key);
        }
        PublicKey::p256_from_sec1(bytes).map_err(|_| ChainError::Key)?
    } else {
        return Err(ChainError::Key);
    };
    key.check().map(|()| key).map_err(|_| ChainError::Key)
}

fn check_extensions(body: &TbsCertificate, place: usize) -> Result<(), ChainError> {
    let extensions = body.extensions().map_or(&[][..], Vec::as_slice);
    let (mut authority, mut may_sign) = (None, true);
    for (index, extension) in extensions.iter().enumerate() {
        let id = extension.extn_id;
        if extensions.iter().take(index).any(|other| other.extn_id == id) {
            return Err(ChainError::Extension);
        }
        let value = extension.extn_value.as_bytes();
        if id == BASIC_CONSTRAINTS {
            let read = BasicConstraints::from_der(value).map_err(|_| ChainError::Encoding)?;
            authority = read.ca.then_some(read.path_len_constraint);
        } else if id == KEY_USAGE {
            may_sign = KeyUsage::from_der(value).map_err(|_| ChainError::Encoding)?.key_cert_sign();
        } else if extension.critical && id != EXTENDED_KEY_USAGE {
            return Err(ChainError::Extension);
        }
    }
    // Between the certificate at `place` and the device's own there are `place - 1` others.
    let is_right = match (place.checked_sub(1), authority) {
        (None, authority) => authority.is_none(),
        (Some(between), Some(most)) => may_sign && most.is_none_or(|most| between <= usize::from(most)),
        (Some(_), None) => false,
    };
    if is_right { Ok(()) } else { Err(ChainError::Authority) }
}

fn check_signature(certificate: &Certificate, signer: &PublicKey) -> Result<(), ChainError> {
    let fits = matches!(
        (certificate.signature_algorithm().oid, signer),
        (ECDSA_WITH_SHA256, PublicKey::P256(_)) | (ED25519, PublicKey::Ed25519(_))
    );
    let signature = certificate.signature().as_bytes().filter(|_| fits).ok_or(ChainError::Signature)?;
    let message = der_of(certificate.tbs_certificate())?;
    signer.verify_certificate(&message, signature).map_err(|_| ChainError::Signature)
}

fn serial_of(body: &TbsCertificate) -> String {
    let bytes = body.serial_number().as_bytes();
    let significant = bytes.iter().position(|byte| *byte != 0).and_then(|first| bytes.get(first..)).unwrap_or(&[0]);
    significant.iter().map(|byte| format!("{byte:02x}")).collect()
}

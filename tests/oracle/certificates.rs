//! Chains of certificates, good and bad, written byte by byte: enough of DER to say what section 17.8 asks for and to
//! break each of its rules alone. The oracle does not read them; it is told which are good.

use cairn_tests::oracle::GoodChain;
use cairn_types::PublicKey;

use crate::pool::Secret;

/// A chain, and what it shows if it is good.
pub(crate) struct Chain {
    /// Which rule it breaks, for whoever reads a failure.
    pub(crate) name: &'static str,
    /// The key that signed the last certificate, or should have.
    pub(crate) issuer: PublicKey,
    pub(crate) certificates: Vec<Vec<u8>>,
    /// The number in the factory of the device whose first key the chain certifies, if it does.
    pub(crate) device: Option<usize>,
    /// The secret of another certified key.
    pub(crate) certified: Option<Secret>,
    pub(crate) good: Option<GoodChain>,
}

const ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const EC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const BASIC_CONSTRAINTS: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x0f];
const SUBJECT_ALT_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

/// One value: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match content.len() {
        length @ 0..128 => bytes.push(length as u8),
        length @ 128..256 => bytes.extend([0x81, length as u8]),
        length => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend_from_slice(content);
    bytes
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

fn name(text: &str) -> Vec<u8> {
    sequence(&[&der(0x31, &sequence(&[COMMON_NAME, &der(0x0c, text.as_bytes())]))])
}

fn bit_string(content: &[u8]) -> Vec<u8> {
    der(0x03, &[&[0], content].concat())
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[id, critical, &der(0x04, value)])
}

fn basic_constraints(authority: bool, path_length: Option<u8>) -> Vec<u8> {
    let authority: &[u8] = if authority { &[0x01, 0x01, 0xff] } else { &[] };
    let path_length = path_length.map_or(Vec::new(), |length| der(0x02, &[length]));
    extension(BASIC_CONSTRAINTS, true, &sequence(&[authority, &path_length]))
}

/// keyUsage with its first bits: 0 digitalSignature … 5 keyCertSign.
fn key_usage(bits: u8, unused: u8) -> Vec<u8> {
    extension(KEY_USAGE, true, &der(0x03, &[unused, bits]))
}

fn algorithm(secret: &Secret) -> Vec<u8> {
    match secret {
        Secret::Ed25519(_) => sequence(&[ED25519]),
        Secret::P256(_) => sequence(&[ECDSA_SHA256]),
    }
}

fn key_info(secret: &Secret) -> Vec<u8> {
    match secret {
        Secret::Ed25519(secret) => sequence(&[&sequence(&[ED25519]), &bit_string(secret.verifying_key().as_bytes())]),
        Secret::P256(secret) => {
            let point = secret.verifying_key().to_sec1_point(false);
            sequence(&[&sequence(&[EC_KEY, P256]), &bit_string(point.as_bytes())])
        }
    }
}

fn signature(secret: &Secret, message: &[u8]) -> Vec<u8> {
    match secret {
        Secret::Ed25519(secret) => {
            use ed25519_dalek::Signer;
            bit_string(&secret.sign(message).to_bytes())
        }
        Secret::P256(secret) => {
            use ed25519_dalek::Signer;
            let signature: p256::ecdsa::Signature = secret.sign(message);
            bit_string(signature.to_der().as_bytes())
        }
    }
}

/// What a certificate says.
#[derive(Clone)]
struct Saying<'a> {
    serial: u8,
    issuer: &'a str,
    subject: &'a str,
    key: &'a Secret,
    extensions: Vec<Vec<u8>>,
}

impl Saying<'_> {
    fn signed(&self, by: &Secret) -> Vec<u8> {
        self.signed_as(by, &algorithm(by), &algorithm(by))
    }

    fn signed_as(&self, by: &Secret, inner: &[u8], outer: &[u8]) -> Vec<u8> {
        let extensions: &[u8] = &self.extensions.concat();
        let extensions = if extensions.is_empty() { vec![] } else { der(0xa3, &sequence(&[extensions])) };
        let validity = sequence(&[&der(0x17, b"250101000000Z"), &der(0x17, b"260101000000Z")]);
        let body = sequence(&[
            &der(0xa0, &der(0x02, &[2])),
            &der(0x02, &[self.serial, 0x0a]),
            inner,
            &name(self.issuer),
            &validity,
            &name(self.subject),
            &key_info(self.key),
            &extensions,
        ]);
        sequence(&[&body, outer, &signature(by, &body)])
    }
}

/// The issuers' keys, and chains under them; `factory` holds two keys for each device of the factory.
pub(crate) fn make(factory: &[Secret]) -> (Vec<PublicKey>, Vec<Chain>) {
    let roots = [Secret::called("issuer 0", true), Secret::called("issuer 1", false)];
    let authorities = [Secret::called("authority 0", true), Secret::called("authority 1", false)];
    let idev = |number: usize| Secret::called(&format!("initial key {number}"), number.is_multiple_of(2));
    let authority = |path_length| vec![basic_constraints(true, path_length), key_usage(0b0000_0100, 2)];
    let leaf_extensions = || vec![basic_constraints(false, None), key_usage(0b1000_0000, 7)];

    let mut chains: Vec<Chain> = Vec::new();
    let mut add =
        |name, root: &Secret, certificates: Vec<Vec<u8>>, certified: Result<usize, Secret>, serial: Option<u8>| {
            let (device, key, certified) = match certified {
                Ok(device) => (Some(device), factory[2 * device].public(), None),
                Err(secret) => (None, secret.public(), Some(secret)),
            };
            let good = serial.map(|serial| GoodChain {
                certificates: certificates.clone(),
                issuer: root.public(),
                certified: key,
                serial: format!("{serial:02x}0a"),
            });
            chains.push(Chain { name, issuer: root.public(), certificates, device, certified, good });
        };

    // Good: straight from the issuer, by way of one authority, and of two; for first keys and for keys beside them.
    let middle =
        Saying { serial: 2, issuer: "maker", subject: "plant", key: &authorities[0], extensions: authority(Some(1)) };
    let line =
        Saying { serial: 3, issuer: "plant", subject: "line", key: &authorities[1], extensions: authority(Some(0)) };
    for (number, root) in roots.iter().enumerate() {
        for device in 4 * number..4 * number + 2 {
            let leaf = Saying {
                serial: 0x10 + device as u8,
                issuer: "maker",
                subject: "meter",
                key: &factory[2 * device],
                extensions: vec![],
            };
            add("good: straight", root, vec![leaf.signed(root)], Ok(device), Some(0x10 + device as u8));
        }
        let secret = idev(number);
        let leaf =
            Saying { serial: 0x20, issuer: "plant", subject: "meter", key: &secret, extensions: leaf_extensions() };
        let chain = vec![leaf.signed(&authorities[0]), middle.signed(root)];
        add("good: one authority", root, chain, Err(idev(number)), Some(0x20));
        let device = 4 * number + 2;
        let leaf = Saying {
            serial: 0x30,
            issuer: "line",
            subject: "meter",
            key: &factory[2 * device],
            extensions: leaf_extensions(),
        };
        let chain = vec![leaf.signed(&authorities[1]), line.signed(&authorities[0]), middle.signed(root)];
        add("good: two authorities", root, chain.clone(), Ok(device), Some(0x30));
        let mut own = chain;
        let maker =
            Saying { issuer: "maker", subject: "maker", key: root, extensions: authority(None), ..middle.clone() };
        own.push(maker.signed(root));
        add("good: with the issuer's own", root, own, Ok(device), Some(0x30));
    }

    // Bad: each breaks one rule.
    let root = &roots[0];
    let secret = idev(7);
    let leaf = Saying { serial: 0x40, issuer: "maker", subject: "meter", key: &secret, extensions: leaf_extensions() };
    let under_plant = Saying { issuer: "plant", ..leaf.clone() };
    let mut bad = |name, certificates| add(name, root, certificates, Err(idev(7)), None);
    bad("no certificates", vec![]);
    let with = |extensions| Saying { extensions, ..leaf.clone() }.signed(root);
    bad("an authority as device", vec![with(authority(None))]);
    bad("an unknown critical extension", vec![with(vec![extension(SUBJECT_ALT_NAME, true, &sequence(&[]))])]);
    bad("an extension twice", vec![with([leaf_extensions(), vec![key_usage(0b1000_0000, 7)]].concat())]);
    bad("signed by another", vec![leaf.signed(&authorities[0])]);
    bad("signed with another algorithm", vec![leaf.signed(&authorities[1])]);
    bad("algorithms that differ", vec![leaf.signed_as(root, &sequence(&[ED25519]), &algorithm(root))]);
    let mut trailing = leaf.signed(root);
    trailing.push(0);
    bad("a byte too many", vec![trailing]);
    bad("not DER", vec![b"certificate".to_vec()]);
    let chain = |middle: &Saying<'_>| vec![under_plant.signed(&authorities[0]), middle.signed(root)];
    bad("names that do not meet", chain(&Saying { subject: "Plant", ..middle.clone() }));
    bad("no authority between", chain(&Saying { extensions: leaf_extensions(), ..middle.clone() }));
    bad("constraints are absent", chain(&Saying { extensions: vec![], ..middle.clone() }));
    let usage = vec![basic_constraints(true, None), key_usage(0b1000_0000, 7)];
    bad("keyCertSign is absent", chain(&Saying { extensions: usage, ..middle.clone() }));
    let deep = Saying { issuer: "line", ..leaf.clone() };
    let short = Saying { extensions: authority(Some(0)), ..middle.clone() };
    bad("a path too long", vec![deep.signed(&authorities[1]), line.signed(&authorities[0]), short.signed(root)]);
    let maker = Saying { subject: "maker", key: root, extensions: authority(None), ..middle.clone() };
    let five = vec![
        deep.signed(&authorities[1]),
        line.signed(&authorities[0]),
        middle.signed(root),
        maker.signed(root),
        maker.signed(root),
    ];
    bad("five certificates", five);
    (roots.iter().map(Secret::public).collect(), chains)
}

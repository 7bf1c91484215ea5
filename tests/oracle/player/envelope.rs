//! Who says it, after what, until when; and the signatures. Sometimes one of them is spoiled.

use cairn_tests::oracle::Asked;
use cairn_types::call::ReportFork;
use cairn_types::{
    BlockHash, BlockRef, Body, Call, ChainId, Hash, Height, Principal, Signature, SignatureBytes, SignedTransaction,
    Transaction,
};

use super::{Player, Proposal};

impl Player<'_> {
    pub(super) fn put_in_envelope(&mut self, (signer, call): Proposal) -> SignedTransaction {
        let expires = self.expiry(&call);
        let mut body = Body { chain: self.oracle.chain, signer, not_before: self.not_before(), expires, call };
        if self.random.once_in(30) {
            self.spoil(&mut body);
        }
        if matches!(body.call, Call::Attest(_)) && self.random.once_in(8) {
            self.remember_twins(&body);
        }
        let signed = self.sign(body);
        self.memory.known.push(signed.clone());
        signed
    }

    fn not_before(&mut self) -> BlockRef {
        let blocks = &self.oracle.blocks;
        let back = if self.random.once_in(3) { self.random.below(blocks.len().min(8)) } else { 0 };
        let height = blocks.len() - 1 - back;
        BlockRef { height: Height::new(height as u64), hash: blocks[height] }
    }

    fn expiry(&mut self, call: &Call) -> Option<Height> {
        let of_stream = matches!(call, Call::OpenStream(_) | Call::CloseStream(_) | Call::Attest(_));
        let expires = Height::new(self.position.height.get() + self.random.below(6) as u64);
        (!of_stream || self.random.once_in(3)).then_some(expires)
    }

    fn spoil(&mut self, body: &mut Body) {
        match self.random.below(8) {
            0 => body.chain = ChainId::from_hash(Hash::plain(b"another network")),
            1 => body.expires = None,
            2 => body.expires = Some(Height::new(self.random.next())),
            3 => body.not_before.height = self.position.height,
            4 => body.not_before.hash = BlockHash::from_hash(Hash::plain(b"another block")),
            5 => body.expires = Some(Height::new(self.position.height.get().saturating_sub(1))),
            6 => body.expires = Some(Height::new(self.position.height.get() + 39)),
            _ => body.call = Call::ReportFork(ReportFork { first: vec![0; 33_000], second: vec![] }),
        }
    }

    /// The device says two things at one place, and somebody keeps both.
    fn remember_twins(&mut self, body: &Body) {
        let mut twins: Vec<(cairn_types::TransactionId, Vec<u8>)> = Vec::new();
        for content in [b"one", b"two"] {
            let mut twin = body.clone();
            if let Call::Attest(call) = &mut twin.call {
                call.content.hash = cairn_types::ContentHash::plain(content);
            }
            let id = twin.id();
            twins.push((id, cairn_types::encode(&self.well_signed(twin))));
        }
        twins.sort();
        let [first, second] = <[_; 2]>::try_from(twins).expect("two were made");
        self.memory.twins.push([first.1, second.1]);
    }

    /// With all the signatures that are asked for, and no others.
    fn well_signed(&self, body: Body) -> Transaction {
        let asked = self.now().asked(&body).unwrap_or_default();
        let id = body.id();
        let of = |asked: &Asked| {
            let keys = (0..).zip(asked.keys.clone()).take(usize::from(asked.threshold));
            let signer = asked.principal;
            let sign = |(key, public)| Signature { signer, key, bytes: self.pool().sign(self.scheme, &public, &id) };
            keys.map(sign).collect::<Vec<_>>()
        };
        let signatures = asked.iter().flat_map(of).collect();
        Transaction { body, signatures }
    }

    /// Everybody who should sign does, with as many keys as they need; sometimes not.
    fn sign(&mut self, body: Body) -> SignedTransaction {
        let mut asked = self.now().asked(&body).unwrap_or_else(|_| self.keys_anyway(&body));
        if matches!(body.call, Call::Govern(_)) {
            self.let_some_abstain(&mut asked);
        }
        let id = body.id();
        let mut signatures = Vec::new();
        for Asked { principal, threshold, keys } in &asked {
            let signer = *principal;
            let skipped = keys.len().saturating_sub(usize::from(*threshold));
            let first = self.random.below(skipped + 1);
            let all = self.random.once_in(6);
            for (place, public) in keys.iter().enumerate() {
                let enough = place < first || place >= first + usize::from(*threshold);
                let Ok(key) = u8::try_from(place) else { break };
                if all || !enough {
                    signatures.push(Signature { signer, key, bytes: self.pool().sign(self.scheme, public, &id) });
                }
            }
        }
        signatures.sort_by_key(|signature| (signature.signer, signature.key));
        if !signatures.is_empty() && self.random.once_in(30) {
            self.spoil_signatures(&mut signatures);
        }
        SignedTransaction::new(Transaction { body, signatures })
    }

    /// The keys of the signer as far as they are known, though the rules would not ask for them.
    fn keys_anyway(&self, body: &Body) -> Vec<Asked> {
        let now = self.now();
        let keys = match body.signer {
            Principal::Organization(id) => now.organization_keys(&id).map(|(set, _)| set.keys.clone()),
            Principal::Device(id) => now.key(&id).map(|epoch| vec![epoch.value.key]),
        };
        let keys = keys.unwrap_or_else(|| vec![self.pool().key(0)]);
        vec![Asked { principal: body.signer, threshold: 1, keys }]
    }

    fn let_some_abstain(&mut self, council: &mut Vec<Asked>) {
        let needed = 2 * council.len() / 3 + 1;
        let signing = if self.careful() { needed } else { self.random.below(council.len() + 1) };
        while council.len() > signing {
            let abstains = self.random.below(council.len());
            council.remove(abstains);
        }
    }

    fn spoil_signatures(&mut self, signatures: &mut Vec<Signature>) {
        let index = self.random.below(signatures.len());
        match self.random.below(7) {
            0 => drop(signatures.remove(index)),
            1 => signatures.push(signatures[index].clone()),
            2 => signatures[index].key ^= 1,
            3 => {
                let (SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)) = &mut signatures[index].bytes;
                bytes[self.random.below(64)] ^= 1;
            }
            4 => {
                let signer = self.any_principal();
                let bytes = signatures[index].bytes;
                signatures.push(Signature { signer, key: 0, bytes });
                signatures.sort_by_key(|signature| (signature.signer, signature.key));
            }
            5 => {
                // Of the other algorithm.
                let (SignatureBytes::Ed25519(bytes) | SignatureBytes::P256(bytes)) = signatures[index].bytes;
                signatures[index].bytes = match signatures[index].bytes {
                    SignatureBytes::Ed25519(_) => SignatureBytes::P256(bytes),
                    SignatureBytes::P256(_) => SignatureBytes::Ed25519(bytes),
                };
            }
            _ => {
                let (signer, bytes) = (signatures[index].signer, signatures[index].bytes);
                *signatures = (0..65).map(|key| Signature { signer, key, bytes }).collect();
            }
        }
    }
}

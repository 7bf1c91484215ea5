//! Certified blocks over hand-written changes of the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_proofs::accumulator;
use cairn_proofs::tree::StateTree;
use cairn_rpc::backend::View;
use cairn_types::block::HEADER_VERSION;
use cairn_types::certificate::{CertificateSignature, precommit_sign_bytes};
use cairn_types::transaction::{leaf_of, signed_message};
use cairn_types::{
    Block, BlockHash, BlockRef, Body, Certificate, ChainId, Hash, Header, Height, OrganizationId, Power, Principal,
    PublicKey, Round, Signature, SignatureBytes, SignedTransaction, Transaction, Validator, ValidatorSet,
};
use ed25519_dalek::{Signer, SigningKey};

/// Block 0's time.
const EPOCH_MS: u64 = 1_790_000_000_000;

pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The secret key of this seed.
pub(crate) fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Its public key.
pub(crate) fn public(seed: u8) -> PublicKey {
    PublicKey::Ed25519(secret(seed).verifying_key().to_bytes())
}

/// Signs `body` in the name of its signer.
pub(crate) fn signed(body: Body, seed: u8) -> SignedTransaction {
    let signer = body.signer;
    signed_by(body, &[(signer, seed)])
}

/// Signs `body` in the name of all of these, who ascend.
pub(crate) fn signed_by(body: Body, signers: &[(Principal, u8)]) -> SignedTransaction {
    let message = signed_message(&body.id());
    let sign = |(signer, seed): &(Principal, u8)| {
        let bytes = SignatureBytes::Ed25519(secret(*seed).sign(&message).to_bytes());
        Signature { signer: *signer, key: 0, bytes }
    };
    let mut signatures: Vec<Signature> = signers.iter().map(sign).collect();
    signatures.sort_by_key(|signature| signature.signer);
    SignedTransaction::new(Transaction { body, signatures })
}

/// The validators' keys, in their order.
fn secrets() -> Vec<SigningKey> {
    let mut secrets: Vec<SigningKey> = (201..=204).map(secret).collect();
    secrets.sort_by_key(|secret| secret.verifying_key().to_bytes());
    secrets
}

/// Four validators of `organization`.
pub(crate) fn validators(organization: OrganizationId) -> ValidatorSet {
    let validator = |secret: &SigningKey| Validator {
        key: secret.verifying_key().to_bytes(),
        peer: SigningKey::from_bytes(Hash::plain(&secret.to_bytes()).as_bytes()).verifying_key().to_bytes(),
        power: Power::new(1),
        organization,
    };
    ValidatorSet::new(secrets().iter().map(validator).collect()).expect("a valid set")
}

pub(crate) struct Ledger {
    pub(crate) chain: ChainId,
    pub(crate) blocks: Vec<(Block, Option<Certificate>)>,
    pub(crate) views: Vec<Arc<View>>,
    pub(crate) validators: Arc<ValidatorSet>,
    secrets: Vec<SigningKey>,
}

impl Ledger {
    /// These validators, and block 0 with this state.
    pub(crate) fn new(validators: ValidatorSet, state: StateTree) -> Self {
        let mut ledger = Self {
            chain: ChainId::NONE,
            blocks: Vec::new(),
            views: Vec::new(),
            validators: Arc::new(validators),
            secrets: secrets(),
        };
        let header = ledger.header(&state, &[]);
        ledger.chain = header.chain_id();
        ledger.push(Block { header, transactions: Vec::new() }, None, state);
        ledger
    }

    /// Appends a block: these transactions, and what they are said to change.
    pub(crate) fn append(&mut self, transactions: Vec<SignedTransaction>, changes: &Changes) {
        let state = self.latest().state.apply(changes);
        let bytes: Vec<Vec<u8>> = transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect();
        let header = self.header(&state, &bytes);
        let (height, round, block) = (header.height, Round::ZERO, header.hash());
        let message = precommit_sign_bytes(&self.chain, height, round, &block);
        let signatures = (0_u16..)
            .zip(&self.secrets)
            .take(3)
            .map(|(validator, secret)| CertificateSignature { validator, signature: secret.sign(&message).to_bytes() })
            .collect();
        let certificate = Certificate { height, round, block, signatures };
        self.push(Block { header, transactions: bytes }, Some(certificate), state);
    }

    /// The latest final height.
    pub(crate) fn latest(&self) -> &View {
        self.views.last().expect("there is a block 0")
    }

    /// The latest block, for `not_before`.
    pub(crate) fn tip(&self) -> BlockRef {
        BlockRef { height: self.latest().header.height, hash: self.latest().hash }
    }

    /// Hashes of the blocks below `height`.
    pub(crate) fn history(&self, height: Height) -> Vec<Hash> {
        let count = usize::try_from(height.get()).expect("a small height");
        self.views.iter().take(count).map(|view| view.hash.hash()).collect()
    }

    fn header(&self, state: &StateTree, transactions: &[Vec<u8>]) -> Header {
        let height = Height::new(u64::try_from(self.views.len()).expect("few blocks"));
        let leaves: Vec<Hash> = transactions.iter().map(|bytes| leaf_of(bytes)).collect();
        Header {
            version: HEADER_VERSION,
            chain: self.chain,
            height,
            time_ms: EPOCH_MS + 1_000 * height.get(),
            parent: self.views.last().map_or(BlockHash::from_hash(Hash::ZERO), |view| view.hash),
            history_root: accumulator::root_of(&self.history(height)),
            tx_root: accumulator::root_of(&leaves),
            state_root: state.root(),
            validators_root: self.validators.root(),
            next_validators_root: self.validators.root(),
            proposer: 0,
        }
    }

    fn push(&mut self, block: Block, certificate: Option<Certificate>, state: StateTree) {
        self.views.push(Arc::new(View {
            hash: block.header.hash(),
            header: block.header.clone(),
            certificate: certificate.clone(),
            state,
            validators: Arc::clone(&self.validators),
        }));
        self.blocks.push((block, certificate));
    }
}

//! Each signing domain, with the exact bytes that are signed; and signatures that are not valid.

use cairn_consensus::{Proposal, Vote, VoteKind};
use cairn_types::domain;
use cairn_types::transaction::signed_message;
use cairn_types::{BlockHash, Height, Round, SignatureBytes};
use serde_json::{Value, json};

use crate::Vector;
use crate::readable::Readable;
use crate::samples::*;

fn vector(
    name: &str,
    prefix: &str,
    fields: Value,
    message: &[u8],
    secret: &Secret,
    signature: SignatureBytes,
) -> Vector {
    assert!(message.starts_with(prefix.as_bytes()), "{name}");
    let key = public(secret);
    vec![
        ("name", json!(name)),
        ("prefix", json!(prefix)),
        ("value", fields),
        ("message", json!(hex::encode(message))),
        ("key", key.readable()),
        ("signature", signature.readable()),
        ("valid", json!(key.verify(message, &signature).is_ok())),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<Vector> {
    let (chain, height, round) = (chain(), Height::new(42), Round::new(3));
    let block = BlockHash::from_hash(word("block 42"));
    let mut vectors = Vec::new();
    let mut sign_both = |name: &str, prefix: &str, fields: Value, message: &[u8]| {
        for (algorithm, secret) in [("Ed25519", ed25519("signer")), ("P-256", p256("signer"))] {
            let name = format!("{name}, {algorithm}");
            vectors.push(vector(&name, prefix, fields.clone(), message, &secret, sign(&secret, message)));
        }
    };
    let id = transaction("transaction");
    let message = signed_message(&id);
    let of_transaction = json!({ "transaction": id.readable() });
    sign_both("transaction", domain::SIGN_TRANSACTION.prefix(), of_transaction.clone(), &message);
    let endorsement = [domain::SIGN_ENDORSEMENT.prefix().as_bytes(), device().as_bytes()].concat();
    let of_device = json!({ "device": device().readable() });
    sign_both("endorsement", domain::SIGN_ENDORSEMENT.prefix(), of_device, &endorsement);

    let secret = ed25519("validator 1");
    let fields = |block: Option<BlockHash>, pol_round: Value| {
        let (chain, height) = (chain.readable(), height.readable());
        json!({ "chain": chain, "height": height, "round": round.get(), "block": block.readable(), "pol_round": pol_round })
    };
    for (name, pol_round) in [("proposal", None), ("proposal of a block that two thirds wanted", Some(Round::new(1)))] {
        let message = Proposal { height, round, pol_round, block, proposer: 0 }.sign_bytes(&chain);
        let value = fields(Some(block), json!(pol_round.map(Round::get)));
        vectors.push(vector(name, domain::SIGN_PROPOSAL.prefix(), value, &message, &secret, sign(&secret, &message)));
    }
    for (name, domain, kind, block) in [
        ("prevote", domain::SIGN_PREVOTE, VoteKind::Prevote, Some(block)),
        ("prevote for no block", domain::SIGN_PREVOTE_NIL, VoteKind::Prevote, None),
        ("precommit", domain::SIGN_PRECOMMIT, VoteKind::Precommit, Some(block)),
        ("precommit for no block", domain::SIGN_PRECOMMIT_NIL, VoteKind::Precommit, None),
    ] {
        let message = Vote { height, round, kind, block, validator: 0 }.sign_bytes(&chain);
        let value = fields(block, Value::Null);
        vectors.push(vector(name, domain.prefix(), value, &message, &secret, sign(&secret, &message)));
    }

    // What must be refused.
    let (ed, p) = (ed25519("signer"), p256("signer"));
    let high = with_high_s(&sign(&p, &message));
    let other = signed_message(&transaction("another"));
    for (name, secret, signature) in [
        ("P-256 with s in the upper half", &p, high),
        ("P-256 over another message", &p, sign(&p, &other)),
        ("Ed25519 over another message", &ed, sign(&ed, &other)),
        ("Ed25519 where the key is P-256", &p, sign(&ed, &message)),
    ] {
        let prefix = domain::SIGN_TRANSACTION.prefix();
        let refused = vector(name, prefix, of_transaction.clone(), &message, secret, signature);
        assert!(refused.contains(&("valid", json!(false))), "{name}");
        vectors.push(refused);
    }
    vectors
}

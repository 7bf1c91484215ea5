//! Every message has one encoding, and what is signed is what the specification says, byte by byte.

use cairn_types::certificate::precommit_sign_bytes;
use cairn_types::{ChainId, Hash, Height, Round};
use proptest::prelude::*;

use super::{
    MESSAGE_BYTES_MAX, Message, PolkaCertificate, Proposal, RoundCertificate, RoundCertificateKind, RoundVote,
    SignedProposal, SignedVote, VoteKind,
};
use crate::testing::{block, vote};

fn of_each_kind() -> Vec<Message> {
    let proposal = Proposal {
        height: Height::new(5),
        round: Round::new(2),
        pol_round: Some(Round::new(1)),
        block: block("b"),
        proposer: 3,
    };
    let signed = SignedVote { vote: vote(5, 2, VoteKind::Precommit, Some(block("b")), 1), signature: [7; 64] };
    vec![
        Message::Proposal(SignedProposal { proposal, signature: [9; 64] }),
        Message::Vote(signed),
        Message::Repeat(signed),
        Message::Polka(PolkaCertificate {
            height: Height::new(5),
            round: Round::new(2),
            block: block("b"),
            signatures: vec![(0, [1; 64]), (2, [2; 64])],
        }),
        Message::Round(RoundCertificate {
            height: Height::new(5),
            round: Round::new(2),
            kind: RoundCertificateKind::Skip,
            votes: vec![RoundVote { validator: 1, kind: VoteKind::Prevote, block: None, signature: [3; 64] }],
        }),
    ]
}

#[test]
fn every_message_reads_back_and_no_other_bytes_do() {
    for message in of_each_kind() {
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes).as_ref(), Ok(&message));
        for cut in 0..bytes.len() {
            assert!(Message::decode(&bytes[..cut]).is_err(), "{message:?} cut to {cut} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Message::decode(&longer).is_err(), "{message:?} with a byte too many");
    }
    assert!(Message::decode(&[5]).is_err(), "an unknown kind");
    assert!(Message::decode(&vec![0; MESSAGE_BYTES_MAX + 1]).is_err(), "too long");
}

#[test]
fn the_largest_certificate_fits_and_a_larger_one_is_refused_before_it_is_read() {
    let vote =
        |validator| RoundVote { validator, kind: VoteKind::Precommit, block: Some(block("b")), signature: [3; 64] };
    let certificate = |count| {
        Message::Round(RoundCertificate {
            height: Height::new(u64::MAX),
            round: Round::new(1),
            kind: RoundCertificateKind::Precommit,
            votes: (0..count).map(vote).collect(),
        })
    };
    assert_eq!(Message::decode(&certificate(128).encode()), Ok(certificate(128)));
    let error = Message::decode(&certificate(129).encode()).map_err(|error| error.to_string());
    assert!(error.is_err());
    // A count that the bytes do not hold is refused by the cap, not by running out of memory.
    let mut lying = certificate(0).encode();
    let end = lying.len() - 4;
    lying[end..].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = Message::decode(&lying).expect_err("a lie").to_string();
    assert!(error.contains("at most 128"), "{error}");
}

#[test]
fn signed_bytes_are_laid_out_as_specified() {
    let chain = ChainId::from_hash(Hash::from_bytes([0xcc; 32]));
    let layout = |prefix: &str, rest: &[&[u8]]| {
        let mut bytes = prefix.as_bytes().to_vec();
        bytes.extend_from_slice(&[0xcc; 32]);
        bytes.extend_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[2, 0, 0, 0]);
        rest.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes
    };
    let b = block("b");
    let bytes = |kind, block| vote(5, 2, kind, block, 1).sign_bytes(&chain);
    assert_eq!(bytes(VoteKind::Prevote, Some(b)), layout("cairn sign prevote v1", &[b.as_bytes()]));
    assert_eq!(bytes(VoteKind::Prevote, None), layout("cairn sign nil prevote v1", &[]));
    assert_eq!(bytes(VoteKind::Precommit, Some(b)), layout("cairn sign precommit v1", &[b.as_bytes()]));
    assert_eq!(bytes(VoteKind::Precommit, None), layout("cairn sign nil precommit v1", &[]));
    assert_eq!(
        bytes(VoteKind::Precommit, Some(b)),
        precommit_sign_bytes(&chain, Height::new(5), Round::new(2), &b),
        "a certificate proves what was signed"
    );

    let proposal = Proposal { height: Height::new(5), round: Round::new(2), pol_round: None, block: b, proposer: 3 };
    assert_eq!(proposal.sign_bytes(&chain), layout("cairn sign proposal v1", &[&[0; 5], b.as_bytes()]));
    let again = Proposal { pol_round: Some(Round::new(0)), ..proposal };
    assert_eq!(again.sign_bytes(&chain), layout("cairn sign proposal v1", &[&[1, 0, 0, 0, 0], b.as_bytes()]));
}

proptest! {
    #[test]
    fn any_bytes_decode_to_an_error_or_to_their_own_message(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn a_changed_byte_gives_an_error_or_another_message(kind in 0usize..5, at in 0usize..400, flip in 1u8..) {
        let message = of_each_kind().swap_remove(kind);
        let mut bytes = message.encode();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        if let Ok(other) = Message::decode(&bytes) {
            prop_assert_ne!(&other, &message);
            prop_assert_eq!(other.encode(), bytes);
        }
    }
}

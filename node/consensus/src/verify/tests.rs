//! One line for each way in which a message can be false.

use cairn_types::{ChainId, Hash, Height, Power, Round};

use super::MessageError;
use crate::evidence::{Evidence, EvidenceError};
use crate::message::{
    Message, PolkaCertificate, ROUND_MAX, RoundCertificate, RoundCertificateKind, RoundVote, VoteKind,
};
use crate::testing::{Four, block, vote};

#[test]
fn a_vote_counts_only_with_its_validators_signature_on_its_chain() {
    let four = Four::new();
    let good = four.signed_vote(vote(3, 1, VoteKind::Prevote, Some(block("b")), 2));
    let verify = |signed| Message::Vote(signed).verify(&four.chain, &four.set).map(|_| ());
    assert_eq!(verify(good), Ok(()));

    let forged = Err(MessageError::Signature { validator: 2 });
    let mut changed = good;
    changed.vote.kind = VoteKind::Precommit;
    assert_eq!(verify(changed), forged, "another kind");
    let mut changed = good;
    changed.vote.block = None;
    assert_eq!(verify(changed), forged, "another block");
    let mut changed = good;
    changed.vote.height = Height::new(4);
    assert_eq!(verify(changed), forged, "another height");
    let mut changed = good;
    changed.vote.round = Round::new(2);
    assert_eq!(verify(changed), forged, "another round");
    let mut changed = good;
    changed.vote.validator = 1;
    assert_eq!(verify(changed), Err(MessageError::Signature { validator: 1 }), "another's name");
    let mut changed = good;
    changed.vote.validator = 4;
    assert_eq!(verify(changed), Err(MessageError::UnknownValidator { height: Height::new(3), validator: 4 }));
    let mut changed = good;
    changed.vote.round = Round::new(ROUND_MAX + 1);
    assert_eq!(verify(changed), Err(MessageError::Round { round: Round::new(ROUND_MAX + 1) }));

    let other_chain = ChainId::from_hash(Hash::plain(b"other"));
    assert_eq!(Message::Vote(good).verify(&other_chain, &four.set).map(|_| ()), forged);
    // The zero signature, by which the engine's wrapper marks what was not signed, is nobody's.
    let mut zero = good;
    zero.signature = [0; 64];
    assert_eq!(verify(zero), forged);
}

#[test]
fn a_proposal_comes_from_the_rounds_proposer_and_refers_back_only() {
    let four = Four::new();
    let verify = |signed| Message::Proposal(signed).verify(&four.chain, &four.set).map(|_| ());
    assert_eq!(verify(four.signed_proposal(3, 1, None, block("b"))), Ok(()));
    assert_eq!(verify(four.signed_proposal(3, 2, Some(1), block("b"))), Ok(()));

    let forward = four.signed_proposal(3, 1, Some(1), block("b"));
    let pol_round = MessageError::PolRound { round: Round::new(1), pol_round: Round::new(1) };
    assert_eq!(verify(forward), Err(pol_round));

    let (height, round) = (Height::new(3), Round::new(1));
    let expected = four.set.proposer(height, round);
    let mut out_of_turn = four.signed_proposal(3, 1, None, block("b"));
    out_of_turn.proposal.proposer = (expected + 1) % 4;
    let found = out_of_turn.proposal.proposer;
    assert_eq!(verify(out_of_turn), Err(MessageError::NotTheProposer { height, round, found, expected }));

    let mut other_block = four.signed_proposal(3, 1, None, block("b"));
    other_block.proposal.block = block("c");
    assert_eq!(verify(other_block), Err(MessageError::Signature { validator: expected }));
}

#[test]
fn a_certificate_has_ascending_members_of_enough_power() {
    let four = Four::new();
    let polka = |signers: &[u16]| {
        let signatures = signers.iter().map(|signer| (*signer, [1; 64])).collect();
        let (height, round) = (Height::new(3), Round::new(1));
        let message = Message::Polka(PolkaCertificate { height, round, block: block("b"), signatures });
        message.verify(&four.chain, &four.set).map(|_| ())
    };
    let too_little = |signed| Err(MessageError::Power { signed: Power::new(signed), total: Power::new(4) });
    assert_eq!(polka(&[0, 1, 3]), Ok(()), "shape only: the machine checks its signatures");
    assert_eq!(polka(&[0, 1]), too_little(2));
    assert_eq!(polka(&[]), too_little(0));
    assert_eq!(polka(&[0, 0, 1, 2]), Err(MessageError::Order { validator: 0 }));
    assert_eq!(polka(&[2, 1, 3]), Err(MessageError::Order { validator: 1 }));
    let unknown = MessageError::UnknownValidator { height: Height::new(3), validator: 9 };
    assert_eq!(polka(&[0, 1, 9]), Err(unknown));

    let round = |kind, votes: &[(u16, VoteKind)]| {
        let votes = votes
            .iter()
            .map(|(validator, kind)| RoundVote { validator: *validator, kind: *kind, block: None, signature: [1; 64] })
            .collect();
        let certificate = RoundCertificate { height: Height::new(3), round: Round::new(1), kind, votes };
        Message::Round(certificate).verify(&four.chain, &four.set).map(|_| ())
    };
    use VoteKind::{Precommit, Prevote};
    assert_eq!(round(RoundCertificateKind::Skip, &[(0, Prevote), (2, Precommit)]), Ok(()));
    assert_eq!(round(RoundCertificateKind::Skip, &[(0, Prevote)]), too_little(1));
    assert_eq!(round(RoundCertificateKind::Precommit, &[(0, Precommit), (1, Precommit), (2, Precommit)]), Ok(()));
    assert_eq!(round(RoundCertificateKind::Precommit, &[(0, Precommit), (1, Precommit)]), too_little(2));
    let mixed = [(0, Precommit), (1, Prevote), (2, Precommit)];
    assert_eq!(round(RoundCertificateKind::Precommit, &mixed), Err(MessageError::Kind { validator: 1 }));
}

#[test]
fn evidence_is_two_genuine_messages_that_contradict_each_other() {
    let four = Four::new();
    let first = four.signed_vote(vote(3, 1, VoteKind::Prevote, Some(block("b")), 2));
    let second = four.signed_vote(vote(3, 1, VoteKind::Prevote, None, 2));
    let verify = |evidence: Evidence| evidence.verify(&four.chain, &four.set);
    let evidence = Evidence::Votes { first, second };
    assert_eq!((evidence.validator(), evidence.height()), (2, Height::new(3)));
    assert_eq!(verify(evidence), Ok(()));

    let none = Err(EvidenceError::NoContradiction);
    assert_eq!(verify(Evidence::Votes { first, second: first }), none, "the same twice");
    let later = four.signed_vote(vote(3, 2, VoteKind::Prevote, None, 2));
    assert_eq!(verify(Evidence::Votes { first, second: later }), none, "another round");
    let precommit = four.signed_vote(vote(3, 1, VoteKind::Precommit, None, 2));
    assert_eq!(verify(Evidence::Votes { first, second: precommit }), none, "another kind");
    let other = four.signed_vote(vote(3, 1, VoteKind::Prevote, None, 1));
    assert_eq!(verify(Evidence::Votes { first, second: other }), none, "another validator");
    let mut forged = second;
    forged.vote.block = Some(block("c"));
    let error = EvidenceError::Message(MessageError::Signature { validator: 2 });
    assert_eq!(verify(Evidence::Votes { first, second: forged }), Err(error));

    let first = four.signed_proposal(3, 1, None, block("b"));
    let second = four.signed_proposal(3, 1, Some(0), block("b"));
    assert_eq!(verify(Evidence::Proposals { first, second }), Ok(()), "the same block, another reason");
    assert_eq!(verify(Evidence::Proposals { first, second: first }), none);
}

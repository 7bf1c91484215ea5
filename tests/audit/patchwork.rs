//! Bundles that no honest node makes: true parts, put together wrongly.

use cairn_proofs::bundle::Bundle;
use cairn_proofs::verdict::Outcome;
use cairn_types::{Round, ValidatorSet};

use crate::case::Case;
use crate::stories::{DAY, Meter, OTHER_DAY, ordinary_day, through_gateway};

/// A change of a bundle, and what it is.
type Edit<'a> = (&'static str, Box<dyn Fn(&mut Bundle) + 'a>);

/// Bundles with a part of another, without a part, or with one too many. None is VALID.
pub(crate) fn all() -> Vec<Case> {
    let mut meter = Meter::with(9, through_gateway);
    meter.chain.idle(2);
    let day = meter.attest_among_three(meter.chain.tip(), DAY);
    let other_day = meter.attest(OTHER_DAY);
    meter.chain.idle(3);
    let early = meter.chain.bundle(&day, None);
    let case = meter.case("", &day);
    meter.place("north/well");
    meter.rotate();
    let late = meter.chain.bundle(&other_day, Some(meter.chain.at(3)));
    let edits: Vec<Edit<'_>> = vec![
        ("checkpoint of another", Box::new(|bundle| bundle.finality.checkpoint = late.finality.checkpoint.clone())),
        ("certificate of another", Box::new(|bundle| bundle.finality.certificate = late.finality.certificate.clone())),
        ("block of another", Box::new(|bundle| bundle.block = late.block.clone())),
        ("not_before of another", Box::new(|bundle| bundle.not_before = late.not_before.clone())),
        ("anchor of another", Box::new(|bundle| bundle.anchor = late.anchor.clone())),
        ("transaction of another", Box::new(|bundle| bundle.transaction = late.transaction.clone())),
        ("inclusion of another", Box::new(|bundle| bundle.inclusion = late.inclusion.clone())),
        ("device of another", Box::new(|bundle| bundle.device = late.device.clone())),
        ("stream of another", Box::new(|bundle| bundle.stream = late.stream.clone())),
        ("stream for device", Box::new(|bundle| bundle.device = bundle.stream.clone())),
        ("no block", Box::new(|bundle| bundle.block = None)),
        ("no not_before", Box::new(|bundle| bundle.not_before = None)),
        ("no grants", Box::new(|bundle| bundle.grants.clear())),
        ("a grant too few", Box::new(|bundle| drop(bundle.grants.pop()))),
        ("a grant too many", Box::new(|bundle| bundle.grants.push(bundle.grants[0].clone()))),
        ("grants turned round", Box::new(|bundle| bundle.grants.reverse())),
        ("no placements", Box::new(|bundle| bundle.placements.clear())),
        ("placements twice", Box::new(|bundle| bundle.placements.push(bundle.placements[0].clone()))),
        ("an organization too few", Box::new(|bundle| drop(bundle.organizations.pop()))),
        ("an organization too many", Box::new(|bundle| bundle.organizations.push(bundle.organizations[0].clone()))),
        ("organizations turned round", Box::new(|bundle| bundle.organizations.reverse())),
        ("a signature below the quorum", Box::new(|bundle| bundle.finality.certificate.signatures.truncate(2))),
        (
            "a signature twice",
            Box::new(|bundle| {
                let last = bundle.finality.certificate.signatures[2].clone();
                bundle.finality.certificate.signatures.push(last);
            }),
        ),
        ("signatures turned round", Box::new(|bundle| bundle.finality.certificate.signatures.reverse())),
        ("an unknown signer", Box::new(|bundle| bundle.finality.certificate.signatures[2].validator = 4)),
        ("another round", Box::new(|bundle| bundle.finality.certificate.round = Round::new(1))),
        ("another count", Box::new(|bundle| bundle.inclusion.count += 1)),
        ("another index", Box::new(|bundle| bundle.inclusion.proof.index += 1)),
        ("validators of another network", Box::new(|bundle| bundle.finality.validators = other_set())),
        ("another version", Box::new(|bundle| bundle.version = 1)),
        ("superseded for stream", Box::new(|bundle| bundle.superseded = bundle.stream.clone())),
        ("a lot that nobody asks for", Box::new(|bundle| bundle.lot = Some(bundle.stream.clone()))),
        ("superseded of another", Box::new(|bundle| bundle.superseded = late.superseded.clone())),
    ];
    let patch = |(name, edit): &Edit<'_>| {
        let mut bundle = early.clone();
        edit(&mut bundle);
        let patched = Case { name: (*name).to_owned(), bundle: bundle.encode(), ..case.clone() };
        assert_ne!(patched.verdict().outcome, Outcome::Valid, "{name}");
        patched
    };
    edits.iter().map(patch).collect()
}

/// The validators of another network.
fn other_set() -> ValidatorSet {
    Bundle::decode(&ordinary_day(10).bundle).expect("a bundle").finality.validators
}

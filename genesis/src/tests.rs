//! One file, read, written, shuffled and broken in every way that has an error.

use cairn_runtime::organization::FoundingError;
use cairn_runtime::{governance, state};
use cairn_types::organization::{KeySetError, Role};
use cairn_types::{
    ChainId, Hash, Height, Interval, KeyError, Name, OrganizationId, Position, PublicKey, ValidatorSetError, codec,
    state_key,
};
use ed25519_dalek::SigningKey;

use crate::error::{GenesisError, KeyUse};
use crate::file::{FoundingKeys, FoundingOrganization, FoundingValidator, Genesis};
use crate::parameters;
use cairn_types::parameters::ParametersError;

/// What a test does to a good genesis.
type Change = fn(&mut Genesis);

fn key(seed: u8) -> [u8; 32] {
    SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()
}

fn public(seed: u8) -> PublicKey {
    PublicKey::Ed25519(key(seed))
}

fn name(text: &str) -> Name {
    text.parse().expect("a valid name")
}

fn organization(text: &str, roles: &[Role], keys: &[u8]) -> FoundingOrganization {
    FoundingOrganization {
        name: name(text),
        title: format!("{text} Ltd."),
        roles: roles.iter().copied().collect(),
        keys: keys.iter().copied().map(public).collect(),
        threshold: 1,
        next: None,
        recovery: None,
    }
}

fn validator(seed: u8, organization: &str) -> FoundingValidator {
    FoundingValidator { key: key(seed), peer: key(seed + 100), power: 1, organization: name(organization) }
}

/// A water company with two keys and two validators, a manufacturer and an auditor with one each.
fn water() -> Genesis {
    let mut company = organization("water", &[Role::Council, Role::Operator], &[1, 2]);
    company.threshold = 2;
    company.next = Some(public(3).commitment());
    company.recovery = Some(FoundingKeys { keys: vec![public(5), public(4)], threshold: 2 });
    Genesis {
        name: name("water-testnet"),
        time_ms: 1_767_225_600_000,
        parameters: parameters::defaults(),
        organizations: vec![
            company,
            organization("maker", &[Role::Manufacturer], &[6]),
            organization("audit", &[Role::Auditor], &[7]),
        ],
        validators: vec![
            validator(20, "water"),
            validator(21, "water"),
            validator(22, "maker"),
            validator(23, "audit"),
        ],
    }
}

fn chain(genesis: &Genesis) -> ChainId {
    genesis.build().expect("a valid genesis").chain
}

fn refused(change: impl FnOnce(&mut Genesis)) -> GenesisError {
    let mut genesis = water();
    change(&mut genesis);
    genesis.build().expect_err("a genesis that cannot stand")
}

#[test]
fn what_is_written_reads_back_the_same() {
    let text = water().to_toml().expect("it can be written");
    assert!(text.contains("time = \"2026-01-01T00:00:00Z\""), "{text}");
    let read = Genesis::from_toml(&text).expect("it can be read");
    assert_eq!(read, water());
    assert_eq!(chain(&read), chain(&water()));
}

#[test]
fn the_smallest_file_has_every_default() {
    let text = format!(
        r#"
        name = "small"
        time = "2026-01-01T01:00:00.250+01:00"
        [[organization]]
        name = "water"
        title = "Water Company"
        roles = ["council"]
        keys = ["{}"]
        [[validator]]
        key = "{}"
        peer = "{}"
        power = 1
        organization = "water"
        "#,
        public(1),
        Hash::from_bytes(key(2)),
        Hash::from_bytes(key(3)),
    );
    let genesis = Genesis::from_toml(&text).expect("it can be read");
    assert_eq!(genesis.time_ms, 1_767_225_600_250);
    assert_eq!(genesis.parameters, parameters::defaults());
    assert_eq!(genesis.organizations[0].threshold, 1);
    chain(&genesis);
}

#[test]
fn block_0_commits_to_what_the_file_says() {
    let genesis = water();
    let built = genesis.build().expect("a valid genesis");
    let header = &built.block.header;
    assert!(built.block.transactions.is_empty());
    assert_eq!((header.chain, header.height, header.time_ms), (ChainId::NONE, Height::GENESIS, genesis.time_ms));
    assert_eq!(header.state_root, built.state.root());
    assert_eq!(header.validators_root, built.validators.root());
    assert_eq!(header.next_validators_root, header.validators_root);
    assert_eq!(built.chain.genesis_hash(), header.hash());
    assert_eq!(state::parameters(&built.state), genesis.parameters);
    for height in [0, 1, 2, 1_000_000] {
        assert_eq!(governance::validators_at(&built.state, Height::new(height)), built.validators, "height {height}");
    }
    assert_eq!(governance::version_at(&built.state, Height::new(1_000_000)), header.version);
    let council = built.state.get(&state_key::ordinal(state_key::council(), 0)).expect("a council from the genesis on");
    let council: Interval<Vec<OrganizationId>> = codec::decode(&council, 4_096).expect("it decodes");
    let water = built.state.get(&state_key::organization_name(&name("water"))).expect("a founder");
    assert_eq!(council.from, Position::start_of(Height::GENESIS));
    assert_eq!(council.value.iter().map(|id| id.as_bytes().as_slice()).collect::<Vec<_>>(), [&*water]);
    for founder in &genesis.organizations {
        assert!(built.state.get(&state_key::organization_name(&founder.name)).is_some(), "{}", founder.name);
    }
    let keys: Vec<_> = built.validators.iter().map(|validator| validator.key).collect();
    assert!(keys.is_sorted(), "a set is in the order of its keys");
    assert_eq!(built.changes.len() as u64, built.state.len(), "the changes make the state out of nothing");
}

#[test]
fn the_order_of_entries_changes_nothing() {
    let expected = chain(&water());
    for shift in 0..4 {
        let mut shuffled = water();
        shuffled.validators.rotate_left(shift);
        shuffled.organizations.rotate_left(shift % 3);
        for organization in &mut shuffled.organizations {
            organization.keys.reverse();
            if let Some(recovery) = &mut organization.recovery {
                recovery.keys.reverse();
            }
        }
        assert_eq!(chain(&shuffled), expected, "shifted by {shift}");
    }
}

#[test]
fn whatever_the_file_says_is_in_the_chain_id_except_the_label() {
    let expected = chain(&water());
    let changes: [(&str, Change); 10] = [
        ("time", |genesis| genesis.time_ms += 1),
        ("parameter", |genesis| genesis.parameters.heartbeat_ms += 1),
        ("title", |genesis| genesis.organizations[1].title.push('!')),
        ("role", |genesis| genesis.organizations[1].roles = [Role::Operator].into_iter().collect()),
        ("key", |genesis| genesis.organizations[1].keys = vec![public(90)]),
        ("threshold", |genesis| genesis.organizations[0].threshold = 1),
        ("next", |genesis| genesis.organizations[0].next = None),
        ("recovery", |genesis| genesis.organizations[0].recovery = None),
        ("power", |genesis| genesis.validators[0].power = 2),
        ("peer", |genesis| genesis.validators[0].peer = key(91)),
    ];
    for (what, change) in changes {
        let mut genesis = water();
        change(&mut genesis);
        assert_ne!(chain(&genesis), expected, "{what}");
    }
    let mut renamed = water();
    renamed.name = name("another");
    assert_eq!(chain(&renamed), expected);
}

#[test]
fn the_chain_id_of_a_known_file_stays() {
    // Changing this line is agreeing that every network's block 0 changes.
    assert_eq!(chain(&water()).to_string(), "670ad02b6eaac6436933821f52c66652179d33fc6ee706f1a0a94ea1e577e26b");
}

#[test]
fn a_text_of_the_wrong_form_is_refused_with_its_line() {
    let good = water().to_toml().expect("it can be written");
    let cases = [
        ("heartbeat_ms", "heart_beat_ms", "unknown field `heart_beat_ms`"),
        ("threshold = 2\n", "threshold = 2\nsecret = 1\n", "unknown field `secret`"),
        ("\"council\"", "\"king\"", "\"king\" is not a role; there are: council, manufacturer, operator, auditor"),
        ("ed25519:", "rsa:", "a public key is written ed25519:<64 lowercase hexadecimal digits>"),
        ("\nkey = \"", "\nkey = \"0x", "not one of 0-9 a-f"),
        ("\nkey = \"", "\nkey = \"00", "expected 64 lowercase hexadecimal digits, got 66 characters"),
        ("2026-01-01T00:00:00Z", "yesterday", "\"yesterday\" is not an RFC 3339 time"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0001Z", "finer than a millisecond"),
        ("2026-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "before 1970-01-01T00:00:00Z"),
        ("name = \"maker\"", "name = \"Maker\"", "may hold a-z, 0-9 and inner hyphens only"),
        ("power = 1", "power = -1", "invalid value"),
        ("power = 1", "", "missing field `power`"),
    ];
    for (from, to, expected) in cases {
        assert!(good.contains(from), "{from} is not in the file");
        let text = good.replacen(from, to, 1);
        let error = Genesis::from_toml(&text).expect_err(to).to_string();
        assert!(error.contains(expected) && error.contains("line"), "{to}: {error}");
    }
}

#[test]
fn a_time_that_has_no_text_is_not_written() {
    let mut genesis = water();
    genesis.time_ms = u64::MAX;
    assert!(matches!(genesis.to_toml(), Err(GenesisError::Unwritable { .. })));
}

#[test]
fn parameters_stay_within_their_caps() {
    let cases: [(&str, Change); 12] = [
        ("lifetime_max is 0, but must be 1 to 10000000", |g| g.parameters.lifetime_max = 0),
        ("recovery_delay", |g| g.parameters.recovery_delay = u64::MAX),
        ("block_bytes_max is 32767, but must be 32768 to 1048576", |g| g.parameters.block_bytes_max = 32_767),
        ("block_bytes_max", |g| g.parameters.block_bytes_max = 1_048_577),
        ("block_transactions_max is 4097, but must be 1 to 4096", |g| g.parameters.block_transactions_max = 4_097),
        ("heartbeat_ms is 99", |g| g.parameters.heartbeat_ms = 99),
        ("clock_drift_ms", |g| g.parameters.clock_drift_ms = 0),
        ("propose_timeout_ms", |g| g.parameters.propose_timeout_ms = 60_001),
        ("prevote_timeout_ms", |g| g.parameters.prevote_timeout_ms = 0),
        ("precommit_timeout_ms", |g| g.parameters.precommit_timeout_ms = 0),
        ("timeout_delta_ms", |g| g.parameters.timeout_delta_ms = 0),
        ("quota_window", |g| g.parameters.quota_window = 0),
    ];
    for (expected, change) in cases {
        let error = refused(change);
        assert!(matches!(error, GenesisError::Parameters(ParametersError::OutOfRange { .. })), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = refused(|genesis| genesis.parameters.clock_drift_ms = 499);
    assert_eq!(
        error.to_string(),
        "clock_drift_ms is 499, below propose_timeout_ms, which is 500: a proposal that arrives in time would be refused \
         as too old"
    );
}

#[test]
fn every_key_has_one_use() {
    let two_uses: [(Change, KeyUse, KeyUse); 6] = [
        (
            |genesis| genesis.organizations[1].keys = vec![public(6), public(6)],
            KeyUse::Organization(name("maker")),
            KeyUse::Organization(name("maker")),
        ),
        (
            |genesis| genesis.organizations[1].keys = vec![public(7)],
            KeyUse::Organization(name("audit")),
            KeyUse::Organization(name("maker")),
        ),
        (
            |genesis| genesis.organizations[1].keys = vec![public(5)],
            KeyUse::Organization(name("maker")),
            KeyUse::Recovery(name("water")),
        ),
        (
            |genesis| genesis.validators[2].key = key(6),
            KeyUse::Organization(name("maker")),
            KeyUse::Validator(name("maker")),
        ),
        (|genesis| genesis.validators[2].peer = key(22), KeyUse::Validator(name("maker")), KeyUse::Peer(name("maker"))),
        (
            |genesis| genesis.validators[1].key = key(20),
            KeyUse::Validator(name("water")),
            KeyUse::Validator(name("water")),
        ),
    ];
    for (change, expected_first, expected_second) in two_uses {
        match refused(change) {
            GenesisError::KeyShared { first, second, .. } => {
                assert_eq!((first, second), (expected_first, expected_second));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_organization_that_cannot_be_founded_is_named() {
    let twice = refused(|genesis| genesis.organizations[2].name = name("maker"));
    assert!(
        matches!(&twice, GenesisError::Organization(FoundingError::NameTaken { name }) if name.as_str() == "maker")
    );
    let title = refused(|genesis| genesis.organizations[1].title = "two\nlines".to_owned());
    assert!(matches!(&title, GenesisError::Organization(FoundingError::Title { name }) if name.as_str() == "maker"));
    let unmet = refused(|genesis| genesis.organizations[1].threshold = 2);
    assert_eq!(unmet.to_string(), "the keys of maker: threshold 2 of 1 keys");
    let keyless = refused(|genesis| genesis.organizations[1].keys.clear());
    assert!(matches!(
        keyless,
        GenesisError::Organization(FoundingError::Keys { source: KeySetError::Count { count: 0 }, .. })
    ));
    let weak = refused(|genesis| genesis.organizations[1].keys = vec![PublicKey::Ed25519([0; 32])]);
    assert!(matches!(
        weak,
        GenesisError::Organization(FoundingError::Keys {
            source: KeySetError::Key { source: KeyError::SmallOrder, .. },
            ..
        })
    ));
}

#[test]
fn a_network_that_nobody_could_govern_is_refused() {
    let nobody = refused(|genesis| genesis.organizations[0].roles = [Role::Operator].into_iter().collect());
    assert!(matches!(nobody, GenesisError::Council { count: 0 }), "{nobody}");
    assert!(nobody.to_string().contains("nobody could ever replace a validator"), "{nobody}");

    let crowd = |count: u8, keys: u8| {
        move |genesis: &mut Genesis| {
            let member = |index: u8| {
                let mut keys: Vec<u8> = (0..keys).map(|key| index * keys + key).collect();
                keys.iter_mut().for_each(|key| *key += 100);
                let mut member = organization(&format!("member-{index}"), &[Role::Council], &keys);
                member.threshold = u8::try_from(keys.len()).expect("few");
                member
            };
            genesis.organizations.truncate(1);
            genesis.organizations[0].roles = [Role::Operator].into_iter().collect();
            genesis.organizations.extend((0..count).map(member));
            genesis.validators.truncate(1);
            genesis.validators[0] = validator(90, "water");
            genesis.validators[0].peer = key(91);
        }
    };
    let too_many = refused(crowd(33, 1));
    assert!(matches!(too_many, GenesisError::Council { count: 33 }), "{too_many}");
    let too_careful = refused(crowd(31, 4));
    assert!(
        matches!(too_careful, GenesisError::CouncilThresholds { quorum: 21, count: 31, signatures: 84 }),
        "{too_careful}"
    );
    let mut largest = water();
    crowd(32, 2)(&mut largest);
    largest.build().expect("22 of 32 with two keys each are 44 signatures");
}

#[test]
fn a_validator_that_cannot_stand_is_named() {
    let foreign = refused(|genesis| genesis.validators[1].organization = name("nobody"));
    assert_eq!(
        foreign.to_string(),
        format!("validator {} belongs to nobody, but no organization has that name", public(21))
    );
    let idle = refused(|genesis| genesis.validators[3].power = 0);
    assert!(
        matches!(&idle, GenesisError::Validator { validator, source: ValidatorSetError::Power { .. } }
            if *validator == public(23)),
        "{idle}"
    );
    let too_strong = refused(|genesis| genesis.validators[3].power = u64::MAX);
    assert!(matches!(too_strong, GenesisError::Validator { source: ValidatorSetError::Power { .. }, .. }));
    let weak = refused(|genesis| genesis.validators[3].peer = [0; 32]);
    assert!(
        matches!(&weak, GenesisError::Validator { validator, source: ValidatorSetError::Key { .. } }
            if *validator == public(23)),
        "{weak}"
    );
    let nobody = refused(|genesis| genesis.validators.clear());
    assert!(matches!(nobody, GenesisError::Validators { source: ValidatorSetError::Count { count: 0 } }));
}

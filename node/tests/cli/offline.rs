//! What the command line does with no node at all: keys, lots, attestations of a device without a network, and proofs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use cairn_types::call::OpenStream;
use cairn_types::transaction::signed_message;
use cairn_types::{
    BlockHash, BlockRef, Body, Call, ChainId, ContentHash, DeviceId, GrantId, Hash, Height, Principal, PublicKey,
    SignedTransaction, StreamId, Transaction, decode,
};
use serde_json::Value;

use super::{cairn, nobody, one_json_object, stderr, stdout, text};

fn succeed(arguments: &[&str]) -> Output {
    let output = cairn(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    output
}

fn fail(arguments: &[&str], status: i32, words: &str) {
    let output = cairn(arguments);
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert!(said.contains(words), "{arguments:?}: {said}");
}

fn generate(path: &Path, algorithm: &str) -> PublicKey {
    let made = one_json_object(&succeed(&["key", "generate", "--algorithm", algorithm, "--out", text(path), "--json"]));
    made["key"].as_str().expect("a key").parse().expect("a key")
}

#[test]
fn a_set_of_keys_of_both_kinds_is_committed_to_in_whatever_order_it_is_typed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (one, two) = (directory.path().join("one.pem"), directory.path().join("two.pem"));
    let (first, second) = (generate(&one, "ed25519"), generate(&two, "p256"));
    assert_eq!((first.algorithm(), second.algorithm()), ("ed25519", "p256"));
    let commit = |a: &str, b: &str| {
        let output = succeed(&["key", "commit", "--key", a, "--key", b, "--threshold", "2", "--json"]);
        one_json_object(&output)
    };
    let by_file = commit(text(&one), text(&two));
    assert_eq!(commit(&second.to_string(), &first.to_string()), by_file);
    assert_eq!(by_file["keys"].as_array().map(Vec::len), Some(2));
    fail(&["key", "commit", "--key", text(&one), "--key", text(&two)], 2, "how many of the 2 keys must sign?");
    fail(&["key", "generate", "--algorithm", "rsa", "--out", "x.pem"], 2, "ed25519, p256");
}

#[test]
fn a_passphrase_is_put_on_a_key_file_changed_and_taken_off_and_never_typed_as_an_argument() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    let private = |name: &str, text_: &str| {
        fs::write(path(name), text_).expect("writes");
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o600)).expect("changes the mode");
        path(name)
    };
    let (old, new) = (private("old", "correct horse battery\n"), private("new", "staple a paper clip\n"));
    let key = path("device.pem");
    let with = |file: &Path, arguments: &[&str]| {
        let arguments = [arguments, &["--passphrase-file", text(file)]].concat();
        cairn(&arguments)
    };
    let made = with(&old, &["key", "generate", "--passphrase", "--out", text(&key), "--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let made = one_json_object(&made);
    let on_disk = fs::read_to_string(&key).expect("reads");
    assert!(on_disk.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{on_disk}");

    let show = ["key", "show", text(&key), "--json"];
    assert_eq!(one_json_object(&with(&old, &show)), made);
    let wrong = with(&new, &show);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("the passphrase does not open"), "{}", stderr(&wrong));

    let change = ["key", "passphrase", text(&key), "--new-passphrase-file", text(&new)];
    assert_eq!(with(&old, &change).status.code(), Some(0));
    assert_eq!(one_json_object(&with(&new, &show)), made);
    assert_eq!(with(&old, &show).status.code(), Some(1), "the old one opens it no more");
    assert_eq!(with(&new, &["key", "passphrase", text(&key), "--remove"]).status.code(), Some(0));
    assert_eq!(one_json_object(&succeed(&show)), made);

    let weak = private("weak", "swordfish\n");
    let refused = with(&weak, &["key", "passphrase", text(&key)]);
    assert!(stderr(&refused).contains("too short"), "{}", stderr(&refused));
    fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).expect("changes the mode");
    let refused = with(&old, &["key", "passphrase", text(&key)]);
    assert!(stderr(&refused).contains("chmod 600"), "{}", stderr(&refused));
    assert_eq!(one_json_object(&succeed(&show)), made, "a refusal leaves the file as it was");
}

#[test]
fn a_lot_of_100_000_devices_is_salted_kept_private_and_gives_out_tickets() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    let (serials, lot, ticket) = (path("serials.csv"), path("lot.jsonl"), path("ticket.json"));
    let list: String = (0..100_000).map(|number| format!("WM-{number:06}\n")).collect();
    fs::write(&serials, format!("serial\n{list}")).expect("writes");
    let make = ["lot", "make", "--serials", text(&serials), "--out", text(&lot), "--label", "water meters"];
    let made = one_json_object(&succeed(&[&make[..], &["--json"]].concat()));
    assert_eq!((&made["devices"], &made["bound"]), (&Value::from(100_000), &Value::from(0)));
    let mode = fs::metadata(&lot).expect("the lot file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "whoever has the file can claim every device");
    fail(&make, 1, "never overwritten");

    let claim = ["lot", "claim-ticket", text(&lot), "--serial", "WM-000777", "--out", text(&ticket)];
    fail(&claim, 1, "was not endorsed yet");
    let id = Hash::plain(b"lot").to_string();
    succeed(&[&claim[..], &["--lot", &id]].concat());
    let ticket: Value = serde_json::from_slice(&fs::read(&ticket).expect("a ticket")).expect("JSON");
    assert_eq!((ticket["lot"].as_str(), ticket["index"].as_u64()), (Some(id.as_str()), Some(777)));
    // A tree of 100,000 leaves is 17 levels high.
    assert_eq!(ticket["siblings"].as_array().map(Vec::len), Some(17));
    fail(&["lot", "claim-ticket", text(&lot), "--serial", "WM-777", "--lot", &id], 1, "no device with the serial");
    let changed = fs::read_to_string(&lot).expect("the lot file").replace("WM-000777", "WM-100777");
    fs::write(&lot, changed).expect("writes");
    fail(&[&claim[..], &["--lot", &id]].concat(), 1, "was changed");
}

/// A device that opened a stream when it last had a network.
struct Device {
    directory: tempfile::TempDir,
    id: DeviceId,
    key: PublicKey,
    opened: SignedTransaction,
}

impl Device {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let key = generate(&directory.path().join("device.pem"), "p256");
        let (hash, id) = (Hash::plain(b"anything"), DeviceId::from_hash(Hash::plain(b"meter")));
        let name = "flow".parse().expect("a name");
        let call = Call::OpenStream(OpenStream { name, cadence_s: None, authority: GrantId::from_hash(hash) });
        let body = Body {
            chain: ChainId::from_hash(hash),
            signer: Principal::Device(id),
            not_before: BlockRef { height: Height::new(7), hash: BlockHash::from_hash(hash) },
            expires: None,
            call,
        };
        let opened = SignedTransaction::new(Transaction { body, signatures: Vec::new() });
        fs::write(directory.path().join("open.tx"), opened.bytes()).expect("writes");
        Self { directory, id, key, opened }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Attests files after the last of `after`, into `out`.
    fn attest(&self, files: &[&str], after: &str, out: &str) -> Output {
        let files: Vec<PathBuf> = files.iter().map(|file| self.path(file)).collect();
        let (id, grant) = (self.id.to_string(), Hash::plain(b"grant").to_string());
        let (key, after, out, url) = (self.path("device.pem"), self.path(after), self.path(out), nobody());
        let mut arguments = vec!["attest", "--device", &id, "--key", text(&key), "--stream", "flow", "--grant", &grant];
        arguments.extend(["--after", text(&after), "--out", text(&out), "--json", "--rpc", &url]);
        arguments.extend(files.iter().map(|file| text(file)));
        cairn(&arguments)
    }

    fn attestations(&self, file: &str) -> Vec<SignedTransaction> {
        let bytes = fs::read(self.path(file)).expect("reads");
        let list = decode::<Vec<Vec<u8>>>(&bytes, 1 << 20).unwrap_or_else(|_| vec![bytes]);
        list.into_iter().map(|one| SignedTransaction::from_bytes(one).expect("a transaction")).collect()
    }
}

#[test]
fn a_device_without_a_network_goes_on_attesting_and_others_can_send_it() {
    let device = Device::new();
    for day in ["1", "2", "3"] {
        fs::write(device.path(&format!("day-{day}.csv")), format!("{day},7.5\n")).expect("writes");
    }
    let first = device.attest(&["day-1.csv"], "open.tx", "first.tx");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let report = one_json_object(&device.attest(&["day-2.csv", "day-3.csv"], "first.tx", "rest.tx"));
    assert_eq!((&report["files"][0]["sequence"], &report["files"][1]["state"]), (&"1".into(), &"kept".into()));

    let mut previous = device.opened.id();
    let all = [device.attestations("first.tx"), device.attestations("rest.tx")].concat();
    assert_eq!(all.len(), 3);
    for (sequence, one) in (0..).zip(&all) {
        let Call::Attest(attest) = &one.body().call else { panic!("an attestation") };
        assert_eq!((attest.sequence, attest.previous), (sequence, previous), "dense and linked");
        assert_eq!(attest.stream, StreamId::of(&device.id, &"flow".parse().expect("a name")));
        assert_eq!(attest.content.hash, ContentHash::plain(format!("{},7.5\n", sequence + 1).as_bytes()));
        assert_eq!(one.body().not_before, device.opened.body().not_before, "said after the block that it saw last");
        let signature = one.transaction().signatures.first().expect("a signature");
        assert_eq!(device.key.verify(&signed_message(&one.id()), &signature.bytes), Ok(()));
        previous = one.id();
    }
    let shown = succeed(&["tx", "show", text(&device.path("rest.tx")), "--json"]);
    assert_eq!(one_json_object(&shown)["transactions"].as_array().map(Vec::len), Some(2));

    let stranger = Hash::plain(b"stranger").to_string();
    let out = device.path("x.tx");
    let (key, after) = (device.path("device.pem"), device.path("first.tx"));
    let foreign = ["attest", text(&after), "--device", &stranger, "--key", text(&key), "--stream", "flow", "--grant"];
    fail(&[&foreign[..], &[&stranger, "--after", text(&after), "--out", text(&out)]].concat(), 1, "is by device");
}

#[test]
fn what_is_no_transaction_is_not_shown_signed_or_sent() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("day.csv");
    fs::write(&path, "time,flow\n").expect("writes");
    fail(&["tx", "show", text(&path)], 1, "holds no transaction");
    fail(&["tx", "submit", text(&path), "--rpc", &nobody()], 1, "holds no transaction");
    fail(&["tx", "sign", text(&path)], 2, "--as");
}

/// The kept files of the specification's test vectors.
fn kept_files() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/files.json");
    serde_json::from_slice(&fs::read(path).expect("the vectors")).expect("a list")
}

#[test]
fn a_lookup_is_told_from_a_bundle_and_proves_its_answer_to_whoever_knows_the_network() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("answer");
    let other = Hash::plain(b"another network").to_string();
    let mut lookups = 0;
    for kept in kept_files().iter().filter(|kept| kept["type"] == "Lookup") {
        let name = kept["name"].as_str().expect("a name");
        let bytes = hex::decode(kept["file"].as_str().expect("bytes")).expect("hexadecimal");
        fs::write(&path, &bytes).expect("writes");
        let genesis = kept["genesis"].as_str().expect("a genesis hash");
        let words = stdout(&succeed(&["verify", text(&path), "--genesis", genesis]));
        assert!(words.contains("proven, and complete") && words.contains("checkpoint age"), "{name}: {words}");
        let form = one_json_object(&succeed(&["verify", text(&path), "--genesis", genesis, "--json"]));
        assert_eq!((&form["outcome"], &form["chain"]), (&"VALID".into(), &genesis.into()), "{name}");
        assert!(form["entries"].is_array() && form["question"]["kind"].is_string(), "{name}: {form}");
        fail(&["verify", text(&path), "--genesis", &other], 1, "refuted");
        fail(&["verify", text(&path), "--genesis", genesis, "--max-age", "1"], 3, "because the checkpoint is");
        let strange = format!("lot:{other}");
        fail(&["verify", text(&path), "--genesis", genesis, "--question", &strange], 1, "it answers");
        let mut changed = bytes;
        *changed.last_mut().expect("not empty") ^= 1;
        fs::write(&path, &changed).expect("writes");
        fail(&["verify", text(&path), "--genesis", genesis], 1, "refuted");
        lookups += 1;
    }
    assert!(lookups > 0, "the vectors hold lookups");
}

#[test]
fn a_proof_needs_the_network_that_is_meant_and_not_what_the_node_calls_itself() {
    let (id, url) = ("0".repeat(64), nobody());
    let commands: &[&[&str]] = &[
        &["device", "get", &id, "--prove"],
        &["grant", "list", "--device", &id, "--prove"],
        &["audit", "checkpoint"],
        &["audit", "lookup", "council"],
    ];
    for command in commands {
        fail(&[command, &["--rpc", &url][..]].concat(), 2, "--genesis HASH or --genesis-file FILE");
    }
    fail(&["audit", "lookup", "everything"], 2, "is no question");
    fail(&["audit", "verdict", "--live", "--attestation", &id], 2, "--max-age");
}

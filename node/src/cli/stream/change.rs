//! What ends a stream, corrects it, or shows that its device cannot be believed.

use std::path::Path;

use anyhow::{Context, ensure};
use cairn_rpc::views::Text;
use cairn_types::call::{Attest, CloseStream, ReportFork as ForkCall, Supersede as SupersedeCall};
use cairn_types::{Call, Principal, SignedTransaction};

use super::super::connect::Connection;
use super::super::output::Report;
use super::super::sign::Party;
use super::super::{submit, transaction_file};
use super::{Close, ReportFork, Supersede};
use crate::keys::private::PrivateKey;

pub(super) async fn close(connection: &Connection, args: &Close) -> anyhow::Result<Report> {
    let signer = Party::device(args.device, PrivateKey::read(&args.key)?);
    let stream = args.stream.of(&args.device);
    let call = Call::CloseStream(CloseStream { stream });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report("closed the stream", &[("stream", stream.to_string())])
}

pub(super) async fn supersede(connection: &Connection, args: &Supersede) -> anyhow::Result<Report> {
    let device = connection.client.stream_get(Text(args.target.stream), None).await?.value.device;
    let signer = if args.as_device {
        Principal::Device(device.0)
    } else {
        Principal::Organization(connection.client.device_get(device, None).await?.value.owner.0)
    };
    let signer = Party::of(connection, signer, &args.keys).await?;
    let call = Call::Supersede(SupersedeCall { target: args.target, replacement: args.replacement });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    let mut subjects = vec![("target", Text(args.target).to_string())];
    subjects.extend(args.replacement.map(|place| ("replacement", Text(place).to_string())));
    sent.report("superseded the attestation", &subjects)
}

/// A signed attestation from a file.
fn attestation(path: &Path) -> anyhow::Result<(SignedTransaction, Attest)> {
    let transaction = transaction_file::read_one(path)?;
    let Call::Attest(attest) = &transaction.body().call else {
        anyhow::bail!("{} is no attestation, but {}", path.display(), transaction.body().call.name());
    };
    let attest = attest.clone();
    Ok((transaction, attest))
}

/// The two attestations in the order that the ledger wants, if they show a fork.
fn fork(first: &Path, second: &Path) -> anyhow::Result<(ForkCall, Attest)> {
    let ((one, said), (other, also)) = (attestation(first)?, attestation(second)?);
    ensure!(one.body().signer == other.body().signer, "they are of two devices");
    ensure!(said.stream == also.stream, "they are of two streams");
    ensure!(
        said.sequence == also.sequence,
        "they stand at two places of the stream: {} and {}",
        said.sequence,
        also.sequence
    );
    ensure!(said.content.hash != also.content.hash, "they say the same");
    let (first, second) = if one.id() < other.id() { (one, other) } else { (other, one) };
    Ok((ForkCall { first: first.bytes().to_vec(), second: second.bytes().to_vec() }, said))
}

pub(super) async fn report_fork(connection: &Connection, args: &ReportFork) -> anyhow::Result<Report> {
    let (call, said) = fork(&args.first, &args.second).context("these show no fork")?;
    let signer = connection.principal(&args.signer).await?;
    let signer = Party::of(connection, signer, &args.keys).await?;
    let sent = submit::call(connection, &args.submit, Call::ReportFork(call), &signer).await?;
    let headline = format!("the fork is shown: nothing of the stream counts from number {} on", said.sequence);
    sent.report(&headline, &[("stream", said.stream.to_string()), ("sequence", said.sequence.to_string())])
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use cairn_types::call::Attest;
    use cairn_types::{
        BlockHash, BlockRef, Body, Call, ChainId, Content, ContentForm, ContentHash, DeviceId, GrantId, Hash, Height,
        Principal, SignedTransaction, StreamId, Transaction, TransactionId,
    };

    use super::super::super::transaction_file;
    use super::fork;

    fn write(directory: &tempfile::TempDir, name: &str, sequence: u64, content: &str) -> PathBuf {
        let hash = Hash::plain(b"anything");
        let content =
            Content { form: ContentForm::Plain, hash: ContentHash::plain(content.as_bytes()), bytes: 5, readings: 1 };
        let call = Call::Attest(Attest {
            stream: StreamId::from_hash(hash),
            sequence,
            previous: TransactionId::from_hash(hash),
            content,
            claimed: None,
            derived_from: Vec::new(),
            authority: GrantId::from_hash(hash),
        });
        let body = Body {
            chain: ChainId::from_hash(hash),
            signer: Principal::Device(DeviceId::from_hash(hash)),
            not_before: BlockRef { height: Height::GENESIS, hash: BlockHash::from_hash(hash) },
            expires: None,
            call,
        };
        let transaction = SignedTransaction::new(Transaction { body, signatures: Vec::new() });
        let path = directory.path().join(name);
        transaction_file::write(&path, &[transaction]).expect("writes");
        path
    }

    #[test]
    fn a_fork_is_put_in_order_and_what_is_none_is_not_sent() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let one = write(&directory, "one", 7, "day 1");
        let other = write(&directory, "other", 7, "day 2");
        let (there, back) = (fork(&one, &other).expect("a fork").0, fork(&other, &one).expect("a fork").0);
        assert_eq!(there, back);
        let id = |bytes: &[u8]| SignedTransaction::from_bytes(bytes.to_vec()).expect("a transaction").id();
        assert!(id(&there.first) < id(&there.second));

        assert!(fork(&one, &one).is_err_and(|error| error.to_string() == "they say the same"));
        let later = write(&directory, "later", 8, "day 2");
        assert!(fork(&one, &later).is_err_and(|error| error.to_string().contains("two places of the stream: 7 and 8")));
    }
}

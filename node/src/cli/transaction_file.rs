//! Transactions in files: drafts on their way from signer to signer, and what a device signed while it had no network.
//!
//! A file holds one transaction, as bytes or as hexadecimal digits, or several, as `POST /tx` takes them: the encoding of a
//! list of byte strings. Both read strictly, so a file is one or the other.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};
use cairn_types::limits::TRANSACTION_BYTES_MAX;
use cairn_types::{SignedTransaction, decode, encode};

use super::output::write_whole;

/// The name that means standard input.
const STANDARD_INPUT: &str = "-";

/// Most transactions in a file: a device that attests every minute fills one in 60 days.
pub(super) const TRANSACTIONS_MAX: usize = 100_000;

/// Most bytes of a file: a day of small attestations a second, or the greatest transaction in hexadecimal digits.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

const _: () = assert!(2 * TRANSACTION_BYTES_MAX as u64 <= FILE_BYTES_MAX, "every transaction fits");

/// Reads the transactions of a file; `-` is standard input.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<SignedTransaction>> {
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX.saturating_add(1);
    let read = if path == Path::new(STANDARD_INPUT) {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    let length = read.with_context(|| path.display().to_string())?;
    ensure!(u64::try_from(length)? <= FILE_BYTES_MAX, "{} is longer than {FILE_BYTES_MAX} bytes", path.display());
    // No transaction, which begins with a hash, and no list is made of digits alone.
    let digits = bytes.trim_ascii();
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) {
        bytes = hex::decode(digits).with_context(|| path.display().to_string())?;
    }
    parse(bytes).with_context(|| format!("{} holds no transaction", path.display()))
}

/// Reads the transaction of a file that holds one.
pub(super) fn read_one(path: &Path) -> anyhow::Result<SignedTransaction> {
    let mut all = read(path)?;
    ensure!(all.len() == 1, "{} holds {} transactions, and one is wanted", path.display(), all.len());
    all.pop().context("there is one")
}

pub(super) fn parse(bytes: Vec<u8>) -> anyhow::Result<Vec<SignedTransaction>> {
    let single = match SignedTransaction::from_bytes(bytes.clone()) {
        Ok(transaction) => return Ok(vec![transaction]),
        Err(error) => error,
    };
    let Ok(list) = decode::<Vec<Vec<u8>>>(&bytes, usize::try_from(FILE_BYTES_MAX)?) else {
        return Err(single.into());
    };
    ensure!(!list.is_empty(), "the list is empty");
    ensure!(list.len() <= TRANSACTIONS_MAX, "a list of more than {TRANSACTIONS_MAX}");
    list.into_iter().map(|one| Ok(SignedTransaction::from_bytes(one)?)).collect()
}

/// Writes transactions to a file.
pub(super) fn write(path: &Path, transactions: &[SignedTransaction]) -> anyhow::Result<()> {
    let bytes = match transactions {
        [one] => one.bytes().to_vec(),
        several => encode(&several.iter().map(|one| one.bytes().to_vec()).collect::<Vec<_>>()),
    };
    write_whole(path, &bytes).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cairn_types::call::CloseStream;
    use cairn_types::{
        BlockHash, BlockRef, Body, Call, ChainId, DeviceId, Hash, Height, Principal, SignedTransaction, StreamId,
        Transaction,
    };

    use super::{read, read_one, write};

    fn transaction(text: &str) -> SignedTransaction {
        let hash = Hash::plain(text.as_bytes());
        let body = Body {
            chain: ChainId::from_hash(hash),
            signer: Principal::Device(DeviceId::from_hash(hash)),
            not_before: BlockRef { height: Height::GENESIS, hash: BlockHash::from_hash(hash) },
            expires: None,
            call: Call::CloseStream(CloseStream { stream: StreamId::from_hash(hash) }),
        };
        SignedTransaction::new(Transaction { body, signatures: Vec::new() })
    }

    #[test]
    fn one_or_several_read_back_and_digits_do_too() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("offline.tx");
        let (one, two) = (transaction("one"), transaction("two"));
        write(&path, std::slice::from_ref(&one)).expect("writes");
        assert_eq!(fs::read(&path).expect("reads"), one.bytes());
        assert_eq!(read_one(&path).expect("reads"), one);
        write(&path, &[one.clone(), two.clone()]).expect("writes");
        assert_eq!(read(&path).expect("reads"), [one.clone(), two]);
        assert!(read_one(&path).is_err_and(|error| error.to_string().contains("holds 2 transactions")));
        fs::write(&path, format!("{}\n", hex::encode(one.bytes()))).expect("writes");
        assert_eq!(read_one(&path).expect("reads"), one);
    }

    #[test]
    fn what_is_no_transaction_is_named() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("day.csv");
        for content in [&b"time,flow\n"[..], b"", b"abc", &[0; 4], &[1, 0, 0, 0, 1, 0, 0, 0, 7]] {
            fs::write(&path, content).expect("writes");
            assert!(read(&path).is_err_and(|error| error.to_string().contains("day.csv")), "{content:?}");
        }
    }
}

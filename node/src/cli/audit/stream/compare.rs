//! Which file has which number of a stream. Pure: it reads neither files nor a node.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cairn_proofs::verdict::ContentEvidence;
use cairn_rpc::views::{AttestationView, ContentEvidenceView};
use cairn_types::ContentHash;

/// A file that the auditor has, and what its content is: plain, and with the salt if there is one.
pub(super) struct HeldFile {
    pub(super) path: PathBuf,
    pub(super) evidence: Vec<ContentEvidence>,
}

impl HeldFile {
    fn is(&self, attestation: &AttestationView) -> bool {
        let signed = &attestation.content;
        let signed = ContentEvidenceView { form: signed.form, hash: signed.hash, bytes: signed.bytes };
        self.evidence.iter().any(|evidence| ContentEvidenceView::from(*evidence) == signed)
    }
}

/// What files and a stream have in common, and what not. Files are named by their place among those given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// For each number of the stream, the file that has its content.
    pub(super) file_of: Vec<Option<usize>>,
    /// Files whose content is in no attestation of the stream.
    pub(super) strange: Vec<usize>,
    /// Files whose content is in the stream, but for each of whose numbers another file stands.
    pub(super) surplus: Vec<usize>,
    /// How many files were given.
    pub(super) files: usize,
}

impl Comparison {
    /// The numbers of the stream for which there is no file.
    pub(super) fn missing(&self) -> impl Iterator<Item = u64> {
        (0..).zip(&self.file_of).filter(|(_, file)| file.is_none()).map(|(sequence, _)| sequence)
    }

    /// How many numbers have a file.
    pub(super) fn matched(&self) -> usize {
        self.file_of.iter().flatten().count()
    }

    /// Whether there is a file for each number, a number for each file, and as many of one as of the other.
    pub(super) fn is_complete(&self) -> bool {
        let counts = self.files == self.file_of.len();
        counts && self.matched() == self.files && self.strange.is_empty() && self.surplus.is_empty()
    }
}

/// Finds for each number a file that stands for no other, if there is one. A content that was attested twice can be had
/// once: then its file stands for both numbers, and the counts differ.
pub(super) fn compare(files: &[HeldFile], attestations: &[AttestationView]) -> Comparison {
    let mut by_hash: BTreeMap<ContentHash, Vec<usize>> = BTreeMap::new();
    for (file, held) in files.iter().enumerate() {
        for evidence in &held.evidence {
            by_hash.entry(evidence.hash).or_default().push(file);
        }
    }
    let mut used = vec![false; files.len()];
    let mut known = vec![false; files.len()];
    let mut file_of = Vec::with_capacity(attestations.len());
    for attestation in attestations {
        let candidates = by_hash.get(&attestation.content.hash.0).into_iter().flatten().copied();
        let candidates: Vec<usize> =
            candidates.filter(|file| files.get(*file).is_some_and(|held| held.is(attestation))).collect();
        for file in &candidates {
            known.iter_mut().skip(*file).take(1).for_each(|known| *known = true);
        }
        let unused = candidates.iter().copied().find(|file| used.get(*file) == Some(&false));
        let chosen = unused.or_else(|| candidates.first().copied());
        if let Some(file) = chosen {
            used.iter_mut().skip(file).take(1).for_each(|used| *used = true);
        }
        file_of.push(chosen);
    }
    let with = |is: &dyn Fn(usize) -> bool| (0..files.len()).filter(|file| is(*file)).collect::<Vec<_>>();
    let is = |flags: &[bool], file: usize| flags.get(file) == Some(&true);
    Comparison {
        strange: with(&|file| !is(&known, file)),
        surplus: with(&|file| is(&known, file) && !is(&used, file)),
        file_of,
        files: files.len(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use cairn_proofs::verdict::ContentEvidence;
    use cairn_rpc::views::AttestationView;
    use cairn_types::{ContentForm, ContentHash};
    use serde_json::json;

    use super::{Comparison, HeldFile, compare};

    fn files(contents: &[&str]) -> Vec<HeldFile> {
        let evidence = |content: &str| ContentEvidence {
            form: ContentForm::Plain,
            hash: ContentHash::plain(content.as_bytes()),
            bytes: 5,
        };
        contents.iter().map(|content| HeldFile { path: content.into(), evidence: vec![evidence(content)] }).collect()
    }

    pub(in super::super) fn stream(contents: &[&str]) -> Vec<AttestationView> {
        let id = "0".repeat(64);
        let attestation = |(sequence, content): (usize, &&str)| {
            let hash = ContentHash::plain(content.as_bytes()).to_string();
            let view = json!({
                "id": id, "stream": id, "sequence": sequence.to_string(), "device": id, "previous": id, "authority": id,
                "content": { "form": "plain", "hash": hash, "bytes": "5", "readings": "1" },
                "derivedFrom": [], "notBefore": { "height": "0", "hash": id },
                "position": { "height": "1", "index": 0 }, "block": id, "timeMs": "1",
            });
            serde_json::from_value(view).expect("a view")
        };
        contents.iter().enumerate().map(attestation).collect()
    }

    fn compared(held: &[&str], attested: &[&str]) -> Comparison {
        compare(&files(held), &stream(attested))
    }

    #[test]
    fn all_days_in_any_order_are_complete() {
        let all = compared(&["day-1", "day-3", "day-2"], &["day-1", "day-2", "day-3"]);
        assert_eq!(all.file_of, [Some(0), Some(2), Some(1)]);
        assert!(all.is_complete());
        assert!(compared(&[], &[]).is_complete());
    }

    #[test]
    fn a_day_that_the_auditor_lacks_is_a_missing_number() {
        let gap = compared(&["day-1", "day-3"], &["day-1", "day-2", "day-3"]);
        assert_eq!(gap.missing().collect::<Vec<_>>(), [1]);
        assert!(!gap.is_complete());
    }

    #[test]
    fn a_day_that_was_never_attested_is_a_strange_file() {
        let left_out = compared(&["day-1", "day-2", "day-3"], &["day-1", "day-3"]);
        assert_eq!((left_out.strange.as_slice(), left_out.matched()), (&[1][..], 2));
        assert!(!left_out.is_complete());
    }

    #[test]
    fn a_changed_day_is_both() {
        let changed = compared(&["day-1", "day-X"], &["day-1", "day-2"]);
        assert_eq!((changed.strange.as_slice(), changed.missing().collect::<Vec<_>>()), (&[1][..], vec![1]));
    }

    #[test]
    fn copies_count() {
        let two_files = compared(&["day-1", "day-1"], &["day-1"]);
        assert_eq!(two_files.surplus, [1]);
        assert!(!two_files.is_complete());
        let attested_twice = compared(&["day-1"], &["day-1", "day-1"]);
        assert_eq!(attested_twice.file_of, [Some(0), Some(0)]);
        assert!(!attested_twice.is_complete());
        assert!(compared(&["day-1", "day-1"], &["day-1", "day-1"]).is_complete());
    }

    #[test]
    fn the_length_counts_too() {
        let mut held = files(&["day-1"]);
        held[0].evidence[0].bytes = 6;
        let wrong = compare(&held, &stream(&["day-1"]));
        assert_eq!((wrong.strange.as_slice(), wrong.matched()), (&[0][..], 0));
    }
}

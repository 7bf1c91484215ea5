//! `proof`: bytes that check against a certified header.

use cairn_proofs::accumulator;
use cairn_proofs::lookup::Question;
use cairn_proofs::tree::{KEY_BYTES_MAX, Query};
use cairn_types::transaction::leaf_of;
use cairn_types::{Height, TransactionId, encode};
use jsonrpsee::core::async_trait;

use super::Service;
use super::locate::is_final_at;
use crate::api::ProofApiServer;
use crate::backend::{Backend, TransactionState};
use crate::error::CallError;
use crate::limits::{PROOF_BYTES_MAX, PROOF_ENTRIES_MAX};
use crate::views::{At, HeaderView, Hex, LookupView, StateProofView, Text, TransactionProofView};

#[async_trait]
impl<B: Backend> ProofApiServer for Service<B> {
    fn state(&self, key: Hex, prefix: Option<bool>, at: Option<Text<Height>>) -> Result<At<StateProofView>, CallError> {
        if key.0.is_empty() || key.0.len() > KEY_BYTES_MAX {
            let reason = format!("{} bytes, but a key has 1 to {KEY_BYTES_MAX}", key.0.len());
            return Err(CallError::parameter("key", reason));
        }
        let prefix = prefix.unwrap_or(false);
        let query = if prefix { Query::prefix(&key.0) } else { Query::key(&key.0) };
        let view = self.view(at)?;
        let entries = if prefix {
            // Counted before anything is copied, up to the limit and one more.
            view.state.prefix(&key.0).take(PROOF_ENTRIES_MAX + 1).count()
        } else {
            usize::from(view.state.get(&key.0).is_some())
        };
        if entries > PROOF_ENTRIES_MAX {
            return Err(CallError::TooLarge { reason: format!("more than {PROOF_ENTRIES_MAX} entries") });
        }
        let proof =
            view.state.prove(&query).map_err(|error| CallError::TooLarge { reason: error.to_string() })?.encode();
        if proof.len() > PROOF_BYTES_MAX {
            return Err(CallError::TooLarge { reason: format!("a proof of more than {PROOF_BYTES_MAX} bytes") });
        }
        let answer = StateProofView {
            key,
            prefix,
            root: Text(view.header.state_root),
            entries: u32::try_from(entries).unwrap_or(u32::MAX),
            proof: Text(proof),
            header: HeaderView::from(&view.header),
            encoded_header: Text(encode(&view.header)),
            encoded_certificate: view.certificate.as_ref().map(|certificate| Text(encode(certificate))),
        };
        Ok(At::new(view.header.height, answer))
    }

    fn lookup(&self, question: Text<Question>, at: Option<Text<Height>>) -> Result<At<LookupView>, CallError> {
        let height = self.view(at)?.header.height;
        let proof = self.lookup_file(question.0.clone(), height)?;
        let bytes = u32::try_from(proof.0.len()).unwrap_or(u32::MAX);
        Ok(At::new(height, LookupView { question, bytes, proof }))
    }

    fn checkpoint(&self, at: Option<Text<Height>>) -> Result<At<LookupView>, CallError> {
        self.lookup(Text(Question::Checkpoint), at)
    }

    fn transaction(
        &self,
        id: Text<TransactionId>,
        at: Option<Text<Height>>,
    ) -> Result<At<TransactionProofView>, CallError> {
        let at = self.as_of(at)?;
        let located = match self.backend.transaction(&id.0)? {
            TransactionState::Final(located) if is_final_at(located.position, at) => located,
            TransactionState::Unknown => return Err(self.transaction_unknown(id.0)),
            _ => return Err(CallError::TransactionUnknown { id: id.0 }),
        };
        let missing = CallError::Internal { reason: "its log lacks a block that its index names" };
        let (block, certificate) = self.backend.block(located.position.height)?.ok_or(missing)?;
        let leaves: Vec<_> = block.transactions.iter().map(|bytes| leaf_of(bytes)).collect();
        let inclusion = accumulator::prove_in(&leaves, located.position.index.into()).map_err(|error| {
            tracing::error!(%error, position = %located.position, "the index names a transaction where there is none");
            CallError::Internal { reason: "its index names a transaction where there is none" }
        })?;
        let answer = TransactionProofView {
            id,
            position: located.position.into(),
            encoded: Text(located.bytes),
            transactions: u32::try_from(leaves.len()).unwrap_or(u32::MAX),
            inclusion: Text(encode(&inclusion)),
            header: HeaderView::from(&block.header),
            encoded_header: Text(encode(&block.header)),
            encoded_certificate: certificate.as_ref().map(|certificate| Text(encode(certificate))),
        };
        Ok(At::new(at.unwrap_or_else(|| self.latest()), answer))
    }
}

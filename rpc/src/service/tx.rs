//! `tx`: transactions offered, waited for, found again.

use std::time::Duration;

use cairn_types::{Height, Rejection, TransactionId};
use jsonrpsee::core::async_trait;

use super::Service;
use super::locate::{decode, is_final_at};
use crate::api::TxApiServer;
use crate::backend::{Backend, TransactionState, WaitOutcome};
use crate::error::CallError;
use crate::limits::{SUBMIT_TRANSACTIONS_MAX, WAIT_DEFAULT, WAIT_MAX};
use crate::views::{
    At, Hex, ReceiptView, RefusedView, SubmissionView, SubmissionsView, SubmittedView, TakenView, Text,
    TransactionStateName, TransactionStateView, TransactionView,
};

/// Offers what `POST /tx` brought, and words the results; and whether the node was too busy to take any of it.
pub(crate) async fn take<B: Backend>(backend: &B, transactions: Vec<Vec<u8>>) -> (TakenView, bool) {
    let mut taken = TakenView::default();
    let mut is_busy = false;
    for (place, result) in (0..).zip(backend.submit(transactions).await) {
        let Err(rejection) = result else {
            taken.taken = taken.taken.saturating_add(1);
            continue;
        };
        is_busy |= matches!(rejection, Rejection::Busy { .. });
        let error = CallError::Rejected(rejection).view();
        match taken.refused.last_mut() {
            Some(last) if last.error == error && last.first.saturating_add(last.count) == place => {
                last.count = last.count.saturating_add(1);
            }
            _ => taken.refused.push(RefusedView { first: place, count: 1, error }),
        }
    }
    let is_busy = is_busy && taken.taken == 0;
    (taken, is_busy)
}

#[async_trait]
impl<B: Backend> TxApiServer for Service<B> {
    async fn submit(&self, transaction: Hex) -> Result<At<SubmittedView>, CallError> {
        let result = self.backend.submit(vec![transaction.0]).await.pop();
        let id = result.ok_or(CallError::Internal { reason: "its mempool gave no answer" })??;
        Ok(At::new(self.latest(), SubmittedView::pending(id)))
    }

    async fn submit_many(&self, transactions: Vec<Hex>) -> Result<At<SubmissionsView>, CallError> {
        if transactions.len() > SUBMIT_TRANSACTIONS_MAX {
            let reason = format!("{} transactions, but at most {SUBMIT_TRANSACTIONS_MAX} fit", transactions.len());
            return Err(CallError::parameter("transactions", reason));
        }
        let view = |result| match result {
            Ok(id) => SubmissionView::Accepted(SubmittedView::pending(id)),
            Err(rejection) => SubmissionView::Error(CallError::Rejected(rejection).view()),
        };
        let results = self.backend.submit(transactions.into_iter().map(|bytes| bytes.0).collect()).await;
        let results = results.into_iter().map(view).collect();
        Ok(At::new(self.latest(), SubmissionsView { results }))
    }

    fn transaction(
        &self,
        id: Text<TransactionId>,
        at: Option<Text<Height>>,
    ) -> Result<At<TransactionStateView>, CallError> {
        let at = self.as_of(at)?;
        let view = match self.backend.transaction(&id.0)? {
            TransactionState::Unknown => return Err(self.transaction_unknown(id.0)),
            // What waits, or became final later, was not known then.
            TransactionState::Pending(_) if at.is_some() => return Err(CallError::TransactionUnknown { id: id.0 }),
            TransactionState::Final(located) if !is_final_at(located.position, at) => {
                return Err(CallError::TransactionUnknown { id: id.0 });
            }
            TransactionState::Pending(bytes) => TransactionStateView {
                state: TransactionStateName::Pending,
                receipt: None,
                transaction: TransactionView::from(&decode(bytes)?),
            },
            TransactionState::Final(located) => {
                let transaction = decode(located.bytes.clone())?;
                TransactionStateView {
                    state: TransactionStateName::Final,
                    receipt: Some(ReceiptView::new(&transaction, &located)),
                    transaction: TransactionView::from(&transaction),
                }
            }
        };
        Ok(At::new(at.unwrap_or_else(|| self.latest()), view))
    }

    async fn wait(&self, id: Text<TransactionId>, timeout_ms: Option<u32>) -> Result<At<ReceiptView>, CallError> {
        let timeout = timeout_ms.map_or(WAIT_DEFAULT, |ms| Duration::from_millis(ms.into()));
        if timeout > WAIT_MAX {
            let reason = format!("{} ms, but a wait takes at most {} ms", timeout.as_millis(), WAIT_MAX.as_millis());
            return Err(CallError::parameter("timeoutMs", reason));
        }
        match self.backend.wait(id.0, timeout).await? {
            WaitOutcome::Final(located) => {
                let transaction = decode(located.bytes.clone())?;
                Ok(At::new(self.latest(), ReceiptView::new(&transaction, &located)))
            }
            WaitOutcome::Rejected(rejection) => Err(rejection.into()),
            WaitOutcome::TimedOut => {
                let waited_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                Err(CallError::NotFinal { id: id.0, waited_ms })
            }
        }
    }
}

//! `chain`: blocks, who decides them, and the genesis.

use cairn_types::{Block, Certificate, Height, SignedTransaction};
use jsonrpsee::core::{SubscriptionError, SubscriptionResult, async_trait};
use jsonrpsee::server::{PendingSubscriptionSink, SubscriptionMessage};
use tokio::sync::broadcast::error::RecvError;

use super::Service;
use crate::api::ChainApiServer;
use crate::backend::{Backend, FinalBlock};
use crate::error::CallError;
use crate::views::{
    At, BlockView, CertificateView, CouncilView, FinalBlockView, GenesisView, HeaderAnswer, HeaderView,
    ParametersAnswer, Provable, StatusView, Text, TransactionLineView, UpgradeAnswer, ValidatorsAnswer, ValidatorsView,
};

impl<B: Backend> Service<B> {
    /// The block of a height, the latest one if none is named.
    fn final_block(&self, height: Option<Text<Height>>) -> Result<(Block, Option<Certificate>), CallError> {
        let height = match height {
            Some(height) => height.0,
            None => self.view(None)?.header.height,
        };
        let found = self.backend.block(height)?;
        found.ok_or_else(|| CallError::HeightUnknown { height, latest: self.latest() })
    }
}

fn line(bytes: &[u8]) -> Result<TransactionLineView, CallError> {
    let transaction = super::locate::decode(bytes.to_vec())?;
    let body = SignedTransaction::body(&transaction);
    Ok(TransactionLineView {
        id: Text(transaction.id()),
        call: body.call.name().to_owned(),
        signer: body.signer.into(),
        bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    })
}

#[async_trait]
impl<B: Backend> ChainApiServer for Service<B> {
    fn status(&self) -> Result<At<StatusView>, CallError> {
        let status = self.backend.status();
        Ok(At::new(status.height, status.into()))
    }

    fn block(&self, block: Option<Text<Height>>) -> Result<At<BlockView>, CallError> {
        let (block, certificate) = self.final_block(block)?;
        let view = BlockView {
            header: HeaderView::from(&block.header),
            certificate: certificate.as_ref().map(CertificateView::from),
            transactions: block.transactions.iter().map(|bytes| line(bytes)).collect::<Result<_, _>>()?,
        };
        Ok(At::new(self.latest(), view))
    }

    fn header(&self, block: Option<Text<Height>>) -> Result<At<HeaderAnswer>, CallError> {
        let header = match block {
            Some(Text(height)) => {
                let found = self.backend.header(height)?;
                found.ok_or_else(|| CallError::HeightUnknown { height, latest: self.latest() })?
            }
            None => self.view(None)?.header.clone(),
        };
        Ok(At::new(self.latest(), HeaderAnswer { header: HeaderView::from(&header) }))
    }

    fn certificate(&self, block: Option<Text<Height>>) -> Result<At<CertificateView>, CallError> {
        let (_, certificate) = self.final_block(block)?;
        let certificate = certificate
            .ok_or_else(|| CallError::parameter("block", "block 0 has no certificate; the chain id names it"))?;
        Ok(At::new(self.latest(), CertificateView::from(&certificate)))
    }

    fn validators(
        &self,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<ValidatorsAnswer>>, CallError> {
        self.validators_at(at, prove)
    }

    fn council(&self, at: Option<Text<Height>>, prove: Option<bool>) -> Result<Provable<At<CouncilView>>, CallError> {
        self.council_at(at, prove)
    }

    fn parameters(
        &self,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<ParametersAnswer>>, CallError> {
        self.parameters_at(at, prove)
    }

    fn upgrade(&self, at: Option<Text<Height>>) -> Result<At<UpgradeAnswer>, CallError> {
        self.upgrade_at(at)
    }

    fn genesis(&self) -> Result<At<GenesisView>, CallError> {
        let genesis = self.backend.genesis();
        let view = GenesisView {
            chain: Text(self.backend.chain()),
            text: genesis.text,
            header: HeaderView::from(&genesis.header),
            validators: ValidatorsView::from(&*genesis.validators),
        };
        Ok(At::new(self.latest(), view))
    }

    async fn subscribe_blocks(&self, pending: PendingSubscriptionSink) -> SubscriptionResult {
        // Subscribed before the answer, so that no block is lost between the two.
        let mut blocks = self.backend.blocks();
        let sink = pending.accept().await?;
        loop {
            let received = tokio::select! {
                received = blocks.recv() => received,
                () = sink.closed() => return Ok(()),
            };
            match received {
                Ok(block) => {
                    let message = SubscriptionMessage::from(serde_json::value::to_raw_value(&summary(&block))?);
                    // Waits for a slow reader; meanwhile the receiver falls behind, and says so below.
                    if sink.send(message).await.is_err() {
                        return Ok(());
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    let error = serde_json::value::to_raw_value(&CallError::FellBehind { missed }.view())?;
                    return Err(SubscriptionError::from_json(error));
                }
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

fn summary(block: &FinalBlock) -> FinalBlockView {
    FinalBlockView {
        height: Text(block.header.height),
        hash: Text(block.hash),
        time_ms: Text(block.header.time_ms),
        transactions: block.transactions,
        proposer: block.header.proposer,
    }
}

//! The chain: blocks, who decides them, and the genesis.

use cairn_types::Height;
use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{At, BlockView, CertificateView, GenesisView, HeaderAnswer, StatusView, Text, ValidatorsView};

/// The chain: blocks, who decides them, and the genesis.
#[rpc(server, namespace = "chain")]
pub trait ChainApi {
    /// Where the chain and the node stand.
    #[method(name = "getStatus")]
    fn status(&self) -> Result<At<StatusView>, CallError>;

    /// A final block: header, certificate, and a line for each transaction.
    ///
    /// # Parameters
    /// - `block`: the block's height; the latest final one if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040): not final yet.
    #[method(name = "getBlock", blocking)]
    fn block(&self, block: Option<Text<Height>>) -> Result<At<BlockView>, CallError>;

    /// The header of a final block.
    ///
    /// # Parameters
    /// - `block`: the block's height; the latest final one if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040): not final yet.
    #[method(name = "getHeader", blocking)]
    fn header(&self, block: Option<Text<Height>>) -> Result<At<HeaderAnswer>, CallError>;

    /// The certificate by which a block became final. Nodes may hold different certificates for one block.
    ///
    /// # Parameters
    /// - `block`: the block's height, not 0; the latest final one if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040): not final yet.
    /// - `InvalidParameter` (-32602): block 0 has no certificate; the chain id names it.
    #[method(name = "getCertificate", blocking)]
    fn certificate(&self, block: Option<Text<Height>>) -> Result<At<CertificateView>, CallError>;

    /// The validators who decide a block.
    ///
    /// # Parameters
    /// - `at`: the block's height; the latest final one if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getValidators")]
    fn validators(&self, at: Option<Text<Height>>) -> Result<At<ValidatorsView>, CallError>;

    /// What every node of the network was started from.
    #[method(name = "getGenesis")]
    fn genesis(&self) -> Result<At<GenesisView>, CallError>;

    /// Blocks from now on, as they become final.
    ///
    /// A subscriber that does not read fast enough is told so and the subscription ends; `chain_getBlock` has what it
    /// missed.
    ///
    /// # Errors
    /// - `FellBehind` (-32049): as the last notification.
    #[subscription(name = "subscribeBlocks", unsubscribe = "unsubscribeBlocks", item = FinalBlockView)]
    async fn subscribe_blocks(&self) -> SubscriptionResult;
}

//! The chain: blocks, who decides them, and the genesis.

use cairn_types::Height;
use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::proc_macros::rpc;

use crate::error::CallError;
use crate::views::{
    At, BlockView, CertificateView, CouncilView, GenesisView, HeaderAnswer, ParametersAnswer, Provable, StatusView,
    Text, UpgradeAnswer, ValidatorsAnswer,
};

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
    /// - `BlockPruned` (-32051): this node does not keep that block.
    #[method(name = "getBlock", blocking)]
    fn block(&self, block: Option<Text<Height>>) -> Result<At<BlockView>, CallError>;

    /// The header of a final block, also of one that is not kept any more.
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
    /// - `BlockPruned` (-32051): this node does not keep that block.
    /// - `InvalidParameter` (-32602): block 0 has no certificate; the chain id names it.
    #[method(name = "getCertificate", blocking)]
    fn certificate(&self, block: Option<Text<Height>>) -> Result<At<CertificateView>, CallError>;

    /// The validators who decide a block, and those who are to come if a change is decided.
    ///
    /// # Parameters
    /// - `at`: the block's height; the latest final one if left out.
    /// - `prove`: whether the proof is wanted too: all sets from the genesis on.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getValidators", blocking)]
    fn validators(
        &self,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<ValidatorsAnswer>>, CallError>;

    /// The organizations that govern the network, and how many of them must sign a measure.
    ///
    /// # Parameters
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the proof is wanted too: who was in the council, from the genesis on.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getCouncil", blocking)]
    fn council(&self, at: Option<Text<Height>>, prove: Option<bool>) -> Result<Provable<At<CouncilView>>, CallError>;

    /// The network's parameters, and what they were before.
    ///
    /// # Parameters
    /// - `at`: height; the latest final height if left out.
    /// - `prove`: whether the proof is wanted too: all parameters from the genesis on.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getParameters", blocking)]
    fn parameters(
        &self,
        at: Option<Text<Height>>,
        prove: Option<bool>,
    ) -> Result<Provable<At<ParametersAnswer>>, CallError>;

    /// The version of the rules, and the change of them that is scheduled.
    ///
    /// # Parameters
    /// - `at`: height; the latest final height if left out.
    ///
    /// # Errors
    /// - `HeightUnknown` (-32040), `HeightPruned` (-32041).
    #[method(name = "getUpgrade")]
    fn upgrade(&self, at: Option<Text<Height>>) -> Result<At<UpgradeAnswer>, CallError>;

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

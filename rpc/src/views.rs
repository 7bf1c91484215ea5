//! What JSON shows: views of the ledger's types, and the conversions from them.
//!
//! Wire types never derive JSON; the types here do, and describe themselves as JSON Schema. The forms: 64-bit integers
//! are decimal strings, hashes, keys and byte strings lowercase hexadecimal, names of fields camelCase. Each text has one
//! spelling ([`Text`]), and what arrives in another is refused.
//!
//! Views know what things are, not where they are read. The invariant they keep: a view says nothing that its source
//! does not say.

mod text;
mod envelope;
mod zone;
mod block;
mod organization;
mod lot;
mod governance;
mod usage;
mod device;
mod grant;
mod stream;
mod transaction;
mod call;
mod audit;
mod trace;
mod proof;
mod node;
mod verdict;

pub use audit::BundleView;
pub use block::{
    BlockView, CertificateSignatureView, CertificateView, FinalBlockView, GenesisView, HeaderAnswer, HeaderView,
    ScheduledValidatorsView, TransactionLineView, ValidatorView, ValidatorsAnswer, ValidatorsView,
};
pub use call::{CallView, InceptionView};
pub(crate) use device::DeviceFacts;
pub use device::{
    DeviceFact, DeviceFactView, DeviceKeyView, DeviceView, PendingOfferView, PendingRecoveryView, RecoveryView,
    StatusName,
};
pub use envelope::{At, BlockRefView, HistoryCursor, IntervalView, Page, PositionView, Provable};
pub use governance::{
    CouncilMemberView, CouncilMembersView, CouncilView, MeasureView, OrganizationInceptionView, ParametersAnswer,
    ParametersView, ScheduledUpgradeView, UpgradeAnswer, UpgradeView,
};
pub use grant::{ActionName, GrantCheckView, GrantFailureView, GrantView, GranteeView, WindowView};
pub use lot::{EndorsementProofView, EndorsementView, LotAnswer, LotBasisView, LotClaimView, LotView};
pub use node::{HealthView, NodeStateName, PeerView, StatusView, VersionView, WarningName, WarningView};
pub use organization::{KeySetView, OrganizationEpochView, OrganizationKeysView, OrganizationView, RoleName};
pub use proof::{LookupView, StateProofView, TransactionProofView};
pub(crate) use stream::AttestationPlace;
pub use stream::{AttestationView, ClaimedTimeView, ContentFormName, ContentView, StreamView, SupersededView};
pub use text::{AttestationSelector, Hex, OrganizationSelector, Text, TextForm};
pub use trace::{TraceEdge, TraceFormat, TraceNode, TraceRelation, TraceView};
pub use transaction::{
    AlgorithmName, CreatedView, ReceiptView, RefusedView, SignatureView, SubmissionView, SubmissionsView,
    SubmittedView, TakenView, TransactionStateName, TransactionStateView, TransactionView,
};
pub use usage::UsageView;
pub use verdict::{
    AuthorityView, BlockPointView, BoundsView, ContentEvidenceView, DeviceStandingView, EndorsementStandingView,
    FinalityView, IntegrityView, KeyStandingView, LaterView, OrganizationNameView, OwnerFact, PresentView, ReasonView,
    SignerView, StatementView, StatusFact, StreamStandingView, VerdictView, ZoneFact,
};
pub use zone::{PrincipalView, ScopeView, ZoneView};

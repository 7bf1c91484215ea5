//! The contract: one trait for each namespace, and what each method takes, answers and refuses.
//!
//! The documentation of the methods here is the text of `openrpc.json`. Parameters can be given by name or by place; a
//! parameter that is not known is refused before a method is called (see [`crate::contract`]).
//!
//! Every method can also fail with `InvalidParameter`, `Overloaded`, `Timeout` and `Starting`.

mod attestation;
mod audit;
mod chain;
mod device;
mod grant;
mod lot;
mod node;
mod organization;
mod proof;
mod stream;
mod tx;

pub(crate) use attestation::AttestationApiServer;
pub(crate) use audit::AuditApiServer;
pub(crate) use chain::ChainApiServer;
pub(crate) use device::DeviceApiServer;
pub(crate) use grant::GrantApiServer;
pub(crate) use lot::LotApiServer;
pub(crate) use node::NodeApiServer;
pub(crate) use organization::OrganizationApiServer;
pub(crate) use proof::ProofApiServer;
pub(crate) use stream::StreamApiServer;
pub(crate) use tx::TxApiServer;

/// The sources of the traits, from which [`crate::openrpc`] takes the documentation: namespace and text.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("chain", include_str!("api/chain.rs")),
    ("tx", include_str!("api/tx.rs")),
    ("organization", include_str!("api/organization.rs")),
    ("device", include_str!("api/device.rs")),
    ("grant", include_str!("api/grant.rs")),
    ("stream", include_str!("api/stream.rs")),
    ("lot", include_str!("api/lot.rs")),
    ("attestation", include_str!("api/attestation.rs")),
    ("audit", include_str!("api/audit.rs")),
    ("proof", include_str!("api/proof.rs")),
    ("node", include_str!("api/node.rs")),
];

//! The whole interface, asked over real connections: a server on loopback, the typed client, and raw HTTP.
//!
//! The node behind it is a small ledger written by hand ([`world`]): its blocks are certified, its signatures real and its
//! state true to its header, but no rule was run. Answers are compared with snapshots in `tests/rpc/snapshots`, one a
//! method and outcome; `INSTA_UPDATE=always cargo test -p cairn-rpc` writes them anew, and reading the difference is the
//! approval.

#[path = "rpc/authority.rs"]
mod authority;
#[path = "rpc/backend.rs"]
mod backend;
#[path = "rpc/http.rs"]
mod http;
#[path = "rpc/later.rs"]
mod later;
#[path = "rpc/ledger.rs"]
mod ledger;
#[path = "rpc/methods.rs"]
mod methods;
#[path = "rpc/proofs.rs"]
mod proofs;
#[path = "rpc/proven.rs"]
mod proven;
#[path = "rpc/refusals.rs"]
mod refusals;
#[path = "rpc/subscriptions.rs"]
mod subscriptions;
#[path = "rpc/world.rs"]
mod world;

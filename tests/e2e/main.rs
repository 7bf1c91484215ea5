//! Stories on real networks: four processes on loopback, asked through JSON-RPC as a user would.
//!
//! Networks are started one after the other within a story; cargo runs the stories side by side.

mod finality;
mod refusals;
mod rot;
mod crashes;
mod keys;
mod scenarios;
mod fleet;
mod snapshots;

//! Tests of the state tree, against the published vectors and against a naive restatement of its definition.

mod depth;
mod oracle;
mod pages;
mod pieces;
mod proofs;
mod snapshots;
mod vectors;

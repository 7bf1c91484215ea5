//! The rules, told as stories.
//!
//! [`world`] is the harness: a network in miniature, which compares building a block with executing it and checks the
//! [`invariants`] of the state after every block. The files named after the rules tell what each of them allows and
//! refuses; `rejections` walks the table of rejections. Random histories against a second implementation of the rules, and
//! whatever decodes, are in `tests/oracle`, where that implementation is.

mod world;
mod invariants;

mod envelope;
mod signatures;
mod device;
mod grant;
mod stream;
mod block;
mod organization;
mod governance;
mod lot;
mod recovery;
mod transfer;
mod quota;
mod rejections;

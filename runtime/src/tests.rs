//! The rules, told as stories and checked over random histories.
//!
//! [`world`] is the harness: a network in miniature, which compares building a block with executing it and checks the
//! [`invariants`] of the state after every block. The files named after the rules tell what each of them allows and
//! refuses; `rejections` walks the table of rejections; `histories` plays random ones against an [`oracle`] that restates
//! the rules in its own way; `hostile` throws at [`crate::apply`] whatever decodes.

mod random;
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

mod oracle;
mod player;
mod histories;
mod hostile;

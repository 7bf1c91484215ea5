//! What shows lots.

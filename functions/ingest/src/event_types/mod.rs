//! The catalogue of event types.

pub(crate) mod list;
pub(crate) mod one;

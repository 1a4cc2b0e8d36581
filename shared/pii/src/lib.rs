//! Masking of personal data. Pure: no clock, no randomness, no input or output.
//!
//! - [`mask_phone`] masks one telephone number field, e.g. `138****1234`.
//! - [`Sweep`] masks telephone numbers wherever they occur in text or JSON that is passed on as a source sent it.
//!
//! Both fail closed: what looks like a number but cannot be understood is hidden whole, never passed through.

mod country_code;
mod fold;
mod phone;
mod sweep;

pub use phone::mask_phone;
pub use sweep::Sweep;

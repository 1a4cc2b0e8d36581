//! Client-side encryption of recordings: sealed before they leave for the store, opened after they
//! come back, so that the store never sees audio. The embedded store seals its files in the same way.
//!
//! A recording is cut into chunks of 64 KiB, each sealed by AES-256-GCM with a nonce that tells its
//! place and whether it is the last (the STREAM construction; FORMAT.md has every byte). So any range
//! is opened from the chunks that it touches, in constant memory, and a chunk that was changed,
//! swapped, left out, doubled or taken from another file is an error and never audio.
//!
//! Each recording has a [`DataKey`] of its own, which is stored wrapped: under the account's key
//! ([`DataKey::wrap`]), or for the customer's own RSA key, which only they can open
//! ([`CustomerKey::wrap`]). A new wrapping leaves the audio alone; destroying the wrapped key is
//! erasure.
//!
//! Architecture invariant: nothing here holds more than a chunk or two, and nothing is given out
//! before its tag was checked.

mod customer;
mod key;
mod layout;
mod open;
mod seal;

pub use customer::{CustomerKey, CustomerKeyError};
pub use key::DataKey;
pub use layout::{CHUNK, HEADER_BYTES, sealed_length};
pub use open::{Opener, read};
pub use seal::{Sealed, Sealer, seal};

/// Why a sealed recording cannot be opened. Never holds key or content.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealingError {
    /// It is not of this format, or of a version that is not known.
    #[error("this is not a sealed recording")]
    Header,
    /// No sealed recording has this length: it was cut short or added to.
    #[error("the sealed recording was cut short or added to")]
    Length,
    /// The range lies outside of it.
    #[error("the range lies outside of the recording, which has {length} bytes")]
    Range {
        /// The plain length, in bytes.
        length: u64,
    },
    /// The store of objects.
    #[error(transparent)]
    Blob(#[from] ringfence_ports::BlobError),
}

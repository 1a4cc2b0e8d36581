//! Webhooks as Ringfence sends them: [Standard Webhooks 1.0.0] signatures ([`sign`](mod@sign)),
//! URLs that cannot reach into the sender's own network ([`target`]), and a client that a hostile
//! receiver can neither stall nor flood ([`send`]).
//!
//! Architecture invariants: nothing here follows a redirect, reads a proxy setting, decompresses a
//! body, keeps a cookie, or dials an address that [`target::Policy`] did not judge. No wall clock
//! and no source of randomness is read; both are passed in.
//!
//! [Standard Webhooks 1.0.0]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

pub mod headers;
mod retry_after;
pub mod send;
pub mod sign;
pub mod target;

pub use headers::{ExtraHeaders, HeaderError, validate_header};
pub use send::{Attempt, Outcome, Outgoing, Sender, Timeouts};
pub use sign::{Key, Secret, SigningKey, Verifier, VerifyingKey, sign, verify};
pub use target::{Policy, Subnet, Target, UrlError};

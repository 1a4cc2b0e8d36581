//! What every HTTP function of Ringfence needs: errors as problem+json ([`Problem`]), the caller
//! ([`Authenticated`]), strict JSON bodies ([`StrictJson`]), `ETag` and `If-Match` ([`etag`],
//! [`IfMatch`]), and cursors that belong to one tenant and one query ([`cursor`]).

mod authentication;
pub mod cursor;
mod body;
mod precondition;
pub mod problem;

pub use authentication::{Authenticated, ClientAddress, credentials};
pub use body::{MAX_SETTINGS_BYTES, StrictJson, read_limited, strict_value};
pub use precondition::{IfMatch, etag};
pub use problem::{Code, FieldError, Problem};

/// What handlers get as their state.
pub type AppState = std::sync::Arc<ringfence_domain::App>;

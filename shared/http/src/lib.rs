//! What every HTTP function of Ringfence needs: errors as problem+json ([`Problem`]), the caller
//! ([`Authenticated`]), strict JSON bodies ([`StrictJson`]), `ETag` and `If-Match` ([`etag`],
//! [`IfMatch`]), cursors that belong to one tenant and one query ([`cursor`]), and how whatever hosts
//! a router calls it ([`answer`]).

mod authentication;
mod body;
pub mod cursor;
mod host;
mod playing;
mod precondition;
pub mod problem;
mod query;
mod routes;

pub use authentication::{Authenticated, ClientAddress, credentials};
pub use body::{LimitedBody, MAX_SETTINGS_BYTES, StrictJson, read_limited, strict_value};
pub use host::answer;
pub use playing::{looked_at, played, range_of, sealed_key};
pub use precondition::{IfMatch, etag};
pub use problem::{Code, FieldError, Problem};
pub use query::{MAX_PAGE_ITEMS, PageQuery, StrictQuery};

/// What handlers get as their state.
pub type AppState = std::sync::Arc<ringfence_domain::App>;

//! What every HTTP function of Ringfence needs: errors as problem+json ([`Problem`]), the caller
//! ([`Authenticated`]), strict JSON bodies ([`StrictJson`]), `ETag` and `If-Match` ([`etag`],
//! [`IfMatch`]), cursors that belong to one tenant and one query ([`cursor`]), sessions ([`session`]), what pages for
//! people have in common ([`pages`]), and how whatever hosts
//! a router calls it ([`answer`]).

pub mod answer;
mod arrival;
mod authentication;
mod body;
pub mod cookies;
pub mod cursor;
mod host;
pub mod pages;
mod playing;
mod precondition;
pub mod problem;
mod query;
mod routes;
pub mod session;
pub mod words;

pub use arrival::{LimitedBody, MAX_OPEN_BYTES, read_limited, read_open};
pub use authentication::{Authenticated, ClientAddress, authenticate, credentials};
pub use body::{MAX_SETTINGS_BYTES, OpenJson, StrictJson, strict_value};
pub use host::answer;
pub use playing::{looked_at, played, range_of, sealed_key};
pub use precondition::{IfMatch, etag};
pub use problem::{Code, FieldError, Problem};
pub use query::{MAX_PAGE_ITEMS, PageQuery, StrictQuery};

/// What handlers get as their state.
pub type AppState = std::sync::Arc<ringfence_domain::App>;

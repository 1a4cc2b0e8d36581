//! What could not be sent, for those who administer to see.

use jiff::Timestamp;
use ringfence_ports::{Page, Position, Query, StoreError};
use serde::Serialize;

use super::row::{Stored, To};
use crate::{App, access::Owner, keyspace};

/// A notice that was given up. It says to whom and why, not what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnsentNotice {
    /// `ntc_…`
    pub id: String,
    /// Of what kind it was.
    pub kind: String,
    /// To whom: `usr_…`; `None`: to a phone.
    pub user: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up, as far as is known.
    pub reason: String,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When it was given up.
    pub ended_at: Timestamp,
}

impl App {
    /// A page of the notices to people of an agency, or of the operator's team, that were given up in the
    /// last ninety days, newest first.
    pub async fn unsent_notices(
        &self,
        home: &Owner,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<UnsentNotice>, Option<Position>), StoreError> {
        let Page { rows, next } = self
            .table
            .query(Query {
                descending: true,
                limit,
                after,
                ..Query::index(0, keyspace::unsent_notice(home.as_str(), "-").pk)
            })
            .await?;
        let notices = rows
            .iter()
            .map(|row| {
                let stored = Stored::from_row(row)?;
                Ok(UnsentNotice {
                    ended_at: stored.ended_at.unwrap_or(stored.created_at),
                    user: match stored.to {
                        To::User(user) => Some(user),
                        _ => None,
                    },
                    id: stored.id,
                    kind: stored.kind,
                    attempts: stored.attempts,
                    reason: stored.reason.unwrap_or_default(),
                    created_at: stored.created_at,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok((notices, next))
    }
}

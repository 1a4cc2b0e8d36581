//! `/v1/me`

pub(crate) mod get;
pub(crate) mod patch;

use ringfence_domain::{
    App,
    access::{Caller, Owner, Person, roles},
    people::User,
};
use ringfence_http::{Code, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::users::{UserBody, shown};

/// Oneself.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct MeBody {
    #[serde(flatten)]
    user: UserBody,
    /// What one reaches.
    reach: Vec<ReachBody>,
}

/// What one reaches by one role.
#[derive(Serialize, ToSchema)]
#[schema(as = ReachOfRole)]
struct ReachBody {
    /// The account, the agency, or `platform`.
    on: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// One's role there.
    role: String,
    /// What that allows.
    scopes: Vec<String>,
}

impl MeBody {
    async fn of(app: &App, user: User) -> Result<Self, Problem> {
        let mut reach = Vec::new();
        for grant in &user.grants {
            let name = match &grant.on {
                Owner::Account(account) => app.find_account(account).await?.map(|it| it.value.name),
                Owner::Agency(agency) => app.find_agency(agency).await?.map(|it| it.value.name),
                Owner::Platform => None,
            };
            reach.push(ReachBody {
                on: grant.on.as_str().to_owned(),
                name,
                role: grant.role.as_str().to_owned(),
                scopes: roles::scopes(grant.role)
                    .map(|scope| scope.as_str().to_owned())
                    .collect(),
            });
        }
        Ok(Self {
            user: shown(app, user).await?,
            reach,
        })
    }
}

/// The person that calls.
fn itself(caller: &Caller) -> Result<&Person, Problem> {
    caller.person().ok_or_else(|| {
        Problem::new(Code::InsufficientScope)
            .detail("This is for a person who is logged in: an API key has no profile.")
    })
}

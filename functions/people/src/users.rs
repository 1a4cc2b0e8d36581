//! Users on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ringfence_domain::{
    App,
    access::Owner,
    people::{Erasure, Grant, PeopleError, RecordingAccess, Switch, Team, User, UserStatus, ago},
};
use ringfence_http::{Code, MAX_PAGE_ITEMS, PageQuery, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which users are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    status: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Search {
    /// The status asked for, its name for the cursor's scope, and the page.
    pub(crate) fn read(self) -> Result<(Option<UserStatus>, &'static str, PageQuery), Problem> {
        let status = match self.status.as_deref() {
            None => None,
            Some("invited") => Some(UserStatus::Invited),
            Some("active") => Some(UserStatus::Active),
            Some("suspended") => Some(UserStatus::Suspended),
            Some("removed") => Some(UserStatus::Removed),
            Some(_) => {
                return Err(Problem::new(Code::InvalidQuery)
                    .detail("status must be invited, active, suspended or removed."));
            }
        };
        let limit = self.limit.unwrap_or(50);
        if !(1..=MAX_PAGE_ITEMS).contains(&limit) {
            return Err(Problem::new(Code::InvalidQuery)
                .detail(format!("limit must be from 1 to {MAX_PAGE_ITEMS}.")));
        }
        let query = PageQuery {
            limit,
            cursor: self.cursor,
        };
        Ok((status, status.map_or("", UserStatus::as_str), query))
    }
}

/// A user.
#[expect(clippy::option_option, reason = "null is not absent")]
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserBody {
    /// `usr_…`
    pub(crate) id: String,
    /// Its login.
    email: String,
    /// What people call it.
    name: String,
    /// Its own contact data.
    profile: ProfileBody,
    /// invited, active, suspended or removed.
    status: String,
    /// The roles it holds: at an account, the one there.
    grants: Vec<GrantBody>,
    /// Its second factor. To an account, this and what follows is told only of those who hold no role
    /// elsewhere, and of others no contact data either.
    #[serde(skip_serializing_if = "Option::is_none")]
    two_factor: Option<TwoFactorBody>,
    /// What it wants to hear.
    #[serde(skip_serializing_if = "Option::is_none")]
    notifications: Option<NotificationsBody>,
    /// When it last logged in; null: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_login_at: Option<Option<String>>,
    /// The same as people say it: `3 hours ago`, `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login: Option<String>,
    /// When it was invited.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was erased, after it was removed: name and email are empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    erased_at: Option<String>,
}

/// What an erasure did.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(crate) struct ErasureBody {
    /// Entries of histories that lost personal values with this request.
    entries: usize,
    /// There are more: ask again.
    more: bool,
}

impl From<Erasure> for ErasureBody {
    fn from(done: Erasure) -> Self {
        Self {
            entries: done.entries,
            more: done.more,
        }
    }
}

/// A person's own contact data.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Profile)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileBody {
    /// E.164, like +4943112345.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// What the person does.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// IANA name, like Europe/Berlin.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
}

/// A role that a user holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantBody {
    /// The account, the agency, or `platform`.
    on: String,
    /// Which.
    role: String,
    /// The access control group that narrows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_group: Option<String>,
    /// The teams of the account.
    teams: Vec<String>,
    /// The `agent_id` of its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    /// Which of its teams' recordings it hears; absent where teams limit nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_access_settings: Option<RecordingAccessBody>,
}

/// Which of a team's recordings its members hear.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = RecordingAccessSettings)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingAccessBody {
    /// enabled or disabled: whether they hear any.
    status: String,
    /// Only what callers left on voicemail.
    voicemail_only: bool,
    /// Only with the PIN of the recording, or of the account.
    password_protected: bool,
}

impl From<RecordingAccess> for RecordingAccessBody {
    fn from(access: RecordingAccess) -> Self {
        Self {
            status: switch(access.status).to_owned(),
            voicemail_only: access.voicemail_only,
            password_protected: access.password_protected,
        }
    }
}

/// `enabled` or `disabled`
pub(crate) const fn switch(switch: Switch) -> &'static str {
    match switch {
        Switch::Enabled => "enabled",
        Switch::Disabled => "disabled",
    }
}

/// A second factor, as far as others may know of it.
#[derive(Serialize, ToSchema)]
#[schema(as = TwoFactor)]
pub(crate) struct TwoFactorBody {
    /// An authenticator app is set up.
    app: bool,
    /// A number for codes by SMS is set up.
    sms: bool,
    /// Recovery codes that are left.
    recovery_left: u8,
}

/// Of what a person wants to hear.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Notifications)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotificationsBody {
    /// Billing notices; only an agency administrator can opt out.
    billing: bool,
}

/// An invitation to an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct AccountInvitation {
    /// Where the invitation goes; the login.
    email: String,
    /// What people call it.
    name: String,
    /// `call_agent`, `call_manager`, `report_manager`, `billing_manager`, `marketing_manager` or
    /// `administrator`.
    role: String,
    /// The access control group that narrows what it sees.
    access_group: Option<String>,
    /// Teams of the account.
    teams: Option<Vec<String>>,
    /// The `agent_id` of its calls.
    agent_id: Option<String>,
}

/// An invitation to an agency.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct AgencyInvitation {
    /// Where the invitation goes; the login.
    email: String,
    /// What people call it.
    name: String,
    /// The roles: on the agency, or on accounts of it.
    #[schema(min_items = 1, max_items = 30)]
    grants: Vec<GrantRequest>,
}

/// An invitation to the operator's team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct OperatorInvitation {
    /// Where the invitation goes; the login.
    email: String,
    /// What people call it.
    name: String,
}

/// A role to be held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct GrantRequest {
    /// The agency's id, or that of an account of it.
    on: String,
    /// Which.
    role: String,
    /// The access control group that narrows what it sees.
    access_group: Option<String>,
    /// Teams of the account.
    teams: Option<Vec<String>>,
    /// The `agent_id` of its calls.
    agent_id: Option<String>,
}

/// A change of a user at an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct AccountUserPatch {
    /// What people call it.
    name: Option<String>,
    /// Its own contact data.
    profile: Option<ProfileBody>,
    /// Its role here.
    role: Option<String>,
    /// The access control group that narrows what it sees.
    access_group: Option<String>,
    /// Teams of the account.
    teams: Option<Vec<String>>,
    /// The `agent_id` of its calls.
    agent_id: Option<String>,
}

/// A change of a user at an agency.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct AgencyUserPatch {
    /// What people call it.
    name: Option<String>,
    /// Its own contact data.
    profile: Option<ProfileBody>,
    /// All of its roles: they replace those it held.
    grants: Option<Vec<GrantRequest>>,
}

/// A change of somebody of the operator's team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct OperatorPatch {
    /// What people call it.
    name: Option<String>,
    /// Its own contact data.
    profile: Option<ProfileBody>,
}

/// A change of one's own profile.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct MePatch {
    /// What people call one.
    name: Option<String>,
    /// One's own contact data.
    profile: Option<ProfileBody>,
    /// What one wants to hear.
    notifications: Option<NotificationsBody>,
}

/// Users as they are shown, with what their teams let them hear.
pub(crate) async fn shown_all(app: &App, users: Vec<User>) -> Result<Vec<UserBody>, Problem> {
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for grant in users.iter().flat_map(|user| &user.grants) {
        if let Owner::Account(account) = &grant.on {
            let teams = wanted.entry(account.clone()).or_default();
            teams.extend(grant.teams.iter().cloned());
        }
    }
    let mut found: Vec<Team> = Vec::new();
    for (account, mut teams) in wanted {
        teams.sort();
        teams.dedup();
        // What one read takes.
        for teams in teams.chunks(100) {
            found.extend(
                app.teams_named(&account, teams)
                    .await
                    .map_err(PeopleError::from)?,
            );
        }
    }
    let now = app.clock.now();
    Ok(users
        .into_iter()
        .map(|user| body(user, &found, now))
        .collect())
}

/// One of them.
pub(crate) async fn shown(app: &App, user: User) -> Result<UserBody, Problem> {
    let mut shown = shown_all(app, vec![user]).await?;
    shown.pop().ok_or(Problem::new(Code::Internal))
}

fn body(user: User, teams: &[Team], now: Timestamp) -> UserBody {
    let is_own = !user.is_guest;
    UserBody {
        id: user.id,
        email: user.email.as_str().to_owned(),
        name: user.name,
        profile: ProfileBody {
            phone: user.profile.phone,
            title: user.profile.title,
            time_zone: user.profile.time_zone,
        },
        status: user.status.as_str().to_owned(),
        grants: user
            .grants
            .into_iter()
            .map(|grant| grant_body(grant, teams))
            .collect(),
        two_factor: is_own.then_some(TwoFactorBody {
            app: user.two_factor.app,
            sms: user.two_factor.sms,
            recovery_left: user.two_factor.recovery_left,
        }),
        notifications: is_own.then_some(NotificationsBody {
            billing: user.notifications.billing,
        }),
        last_login_at: is_own.then(|| user.last_login_at.map(|at| at.to_string())),
        last_login: is_own.then(|| {
            user.last_login_at
                .map_or_else(|| "never".to_owned(), |at| ago(now, at))
        }),
        created_at: user.created_at.to_string(),
        erased_at: user.erased_at.map(|at| at.to_string()),
    }
}

fn grant_body(grant: Grant, teams: &[Team]) -> GrantBody {
    let settings = RecordingAccess::of(teams.iter().filter(|team| grant.teams.contains(&team.id)));
    GrantBody {
        on: grant.on.as_str().to_owned(),
        role: grant.role.as_str().to_owned(),
        recording_access_settings: (!grant.teams.is_empty()).then(|| settings.into()),
        access_group: grant.access_group,
        teams: grant.teams,
        agent_id: grant.agent,
    }
}

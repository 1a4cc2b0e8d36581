//! People: their document, and how it is found.

use std::fmt;

use jiff::Timestamp;
use ringfence_ports::{Key, Op, Put, Query, Row, StoreError, When};
use serde::{Deserialize, Serialize};

use super::{MailAddress, PeopleError, role::Grant};
use crate::{
    App,
    access::{Owner, parse_doc, to_doc},
    derived::mac_of,
    id, keyspace,
    settings::{Listed, Versioned},
};

/// Whose people somebody is one of. People do not change it: an address belongs to one agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Home {
    /// The operator's team.
    Platform,
    /// An agency's, or those of one of its accounts.
    Agency(String),
}

impl Home {
    /// `platform`, or the agency's id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Platform => "platform",
            Self::Agency(id) => id,
        }
    }

    /// The same as an owner.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Platform => Owner::Platform,
            Self::Agency(id) => Owner::Agency(id.clone()),
        }
    }
}

impl From<Home> for String {
    fn from(home: Home) -> Self {
        home.as_str().to_owned()
    }
}

impl TryFrom<String> for Home {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match Owner::parse(&text) {
            Some(Owner::Platform) => Ok(Self::Platform),
            Some(Owner::Agency(id)) => Ok(Self::Agency(id)),
            _ => Err("not the home of a user"),
        }
    }
}

/// How things stand with a person's login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// Was invited and has not set a password yet.
    Invited,
    /// Can log in.
    Active,
    /// Cannot, until somebody reactivates it.
    Suspended,
    /// Is gone: holds nothing, and its address is free again.
    Removed,
}

impl UserStatus {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
        }
    }
}

/// A person's own contact data. `Debug` shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Where to call the person, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// What the person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The time zone (IANA) that times are shown to it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(..)")
    }
}

/// What is known of a person's second factor without opening its credentials. Kept in step with them
/// by whatever changes them, in the same commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwoFactorSummary {
    /// An authenticator app is set up.
    #[serde(default)]
    pub app: bool,
    /// A number for codes by SMS is set up.
    #[serde(default)]
    pub sms: bool,
    /// Recovery codes that are left.
    #[serde(default)]
    pub recovery_left: u8,
}

impl TwoFactorSummary {
    /// Whether a second factor is asked for at all.
    pub const fn is_on(self) -> bool {
        self.app || self.sms
    }
}

/// Of what a person wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationChoices {
    /// Billing notices. Only an agency administrator can opt out.
    #[serde(default = "yes")]
    pub billing: bool,
}

const fn yes() -> bool {
    true
}

impl Default for NotificationChoices {
    fn default() -> Self {
        Self { billing: true }
    }
}

/// A person. `Debug` shows its id and status.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// `usr_…`
    pub id: String,
    /// Whose people it is one of.
    pub home: Home,
    /// Its login. Unique over the installation.
    pub email: MailAddress,
    /// What people call it.
    pub name: String,
    /// Its own contact data.
    #[serde(default)]
    pub profile: Profile,
    /// How things stand.
    pub status: UserStatus,
    /// What it was before it was suspended: invited or active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_from: Option<UserStatus>,
    /// The roles it holds.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Its second factor.
    #[serde(default)]
    pub two_factor: TwoFactorSummary,
    /// What it wants to hear.
    #[serde(default)]
    pub notifications: NotificationChoices,
    /// When it last logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<Timestamp>,
    /// When it was invited.
    pub created_at: Timestamp,
    /// Sessions of a lower epoch are dead.
    #[serde(default)]
    pub session_epoch: u64,
    /// When its name and address were erased, after it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// Only what an account sees of somebody who holds roles elsewhere as well is here: not stored.
    #[serde(skip)]
    pub is_guest: bool,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl User {
    /// Somebody who is invited now, without grants.
    pub fn invited(
        id: String,
        home: Home,
        email: MailAddress,
        name: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            home,
            email,
            name,
            profile: Profile::default(),
            status: UserStatus::Invited,
            suspended_from: None,
            grants: Vec::new(),
            two_factor: TwoFactorSummary::default(),
            notifications: NotificationChoices::default(),
            last_login_at: None,
            created_at: now,
            session_epoch: 0,
            erased_at: None,
            is_guest: false,
        }
    }

    /// Whether it holds a role elsewhere than on this account. (An agency's own people are its own,
    /// whatever they hold on its accounts.)
    pub fn is_elsewhere_than(&self, owner: &Owner) -> bool {
        matches!(owner, Owner::Account(_)) && self.grants.iter().any(|grant| grant.on != *owner)
    }

    /// Whether it may log in and act.
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    /// Its role on exactly this owner.
    pub fn grant_on(&self, owner: &Owner) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.on == *owner)
    }

    /// Reads its row.
    pub fn from_row(row: &Row) -> Result<Versioned<Self>, StoreError> {
        Ok(Versioned {
            value: parse_doc(&row.doc)?,
            version: row.version,
        })
    }

    /// Its row. What else changes with it is for [`App::change_user`] to say.
    pub fn put(&self, when: When) -> Result<Put, StoreError> {
        Ok(Put {
            index: [Some(keyspace::users_of(self.home.as_str(), &self.id)), None],
            ..Put::new(keyspace::user(&self.id), to_doc(self)?, when)
        })
    }
}

/// Says whose an address is.
#[derive(Serialize, Deserialize)]
struct Addressee {
    user: String,
}

impl App {
    /// The person with this id, if there is one: also one that is suspended or removed.
    pub async fn user(&self, user: &str) -> Result<Option<Versioned<User>>, StoreError> {
        if !id::Kind::User.matches(user) {
            return Ok(None);
        }
        self.table
            .get(&keyspace::user(user))
            .await?
            .as_ref()
            .map(User::from_row)
            .transpose()
    }

    /// The person with this address, if there is one.
    pub async fn user_by_mail(
        &self,
        address: &MailAddress,
    ) -> Result<Option<Versioned<User>>, PeopleError> {
        let key = self.mail_key(address).await?;
        let Some(row) = self.table.get(&key).await? else {
            return Ok(None);
        };
        let addressee: Addressee = parse_doc(&row.doc)?;
        Ok(self.user(&addressee.user).await?)
    }

    /// A page of the people of an agency, or of the operator's team, in the order in which they came.
    pub async fn users_of(
        &self,
        home: &Home,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<User>, StoreError> {
        // Ids of one kind have one length, so nothing lies between an id and itself with a tilde.
        let page = self
            .table
            .query(Query {
                from: after.map(|id| format!("{id}~")),
                limit,
                ..Query::index(0, keyspace::users_of(home.as_str(), "").pk)
            })
            .await?;
        let items = page
            .rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        Ok(Listed {
            items,
            next: page.next.and_then(|next| next.index).map(|index| index.sk),
        })
    }

    /// The row that keeps an address for one person. The address itself does not stand in the table's
    /// keys: only who holds the installation's key can tell whose row it is.
    pub(crate) async fn mail_key(&self, address: &MailAddress) -> Result<Key, PeopleError> {
        let key = self.derived_key("mail").await?;
        Ok(keyspace::mail_address(&id::hex(&mac_of(
            &key,
            &[&address.normalised()],
        ))))
    }

    /// Takes an address for a person; fails when somebody has it.
    pub(crate) async fn take_address(&self, user: &User) -> Result<Op, PeopleError> {
        let doc = to_doc(&Addressee {
            user: user.id.clone(),
        })?;
        Ok(Op::Put(Put::new(
            self.mail_key(&user.email).await?,
            doc,
            When::Absent,
        )))
    }
}

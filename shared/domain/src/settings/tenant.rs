//! Agencies and accounts: making, reading, listing and renaming them.

use jiff::Timestamp;
use ringfence_ports::{Op, Put, Query, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    error::SettingsError,
    fields::{Errors, Object},
    merge_patch::merge,
};
use crate::{
    App,
    access::{
        AccessError, Caller, Owner, Rights, Scope, is_elsewhere, parse_doc, to_doc, to_value,
    },
    history::{Action, Actor, Change},
    id, keyspace,
};

/// The longest name of an agency, account or API key, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// An agency, the owner of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agency {
    /// `agy_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An account: a call centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `acc_…`
    pub id: String,
    /// The agency that owns it.
    pub agency: String,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Something read from the store, with the version that a change of it must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// What was read.
    pub value: T,
    /// 0: it was never saved.
    pub version: u64,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// In order of making.
    pub items: Vec<T>,
    /// The id to go on after; `None`: there is no more.
    pub next: Option<String>,
}

/// Whose settings: an agency's are the defaults of its accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// Defaults.
    Agency(Agency),
    /// An account's own.
    Account(Account),
}

impl Tenant {
    /// `agy_…` or `acc_…`
    pub fn id(&self) -> &str {
        match self {
            Self::Agency(agency) => &agency.id,
            Self::Account(account) => &account.id,
        }
    }

    /// The same as the owner of API keys.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Agency(agency) => Owner::Agency(agency.id.clone()),
            Self::Account(account) => Owner::Account(account.id.clone()),
        }
    }

    pub(super) fn is_agency(&self) -> bool {
        matches!(self, Self::Agency(_))
    }
}

impl App {
    /// Makes an agency. Its name has 1 to [`MAX_NAME_CHARS`] characters.
    pub async fn create_agency(
        &self,
        name: &str,
        actor: &Actor,
    ) -> Result<Versioned<Agency>, SettingsError> {
        let name = checked_name("name", name)?;
        let now = self.clock.now();
        let agency = Agency {
            id: id::new(id::Kind::Agency, now, &*self.random),
            name,
            created_at: now,
        };
        let put = agency_put(&agency, When::Absent)?;
        self.commit_tenant(
            &agency.id,
            "agency",
            Action::Create,
            Value::Null,
            &agency,
            put,
            actor,
        )
        .await?;
        Ok(Versioned {
            value: agency,
            version: 1,
        })
    }

    /// Makes an account of an agency that exists.
    pub async fn create_account(
        &self,
        agency: &str,
        name: &str,
        actor: &Actor,
    ) -> Result<Versioned<Account>, SettingsError> {
        let name = checked_name("name", name)?;
        let now = self.clock.now();
        let account = Account {
            id: id::new(id::Kind::Account, now, &*self.random),
            agency: agency.to_owned(),
            name,
            created_at: now,
        };
        let put = account_put(&account, When::Absent)?;
        self.commit_tenant(
            &account.id,
            "account",
            Action::Create,
            Value::Null,
            &account,
            put,
            actor,
        )
        .await?;
        Ok(Versioned {
            value: account,
            version: 1,
        })
    }

    /// The agency, if it exists.
    pub async fn find_agency(&self, agency: &str) -> Result<Option<Versioned<Agency>>, StoreError> {
        if !id::Kind::Agency.matches(agency) {
            return Ok(None);
        }
        self.table
            .get(&keyspace::agency(agency))
            .await?
            .as_ref()
            .map(parse_row)
            .transpose()
    }

    /// The account, if it exists.
    pub async fn find_account(
        &self,
        account: &str,
    ) -> Result<Option<Versioned<Account>>, StoreError> {
        if !id::Kind::Account.matches(account) {
            return Ok(None);
        }
        self.table
            .get(&keyspace::account(account))
            .await?
            .as_ref()
            .map(parse_row)
            .transpose()
    }

    /// The agency, if the caller reaches it and holds `scope`.
    pub async fn reach_agency(
        &self,
        caller: &Caller,
        scope: Scope,
        agency: &str,
    ) -> Result<Versioned<Agency>, SettingsError> {
        self.agency(caller, scope, agency).await?;
        self.find_agency(agency)
            .await?
            .ok_or(SettingsError::absent("agency"))
    }

    /// The account as it is stored, if the caller reaches it and holds `scope`. Unlike
    /// [`App::account`] it opens no secret, so that settings stay within reach when one does not open.
    pub async fn reach_account(
        &self,
        caller: &Caller,
        scope: Scope,
        account: &str,
    ) -> Result<Versioned<Account>, SettingsError> {
        const ABSENT: AccessError = AccessError::NotFound("account");
        if is_elsewhere(caller, account) {
            return Err(ABSENT.into());
        }
        let found = self.find_account(account).await?.ok_or(ABSENT)?;
        self.rights_in_account(caller, &found.value)
            .await?
            .require(scope)?;
        Ok(found)
    }

    /// [`App::reach_agency`], for what agencies and accounts have in common.
    pub async fn agency_tenant(
        &self,
        caller: &Caller,
        scope: Scope,
        agency: &str,
    ) -> Result<Tenant, SettingsError> {
        Ok(Tenant::Agency(
            self.reach_agency(caller, scope, agency).await?.value,
        ))
    }

    /// [`App::reach_account`], for what agencies and accounts have in common.
    pub async fn account_tenant(
        &self,
        caller: &Caller,
        scope: Scope,
        account: &str,
    ) -> Result<Tenant, SettingsError> {
        Ok(Tenant::Account(
            self.reach_account(caller, scope, account).await?.value,
        ))
    }

    /// What the caller may do in an agency or account.
    pub async fn rights_in(&self, caller: &Caller, tenant: &Tenant) -> Result<Rights, AccessError> {
        match tenant {
            Tenant::Agency(agency) => self.rights_in_agency(caller, &agency.id).await,
            Tenant::Account(account) => self.rights_in_account(caller, account).await,
        }
    }

    /// A page of all agencies.
    pub async fn agencies(
        &self,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<Agency>, StoreError> {
        self.list(keyspace::members("platform", "").pk, limit, after)
            .await
    }

    /// A page of an agency's accounts.
    pub async fn accounts_of(
        &self,
        agency: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<Account>, StoreError> {
        self.list(keyspace::members(agency, "").pk, limit, after)
            .await
    }

    /// Renames an agency: `patch` is a merge patch of `{"name": …}`.
    pub async fn update_agency(
        &self,
        agency: Versioned<Agency>,
        version: u64,
        patch: Value,
        actor: &Actor,
    ) -> Result<Versioned<Agency>, SettingsError> {
        if agency.version != version {
            return Err(SettingsError::Stale);
        }
        let before = agency.value;
        let after = Agency {
            name: renamed(&before.name, patch)?,
            ..before.clone()
        };
        if after == before {
            return Ok(Versioned {
                value: before,
                version,
            });
        }
        let put = agency_put(&after, When::Version(version))?;
        self.commit_tenant(
            &after.id,
            "agency",
            Action::Update,
            to_value(&before)?,
            &after,
            put,
            actor,
        )
        .await?;
        Ok(Versioned {
            value: after,
            version: version + 1,
        })
    }

    /// Renames an account: `patch` is a merge patch of `{"name": …}`.
    pub async fn update_account(
        &self,
        account: Versioned<Account>,
        version: u64,
        patch: Value,
        actor: &Actor,
    ) -> Result<Versioned<Account>, SettingsError> {
        if account.version != version {
            return Err(SettingsError::Stale);
        }
        let before = account.value;
        let after = Account {
            name: renamed(&before.name, patch)?,
            ..before.clone()
        };
        if after == before {
            return Ok(Versioned {
                value: before,
                version,
            });
        }
        let put = account_put(&after, When::Version(version))?;
        self.commit_tenant(
            &after.id,
            "account",
            Action::Update,
            to_value(&before)?,
            &after,
            put,
            actor,
        )
        .await?;
        Ok(Versioned {
            value: after,
            version: version + 1,
        })
    }

    /// A page of the rows that index 0 lists in `partition` under their ids.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        partition: String,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<T>, StoreError> {
        // Ids of one kind have one length, so nothing lies between an id and itself with a tilde.
        let from = after.map(|id| format!("{id}~"));
        let page = self
            .table
            .query(Query {
                from,
                limit,
                ..Query::index(0, partition)
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

    #[expect(
        clippy::too_many_arguments,
        reason = "all of a history entry, from two callers"
    )]
    async fn commit_tenant<T: Serialize + Sync>(
        &self,
        id: &str,
        item: &str,
        action: Action,
        before: Value,
        after: &T,
        put: Put,
        actor: &Actor,
    ) -> Result<(), SettingsError> {
        let change = Change {
            item: item.to_owned(),
            action,
            before,
            after: to_value(after)?,
        };
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        match self.commit_change(id, actor, change, unit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Condition { .. }) => Err(SettingsError::Stale),
            Err(error) => Err(error.into()),
        }
    }
}

/// A name that people gave something: 1 to [`MAX_NAME_CHARS`] characters, no control characters, no
/// blanks at the ends.
pub(super) fn checked_name(field: &str, name: &str) -> Result<String, SettingsError> {
    match name_fault(name) {
        None => Ok(name.to_owned()),
        Some(reason) => Err(SettingsError::field(field, "invalid_name", reason)),
    }
}

pub(crate) fn name_fault(name: &str) -> Option<String> {
    let length = name.chars().count();
    let fits = (1..=MAX_NAME_CHARS).contains(&length)
        && name.trim() == name
        && !name.chars().any(char::is_control);
    (!fits).then(|| {
        format!("must be 1 to {MAX_NAME_CHARS} characters, without control characters or blanks at the ends")
    })
}

fn renamed(name: &str, patch: Value) -> Result<String, SettingsError> {
    let mut errors = Errors::default();
    let mut found = None;
    let document = merge(serde_json::json!({ "name": name }), patch);
    if let Some(mut object) = Object::read("", document, &mut errors) {
        found = object.required_string("name");
        if let Some(reason) = found.as_deref().and_then(name_fault) {
            object.wrong("name", "invalid_name", reason);
        }
        object.finish();
    }
    errors.into_result(found.unwrap_or_default())
}

fn agency_put(agency: &Agency, when: When) -> Result<Put, StoreError> {
    Ok(Put {
        index: [Some(keyspace::members("platform", &agency.id)), None],
        ..Put::new(keyspace::agency(&agency.id), to_doc(agency)?, when)
    })
}

fn account_put(account: &Account, when: When) -> Result<Put, StoreError> {
    Ok(Put {
        index: [Some(keyspace::members(&account.agency, &account.id)), None],
        ..Put::new(keyspace::account(&account.id), to_doc(account)?, when)
    })
}

fn parse_row<T: DeserializeOwned>(row: &Row) -> Result<Versioned<T>, StoreError> {
    Ok(Versioned {
        value: parse_doc(&row.doc)?,
        version: row.version,
    })
}

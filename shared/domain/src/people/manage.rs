//! Managing people: inviting, changing, suspending, removing; and one's own profile.

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, StoreError, Unit, When};
use serde_json::{Value, json};

use super::{
    MailAddress, PeopleError,
    member::UserChange,
    role::{Grant, Level, Role},
    team::team_ids,
    user::{Home, Profile, User, UserStatus},
};
use crate::{
    App,
    access::{AccessError, Caller, Owner, Person, Rights, Scope, roles},
    history::Action,
    id, keyspace,
    settings::{
        Account, FieldError, Listed, Versioned,
        fields::{Errors, Object},
        merge_patch::merge,
        tenant::name_fault,
    },
};

/// Where people are managed, and what the caller may do there.
#[derive(Debug)]
pub struct Desk {
    /// The account, agency or platform.
    pub owner: Owner,
    home: Home,
    account: Option<Account>,
    rights: Rights,
}

impl Desk {
    /// Whether somebody is one of the people here.
    fn holds(&self, user: &User) -> bool {
        if self.account.is_some() {
            user.grant_on(&self.owner).is_some()
        } else {
            user.home == self.home
        }
    }

    /// Whether the caller stands above a role. Administrators also reach each other, for everything
    /// but granting: else nobody could part with one.
    fn is_above(&self, role: Role) -> bool {
        let rank = self.rights.rank();
        rank > role.rank() || (rank == role.rank() && role.administers())
    }

    /// Refuses to change what is the person's own (its name, whether it can log in) unless the caller
    /// stands above every role it holds, anywhere.
    fn require_whole(&self, user: &User) -> Result<(), PeopleError> {
        if user.is_elsewhere_than(&self.owner) {
            return Err(PeopleError::Conflict(
                "This person holds roles elsewhere as well: take its role here away, or ask an agency administrator.",
            ));
        }
        if user.grants.iter().all(|grant| self.is_above(grant.role)) {
            Ok(())
        } else {
            Err(PeopleError::NotBelow)
        }
    }

    /// The same, but by a role that is strictly above: not even peers reach each other.
    fn require_wholly_below(&self, user: &User) -> Result<(), PeopleError> {
        self.require_whole(user)?;
        let rank = self.rights.rank();
        if user.grants.iter().all(|grant| grant.role.rank() < rank) {
            Ok(())
        } else {
            Err(PeopleError::NotBelow)
        }
    }

    /// Refuses to give a role that is not below the caller's own, or that could do what the caller's
    /// key cannot.
    fn require_grantable(&self, role: Role) -> Result<(), PeopleError> {
        if role.rank() >= self.rights.rank() {
            return Err(PeopleError::NotBelow);
        }
        if let Rights::Key(_) = self.rights {
            for scope in roles::scopes(role) {
                self.rights.require(scope)?;
            }
        }
        Ok(())
    }

    /// Refuses a change of grants that the caller may not make.
    fn require_change(&self, before: &[Grant], after: &[Grant]) -> Result<(), PeopleError> {
        let on = |grants: &[Grant], owner: &Owner| {
            grants.iter().find(|grant| grant.on == *owner).cloned()
        };
        for old in before {
            if on(after, &old.on).as_ref() != Some(old) && !self.is_above(old.role) {
                return Err(PeopleError::NotBelow);
            }
        }
        for new in after {
            if on(before, &new.on).is_none_or(|old| old.role != new.role) {
                self.require_grantable(new.role)?;
            }
        }
        Ok(())
    }
}

/// What is asked about a person's grants, before it is known whether what it names exists.
fn read_grant(object: &mut Object<'_>, on: Option<Owner>) -> Option<Grant> {
    let on = if on.is_some() {
        on
    } else {
        let text = object.required_string("on")?;
        let owner = Owner::parse(&text).filter(|owner| *owner != Owner::Platform);
        if owner.is_none() {
            object.wrong("on", "not_an_id", "must be the id of an account or agency");
        }
        owner
    };
    let role = object.required_string("role").and_then(|name| {
        let role = Role::parse(&name);
        if role.is_none() {
            let names: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
            let reason = format!("must be one of {}", names.join(", "));
            object.wrong("role", "unknown_role", reason);
        }
        role
    });
    let access_group = object.string("access_group");
    if access_group
        .as_deref()
        .is_some_and(|group| !id::Kind::Group.matches(group))
    {
        object.wrong(
            "access_group",
            "not_an_id",
            "must be the id of an access group",
        );
    }
    let teams = match object.take("teams") {
        None => Vec::new(),
        Some(value) => team_ids(object, "teams", value),
    };
    let agent = object.string("agent_id");
    if agent.as_deref().is_some_and(|agent| {
        !(1..=200).contains(&agent.chars().count()) || agent.chars().any(char::is_control)
    }) {
        object.wrong(
            "agent_id",
            "invalid_text",
            "must be 1 to 200 characters without control characters",
        );
    }
    let (on, role) = (on?, role?);
    if role.level() != Level::of(&on) {
        let reason = match role.level() {
            Level::Account => "is a role on an account",
            Level::Agency => "is a role on an agency",
            Level::Platform => "is a role on the platform",
        };
        object.wrong("role", "wrong_level", reason);
    }
    if role.level() != Level::Account && !(teams.is_empty() && agent.is_none()) {
        object.wrong("teams", "wrong_level", "belong to an account's roles");
    }
    if !role.is_grouped() && access_group.is_some() {
        object.wrong(
            "access_group",
            "wrong_role",
            "narrows call agents, call managers and report managers only",
        );
    }
    Some(Grant {
        on,
        role,
        access_group,
        teams,
        agent,
    })
}

fn read_grants(object: &mut Object<'_>) -> Vec<Grant> {
    let mut grants: Vec<Grant> = Vec::new();
    let items = match object.take("grants") {
        Some(Value::Array(items)) if !items.is_empty() && items.len() <= super::MAX_GRANTS => items,
        _ => {
            object.wrong("grants", "required", "must be a list of 1 to 30 roles");
            return grants;
        }
    };
    for (place, item) in items.into_iter().enumerate() {
        let path = object.path_of(&format!("grants.{place}"));
        let Some(mut grant) = Object::read(&path, item, object.errors()) else {
            continue;
        };
        let found = read_grant(&mut grant, None);
        if found
            .as_ref()
            .is_some_and(|found| grants.iter().any(|other| other.on == found.on))
        {
            grant.wrong("on", "twice", "must stand in one role only");
        }
        grants.extend(found);
        grant.finish();
    }
    grants
}

fn read_name(object: &mut Object<'_>) -> String {
    let name = object.required_string("name").unwrap_or_default();
    if let Some(reason) = name_fault(&name).filter(|_| !name.is_empty()) {
        object.wrong("name", "invalid_name", reason);
    }
    name
}

fn read_profile(object: &mut Object<'_>) -> Profile {
    let mut profile = Profile::default();
    let Some(value) = object.take("profile") else {
        return profile;
    };
    let Some(mut fields) = Object::read("profile", value, object.errors()) else {
        return profile;
    };
    profile.phone = fields.string("phone");
    let is_e164 = |phone: &str| {
        phone.strip_prefix('+').is_some_and(|digits| {
            (7..=15).contains(&digits.len())
                && digits.bytes().all(|c| c.is_ascii_digit())
                && !digits.starts_with('0')
        })
    };
    if profile
        .phone
        .as_deref()
        .is_some_and(|phone| !is_e164(phone))
    {
        fields.wrong("phone", "not_a_number", "must be a number like +4943112345");
    }
    profile.title = fields.string("title");
    if let Some(reason) = profile.title.as_deref().and_then(name_fault) {
        fields.wrong("title", "invalid_name", reason);
    }
    profile.time_zone = fields.string("time_zone");
    if profile
        .time_zone
        .as_deref()
        .is_some_and(|zone| jiff::tz::TimeZone::get(zone).is_err())
    {
        fields.wrong(
            "time_zone",
            "unknown_time_zone",
            "must be the name of a time zone, like Europe/Berlin",
        );
    }
    fields.finish();
    profile
}

fn profile_document(user: &User) -> Value {
    json!({
        "phone": user.profile.phone, "title": user.profile.title, "time_zone": user.profile.time_zone,
    })
}

fn grant_document(grant: &Grant) -> Value {
    let mut value = json!({
        "on": grant.on, "role": grant.role, "teams": grant.teams,
    });
    if let Some(group) = &grant.access_group {
        value["access_group"] = group.as_str().into();
    }
    if let Some(agent) = &grant.agent {
        value["agent_id"] = agent.as_str().into();
    }
    value
}

fn without_nulls(value: Value) -> Value {
    // A merge patch of nothing takes the nulls away.
    merge(Value::Object(serde_json::Map::new()), value)
}

fn checked(errors: Errors) -> Result<(), PeopleError> {
    let errors: Vec<FieldError> = errors.into_list();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(PeopleError::Fields(errors))
    }
}

impl App {
    /// The people of an account, for a caller that reaches it and holds `scope`.
    pub async fn people_of_account(
        &self,
        caller: &Caller,
        scope: Scope,
        account: &str,
    ) -> Result<Desk, PeopleError> {
        const ABSENT: AccessError = AccessError::NotFound("account");
        if crate::access::is_elsewhere(caller, account) {
            return Err(ABSENT.into());
        }
        let account = self.find_account(account).await?.ok_or(ABSENT)?.value;
        let rights = self.rights_in_account(caller, &account).await?;
        rights.require(scope)?;
        Ok(Desk {
            owner: Owner::Account(account.id.clone()),
            home: Home::Agency(account.agency.clone()),
            account: Some(account),
            rights,
        })
    }

    /// The people of an agency: its own, and those of its accounts.
    pub async fn people_of_agency(
        &self,
        caller: &Caller,
        scope: Scope,
        agency: &str,
    ) -> Result<Desk, PeopleError> {
        let rights = self.agency(caller, scope, agency).await?;
        let agency = self
            .find_agency(agency)
            .await?
            .ok_or(AccessError::NotFound("agency"))?
            .value;
        Ok(Desk {
            owner: Owner::Agency(agency.id.clone()),
            home: Home::Agency(agency.id),
            account: None,
            rights,
        })
    }

    /// The operator's team.
    pub fn people_of_platform(&self, caller: &Caller, scope: Scope) -> Result<Desk, PeopleError> {
        Ok(Desk {
            owner: Owner::Platform,
            home: Home::Platform,
            account: None,
            rights: self.platform(caller, scope)?,
        })
    }

    /// A page of the people here, in the order in which they came. Those who were removed only when
    /// `status` asks for them.
    pub async fn list_people(
        &self,
        desk: &Desk,
        status: Option<UserStatus>,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<User>, PeopleError> {
        let mut page = if desk.account.is_some() {
            let page = self.people_of(&desk.owner, limit, after).await?;
            Listed {
                items: page.items.into_iter().map(|user| user.value).collect(),
                next: page.next,
            }
        } else {
            self.users_of(&desk.home, limit, after).await?
        };
        page.items.retain(|user| {
            status.map_or(user.status != UserStatus::Removed, |status| {
                user.status == status
            })
        });
        page.items.iter_mut().for_each(|user| desk.narrow(user));
        Ok(page)
    }

    /// One of the people here, as it is shown here.
    pub async fn read_person(
        &self,
        desk: &Desk,
        user: &str,
    ) -> Result<Versioned<User>, PeopleError> {
        let mut user = self.find_person(desk, user).await?;
        desk.narrow(&mut user.value);
        Ok(user)
    }

    pub(super) async fn find_person(
        &self,
        desk: &Desk,
        user: &str,
    ) -> Result<Versioned<User>, PeopleError> {
        self.user(user)
            .await?
            .filter(|user| desk.holds(&user.value))
            .ok_or(PeopleError::absent("user"))
    }

    /// Invites somebody, as `document` asks: `email`, `name`, and the role or (at an agency) `grants`.
    /// Somebody of the same agency who logs in with this address already gets the roles besides.
    pub async fn invite_person(
        &self,
        desk: &Desk,
        document: Value,
        caller: &Caller,
    ) -> Result<Versioned<User>, PeopleError> {
        let mut errors = Errors::default();
        let (mut email, mut name, mut grants) = (None, String::new(), Vec::new());
        if let Some(mut object) = Object::read("", document, &mut errors) {
            if let Some(text) = object.required_string("email") {
                email = MailAddress::parse(&text);
                if email.is_none() {
                    object.wrong("email", "not_an_address", "must be a mail address");
                }
            }
            name = read_name(&mut object);
            grants = match &desk.owner {
                Owner::Account(_) => read_grant(&mut object, Some(desk.owner.clone()))
                    .into_iter()
                    .collect(),
                Owner::Agency(_) => read_grants(&mut object),
                Owner::Platform => vec![Grant::new(Owner::Platform, Role::Operator)],
            };
            object.finish();
        }
        checked(errors)?;
        let Some(email) = email else {
            return Err(PeopleError::field("email", "required", "is required"));
        };
        desk.require_change(&[], &grants)?;
        self.check_grants(desk, &grants).await?;

        let known = self.user_by_mail(&email).await?;
        let mut unit = Unit::default();
        let mut saved = if let Some(before) = known {
            if before.value.home != desk.home {
                return Err(PeopleError::AddressTaken);
            }
            if grants
                .iter()
                .any(|grant| before.value.grant_on(&grant.on).is_some())
            {
                return Err(PeopleError::Conflict(
                    "This person is here already: change its role instead.",
                ));
            }
            let mut after = before.value.clone();
            after.grants.extend(grants.iter().cloned());
            self.tell_administrators(&after, &grants, &mut unit).await?;
            let how = desk.change(&caller.actor(), Action::Update);
            self.change_user_as(Some(&before), after, how, unit).await?
        } else {
            let now = self.clock.now();
            let id = id::new(id::Kind::User, now, &*self.random);
            let mut user = User::invited(id, desk.home.clone(), email, name, now);
            user.grants.clone_from(&grants);
            self.invite(&user, &mut unit).await?;
            self.tell_administrators(&user, &grants, &mut unit).await?;
            let how = desk.change(&caller.actor(), Action::Create);
            self.change_user_as(None, user, how, unit).await?
        };
        desk.narrow(&mut saved.value);
        Ok(saved)
    }

    /// Sends the invitation again, with a new link; the one before no longer works.
    pub async fn invite_again(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
    ) -> Result<(), PeopleError> {
        let user = self.find_person(desk, user).await?;
        if user.value.status != UserStatus::Invited {
            return Err(PeopleError::Conflict(
                "Only somebody who has not followed the invitation yet can be invited again.",
            ));
        }
        desk.require_whole(&user.value)?;
        let mut unit = Unit::default();
        self.invite(&user.value, &mut unit).await?;
        let after = user.value.clone();
        let how = desk.change(&caller.actor(), Action::Update);
        let part = "/invitation";
        self.change_user_as(Some(&user), after, Recorded { part, ..how }, unit)
            .await?;
        Ok(())
    }

    /// Changes somebody: `patch` is a merge patch of `name`, `profile`, and the role here or (at an
    /// agency) all `grants`.
    pub async fn update_person(
        &self,
        desk: &Desk,
        user: &str,
        version: u64,
        patch: Value,
        caller: &Caller,
    ) -> Result<Versioned<User>, PeopleError> {
        let mut before = self.find_person(desk, user).await?;
        if before.version != version {
            return Err(PeopleError::Stale);
        }
        if before.value.status == UserStatus::Removed {
            return Err(GONE);
        }
        let mut after = desk.read_patch(&before.value, patch)?;
        if (&after.name, &after.profile) != (&before.value.name, &before.value.profile) {
            desk.require_whole(&before.value)?;
        }
        desk.require_change(&before.value.grants, &after.grants)?;
        let changed: Vec<Grant> = after
            .grants
            .iter()
            .filter(|grant| before.value.grant_on(&grant.on) != Some(grant))
            .cloned()
            .collect();
        self.check_grants(desk, &changed).await?;
        if after == before.value {
            desk.narrow(&mut before.value);
            return Ok(before);
        }
        if after
            .grants
            .iter()
            .all(|grant| grant.role.level() != Level::Agency)
        {
            after.notifications.billing = true;
        }
        let mut unit = Unit::default();
        let promoted: Vec<Grant> = changed
            .into_iter()
            .filter(|grant| {
                before
                    .value
                    .grant_on(&grant.on)
                    .is_none_or(|old| !old.role.administers())
            })
            .collect();
        self.tell_administrators(&after, &promoted, &mut unit)
            .await?;
        let how = desk.change(&caller.actor(), Action::Update);
        let mut saved = self.change_user_as(Some(&before), after, how, unit).await?;
        desk.narrow(&mut saved.value);
        Ok(saved)
    }

    /// Suspends somebody: it cannot log in, and its sessions end.
    pub async fn suspend_person(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
    ) -> Result<Versioned<User>, PeopleError> {
        self.set_status(desk, user, caller, |user| match user.status {
            UserStatus::Suspended => Ok(()),
            UserStatus::Removed => Err(GONE),
            UserStatus::Invited | UserStatus::Active => {
                user.suspended_from = Some(user.status);
                user.status = UserStatus::Suspended;
                user.session_epoch += 1;
                Ok(())
            }
        })
        .await
    }

    /// Lets somebody who was suspended in again.
    pub async fn reactivate_person(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
    ) -> Result<Versioned<User>, PeopleError> {
        self.set_status(desk, user, caller, |user| match user.status {
            UserStatus::Suspended => {
                user.status = user.suspended_from.take().unwrap_or(UserStatus::Invited);
                Ok(())
            }
            UserStatus::Removed => Err(GONE),
            UserStatus::Invited | UserStatus::Active => Ok(()),
        })
        .await
    }

    /// Takes somebody's second factors and recovery codes away and ends its sessions, for who has lost
    /// them all. Only from above; and a person that does so has given its own second factor again
    /// lately, so that a browser that was left open does not do for it. Where there is nothing to take
    /// away, nothing changes.
    pub async fn reset_two_factor(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
    ) -> Result<(), PeopleError> {
        for _ in 0..ATTEMPTS {
            let before = self.find_person(desk, user).await?;
            if before.value.status == UserStatus::Removed {
                return Err(GONE);
            }
            desk.require_wholly_below(&before.value)?;
            let now = self.clock.now();
            if caller
                .person()
                .is_some_and(|person| !person.session.is_confirmed(now))
            {
                return Err(PeopleError::ConfirmationRequired);
            }
            let Some((after, unit)) = self.without_second_factor(&before.value).await? else {
                return Ok(());
            };
            let how = Recorded {
                part: "/two-factor",
                ..desk.change(&caller.actor(), Action::Delete)
            };
            match self.change_user_as(Some(&before), after, how, unit).await {
                Err(PeopleError::Stale) => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn set_status(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
        change: impl Fn(&mut User) -> Result<(), PeopleError>,
    ) -> Result<Versioned<User>, PeopleError> {
        // A login at the same moment changes the row as well.
        for _ in 0..ATTEMPTS {
            let mut before = self.find_person(desk, user).await?;
            desk.require_whole(&before.value)?;
            let mut after = before.value.clone();
            change(&mut after)?;
            if after == before.value {
                desk.narrow(&mut before.value);
                return Ok(before);
            }
            let how = desk.change(&caller.actor(), Action::Update);
            match self
                .change_user_as(Some(&before), after, how, Unit::default())
                .await
            {
                Err(PeopleError::Stale) => {}
                Err(error) => return Err(error),
                Ok(mut saved) => {
                    desk.narrow(&mut saved.value);
                    return Ok(saved);
                }
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Removes somebody: from an account its role there; who then holds none anywhere, or is removed
    /// from its agency or the operator's team, cannot log in any more, and its address is free.
    pub async fn remove_person(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
    ) -> Result<(), PeopleError> {
        for _ in 0..ATTEMPTS {
            let before = self.find_person(desk, user).await?;
            if before.value.status == UserStatus::Removed {
                return Err(PeopleError::absent("user"));
            }
            let mut after = before.value.clone();
            if desk.account.is_some() {
                after.grants.retain(|grant| grant.on != desk.owner);
                desk.require_change(&before.value.grants, &after.grants)?;
            } else {
                desk.require_whole(&before.value)?;
                after.grants.clear();
            }
            let mut unit = Unit::default();
            if after.grants.is_empty() {
                after.status = UserStatus::Removed;
                after.suspended_from = None;
                after.profile = Profile::default();
                after.two_factor = super::TwoFactorSummary::default();
                after.session_epoch += 1;
                unit.ops
                    .push(Op::Delete(keyspace::credentials(&after.id), When::Always));
            }
            let how = desk.change(&caller.actor(), Action::Delete);
            match self.change_user_as(Some(&before), after, how, unit).await {
                Err(PeopleError::Stale) => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Changes one's own profile: `patch` is a merge patch of `name`, `profile` and `notifications`.
    pub async fn update_me(
        &self,
        person: &Person,
        version: u64,
        patch: Value,
        caller: &Caller,
    ) -> Result<Versioned<User>, PeopleError> {
        let before = self
            .user(&person.user.id)
            .await?
            .ok_or(PeopleError::absent("user"))?;
        if before.version != version {
            return Err(PeopleError::Stale);
        }
        let document = without_nulls(json!({
            "name": before.value.name, "profile": profile_document(&before.value),
            "notifications": before.value.notifications,
        }));
        let mut errors = Errors::default();
        let mut after = before.value.clone();
        if let Some(mut object) = Object::read("", merge(document, patch), &mut errors) {
            after.name = read_name(&mut object);
            after.profile = read_profile(&mut object);
            let mut billing = true;
            if let Some(value) = object.take("notifications")
                && let Some(mut choices) = Object::read("notifications", value, object.errors())
            {
                billing = choices.bool("billing").unwrap_or(true);
                let may_opt_out = after
                    .grants
                    .iter()
                    .any(|grant| grant.role == Role::AgencyAdministrator);
                if !billing && !may_opt_out {
                    choices.wrong(
                        "billing",
                        "not_your_choice",
                        "only an agency administrator can opt out of billing notices",
                    );
                }
                choices.finish();
            }
            after.notifications.billing = billing;
            object.finish();
        }
        checked(errors)?;
        if after == before.value {
            return Ok(before);
        }
        let owner = before.value.home.owner();
        let actor = caller.actor();
        let how = UserChange {
            owner: &owner,
            actor: &actor,
            action: Action::Update,
            part: "/profile",
        };
        self.change_user(Some(&before), after, how, Unit::default())
            .await
    }

    /// What grants name must be there, and within this agency.
    async fn check_grants(&self, desk: &Desk, grants: &[Grant]) -> Result<(), PeopleError> {
        for grant in grants {
            let agency = match (&grant.on, &desk.home) {
                (Owner::Platform, _) | (_, Home::Platform) => continue,
                (Owner::Agency(on), Home::Agency(home)) => {
                    if on != home {
                        return Err(unknown_owner());
                    }
                    home
                }
                (Owner::Account(on), Home::Agency(home)) => {
                    let account = self.find_account(on).await?;
                    if account.is_none_or(|account| account.value.agency != *home) {
                        return Err(unknown_owner());
                    }
                    if self.teams_named(on, &grant.teams).await?.len() < grant.teams.len() {
                        return Err(PeopleError::field(
                            "teams",
                            "unknown_team",
                            "must name teams of the account",
                        ));
                    }
                    home
                }
            };
            if let Some(group) = &grant.access_group {
                self.require_group(agency, group, "access_group").await?;
            }
        }
        Ok(())
    }

    async fn change_user_as(
        &self,
        before: Option<&Versioned<User>>,
        after: User,
        how: Recorded,
        unit: Unit,
    ) -> Result<Versioned<User>, PeopleError> {
        let how = UserChange {
            owner: &how.owner,
            actor: &how.actor,
            action: how.action,
            part: how.part,
        };
        self.change_user(before, after, how, unit).await
    }
}

/// How often a change is tried again when the person changed meanwhile.
pub(super) const ATTEMPTS: usize = 16;

const GONE: PeopleError = PeopleError::Conflict("This person was removed: invite it again.");

fn unknown_owner() -> PeopleError {
    PeopleError::field(
        "grants",
        "unknown_account",
        "must be on the agency itself or an account of it",
    )
}

struct Recorded {
    owner: Owner,
    actor: crate::history::Actor,
    action: Action,
    part: &'static str,
}

impl Desk {
    fn change(&self, actor: &crate::history::Actor, action: Action) -> Recorded {
        Recorded {
            owner: self.owner.clone(),
            actor: actor.clone(),
            action,
            part: "",
        }
    }

    /// Takes away what does not concern this desk: an account is not told of roles elsewhere, and of
    /// somebody who holds some, whom it need not have asked, only who that is and what it may do here.
    fn narrow(&self, user: &mut User) {
        if user.is_elsewhere_than(&self.owner) {
            user.is_guest = true;
            user.profile = Profile::default();
            user.two_factor = super::TwoFactorSummary::default();
            user.notifications = super::NotificationChoices::default();
            user.last_login_at = None;
        }
        if self.account.is_some() {
            user.grants.retain(|grant| grant.on == self.owner);
        }
    }

    fn read_patch(&self, before: &User, patch: Value) -> Result<User, PeopleError> {
        let mut document = json!({ "name": before.name, "profile": profile_document(before) });
        match &self.owner {
            Owner::Account(_) => {
                if let (Some(grant), Some(fields)) =
                    (before.grant_on(&self.owner), document.as_object_mut())
                {
                    let mut grant = grant_document(grant);
                    if let Some(grant) = grant.as_object_mut() {
                        grant.remove("on");
                        fields.append(grant);
                    }
                }
            }
            Owner::Agency(_) => {
                document["grants"] = before.grants.iter().map(grant_document).collect();
            }
            Owner::Platform => {}
        }
        let mut after = before.clone();
        let mut errors = Errors::default();
        if let Some(mut object) =
            Object::read("", merge(without_nulls(document), patch), &mut errors)
        {
            after.name = read_name(&mut object);
            after.profile = read_profile(&mut object);
            match &self.owner {
                Owner::Account(_) => {
                    if let Some(grant) = read_grant(&mut object, Some(self.owner.clone()))
                        && let Some(held) =
                            after.grants.iter_mut().find(|held| held.on == self.owner)
                    {
                        *held = grant;
                    }
                }
                Owner::Agency(_) => after.grants = read_grants(&mut object),
                Owner::Platform => {}
            }
            object.finish();
        }
        checked(errors)?;
        Ok(after)
    }
}

/// How long ago something was, for a list: `just now`, `5 minutes ago`, `3 hours ago`, `2 days ago`.
pub fn ago(now: Timestamp, at: Timestamp) -> String {
    const STEPS: [(i64, &str); 5] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
    ];
    let seconds = now.duration_since(at).max(SignedDuration::ZERO).as_secs();
    for (length, name) in STEPS {
        let count = seconds / length;
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {name}{plural} ago");
        }
    }
    "just now".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_told_in_the_largest_whole_unit() {
        let now: Timestamp = "2026-01-31T08:00:00Z".parse().unwrap();
        for (at, told) in [
            ("2026-01-31T08:00:00Z", "just now"),
            ("2026-01-31T07:59:01Z", "just now"),
            ("2026-01-31T07:59:00Z", "1 minute ago"),
            ("2026-01-31T05:00:00Z", "3 hours ago"),
            ("2026-01-29T07:00:00Z", "2 days ago"),
            ("2025-12-01T07:00:00Z", "2 months ago"),
            ("2023-12-01T07:00:00Z", "2 years ago"),
            // A clock that is ahead of ours.
            ("2026-01-31T08:00:09Z", "just now"),
        ] {
            assert_eq!(ago(now, at.parse().unwrap()), told, "{at}");
        }
    }
}

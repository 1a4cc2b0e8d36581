//! Links to recordings: made here, whoever they are for; opened here, whoever comes with one.
//!
//! A link's row is the authority. It ends at the earlier of what was stored with it and what the
//! account's days say *now*; fewer days end old links, more days bring none back
//! ([`RecordingRules::link_ends`]). Revoking all links of a recording moves the recording to another
//! generation, so that one made at the same moment cannot slip through.

mod cookie;
mod of_export;
mod token;

use std::{net::IpAddr, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{KeysError, Op, Position, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    access::{parse_doc, to_doc, to_value},
    deletion::HoldError,
    derived::mac_of,
    event::{Event, EventType},
    history::{Action, Actor, Change},
    id, keyspace,
    pin::{Pin, PinError, StoredPin, Unlocked, gate::Door},
    recording::{Announced, Recording, RecordingError, announced},
    settings::{Access, FieldError, RecordingRules, days_after},
};

pub use cookie::COOKIE_TTL;
pub use token::LinkToken;

/// For how long a link of an export is known to have ended: half a year.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(182 * 24);

/// What a link was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Asked for by API.
    Api,
    /// Sent in a callback.
    Callback,
    /// Written into an export.
    Export,
    /// Sent by mail.
    Mail,
}

/// A link as it is stored: everything but its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `lnk_…`
    pub id: String,
    /// Whose.
    pub account: String,
    /// To what.
    pub recording: String,
    /// What for.
    pub purpose: Purpose,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends, whatever becomes of the account's days; `None`: never by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The recording's generation of links that it belongs to.
    pub generation: u32,
    /// The export that it was made for: deleted, it takes its links with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
}

impl Link {
    /// When nothing is known of it any more. Exports make links by the thousand, again and again: those have an end, long
    /// after which they say no more that they were ever there.
    fn forgotten_at(&self) -> Option<Timestamp> {
        self.export.as_ref()?;
        self.expires_at?.checked_add(REMEMBERED).ok()
    }
}

/// A link as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLink {
    /// The link.
    pub link: Link,
    /// When it ends under the rules of now.
    pub ends_at: Option<Timestamp>,
    /// Whether it still opens.
    pub state: LinkState,
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It opens.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

/// A link that was just made: the only time that its token is known.
#[derive(Debug)]
pub struct NewLink {
    /// The link.
    pub link: Link,
    /// What stands in its URL.
    pub token: LinkToken,
    /// When it ends under the rules of now.
    pub ends_at: Option<Timestamp>,
}

/// Why a link that is known does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
    /// The recording was deleted.
    Deleted,
    /// The recording is under a legal hold.
    OnHold,
}

/// Why a link does not open.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is no such link, or nothing behind it. Deliberately not told apart.
    #[error("there is no such link")]
    Unknown,
    /// It does not open any more.
    #[error("the link does not open any more")]
    Gone(Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// What a link asks of whoever opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    Nothing,
    /// A PIN.
    Pin,
    /// A login.
    Login,
    /// A PIN that nobody has set yet: nobody gets in.
    MissingPin,
}

/// A link that opens, with what is behind it.
#[derive(Debug)]
pub struct OpenLink {
    /// The link.
    pub link: Link,
    /// The recording.
    pub recording: Recording,
    /// When the link ends.
    pub ends_at: Option<Timestamp>,
    /// What it asks.
    pub asks: Asks,
    /// The PIN in force, and whose it is.
    pin: Option<(String, StoredPin)>,
}

impl App {
    /// The absolute URL of a token; without a public origin, only its path.
    pub fn link_url(&self, token: &LinkToken) -> String {
        let origin = self.link_origin();
        format!("{}/r/{}", origin.trim_end_matches('/'), token.reveal())
    }

    /// Makes a link to a recording. It ends at `expires_at`, or when the account's days say so, if
    /// that is sooner.
    pub async fn create_link(
        &self,
        account: &str,
        recording: &str,
        purpose: Purpose,
        expires_at: Option<Timestamp>,
        actor: &Actor,
    ) -> Result<NewLink, RecordingError> {
        let rules = self.rules_of(account).await?;
        let now = self.clock.now();
        if expires_at.is_some_and(|at| at <= now) {
            return Err(RecordingError::Fields(vec![FieldError {
                field: "expires_at".to_owned(),
                code: "in_the_past",
                reason: "must lie in the future".to_owned(),
            }]));
        }
        let recording = self.recording(account, recording).await?.recording;
        if recording.deleted_at.is_some() {
            return Err(RecordingError::Deleted);
        }
        if !recording.is_available() {
            return Err(RecordingError::NotStored);
        }
        let mut secret = [0; 32];
        self.random.fill(&mut secret);
        let token = LinkToken::new(&*self.derived_key("link").await?, &secret);
        let link = self.new_link(&rules, &recording, purpose, expires_at, &actor.id);
        let unit = Unit {
            ops: link_ops(&link, &token)?,
            sends: Vec::new(),
        };
        let change = Change {
            item: format!("recordings/{}/links/{}", recording.id, link.id),
            action: Action::Create,
            before: Value::Null,
            after: to_value(&link)?,
        };
        self.commit_change(account, actor, change, unit).await?;
        Ok(NewLink {
            ends_at: rules.link_ends(link.created_at, link.expires_at),
            link,
            token,
        })
    }

    async fn rules_of(&self, account: &str) -> Result<Arc<RecordingRules>, RecordingError> {
        self.recording_rules(account)
            .await?
            .ok_or(RecordingError::NotFound)
    }

    fn new_link(
        &self,
        rules: &RecordingRules,
        recording: &Recording,
        purpose: Purpose,
        expires_at: Option<Timestamp>,
        created_by: &str,
    ) -> Link {
        let now = self.clock.now();
        let by_days = days_after(now, rules.link_days);
        Link {
            id: id::new(id::Kind::Link, now, &*self.random),
            account: recording.account.clone(),
            recording: recording.id.clone(),
            purpose,
            created_by: created_by.to_owned(),
            created_at: now,
            expires_at: [expires_at, by_days].into_iter().flatten().min(),
            revoked_at: None,
            generation: recording.link_generation,
            export: None,
        }
    }

    /// The rows of the link that announces a recording, or that it was redacted.
    pub(crate) async fn announced_link_ops(
        &self,
        recording: &Recording,
        redaction: Option<&str>,
    ) -> Result<Vec<Op>, StoreError> {
        let Some(rules) = self.recording_rules(&recording.account).await? else {
            return Ok(Vec::new());
        };
        let token = self
            .announced_token(&recording.account, &recording.id, redaction)
            .await?;
        let link = self.new_link(&rules, recording, Purpose::Callback, None, "system");
        link_ops(&link, &token)
    }

    /// The token of the link that announces a recording: derived, so that it can be put into the
    /// callback each time that is sent, and stands nowhere in between.
    async fn announced_token(
        &self,
        account: &str,
        recording: &str,
        redaction: Option<&str>,
    ) -> Result<LinkToken, StoreError> {
        let closed = |error| StoreError::Unavailable(format!("a link cannot be made: {error}"));
        let secrets = self.derived_key("link-secret").await.map_err(closed)?;
        let what = ["announced", account, recording];
        let what: Vec<&str> = what.into_iter().chain(redaction).collect();
        let secret = mac_of(&secrets, &what);
        let key = self.derived_key("link").await.map_err(closed)?;
        Ok(LinkToken::new(&key, &secret))
    }

    /// A stored event as it goes out: one that announces a recording of ours gets its link.
    pub(crate) async fn with_link(
        &self,
        event_type: &str,
        stored: &str,
    ) -> Result<Option<String>, StoreError> {
        if event_type != EventType::RecordingAvailable.as_str() {
            return Ok(None);
        }
        let Ok(mut event) = Event::from_json(stored) else {
            return Ok(None);
        };
        let account = event.account_id.clone();
        let Some(recording) = event.data.recording.as_mut() else {
            return Ok(None);
        };
        let Some(id) = recording
            .id
            .clone()
            .filter(|id| id::Kind::Recording.matches(id))
        else {
            return Ok(None);
        };
        let redaction = match announced(&id, &event.id) {
            Some(Announced::Recording) => None,
            Some(Announced::Redaction(redaction)) => Some(redaction),
            None => return Ok(None),
        };
        let token = self.announced_token(&account, &id, redaction).await?;
        recording.url = Some(self.link_url(&token));
        event
            .to_json()
            .map(Some)
            .map_err(|_| StoreError::Invalid("an event does not serialize"))
    }

    /// A page of the links to a recording, oldest first.
    pub async fn links(
        &self,
        account: &str,
        recording: &str,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<ListedLink>, Option<Position>), RecordingError> {
        let rules = self.rules_of(account).await?;
        let recording = self.recording(account, recording).await?.recording;
        let page = self
            .table
            .query(Query {
                limit,
                after,
                ..Query::partition(keyspace::link_of_recording(&recording.id, "").pk)
            })
            .await?;
        let mut keys = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            keys.push(keyspace::link(&parse_doc::<Pointer>(&row.doc)?.sha256));
        }
        let mut links = Vec::with_capacity(keys.len());
        let mut found = Vec::with_capacity(keys.len());
        for row in self.table.get_many(&keys).await?.into_iter().flatten() {
            found.push(parse_doc::<Link>(&row.doc)?);
        }
        let revoked = self.revoked_exports(&found).await?;
        for link in found {
            let is_revoked = link.export.as_ref().is_some_and(|of| revoked.contains(of));
            links.push(ListedLink {
                ends_at: rules.link_ends(link.created_at, link.expires_at),
                state: if is_revoked {
                    LinkState::Revoked
                } else {
                    state(&link, &recording, &rules, self.clock.now())
                },
                link,
            });
        }
        Ok((links, page.next))
    }

    /// Revokes one link. One that is revoked stays so.
    pub async fn revoke_link(
        &self,
        account: &str,
        recording: &str,
        link: &str,
        actor: &Actor,
    ) -> Result<(), RecordingError> {
        self.recording(account, recording).await?;
        let pointer = self
            .table
            .get(&keyspace::link_of_recording(recording, link))
            .await?
            .filter(|_| id::Kind::Link.matches(link))
            .ok_or(RecordingError::NoLink)?;
        let key = keyspace::link(&parse_doc::<Pointer>(&pointer.doc)?.sha256);
        let row = self.table.get(&key).await?.ok_or(RecordingError::NoLink)?;
        let before: Link = parse_doc(&row.doc)?;
        if before.revoked_at.is_some() {
            return Ok(());
        }
        let after = Link {
            revoked_at: Some(self.clock.now()),
            ..before.clone()
        };
        let put = Put {
            expires_at: after.forgotten_at(),
            ..Put::new(key, to_doc(&after)?, When::Version(row.version))
        };
        let change = Change {
            item: format!("recordings/{recording}/links/{link}"),
            action: Action::Delete,
            before: to_value(&before)?,
            after: to_value(&after)?,
        };
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        match self.commit_change(account, actor, change, unit).await {
            // Nothing but a revocation changes a link: somebody else was faster.
            Ok(_) | Err(StoreError::Condition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Revokes all links to a recording that there are.
    pub async fn revoke_links(
        &self,
        account: &str,
        recording: &str,
        actor: &Actor,
    ) -> Result<(), RecordingError> {
        self.change_recording(account, recording, actor, "links", |recording| {
            let old = json!({ "generation": recording.link_generation });
            recording.link_generation += 1;
            (old, json!({ "generation": recording.link_generation }))
        })
        .await
        .map(drop)
    }

    /// Opens a link, as far as it opens without a PIN. Writes nothing, so that whoever only looks
    /// spends nothing.
    pub async fn open_link(&self, token: &str) -> Result<OpenLink, LinkError> {
        let key = self.derived_key("link").await?;
        let token = LinkToken::parse(&key, token).ok_or(LinkError::Unknown)?;
        let row = self
            .table
            .get(&keyspace::link(&token.hash()))
            .await?
            .ok_or(LinkError::Unknown)?;
        let link: Link = parse_doc(&row.doc)?;
        let rules = self
            .recording_rules(&link.account)
            .await?
            .ok_or(LinkError::Unknown)?;
        let recording = self
            .find_recording(&link.account, &link.recording)
            .await?
            .ok_or(LinkError::Unknown)?
            .recording;
        match state(&link, &recording, &rules, self.clock.now()) {
            LinkState::Revoked => return Err(LinkError::Gone(Gone::Revoked)),
            LinkState::Expired => return Err(LinkError::Gone(Gone::Expired)),
            LinkState::Active => {}
        }
        if !self
            .revoked_exports(std::slice::from_ref(&link))
            .await?
            .is_empty()
        {
            return Err(LinkError::Gone(Gone::Revoked));
        }
        if recording.deleted_at.is_some() {
            return Err(LinkError::Gone(Gone::Deleted));
        }
        if !recording.is_available() {
            return Err(LinkError::Unknown);
        }
        let (_, holds) = self
            .holds_on(&recording.account, &[&recording])
            .await
            .map_err(|error| match error {
                HoldError::Keys(error) => LinkError::Keys(error),
                HoldError::Store(error) => LinkError::Store(error),
                error => LinkError::Store(StoreError::Unavailable(error.to_string())),
            })?;
        if holds.iter().any(|holds| !holds.is_empty()) {
            return Err(LinkError::Gone(Gone::OnHold));
        }
        let own = recording.pin.clone().map(|pin| (recording.id.clone(), pin));
        let asks = match (rules.access, &own, &rules.pin) {
            (Access::Login, ..) => Asks::Login,
            (Access::Pin, None, None) => Asks::MissingPin,
            (Access::Open, None, _) => Asks::Nothing,
            _ => Asks::Pin,
        };
        Ok(OpenLink {
            ends_at: rules.link_ends(link.created_at, link.expires_at),
            pin: own
                .or_else(|| rules.pin.clone())
                .filter(|_| asks == Asks::Pin),
            asks,
            link,
            recording,
        })
    }

    /// Looks at a PIN for a link that asks one. The answer goes into a cookie
    /// ([`App::unlocked_cookie`]).
    pub async fn unlock_link(
        self: &Arc<Self>,
        open: &OpenLink,
        pin: Pin,
        address: Option<IpAddr>,
    ) -> Result<Unlocked, PinError> {
        // Who asks for nothing is never here; fail closed.
        let (owner, stored) = open.pin.clone().ok_or(PinError::Closed)?;
        let app = Arc::clone(self);
        let (account, recording) = (open.recording.account.clone(), open.recording.id.clone());
        // On its own: a caller who hangs up escapes neither the lock nor its notice, and is given back
        // what a right PIN had cost.
        let attempt = tokio::spawn(async move {
            let door = Door {
                account: &account,
                recording: &recording,
                owner: &owner,
                pin: &stored,
                address,
            };
            app.unlock(door, pin).await
        });
        attempt
            .await
            .map_err(|_| KeysError::Unavailable("an attempt at a PIN broke off".to_owned()))?
    }

    /// Looks at a PIN for somebody who may hear a recording with it only: the recording's own, or that
    /// of the account. Guesses are paid for as at a link.
    pub async fn unlock_recording(
        &self,
        recording: &Recording,
        pin: Pin,
        address: Option<IpAddr>,
    ) -> Result<Unlocked, PinError> {
        let own = recording.pin.clone().map(|pin| (recording.id.clone(), pin));
        let in_force = match own {
            Some(own) => Some(own),
            None => self
                .recording_rules(&recording.account)
                .await?
                .and_then(|rules| rules.pin.clone()),
        };
        // Without a PIN that could be right, nobody gets in.
        let (owner, stored) = in_force.ok_or(PinError::Closed)?;
        let door = Door {
            account: &recording.account,
            recording: &recording.id,
            owner: &owner,
            pin: &stored,
            address,
        };
        self.unlock(door, pin).await
    }
}

/// Where a link's row stands.
#[derive(Serialize, Deserialize)]
struct Pointer {
    sha256: String,
}

fn link_ops(link: &Link, token: &LinkToken) -> Result<Vec<Op>, StoreError> {
    let sha256 = token.hash();
    let row = Put {
        expires_at: link.forgotten_at(),
        ..Put::new(keyspace::link(&sha256), to_doc(link)?, When::Absent)
    };
    let key = keyspace::link_of_recording(&link.recording, &link.id);
    let pointer = Put {
        expires_at: link.forgotten_at(),
        ..Put::new(key, to_doc(&Pointer { sha256 })?, When::Absent)
    };
    Ok(vec![Op::Put(row), Op::Put(pointer)])
}

fn state(link: &Link, recording: &Recording, rules: &RecordingRules, now: Timestamp) -> LinkState {
    let ends_at = rules.link_ends(link.created_at, link.expires_at);
    if link.revoked_at.is_some() || link.generation != recording.link_generation {
        LinkState::Revoked
    } else if ends_at.is_some_and(|at| at <= now) {
        LinkState::Expired
    } else {
        LinkState::Active
    }
}

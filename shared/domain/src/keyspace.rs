//! Every key under which Ringfence stores a row: the whole map of the table in one place.
//! ARCHITECTURE.md explains which question each one answers.
//!
//! Partitions spread by account and call; what an account writes by day or by due time is spread over
//! [`SHARDS`] partitions, chosen by the last digit of the id, so that no account or day is one hot
//! partition.

use jiff::{Timestamp, tz::TimeZone};
use ringfence_ports::{Key, QueueName};

use crate::{event::Subject, id};

/// Over how many partitions an account's day, or the due times, are spread.
pub const SHARDS: u8 = 8;

/// Deliveries to be sent.
pub const DISPATCH: QueueName = QueueName("dispatch");
/// Steps of background jobs.
pub const JOBS: QueueName = QueueName("jobs");

/// Notices to be sent.
pub const NOTIFY: QueueName = QueueName("notify");

/// Objects that events name, to be looked at and made recordings of.
pub const RECORDINGS: QueueName = QueueName("recordings");

/// The row of an account.
pub fn account(account: &str) -> Key {
    Key::new(format!("acc/{account}"), "account")
}

/// The row of an agency.
pub fn agency(agency: &str) -> Key {
    Key::new(format!("agy/{agency}"), "agency")
}

/// Index 0: accounts of an agency, or (with `owner` = `platform`) the agencies.
pub fn members(owner: &str, id: &str) -> Key {
    Key::new(format!("members/{owner}"), id)
}

/// A settings document (`callbacks`, `security`, `sources`) of an account or agency.
pub fn settings(owner: &str, area: &str) -> Key {
    Key::new(owner_partition(owner), format!("settings/{area}"))
}

/// The sealed signing secrets of one callback of an account or agency.
pub fn signing_secrets(owner: &str, kind: &str) -> Key {
    Key::new(owner_partition(owner), format!("secrets/{kind}"))
}

/// What is known about an account's endpoint: paused, disabled, failing since.
pub fn endpoint_state(account: &str, kind: &str) -> Key {
    Key::new(format!("acc/{account}"), format!("endpoint/{kind}"))
}

/// An API key, found by the hash of its secret.
pub fn api_key(sha256_hex: &str) -> Key {
    Key::new(format!("key/{sha256_hex}"), "key")
}

/// Index 0: the API keys of an owner.
pub fn api_keys_of(owner: &str, key_id: &str) -> Key {
    Key::new(format!("keys/{owner}"), key_id)
}

/// When an API key was last used.
pub fn api_key_use(key_id: &str) -> Key {
    Key::new(format!("keyuse/{key_id}"), "use")
}

/// An entry of an owner's change history.
pub fn history_entry(owner: &str, seq: u64) -> Key {
    Key::new(format!("history/{owner}"), format!("e/{seq:020}"))
}

/// The head of an owner's change history: last sequence number and hash.
pub fn history_head(owner: &str) -> Key {
    Key::new(format!("history/{owner}"), "head")
}

/// An owner's entries by time, then number.
pub fn history_at(owner: &str, at: Timestamp, seq: u64) -> Key {
    Key::new(
        format!("history/{owner}"),
        format!("t/{}", at_and_seq(at, seq)),
    )
}

/// Index 0: an owner's entries about an item and what belongs to it (`recordings/rec_…`), by time.
pub fn history_of_item(owner: &str, item: &str, at: Timestamp, seq: u64) -> Key {
    Key::new(
        format!("histitem/{owner}/{}", history_group(item)),
        at_and_seq(at, seq),
    )
}

/// The first two segments of an item: what index 0 lists its entries under.
pub fn history_group(item: &str) -> &str {
    item.match_indices('/')
        .nth(1)
        .map_or(item, |(end, _)| &item[..end])
}

/// Index 1: an owner's entries by one actor, by time.
pub fn history_of_actor(owner: &str, actor: &str, at: Timestamp, seq: u64) -> Key {
    Key::new(format!("histactor/{owner}/{actor}"), at_and_seq(at, seq))
}

/// A signed checkpoint of an owner's history, by the last entry that it covers.
pub fn history_checkpoint(owner: &str, seq: u64) -> Key {
    Key::new(format!("history/{owner}"), format!("c/{seq:020}"))
}

/// Index 0, sparse: heads of histories with entries that no checkpoint covers, by when one is due.
pub fn history_checkpoint_due(owner: &str, at: Timestamp) -> Key {
    Key::new(
        history_checkpoints_due(shard_of(owner)),
        format!("{}/{owner}", due_from(at)),
    )
}

/// One of the partitions of [`history_checkpoint_due`].
pub fn history_checkpoints_due(shard: u8) -> String {
    format!("histdue/{shard}")
}

fn at_and_seq(at: Timestamp, seq: u64) -> String {
    format!("{}/{seq:020}", due_from(at))
}

/// The personal values of an entry, beside it: what erasure deletes.
pub fn history_personal(owner: &str, seq: u64) -> Key {
    Key::new(format!("history/{owner}"), format!("p/{seq:020}"))
}

/// The address from which the actor of an entry came, beside it, where that is a person.
pub fn history_personal_of_actor(owner: &str, seq: u64) -> Key {
    Key::new(format!("history/{owner}"), format!("p/{seq:020}/actor"))
}

/// Says that an owner's history has held personal values of a person: where erasure has to look.
pub fn person_in_history(user: &str, owner: &str) -> Key {
    Key::new(
        user_partition(user),
        format!("{PERSON_IN_HISTORY_PREFIX}{owner}"),
    )
}

/// How the sort keys of [`person_in_history`] begin.
pub(crate) const PERSON_IN_HISTORY_PREFIX: &str = "hist/";

/// Index 0: an owner's rows of [`history_personal`] and [`history_personal_of_actor`] about one person.
pub fn history_of_person(owner: &str, person: &str, seq: u64) -> Key {
    Key::new(format!("histperson/{owner}/{person}"), format!("{seq:020}"))
}

/// An accepted event, beside all others of its call or task.
pub fn event(account: &str, subject: Subject<'_>, event_id: &str) -> Key {
    Key::new(
        subject_partition(account, subject),
        format!("evt/{event_id}"),
    )
}

/// An operational event of an account; the id sorts by time.
pub fn operational_event(account: &str, event_id: &str) -> Key {
    let sort = if event_id.is_empty() { "-" } else { event_id };
    Key::new(format!("ops/{account}"), sort)
}

/// The partition of everything about one call or task.
pub fn subject_partition(account: &str, subject: Subject<'_>) -> String {
    match subject {
        Subject::Call(call) => format!("call/{account}/{call}"),
        Subject::Task(task) => format!("task/{account}/{task}"),
    }
}

/// A delivery's row; `None` when `delivery` is no delivery id.
pub fn delivery(account: &str, delivery: &str) -> Option<Key> {
    let at = id::time_of(id::Kind::Delivery, delivery)?;
    Some(Key::new(
        delivery_partition(account, &day(at), shard_of(delivery)),
        delivery,
    ))
}

/// One of the partitions that hold an account's deliveries of a day.
pub fn delivery_partition(account: &str, day: &str, shard: u8) -> String {
    format!("dlv/{account}/{day}/{shard}")
}

/// Index 0, sparse: deliveries that are not delivered, by status.
pub fn open_delivery(account: &str, status: &str, delivery: &str) -> Key {
    Key::new(
        open_partition(account, status, shard_of(delivery)),
        delivery,
    )
}

/// One of the partitions of [`open_delivery`].
pub fn open_partition(account: &str, status: &str, shard: u8) -> String {
    format!("open/{account}/{status}/{shard}")
}

/// Index 1, sparse: deliveries that wait longer than a queue can hold them, by due time.
pub fn due(at: Timestamp, delivery: &str) -> Key {
    Key::new(
        due_partition(shard_of(delivery)),
        format!("{}/{delivery}", due_from(at)),
    )
}

/// One of the partitions of [`due`].
pub fn due_partition(shard: u8) -> String {
    format!("due/{shard}")
}

/// The sort key at which due times of `at` start.
pub fn due_from(at: Timestamp) -> String {
    format!("{:015}", at.as_millisecond().max(0))
}

/// A day on which an account has deliveries.
pub fn active_day(account: &str, day: &str) -> Key {
    Key::new(active_days(account), day)
}

/// The partition of [`active_day`].
pub fn active_days(account: &str) -> String {
    format!("days/{account}")
}

/// How the partitions of jobs begin.
pub(crate) const JOBS_PREFIX: &str = "jobs/";

/// A background job of an account.
pub fn job(account: &str, job: &str) -> Key {
    Key::new(format!("{JOBS_PREFIX}{account}"), job)
}

/// How the partitions of deletions begin.
pub(crate) const DELETIONS_PREFIX: &str = "deletions/";

/// A deletion of an account; the id sorts by time.
pub fn deletion(account: &str, job: &str) -> Key {
    let sort = if job.is_empty() { "-" } else { job };
    Key::new(format!("{DELETIONS_PREFIX}{account}"), sort)
}

/// A part of what a deletion planned, and of what became of it.
pub fn manifest(job: &str, chunk: u32) -> Key {
    Key::new(format!("manifest/{job}"), format!("{chunk:08}"))
}

/// How the partitions of exports begin.
pub(crate) const EXPORTS_PREFIX: &str = "exports/";

/// An export of an account; the id sorts by time.
pub fn export(account: &str, export: &str) -> Key {
    let sort = if export.is_empty() { "-" } else { export };
    Key::new(format!("{EXPORTS_PREFIX}{account}"), sort)
}

/// Which exports of an account may be under way.
pub fn exports_running(account: &str) -> Key {
    Key::new(format!("acc/{account}"), "exports")
}

/// Says that the links that were made for an export are revoked.
pub fn export_revoked(export: &str) -> Key {
    Key::new(format!("exportlinks/{export}"), "revoked")
}

/// A legal hold; the id sorts by time.
pub fn hold(account: &str, hold: &str) -> Key {
    let sort = if hold.is_empty() { "-" } else { hold };
    Key::new(format!("holds/{account}"), sort)
}

/// The holds on one thing of an account: `recording/{id}`, `call/{id}`, `number/{hash}` or `account`.
pub fn held(account: &str, target: &str) -> Key {
    Key::new(format!("held/{account}/{target}"), "holds")
}

/// How many holds an account has. Its version moves whenever one is placed or released: whoever
/// tombstones recordings checks it in the same commit.
pub fn hold_state(account: &str) -> Key {
    Key::new(format!("acc/{account}"), "holds")
}

/// When an owner's recordings are next looked through for what has been kept long enough; in index 1
/// under its due time.
pub fn retention(owner: &str) -> Key {
    Key::new(owner_partition(owner), RETENTION_SORT)
}

/// The sort key of [`retention`].
pub(crate) const RETENTION_SORT: &str = "retention";

/// A recording's row; `None` when `recording` is no id of one. Its id tells when it began, so that
/// recordings sort by that.
pub fn recording(account: &str, recording: &str) -> Option<Key> {
    let at = id::time_of(id::Kind::Recording, recording)?;
    Some(Key::new(
        recording_partition(account, &day(at), shard_of(recording)),
        recording,
    ))
}

/// One of the partitions that hold an account's recordings of a day.
pub fn recording_partition(account: &str, day: &str, shard: u8) -> String {
    format!("rec/{account}/{day}/{shard}")
}

/// A day on which an account has recordings.
pub fn recording_day(account: &str, day: &str) -> Key {
    Key::new(recording_days(account), day)
}

/// The partition of [`recording_day`].
pub fn recording_days(account: &str) -> String {
    format!("recdays/{account}")
}

/// Index 0: recordings of an agent.
pub fn recording_of_agent(account: &str, agent: &str, recording: &str) -> Key {
    Key::new(
        agent_partition(account, agent, shard_of(recording)),
        recording,
    )
}

/// One of the partitions of [`recording_of_agent`].
pub fn agent_partition(account: &str, agent: &str, shard: u8) -> String {
    format!("recagent/{account}/{shard}/{agent}")
}

/// Index 1: recordings of a team.
pub fn recording_of_team(account: &str, team: &str, recording: &str) -> Key {
    Key::new(
        team_partition(account, team, shard_of(recording)),
        recording,
    )
}

/// One of the partitions of [`recording_of_team`].
pub fn team_partition(account: &str, team: &str, shard: u8) -> String {
    format!("recteam/{account}/{shard}/{team}")
}

/// Says that a call has this recording; stands beside the call's events.
pub fn recording_of_call(account: &str, call: &str, recording: &str) -> Key {
    Key::new(
        subject_partition(account, Subject::Call(call)),
        format!("rec/{recording}"),
    )
}

/// Says which recording an object is of that was in the store before anybody told of it: one object,
/// one recording, for ever.
pub fn object(key: &str) -> Key {
    let hash = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    Key::new(format!("object/{}", id::hex(hash.as_ref())), "recording")
}

/// A link to a recording, found by the hash of its secret.
pub fn link(sha256_hex: &str) -> Key {
    Key::new(format!("lnk/{sha256_hex}"), "link")
}

/// Says where a recording's link stands.
pub fn link_of_recording(recording: &str, link: &str) -> Key {
    let sort = if link.is_empty() { "-" } else { link };
    Key::new(format!("links/{recording}"), sort)
}

/// An entry of the log of who listened to a recording; the id sorts by its minute.
pub fn listen(recording: &str, listen: &str) -> Key {
    let sort = if listen.is_empty() { "-" } else { listen };
    Key::new(format!("heard/{recording}"), sort)
}

/// How the partitions of redactions begin.
pub(crate) const REDACTIONS_PREFIX: &str = "redactions/";

/// A redaction of a recording; the id sorts by time.
pub fn redaction(recording: &str, redaction: &str) -> Key {
    let sort = if redaction.is_empty() { "-" } else { redaction };
    Key::new(format!("{REDACTIONS_PREFIX}{recording}"), sort)
}

/// Counts attempts at a PIN in one window of time. `scope` is an address, a recording or an account.
pub fn pin_attempts(scope: &str, window: i64) -> Key {
    Key::new(format!("pin/{scope}"), format!("n/{window:015}"))
}

/// Counts all attempts that one setting of a PIN has seen.
pub fn pin_lifetime(scope: &str, version: &str) -> Key {
    Key::new(format!("pin/{scope}"), format!("life/{version}"))
}

/// Stands while a scope is locked; `life`: for as long as that setting of the PIN is in force.
pub fn pin_lock(scope: &str) -> Key {
    Key::new(format!("pin/{scope}"), "lock")
}

/// The same for a setting of a PIN that has seen too many attempts.
pub fn pin_closed(scope: &str, version: &str) -> Key {
    Key::new(format!("pin/{scope}"), format!("closed/{version}"))
}

/// A person's document.
pub fn user(user: &str) -> Key {
    Key::new(user_partition(user), "user")
}

/// The partition of everything about one person.
pub fn user_partition(user: &str) -> String {
    format!("usr/{user}")
}

/// Index 0: the people of an agency, or (with `home` = `platform`) of the operator's team.
pub fn users_of(home: &str, user: &str) -> Key {
    Key::new(format!("users/{home}"), user)
}

/// Says whose a mail address is; the table tells no address, only a keyed hash of it.
pub fn mail_address(keyed_hash: &str) -> Key {
    Key::new(format!("mail/{keyed_hash}"), "user")
}

/// Says that a person holds a role on an account, an agency, or the platform.
pub fn member(owner: &str, user: &str) -> Key {
    Key::new(format!("member/{owner}"), user)
}

/// How many people administer an account, an agency, or the platform.
pub fn roster(owner: &str) -> Key {
    Key::new(format!("roster/{owner}"), "administrators")
}

/// A person's password, second factors and recovery codes.
pub fn credentials(user: &str) -> Key {
    Key::new(user_partition(user), "credentials")
}

/// A session, found by the hash of its secret.
pub fn session(user: &str, sha256_hex: &str) -> Key {
    Key::new(
        user_partition(user),
        format!("{SESSIONS_PREFIX}{sha256_hex}"),
    )
}

/// How the sort keys of sessions begin, and where they end.
pub(crate) const SESSIONS_PREFIX: &str = "sess/";
pub(crate) const SESSIONS_END: &str = "sess0";

/// A login that waits for its second factor, found by the hash of its secret.
pub fn login_attempt(user: &str, sha256_hex: &str) -> Key {
    Key::new(user_partition(user), format!("attempt/{sha256_hex}"))
}

/// Counts the guesses at one-time codes of a login, a session or an enrolment.
pub fn code_guesses(user: &str, of: &str) -> Key {
    Key::new(user_partition(user), format!("guesses/{of}"))
}

/// The code that was sent by SMS for a login or a session.
pub fn sms_code(user: &str, of: &str) -> Key {
    Key::new(user_partition(user), format!("code/{of}"))
}

/// Counts the codes sent to a person in one window of time.
pub fn sms_codes_sent(user: &str, window: i64) -> Key {
    Key::new(user_partition(user), format!("codes-sent/{window:015}"))
}

/// Says that the code of a time step was used.
pub fn totp_step(user: &str, step: u64) -> Key {
    Key::new(user_partition(user), format!("totp/{step:020}"))
}

/// A second factor that is being set up: `app` or `sms`.
pub fn pending_factor(user: &str, method: &str) -> Key {
    Key::new(user_partition(user), format!("pending/{method}"))
}

/// A device on which a person has logged in, found by the hash of its secret.
pub fn device(user: &str, sha256_hex: &str) -> Key {
    Key::new(user_partition(user), format!("device/{sha256_hex}"))
}

/// An address from which a person has logged in.
pub fn login_address(user: &str, network: &str) -> Key {
    Key::new(user_partition(user), format!("from/{network}"))
}

/// The one-time link that is in force: `invitation` or `reset`.
pub fn one_time_link(user: &str, purpose: &str) -> Key {
    Key::new(user_partition(user), format!("link/{purpose}"))
}

/// Counts failures of one scope (an address's logins, a device's) in one window of time.
pub fn failures(scope: &str, window: i64) -> Key {
    Key::new(format!("login/{scope}"), format!("n/{window:015}"))
}

/// Stands while a scope is locked, and says how many failures it has had.
pub fn failure_lock(scope: &str, window: i64) -> Key {
    Key::new(format!("login/{scope}"), format!("lock/{window:015}"))
}

/// An access control group of an agency; with an empty id, where they begin.
pub fn access_group(agency: &str, group: &str) -> Key {
    Key::new(format!("agy/{agency}"), format!("grp/{group}"))
}

/// A team of an account; with an empty id, where they begin.
pub fn team(account: &str, team: &str) -> Key {
    Key::new(format!("acc/{account}"), format!("tea/{team}"))
}

/// An agency's support access, while it is open.
pub fn support(agency: &str) -> Key {
    Key::new(format!("agy/{agency}"), "support")
}

/// Says that somebody of the operator's team used support access in this hour, and that the history
/// tells of it.
pub fn support_use(agency: &str, user: &str, hour: i64) -> Key {
    Key::new(
        format!("agy/{agency}"),
        format!("support-use/{user}/{hour:010}"),
    )
}

/// How the partitions of notices begin.
pub(crate) const NOTICES_PREFIX: &str = "ntc/";

/// A notice that is to be sent, or was.
pub fn notice(notice: &str) -> Key {
    Key::new(format!("{NOTICES_PREFIX}{notice}"), "notice")
}

/// Index 0, sparse: notices that were given up, by whose people they were for.
pub fn unsent_notice(home: &str, notice: &str) -> Key {
    Key::new(format!("unsent/{home}"), notice)
}

/// Says that the billing system's notice of this id was taken in.
pub fn billing_notice(account: &str, id: &str) -> Key {
    Key::new(format!("billing/{account}/{id}"), "notice")
}

/// The UTC day of an instant, as `20261121`.
pub fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string()
}

/// The shard of an id: its last digit decides.
pub fn shard_of(id: &str) -> u8 {
    id.bytes().last().map_or(0, |b| match b {
        b'0'..=b'9' => b - b'0',
        b'a'..=b'f' => b - b'a' + 10,
        _ => 0,
    }) % SHARDS
}

fn owner_partition(owner: &str) -> String {
    if owner.starts_with("agy_") {
        format!("agy/{owner}")
    } else {
        format!("acc/{owner}")
    }
}

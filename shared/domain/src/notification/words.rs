//! What notices say, and how names, times and sums are written in them.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use ringfence_ports::StoreError;

use super::{
    DisabledBecause, Notice,
    billing::{Amount, Period},
    letter::{Action, Letter},
};
use crate::{
    App,
    access::Owner,
    people::{Grant, Role, User},
    settings::EndpointKind,
};

/// The longest name that is shown whole, in characters.
const MAX_NAME: usize = 80;
/// The longest description of a device, in characters.
const MAX_DEVICE: usize = 120;
/// The longest sentence of another module, in characters.
const MAX_WHAT: usize = 300;

/// Who reads a mail.
pub(super) struct Reader {
    name: String,
    email: String,
    grant: Option<Grant>,
    zone: TimeZone,
}

impl Reader {
    /// The reader that a person is.
    pub(super) fn of(user: &User) -> Self {
        let zone = user.profile.time_zone.as_deref();
        Self {
            name: shown(&user.name, MAX_NAME),
            email: user.email.as_str().to_owned(),
            grant: user.grants.first().cloned(),
            zone: zone
                .and_then(|zone| TimeZone::get(zone).ok())
                .unwrap_or(TimeZone::UTC),
        }
    }

    /// A time as this reader has it on the wall.
    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone())
            .strftime("%-d %B %Y, %H:%M %Z")
            .to_string()
    }
}

/// What a notice's ids stand for.
pub(super) struct World<'a> {
    pub(super) app: &'a App,
    pub(super) origin: &'a str,
}

impl World<'_> {
    async fn name_of(&self, owner: &Owner) -> Result<String, StoreError> {
        let name = match owner {
            Owner::Platform => None,
            Owner::Agency(id) => self
                .app
                .find_agency(id)
                .await?
                .map(|found| found.value.name),
            Owner::Account(id) => self
                .app
                .find_account(id)
                .await?
                .map(|found| found.value.name),
        };
        Ok(match (name, owner) {
            (Some(name), _) => shown(&name, MAX_NAME),
            (None, Owner::Platform) => "the operator's team".to_owned(),
            (None, _) => owner.as_str().to_owned(),
        })
    }

    async fn account(&self, id: &str) -> Result<String, StoreError> {
        self.name_of(&Owner::Account(id.to_owned())).await
    }

    /// A page of this installation; what is a link to one already stays as it is.
    fn link(&self, path: &str) -> String {
        if path.starts_with('/') {
            format!("{}{path}", self.origin)
        } else {
            path.to_owned()
        }
    }

    fn open(&self) -> Action {
        Action {
            label: "Open Ringfence".to_owned(),
            url: self.link("/"),
        }
    }
}

/// What to do about something that one did not do.
const NOT_YOU: &str = "If this was not you, change your password now and tell an administrator.";

impl Letter {
    /// The letter that tells `notice` to this reader.
    #[expect(clippy::too_many_lines, reason = "an arm for each kind of notice")]
    pub(super) async fn of(
        notice: &Notice,
        reader: &Reader,
        world: &World<'_>,
    ) -> Result<Self, StoreError> {
        let letter = match notice {
            Notice::Invitation {
                link, expires_at, ..
            } => {
                let (subject, title, text) = match &reader.grant {
                    Some(grant) => {
                        let name = world.name_of(&grant.on).await?;
                        (
                            format!("You are invited to {name}"),
                            format!("Join {name}"),
                            format!("You are invited to {name} on Ringfence, as {}.", role_name(grant.role)),
                        )
                    }
                    None => (
                        "You are invited to Ringfence".to_owned(),
                        "Join Ringfence".to_owned(),
                        "You are invited to Ringfence.".to_owned(),
                    ),
                };
                Self {
                    subject,
                    title,
                    paragraphs: vec![text],
                    action: Some(Action {
                        label: "Accept the invitation".to_owned(),
                        url: world.link(&link.0),
                    }),
                    small: vec![
                        format!("The link works once, until {}.", reader.time(*expires_at)),
                        "If you do not know what this is about, ignore this mail: without the link nothing happens.".to_owned(),
                    ],
                    ..Self::default()
                }
            }
            Notice::PasswordReset {
                link, expires_at, ..
            } => Self {
                subject: "Reset your password".to_owned(),
                title: "Reset your password".to_owned(),
                paragraphs: vec![
                    "Somebody, probably you, asked for a new password for your login to Ringfence."
                        .to_owned(),
                ],
                action: Some(Action {
                    label: "Choose a new password".to_owned(),
                    url: world.link(&link.0),
                }),
                small: vec![
                    format!("The link works once, until {}.", reader.time(*expires_at)),
                    "If it was not you, ignore this mail: your password stays as it is.".to_owned(),
                ],
                ..Self::default()
            },
            Notice::NewAdministrator { owner, user, at } => {
                let name = world.name_of(owner).await?;
                let who = world.app.user(user).await?;
                let who = who.map_or_else(
                    || user.clone(),
                    |who| {
                        let who = who.value;
                        format!("{} ({})", shown(&who.name, MAX_NAME), who.email.as_str())
                    },
                );
                Self {
                    subject: format!("New administrator of {name}"),
                    title: "New administrator".to_owned(),
                    paragraphs: vec![format!("{name} has a new administrator.")],
                    facts: vec![("Who", who), ("Since", reader.time(*at))],
                    action: Some(world.open()),
                    small: vec![
                        "If that should not be, remove the role in the list of users now.".to_owned(),
                    ],
                    ..Self::default()
                }
            }
            Notice::NewLogin {
                address,
                device,
                at,
                ..
            } => {
                let mut facts = vec![("When", reader.time(*at)), ("Address", address.to_string())];
                if let Some(device) = device {
                    facts.push(("Device", shown(device, MAX_DEVICE)));
                }
                Self {
                    subject: "New login to Ringfence".to_owned(),
                    title: "New login".to_owned(),
                    paragraphs: vec![
                        "You logged in from an address that you had not used before.".to_owned(),
                    ],
                    facts,
                    small: vec![NOT_YOU.to_owned()],
                    action: Some(world.open()),
                    ..Self::default()
                }
            }
            Notice::AccountLocked { address, until, .. } => Self {
                subject: "Your login is locked for a while".to_owned(),
                title: "Too many wrong passwords".to_owned(),
                paragraphs: vec![
                    "There were too many attempts to log in as you with a wrong password. Logins from unknown devices wait for a while; devices that you have used before still get in."
                        .to_owned(),
                ],
                facts: with_address(vec![("Until", reader.time(*until))], *address),
                small: vec![
                    "If this was not you, your password has not been found out; make sure that it is one that you use nowhere else."
                        .to_owned(),
                ],
                ..Self::default()
            },
            Notice::PasswordChanged { address, at, .. } => Self {
                subject: "Your password was changed".to_owned(),
                title: "Your password was changed".to_owned(),
                paragraphs: vec![
                    "The password of your login to Ringfence was changed. All other sessions were ended."
                        .to_owned(),
                ],
                facts: with_address(vec![("When", reader.time(*at))], *address),
                small: vec![
                    "If this was not you, ask for a new password on the login page now, and tell an administrator."
                        .to_owned(),
                ],
                action: Some(world.open()),
                ..Self::default()
            },
            Notice::TwoFactorChanged {
                what,
                address,
                at,
                ..
            } => Self {
                subject: "Your two-factor authentication was changed".to_owned(),
                title: "Two-factor authentication".to_owned(),
                paragraphs: vec![shown(what, MAX_WHAT)],
                facts: with_address(vec![("When", reader.time(*at))], *address),
                small: vec![NOT_YOU.to_owned()],
                action: Some(world.open()),
                ..Self::default()
            },
            Notice::PinLocked {
                account,
                recording,
                until,
                at,
            } => {
                let name = world.account(account).await?;
                let (how_long, fact) = match until {
                    Some(until) => (
                        "No PIN is looked at there for a while. Whoever logs in still plays.",
                        reader.time(*until),
                    ),
                    None => (
                        "No PIN is looked at there any more: set a new one. Whoever logs in still plays.",
                        "until there is a new PIN".to_owned(),
                    ),
                };
                Self {
                    subject: format!("Too many wrong PINs at {name}"),
                    title: "Too many wrong PINs".to_owned(),
                    paragraphs: vec![format!(
                        "Somebody tried too many PINs at recordings of {name}. {how_long}"
                    )],
                    facts: vec![
                        ("Last tried at", recording.clone()),
                        ("When", reader.time(*at)),
                        ("Locked until", fact),
                    ],
                    action: Some(world.open()),
                    ..Self::default()
                }
            }
            Notice::EndpointDisabled {
                account,
                callback,
                because,
                at,
            } => {
                let name = world.account(account).await?;
                let why = match because {
                    DisabledBecause::Gone => "Its endpoint answered 410 Gone.",
                    DisabledBecause::Failing => "Every attempt has failed for five days.",
                };
                Self {
                    subject: format!("A callback of {name} was switched off"),
                    title: "A callback was switched off".to_owned(),
                    paragraphs: vec![
                        format!("{why} What arrives is held, and nothing is lost."),
                        "Mend the endpoint and resume the callback: what was held is then sent."
                            .to_owned(),
                    ],
                    facts: vec![
                        ("Account", name),
                        ("Callback", callback_name(*callback).to_owned()),
                        ("When", reader.time(*at)),
                        (
                            "To resume",
                            format!(
                                "POST /v1/accounts/{account}/callbacks/{}/resume",
                                callback.as_str()
                            ),
                        ),
                    ],
                    action: Some(world.open()),
                    ..Self::default()
                }
            }
            Notice::Billing {
                account,
                subject,
                amount,
                period,
                url,
            } => {
                let mut facts = vec![("Account", world.account(account).await?)];
                facts.extend(amount.as_ref().map(|amount| ("Amount", sum(amount))));
                facts.extend(period.as_ref().map(|period| ("Period", days(period))));
                Self {
                    subject: subject.clone(),
                    title: subject.clone(),
                    facts,
                    action: url.clone().map(|url| Action {
                        label: "Read more".to_owned(),
                        url,
                    }),
                    ..Self::default()
                }
            }
            // Goes by SMS.
            Notice::SmsCode { .. } => Self::default(),
        };
        Ok(Self {
            name: reader.name.clone(),
            footer: format!(
                "This mail went to {} because of {} Ringfence at {}.",
                reader.email,
                match notice {
                    Notice::Invitation { .. } => "an invitation to",
                    _ => "a login to",
                },
                host(world.origin)
            ),
            subject: subject_line(&letter.subject),
            ..letter
        })
    }
}

fn with_address(
    mut facts: Vec<(&'static str, String)>,
    address: Option<std::net::IpAddr>,
) -> Vec<(&'static str, String)> {
    if let Some(address) = address {
        facts.push(("Address", address.to_string()));
    }
    facts
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::CallAgent => "call agent",
        Role::CallManager => "call manager",
        Role::ReportManager => "report manager",
        Role::BillingManager => "billing manager",
        Role::MarketingManager => "marketing manager",
        Role::Administrator => "administrator",
        Role::AgencyBillingManager => "agency billing manager",
        Role::AgencyAdministrator => "agency administrator",
        Role::Operator => "operator",
    }
}

fn callback_name(kind: EndpointKind) -> &'static str {
    kind.as_str()
}

fn sum(amount: &Amount) -> String {
    format!("{} {}", amount.value, amount.currency)
}

fn days(period: &Period) -> String {
    let day = |date: Date| date.strftime("%-d %B %Y").to_string();
    format!("{} to {}", day(period.from), day(period.to))
}

fn host(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// The text of a code. The last line is for phones that fill the code in, on our page alone
/// (<https://wicg.github.io/sms-one-time-codes/>).
pub(super) fn code_text(code: &str, origin: &str) -> String {
    let mut text = format!(
        "{code} is your Ringfence code. It is valid for 10 minutes. We never ask for it on the phone."
    );
    if let Some(host) = origin.strip_prefix("https://") {
        let host = host.split(':').next().unwrap_or_default();
        let _ = write!(text, "\n\n@{host} #{code}");
    }
    text
}

/// A name that somebody chose, as it can be shown to others: on one line, without what turns or hides
/// text, not too long, and such that no mail program makes a link of it.
fn shown(name: &str, max: usize) -> String {
    unlinked(&one_line(name, max))
}

/// A text on one line, without what turns or hides text, not too long.
pub(super) fn one_line(name: &str, max: usize) -> String {
    let mut clean = String::new();
    for c in name.chars() {
        if is_invisible(c) {
            continue;
        }
        let c = if c.is_control() || c.is_whitespace() {
            ' '
        } else {
            c
        };
        if c == ' ' && (clean.is_empty() || clean.ends_with(' ')) {
            continue;
        }
        clean.push(c);
    }
    let clean = clean.trim_end();
    let mut short: String = clean.chars().take(max).collect();
    if short.len() < clean.len() {
        short.push('…');
    }
    short
}

/// Marks and joiners without a shape: direction marks and overrides (UAX #9), zero-width characters,
/// soft hyphens, tags and variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A word joiner behind each dot and `@` before a letter, and in `://`: `example.com` stays readable, and
/// no link.
fn unlinked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        out.push(c);
        let next = letters.peek().copied().unwrap_or(' ');
        let is_inside = match c {
            '.' | '@' => next.is_alphabetic(),
            ':' => next == '/',
            _ => false,
        };
        if is_inside && before.is_alphanumeric() {
            out.push('\u{2060}');
        }
        before = c;
    }
    out
}

/// At most as long as a subject may be.
fn subject_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    if line.chars().count() > ringfence_ports::MAX_SUBJECT_CHARS {
        line = line
            .chars()
            .take(ringfence_ports::MAX_SUBJECT_CHARS - 1)
            .collect();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_on_one_line_and_no_links() {
        for (name, expected) in [
            ("Acme Inc.", "Acme Inc."),
            ("v1.2 at 12:30", "v1.2 at 12:30"),
            ("  two \t words ", "two words"),
            (
                "A\r\nBcc: eve@example.com",
                "A Bcc: eve@\u{2060}example.\u{2060}com",
            ),
            (
                "win https://evil.example now",
                "win https:\u{2060}//evil.\u{2060}example now",
            ),
            ("a\u{202e}moc.live\u{2066}\u{200b}", "amoc.\u{2060}live"),
            ("\u{0}\u{1b}[2J", "[2J"),
            ("电话 📞", "电话 📞"),
        ] {
            assert_eq!(shown(name, 80), expected, "{name:?}");
        }
        assert_eq!(shown(&"x".repeat(90), 80), format!("{}…", "x".repeat(80)));
    }

    #[test]
    fn a_code_is_bound_to_our_page() {
        let text = code_text("123456", "https://calls.example.com");
        assert!(text.starts_with("123456 is your Ringfence code."));
        assert!(text.ends_with("\n\n@calls.example.com #123456"));
        assert!(!code_text("123456", "http://127.0.0.1:8080").contains('@'));
        assert!(text.chars().count() <= ringfence_ports::MAX_SMS_CHARS);
    }
}

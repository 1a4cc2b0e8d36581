//! Billing notices, from the billing system.

use jiff::{SignedDuration, civil::Date};
use ringfence_ports::{KeysError, Op, Put, StoreError, When};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Notice, NotifyError, later, row::To, words::one_line};
use crate::{
    App,
    access::{parse_doc, to_doc},
    id, keyspace,
    settings::{Account, FieldError},
};

/// The longest subject, in characters.
pub const MAX_SUBJECT: usize = 120;
/// The longest id of a sender, in bytes.
pub const MAX_ID: usize = 128;
/// The longest URL, in bytes.
const MAX_URL: usize = 2048;
/// For how long a sender's id is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(400 * 24);

/// A sum of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// As it is to be written: digits, and after a dot up to four more.
    pub value: String,
    /// ISO 4217: `EUR`.
    pub currency: String,
}

/// Days, both included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
}

/// What the billing system has to say to those who administer an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingNotice {
    /// The sender's own id of it, 1 to 128 visible ASCII characters: a second one of the same id is the
    /// first.
    pub id: String,
    /// About what: one line of up to 120 characters.
    pub subject: String,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// For which days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Where to read more: `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl BillingNotice {
    /// Everything about it that is not right.
    pub fn wrong_fields(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut check = |holds: bool, field: &str, reason: &str| {
            if !holds {
                wrong.push(FieldError {
                    field: field.to_owned(),
                    code: "invalid_value",
                    reason: reason.to_owned(),
                });
            }
        };
        let is_id =
            (1..=MAX_ID).contains(&self.id.len()) && self.id.bytes().all(|b| b.is_ascii_graphic());
        check(is_id, "id", "must be 1 to 128 visible ASCII characters");
        let is_line = !self.subject.trim().is_empty()
            && self.subject.chars().count() <= MAX_SUBJECT
            && !self.subject.contains(char::is_control);
        check(
            is_line,
            "subject",
            "must be one line of 1 to 120 characters, without control characters",
        );
        if let Some(amount) = &self.amount {
            check(
                is_sum(&amount.value),
                "amount.value",
                "must be digits, and after a dot up to four more, like 129.00",
            );
            let is_currency = amount.currency.len() == 3
                && amount.currency.bytes().all(|b| b.is_ascii_uppercase());
            check(
                is_currency,
                "amount.currency",
                "must be three capital letters (ISO 4217), like EUR",
            );
        }
        if let Some(period) = &self.period {
            check(
                period.from <= period.to,
                "period.to",
                "must not lie before from",
            );
        }
        if let Some(url) = &self.url {
            check(
                is_page(url),
                "url",
                "must be an https URL of at most 2048 characters, without user name and password",
            );
        }
        wrong
    }
}

fn is_sum(text: &str) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, max| {
        (1..=max).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    digits(whole.strip_prefix('-').unwrap_or(whole), 12) && digits(rest, 4)
}

fn is_page(text: &str) -> bool {
    text.len() <= MAX_URL
        && Url::parse(text).is_ok_and(|url| {
            url.scheme() == "https"
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        })
}

/// A billing notice that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BillingAccepted {
    /// How many people it goes to.
    pub recipients: usize,
    /// It had been taken in before.
    pub repeated: bool,
}

/// Why a billing notice was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// Fields are wrong. All of them are named.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// Another notice had this id.
    #[error("another notice has this id")]
    OtherOfThisId,
    /// Nobody administers the account or its agency.
    #[error("there is nobody to send it to")]
    Nobody,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key service failed.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl From<NotifyError> for BillingError {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Store(error) => Self::Store(error),
            NotifyError::Keys(error) => Self::Keys(error),
            NotifyError::UnderWay => Self::Store(StoreError::Busy),
        }
    }
}

/// What is remembered of one.
#[derive(Serialize, Deserialize)]
struct Taken {
    /// SHA-256 of what it said.
    hash: String,
    recipients: usize,
}

impl App {
    /// Has a billing notice sent to those who get an account's. A second one of the same id and content
    /// is answered as the first, and sends nothing.
    pub async fn billing_notice(
        &self,
        account: &Account,
        notice: BillingNotice,
    ) -> Result<BillingAccepted, BillingError> {
        let wrong = notice.wrong_fields();
        if !wrong.is_empty() {
            return Err(BillingError::Fields(wrong));
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, to_doc(&notice)?.as_bytes());
        let hash = id::hex(digest.as_ref());
        let key = keyspace::billing_notice(&account.id, &notice.id);
        if let Some(known) = self.known(&key, &hash).await? {
            return Ok(known);
        }
        let to = self.billed(&account.id, &account.agency).await?;
        if to.is_empty() {
            return Err(BillingError::Nobody);
        }
        let recipients = to.len();
        let (_, mut unit) = self
            .notify_these(
                Notice::Billing {
                    account: account.id.clone(),
                    subject: one_line(&notice.subject, MAX_SUBJECT),
                    amount: notice.amount,
                    period: notice.period,
                    url: notice.url,
                },
                To::Users(to),
            )
            .await?;
        let taken = Taken { hash, recipients };
        unit.ops.insert(
            0,
            Op::Put(Put {
                expires_at: Some(later(self.clock.now(), REMEMBERED)),
                ..Put::new(key.clone(), to_doc(&taken)?, When::Absent)
            }),
        );
        match self.table.commit(unit).await {
            Ok(()) => Ok(BillingAccepted {
                recipients,
                repeated: false,
            }),
            // The same one, at the same time.
            Err(StoreError::Condition { op: 0 }) => self
                .known(&key, &taken.hash)
                .await?
                .ok_or(BillingError::Store(StoreError::Busy)),
            Err(error) => Err(error.into()),
        }
    }

    async fn known(
        &self,
        key: &ringfence_ports::Key,
        hash: &str,
    ) -> Result<Option<BillingAccepted>, BillingError> {
        let Some(row) = self.table.get(key).await? else {
            return Ok(None);
        };
        let taken: Taken = parse_doc(&row.doc)?;
        if taken.hash != hash {
            return Err(BillingError::OtherOfThisId);
        }
        Ok(Some(BillingAccepted {
            recipients: taken.recipients,
            repeated: true,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_pages_are_strict() {
        for good in ["0", "129.00", "-5.5", "123456789012.1234"] {
            assert!(is_sum(good), "{good}");
        }
        for bad in [
            "",
            ".5",
            "5.",
            "1,5",
            "1e5",
            "--1",
            "1.23456",
            "1234567890123",
            "٣",
            " 1",
        ] {
            assert!(!is_sum(bad), "{bad}");
        }
        assert!(is_page("https://billing.example.com/i/1?x=y"));
        for bad in [
            "http://billing.example.com",
            "https://u@billing.example.com",
            "javascript:alert(1)",
            "https://",
            "//billing.example.com",
            "",
        ] {
            assert!(!is_page(bad), "{bad}");
        }
    }
}

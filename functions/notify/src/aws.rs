//! What sends on AWS: SES and SNS.

use std::sync::Arc;

use ringfence_aws::{Aws, ConfigError, SesMail, SnsSms};
use ringfence_domain::{
    App,
    notification::{Notifier, NotifierOptions},
};
use ringfence_ports::{Mailbox, Random, SystemRandom, is_mail_address};
use url::Url;

/// Who mails are from: `Ringfence <ringfence@example.com>`, of an identity that SES has verified.
const FROM: &str = "RINGFENCE_MAIL_FROM";
/// Where answers to mails go, if not there.
const REPLY_TO: &str = "RINGFENCE_MAIL_REPLY_TO";
/// The origin under which the world reaches this installation, for links.
const PUBLIC_URL: &str = "RINGFENCE_PUBLIC_URL";

/// Why nothing can be sent. Names what is missing, never a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SendingError {
    /// The environment does not say all that is needed.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// SES, SNS, and what goes on every message.
#[derive(Debug)]
pub struct Sending {
    mail: SesMail,
    sms: SnsSms,
    options: NotifierOptions,
}

impl Sending {
    /// From the environment: `RINGFENCE_MAIL_FROM`, `RINGFENCE_PUBLIC_URL`, optionally
    /// `RINGFENCE_MAIL_REPLY_TO`; region and credentials as Lambda sets them. Sends nothing.
    pub fn from_env() -> Result<Self, SendingError> {
        let options = options(|name| std::env::var(name).ok())?;
        let aws = Aws::from_env()?;
        let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
        Ok(Self {
            mail: SesMail::new(&aws, random.clone()),
            sms: SnsSms::new(&aws, random),
            options,
        })
    }

    /// The consumer of the queue that sends by these.
    pub fn consumer(self, app: Arc<App>) -> Notifier {
        crate::consumer(app, Arc::new(self.mail), Arc::new(self.sms), self.options)
    }
}

fn options(get: impl Fn(&str) -> Option<String>) -> Result<NotifierOptions, ConfigError> {
    let optional = |name: &str| get(name).filter(|value| !value.is_empty());
    let required = |name: &str| optional(name).ok_or_else(|| ConfigError::Missing(name.to_owned()));
    let invalid = |name: &str| ConfigError::Invalid(name.to_owned());
    let reply_to = optional(REPLY_TO);
    if !reply_to.as_deref().is_none_or(is_mail_address) {
        return Err(invalid(REPLY_TO));
    }
    let url = Url::parse(&required(PUBLIC_URL)?).map_err(|_| invalid(PUBLIC_URL))?;
    if !matches!(url.scheme(), "http" | "https") || url.path() != "/" || url.query().is_some() {
        return Err(invalid(PUBLIC_URL));
    }
    Ok(NotifierOptions {
        from: Mailbox::parse(&required(FROM)?).ok_or_else(|| invalid(FROM))?,
        reply_to,
        origin: url.origin().ascii_serialization(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[(&str, &str)]) -> Result<NotifierOptions, ConfigError> {
        options(|name| {
            let found = all.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_without_its_value() {
        let from = (FROM, "Ringfence <ringfence@example.com>");
        let url = (PUBLIC_URL, "https://calls.example.com/");
        let good = of(&[from, url, (REPLY_TO, "")]).unwrap();
        assert_eq!(good.origin, "https://calls.example.com");
        assert_eq!(good.reply_to, None);
        let missing = |name: &str| ConfigError::Missing(name.to_owned());
        assert_eq!(of(&[url]).unwrap_err(), missing(FROM));
        assert_eq!(of(&[from]).unwrap_err(), missing(PUBLIC_URL));
        for (name, value) in [
            (FROM, "canary"),
            (FROM, "A\r\nBcc: canary <a@b>"),
            (PUBLIC_URL, "canary"),
            (PUBLIC_URL, "https://calls.example.com/canary"),
            (PUBLIC_URL, "ftp://canary"),
            (REPLY_TO, "canary"),
        ] {
            let error = of(&[(name, value), from, url]).unwrap_err();
            assert_eq!(error, ConfigError::Invalid(name.to_owned()), "{value}");
        }
    }
}

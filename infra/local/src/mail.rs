//! Where mail and text messages go: by a mail server, where one is set, else into a folder.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ringfence_domain::{
    App,
    notification::{Notifier, NotifierOptions},
};
use ringfence_embedded::{Outbox, SmtpMail, SmtpServer, SmtpServerError};
use ringfence_ports::{Clock, Mail, Mailbox, Sms, is_mail_address};
use url::Url;

/// The folder of messages, in the data folder.
pub const OUTBOX: &str = "outbox";

/// How mail is sent.
#[derive(Clone, Debug, Default)]
pub struct MailConfig {
    /// By this server; `None`: into the folder.
    pub server: Option<SmtpServer>,
    /// Who it is from; `None`: `ringfence@` the host of the public address, or `localhost`.
    pub from: Option<Mailbox>,
}

/// Where mail goes, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Host and port of the mail server; `None`: mail goes into the folder.
    pub server: Option<String>,
    /// The folder of text messages, and of mail.
    pub folder: PathBuf,
}

impl fmt::Display for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        match &self.server {
            Some(server) => write!(
                f,
                "goes by {server}; text messages become files in {folder}"
            ),
            None => write!(f, "becomes files in {folder}"),
        }
    }
}

/// What sends.
pub(crate) struct Outlets {
    mail: Arc<dyn Mail>,
    sms: Arc<dyn Sms>,
    options: NotifierOptions,
}

impl Outlets {
    pub(crate) fn consumer(self, app: Arc<App>) -> Notifier {
        ringfence_notify::consumer(app, self.mail, self.sms, self.options)
    }
}

/// What sends for an installation that is reached at `origin`.
pub(crate) fn outlets(
    data: &Path,
    config: MailConfig,
    origin: String,
    clock: &Arc<dyn Clock>,
) -> Result<(Post, Outlets), SmtpServerError> {
    let outbox = Arc::new(Outbox::new(outbox_folder(data), clock.clone()));
    let from = config.from.unwrap_or_else(|| sender_at(&origin));
    let domain = from.address.rsplit('@').next().unwrap_or_default();
    let mail: Arc<dyn Mail> = match &config.server {
        Some(server) => Arc::new(SmtpMail::new(server, domain, clock.clone())?),
        None => outbox.clone(),
    };
    let post = Post {
        server: config.server.map(|server| server.to_string()),
        folder: outbox.folder().to_path_buf(),
    };
    let options = NotifierOptions {
        from,
        reply_to: None,
        origin,
    };
    let outlets = Outlets {
        mail,
        sms: outbox,
        options,
    };
    Ok((post, outlets))
}

/// The folder of messages of a data folder.
pub fn outbox_folder(data: &Path) -> PathBuf {
    std::fs::canonicalize(data)
        .unwrap_or_else(|_| data.to_path_buf())
        .join(OUTBOX)
}

fn sender_at(origin: &str) -> Mailbox {
    let host = Url::parse(origin)
        .ok()
        .and_then(|url| url.domain().map(str::to_owned));
    let address = host
        .map(|host| format!("ringfence@{host}"))
        .filter(|address| is_mail_address(address))
        .unwrap_or_else(|| "ringfence@localhost".to_owned());
    Mailbox {
        name: Some("Ringfence".to_owned()),
        address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_from_the_public_host_where_that_has_a_name() {
        for (origin, address) in [
            ("https://calls.example.com", "ringfence@calls.example.com"),
            ("http://127.0.0.1:8080", "ringfence@localhost"),
            ("http://[::1]:8080", "ringfence@localhost"),
            ("http://localhost:8080", "ringfence@localhost"),
        ] {
            assert_eq!(sender_at(origin).address, address);
        }
    }
}

//! The `notify` function: takes notices from the queue and sends them, by mail or as text messages. All
//! of it is [`ringfence_domain::notification::Notifier`].

#[cfg(feature = "lambda")]
pub mod aws;

use std::sync::Arc;

use ringfence_domain::{
    App,
    notification::{Notifier, NotifierOptions},
};
use ringfence_ports::{Mail, Sms};

/// The consumer of the queue `notify`.
pub fn consumer(
    app: Arc<App>,
    mail: Arc<dyn Mail>,
    sms: Arc<dyn Sms>,
    options: NotifierOptions,
) -> Notifier {
    Notifier::new(app, mail, sms, options)
}

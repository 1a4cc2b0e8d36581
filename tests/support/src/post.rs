//! Mail and text messages that go nowhere.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use ringfence_ports::{Email, Mail, SendError, Sms, TextMessage};

/// Takes mail and text messages, and does with them as told.
#[derive(Debug, Default)]
pub struct Postbox {
    mails: Mutex<Vec<Email>>,
    texts: Mutex<Vec<TextMessage>>,
    script: Mutex<VecDeque<Handling>>,
}

/// What becomes of the next message.
#[derive(Clone, Debug)]
pub enum Handling {
    /// It is taken.
    Take,
    /// It is not.
    Fail(SendError),
    /// It is taken, and whoever sent it dies before it knows.
    TakeAndDie,
}

impl Postbox {
    /// What becomes of the next messages; those after them are taken.
    pub fn then(&self, script: impl IntoIterator<Item = Handling>) {
        let mut all = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(script);
    }

    /// The mails since the last time, in the order in which they came.
    pub fn mails(&self) -> Vec<Email> {
        std::mem::take(&mut *self.mails.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The text messages since the last time.
    pub fn texts(&self) -> Vec<TextMessage> {
        std::mem::take(&mut *self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, take: impl FnOnce()) -> Result<(), SendError> {
        let next = {
            let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
            script.pop_front().unwrap_or(Handling::Take)
        };
        match next {
            Handling::Take => take(),
            Handling::Fail(error) => return Err(error),
            Handling::TakeAndDie => {
                take();
                panic!("the process dies between sending and marking");
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Mail for Postbox {
    async fn send(&self, mail: &Email) -> Result<(), SendError> {
        mail.validate()?;
        self.take(|| {
            let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
            mails.push(mail.clone());
        })
    }
}

#[async_trait]
impl Sms for Postbox {
    async fn send(&self, message: &TextMessage) -> Result<(), SendError> {
        message.validate()?;
        self.take(|| {
            let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.push(message.clone());
        })
    }
}

//! What a person logs in with. Never leaves the domain.

use base64::{Engine, engine::general_purpose::STANDARD};
use ringfence_ports::{KeysError, Op, Put, Row, StoreError, When};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    access::{parse_doc, to_doc},
    keyspace,
    session::{password::StoredPassword, recovery::RecoveryCodes, totp::TotpSecret},
};

/// What was sealed under a person's key, in base64.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sealed(String);

/// A person's password, second factors and recovery codes, as they are stored.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<StoredPassword>,
    /// The secret shared with the authenticator app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<Sealed>,
    /// The number that codes are sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sms: Option<Sealed>,
    #[serde(default)]
    pub(crate) recovery: RecoveryCodes,
}

/// Credentials with the version of their row; 0: there is none yet.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) value: Credentials,
    pub(crate) version: u64,
}

impl Kept {
    pub(crate) fn from_row(row: Option<&Row>) -> Result<Self, StoreError> {
        match row {
            Some(row) => Ok(Self {
                value: parse_doc(&row.doc)?,
                version: row.version,
            }),
            None => Ok(Self::default()),
        }
    }

    /// Writes `after` in place of this.
    pub(crate) fn replace(&self, user: &str, after: &Credentials) -> Result<Op, StoreError> {
        let when = match self.version {
            0 => When::Absent,
            version => When::Version(version),
        };
        Ok(Op::Put(Put::new(
            keyspace::credentials(user),
            to_doc(after)?,
            when,
        )))
    }
}

/// What is sealed for whom.
fn context(user: &str, what: &str) -> String {
    format!("{user}/{what}")
}

impl App {
    pub(crate) async fn credentials(&self, user: &str) -> Result<Kept, StoreError> {
        Kept::from_row(self.table.get(&keyspace::credentials(user)).await?.as_ref())
    }

    /// Seals the secret of an app.
    pub(crate) async fn seal_totp(
        &self,
        user: &str,
        secret: &TotpSecret,
    ) -> Result<Sealed, KeysError> {
        let sealed = self
            .keys
            .seal(&context(user, "totp"), secret.bytes())
            .await?;
        Ok(Sealed(STANDARD.encode(sealed)))
    }

    pub(crate) async fn open_totp(
        &self,
        user: &str,
        sealed: &Sealed,
    ) -> Result<TotpSecret, KeysError> {
        let bytes = STANDARD.decode(&sealed.0).map_err(|_| KeysError::Refused)?;
        let plain = self.keys.open(&context(user, "totp"), &bytes).await?;
        Ok(TotpSecret::from_bytes(plain))
    }

    /// Seals a number.
    pub(crate) async fn seal_number(&self, user: &str, number: &str) -> Result<Sealed, KeysError> {
        let sealed = self
            .keys
            .seal(&context(user, "sms"), number.as_bytes())
            .await?;
        Ok(Sealed(STANDARD.encode(sealed)))
    }

    pub(crate) async fn open_number(
        &self,
        user: &str,
        sealed: &Sealed,
    ) -> Result<String, KeysError> {
        let bytes = STANDARD.decode(&sealed.0).map_err(|_| KeysError::Refused)?;
        let plain = self.keys.open(&context(user, "sms"), &bytes).await?;
        String::from_utf8(plain).map_err(|_| KeysError::Refused)
    }
}

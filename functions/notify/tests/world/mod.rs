//! An agency, an account, and its people.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ringfence_domain::{
    App,
    access::Owner,
    history::{Action, Actor},
    id,
    notification::{Notice, Notifier},
    people::{Grant, Home, MailAddress, Role, User, UserChange, UserStatus},
    settings::Account,
};
use ringfence_embedded::Embedded;
use ringfence_ports::{
    Clock as _, Email, Key, Page, Query, Row, StoreError, Table, Unit,
    contract::{Counting, Faulty, TestRandom},
};
use ringfence_test_support::TestApp;

/// Whose administrator.
pub const ACCOUNT: bool = true;
pub const AGENCY: bool = false;

pub struct World {
    pub test: TestApp,
    apart: Option<App>,
}

impl World {
    pub async fn new() -> Self {
        Self {
            test: TestApp::new().await,
            apart: None,
        }
    }

    /// Over a store whose messages follow its rows, as on AWS.
    pub async fn without_shared_commits() -> Self {
        let test = TestApp::new().await;
        let table = Arc::new(Apart(test.counting.clone()));
        let app = App::new(
            table,
            test.counting.clone(),
            test.app.keys.clone(),
            Arc::new(test.clock.clone()),
            Arc::new(TestRandom::new(7)),
            test.app.sender.clone(),
        );
        Self {
            test,
            apart: Some(app),
        }
    }

    /// A consumer over the same store, which fails when told to.
    pub fn faulty(&self) -> (Arc<Faulty<Counting<Embedded>>>, Notifier) {
        let table = Arc::new(Faulty::new(self.test.counting.clone()));
        let app = App::new(
            table.clone(),
            self.test.counting.clone(),
            self.test.app.keys.clone(),
            Arc::new(self.test.clock.clone()),
            Arc::new(TestRandom::new(9)),
            self.test.app.sender.clone(),
        );
        let consumer = ringfence_test_support::notifier(&Arc::new(app), &self.test.post);
        (table, consumer)
    }

    pub fn apart(&self) -> &App {
        self.apart.as_ref().unwrap()
    }

    pub fn now(&self) -> Timestamp {
        self.test.clock.now()
    }

    pub async fn account(&self) -> Account {
        let found = self.test.app.find_account(&self.test.account).await;
        found.unwrap().unwrap().value
    }

    pub async fn rename(&self, account: &str, name: &str) {
        use ringfence_ports::{Op, Put, When};
        // As if the rules of names had been others when it was given.
        let key = Key::new(format!("acc/{account}"), "account");
        let row = self.test.app.table.get(&key).await.unwrap().unwrap();
        let mut doc: serde_json::Value = serde_json::from_str(&row.doc).unwrap();
        doc["name"] = name.into();
        let put = Put {
            index: row.index,
            ..Put::new(key, doc.to_string(), When::Version(row.version))
        };
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        self.test.app.table.commit(unit).await.unwrap();
    }

    /// Somebody who can log in.
    pub async fn person(&self, email: &str, of_account: bool, role: Role) -> String {
        self.somebody(email, of_account, role, UserStatus::Active)
            .await
    }

    /// Somebody who cannot yet.
    pub async fn invited(&self, email: &str, role: Role) -> String {
        self.somebody(email, ACCOUNT, role, UserStatus::Invited)
            .await
    }

    async fn somebody(
        &self,
        email: &str,
        of_account: bool,
        role: Role,
        status: UserStatus,
    ) -> String {
        let app = &self.test.app;
        let now = self.now();
        let mut user = User::invited(
            id::new(id::Kind::User, now, &*app.random),
            Home::Agency(self.test.agency.clone()),
            MailAddress::parse(email).unwrap(),
            "Ada Quist".to_owned(),
            now,
        );
        let on = if of_account {
            Owner::Account(self.test.account.clone())
        } else {
            Owner::Agency(self.test.agency.clone())
        };
        user.status = status;
        user.grants = vec![Grant::new(on, role)];
        self.write(None, user).await
    }

    /// Changes somebody.
    pub async fn change(&self, user: &str, change: impl FnOnce(&mut User)) {
        let before = self.test.app.user(user).await.unwrap().unwrap();
        let mut after = before.value.clone();
        change(&mut after);
        self.write(Some(before), after).await;
    }

    async fn write(
        &self,
        before: Option<ringfence_domain::settings::Versioned<User>>,
        after: User,
    ) -> String {
        let owner = Owner::Agency(self.test.agency.clone());
        let how = UserChange {
            owner: &owner,
            actor: &Actor::system(),
            action: Action::Update,
            part: "",
        };
        let id = after.id.clone();
        let app = &self.test.app;
        app.change_user(before.as_ref(), after, how, Unit::default())
            .await
            .unwrap();
        id
    }

    /// A notice to be sent to this user.
    pub fn changed(&self, user: &str) -> Notice {
        Notice::PasswordChanged {
            user: user.to_owned(),
            address: None,
            at: self.now(),
        }
    }

    /// Orders a notice, and works off the queue.
    pub async fn send(&self, notice: Notice) {
        let unit = self.test.app.notify(notice).await.unwrap();
        self.test.app.table.commit(unit).await.unwrap();
        self.test.drain().await;
    }

    /// Time goes by, and the sweep.
    pub async fn pass(&self, time: Duration) {
        self.test.after(time).await;
    }

    /// Who got mail since the last time.
    pub fn recipients(&self) -> Vec<String> {
        let mut to: Vec<_> = self
            .test
            .post
            .mails()
            .into_iter()
            .map(|mail| mail.to)
            .collect();
        to.sort();
        to
    }

    /// Posts a billing notice; answers who got it.
    pub async fn bill(&self, id: &str) -> Vec<String> {
        let notice = super::billing(id);
        let account = self.account().await;
        let accepted = self
            .test
            .app
            .billing_notice(&account, notice)
            .await
            .unwrap();
        self.test.drain().await;
        let to = self.recipients();
        assert_eq!(accepted.recipients, to.len());
        to
    }
}

/// A store whose messages follow its rows.
struct Apart<T>(Arc<T>);

#[async_trait]
impl<T: Table> Table for Apart<T> {
    fn sends_with_rows(&self) -> bool {
        false
    }

    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.0.get_many(keys).await
    }

    async fn query(&self, query: Query) -> Result<Page, StoreError> {
        self.0.query(query).await
    }

    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        self.0.write(units).await
    }

    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        self.0.count(key, delta, max, expires_at).await
    }
}

/// Writes a mail to where somebody wants to look at it.
pub fn keep(kind: &str, mail: &Email) {
    if let Some(folder) = std::env::var_os("RINGFENCE_LETTERS") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{kind}.html")), &mail.html).unwrap();
    }
}

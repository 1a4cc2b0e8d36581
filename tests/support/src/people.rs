use ringfence_domain::{
    access::Owner,
    history::{Action, Actor},
    people::{Grant, Home, MailAddress, Role, User, UserChange},
    session::{Password, Visitor},
};
use ringfence_ports::Unit;
use serde_json::Value;

use crate::{Response, TestApp};

/// Where browsers of tests think that they are.
const HOST: &str = "ringfence.test";

/// A person who is logged in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// `usr_…`
    pub id: String,
    /// The whole `Cookie` header.
    pub cookie: String,
    /// What a change must bring.
    pub csrf: String,
}

impl SignedIn {
    /// The headers that its browser sends with a change of its own page.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        vec![
            ("host", HOST),
            ("origin", "https://ringfence.test"),
            ("cookie", &self.cookie),
            ("ringfence-csrf", &self.csrf),
        ]
    }
}

impl TestApp {
    /// A person of the sample agency who holds this role on the sample account, the sample agency or the
    /// platform, whichever it belongs to, and has logged in.
    pub async fn sign_in_as(&self, role: Role) -> SignedIn {
        use ringfence_domain::people::Level;
        let on = match role.level() {
            Level::Account => Owner::Account(self.account.clone()),
            Level::Agency => Owner::Agency(self.agency.clone()),
            Level::Platform => Owner::Platform,
        };
        self.sign_in(vec![Grant::new(on, role)]).await
    }

    /// A person who holds these grants, of the sample agency unless one is on the platform.
    pub async fn sign_in(&self, grants: Vec<Grant>) -> SignedIn {
        let on_platform = grants.iter().any(|grant| grant.on == Owner::Platform);
        let home = if on_platform {
            Home::Platform
        } else {
            Home::Agency(self.agency.clone())
        };
        self.sign_in_at(home, grants).await
    }

    /// A person of this home who holds these grants and has followed its invitation.
    pub async fn sign_in_at(&self, home: Home, grants: Vec<Grant>) -> SignedIn {
        let now = self.app.clock.now();
        let id =
            ringfence_domain::id::new(ringfence_domain::id::Kind::User, now, &*self.app.random);
        let email = MailAddress::parse(&format!("{id}@example.com")).unwrap();
        let owner = home.owner();
        let mut user = User::invited(id, home, email, "Ada Quist".to_owned(), now);
        user.grants = grants;
        let invitation = self.app.invitation(&user).await.unwrap();
        let how = UserChange {
            owner: &owner,
            actor: &Actor::system(),
            action: Action::Create,
            part: "",
        };
        // Without its mail: this person is here.
        let link = invitation.unit.ops.first().cloned();
        let unit = Unit {
            ops: link.into_iter().collect(),
            sends: Vec::new(),
        };
        self.app.change_user(None, user, how, unit).await.unwrap();
        let session = self
            .app
            .accept_invitation(
                &invitation.ticket,
                None,
                Password::given("correct horse battery staple").unwrap(),
                &Visitor::default(),
            )
            .await
            .unwrap();
        SignedIn {
            id: session.user.id,
            cookie: format!("__Host-ringfence={}", session.ticket.reveal()),
            csrf: self
                .app
                .csrf_token(&session.session.key_hash)
                .await
                .unwrap(),
        }
    }

    /// One request of a person's browser, from a page of ours, with these further headers.
    pub async fn request_of(
        &self,
        person: &SignedIn,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Response {
        let mut all = person.headers();
        all.extend(headers);
        self.request_as(None, method, path, &all, body).await
    }
}

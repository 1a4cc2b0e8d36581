//! A world with an agency, its people, and browsers.

use std::{collections::BTreeMap, net::IpAddr, sync::Mutex};

use axum::{Router, body::Body};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use ringfence_domain::{
    access::Owner,
    history::{Action, Actor},
    id,
    people::{Grant, Home, Level, MailAddress, Role, User, UserChange},
    session::totp,
    settings::{Edit, Tenant},
};
use ringfence_http::ClientAddress;
use ringfence_ports::{Clock as _, Email, Unit};
use ringfence_test_support::TestApp;
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery staple";
pub const ORIGIN: &str = "https://ringfence.example";
pub const SESSION: &str = "__Host-ringfence";

pub struct World {
    pub app: TestApp,
    router: Router,
}

impl World {
    pub async fn new() -> Self {
        Self::over(TestApp::new().await)
    }

    /// The same in a process that goes on after its answers.
    pub async fn going_on() -> Self {
        Self::over(TestApp::going_on().await)
    }

    fn over(app: TestApp) -> Self {
        app.pins.cheapen();
        let (router, _) = ringfence_session::router()
            .merge(ringfence_settings::router())
            .merge(ringfence_people::router())
            .split_for_parts();
        Self {
            router: router.with_state(app.app.clone()),
            app,
        }
    }

    pub fn pass(&self, seconds: i64) {
        self.app
            .clock
            .advance(std::time::Duration::from_secs(seconds.try_into().unwrap()));
    }

    /// What people were told since the last time: of which kind, and what of it a test may want.
    pub async fn notices(&self) -> Vec<Value> {
        self.app.drain().await;
        let mails = self.app.post.mails();
        let texts = self.app.post.texts();
        let texts = texts.iter().map(|text| {
            let code: String = text.text.chars().take(6).collect();
            json!({"notice": "sms_code", "to": text.to, "code": code})
        });
        let mut all = Vec::new();
        for mail in &mails {
            let address = MailAddress::parse(&mail.to).unwrap();
            let user = self.app.app.user_by_mail(&address).await.unwrap();
            all.push(told(mail, user.as_ref().map(|user| user.value.id.as_str())));
        }
        all.extend(texts);
        all
    }

    /// The last notice of a kind.
    pub async fn notice(&self, kind: &str) -> Value {
        let notices = self.notices().await;
        let found = notices.into_iter().rev().find(|n| n["notice"] == kind);
        found.unwrap_or_else(|| panic!("nobody was told: {kind}"))
    }

    /// Invites somebody as an administrator of the agency. Answers its id and the link's token.
    pub async fn invite(&self, email: &str) -> (String, String) {
        self.invite_as(email, Role::AgencyAdministrator).await
    }

    async fn invite_as(&self, email: &str, role: Role) -> (String, String) {
        let app = &self.app.app;
        let now = app.clock.now();
        let mut user = User::invited(
            id::new(id::Kind::User, now, &*app.random),
            Home::Agency(self.app.agency.clone()),
            MailAddress::parse(email).unwrap(),
            "Ada Lovelace".to_owned(),
            now,
        );
        let agency = Owner::Agency(self.app.agency.clone());
        let on = match role.level() {
            Level::Account => Owner::Account(self.app.account.clone()),
            _ => agency.clone(),
        };
        user.grants = vec![Grant::new(on, role)];
        let invitation = app.invitation(&user).await.unwrap();
        let how = UserChange {
            owner: &agency,
            actor: &Actor::system(),
            action: Action::Create,
            part: "",
        };
        app.change_user(None, user.clone(), how, invitation.unit)
            .await
            .unwrap();
        (user.id, invitation.ticket.reveal())
    }

    /// Somebody who has a password, and the browser in which it was set.
    pub async fn person(&self, email: &str) -> (String, Browser<'_>) {
        self.person_as(email, Role::AgencyAdministrator).await
    }

    /// The same, in another role.
    pub async fn person_as(&self, email: &str, role: Role) -> (String, Browser<'_>) {
        let (id, token) = self.invite_as(email, role).await;
        let browser = self.browser();
        let answer = browser
            .post(
                "/v1/invitations/accept",
                json!({"token": token, "password": PASSWORD}),
            )
            .await;
        assert_eq!(answer.status, 201, "{}", answer.json);
        (id, browser)
    }

    pub async fn user(&self, id: &str) -> User {
        self.app.app.user(id).await.unwrap().unwrap().value
    }

    /// Changes a person as an administrator would.
    pub async fn change(&self, id: &str, change: impl FnOnce(&mut User)) {
        let before = self.app.app.user(id).await.unwrap().unwrap();
        let mut after = before.value.clone();
        change(&mut after);
        let owner = before.value.home.owner();
        let how = UserChange {
            owner: &owner,
            actor: &Actor::system(),
            action: Action::Update,
            part: "",
        };
        self.app
            .app
            .change_user(Some(&before), after, how, Unit::default())
            .await
            .unwrap();
    }

    /// Sets the agency's security settings.
    pub async fn security(&self, document: Value) {
        let app = &self.app.app;
        let agency = app
            .find_agency(&self.app.agency)
            .await
            .unwrap()
            .unwrap()
            .value;
        let tenant = Tenant::Agency(agency);
        let version = app.security_document(&tenant).await.unwrap().version;
        app.save_security(&tenant, version, Edit::Put(document), &Actor::system())
            .await
            .unwrap();
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser {
            world: self,
            jar: Mutex::default(),
            csrf: Mutex::default(),
            address: [203, 0, 113, 7].into(),
        }
    }

    /// The code of an app's secret, `steps` time steps from now.
    pub fn code(&self, secret: &str, steps: i64) -> String {
        let step = totp::step_at(self.app.clock.now());
        code_of(secret, step.checked_add_signed(steps).unwrap())
    }
}

/// What a mail tells.
fn told(mail: &Email, user: Option<&str>) -> Value {
    let notice = match mail.subject.as_str() {
        "Reset your password" => "password_reset",
        "Your password was changed" => "password_changed",
        "Your two-factor authentication was changed" => "two_factor_changed",
        "Your login is locked for a while" => "locked",
        "New login to Ringfence" => "login_from_new_address",
        subject if subject.starts_with("You are invited to ") => "invitation",
        subject => panic!("an unknown mail: {subject}"),
    };
    let line = |label: &str| mail.text.lines().find_map(|line| line.strip_prefix(label));
    json!({"notice": notice, "user": user, "url": line(ORIGIN), "address": line("Address: "), "text": mail.text})
}

/// A code by the way every app goes: from the base32 text.
pub fn code_of(secret: &str, step: u64) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bits, mut held, mut key) = (0_u32, 0, Vec::new());
    for digit in secret.chars() {
        bits = bits << 5 | u32::try_from(ALPHABET.find(digit).unwrap()).unwrap();
        held += 5;
        if held >= 8 {
            held -= 8;
            key.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let mac = ring::hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(mac.as_ref()[19] & 15);
    let four: [u8; 4] = mac.as_ref()[at..at + 4].try_into().unwrap();
    format!(
        "{:06}",
        (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
    )
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Answer {
    /// The `Set-Cookie` of a name.
    pub fn cookie(&self, name: &str) -> String {
        self.headers
            .get_all(header::SET_COOKIE)
            .into_iter()
            .map(|cookie| cookie.to_str().unwrap())
            .find(|cookie| cookie.starts_with(&format!("{name}=")))
            .unwrap_or_else(|| panic!("no cookie {name}"))
            .to_owned()
    }
}

/// A browser with its cookies, that sends what a page of ours would.
pub struct Browser<'w> {
    world: &'w World,
    jar: Mutex<BTreeMap<String, String>>,
    csrf: Mutex<String>,
    pub address: IpAddr,
}

impl Browser<'_> {
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        kind: &str,
        body: Vec<u8>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "ringfence.example")
            .header("user-agent", "Testbrowser 1.0");
        let cookies: Vec<_> = self
            .jar
            .lock()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header("content-type", kind);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ClientAddress(self.address));
        let response = ringfence_http::answer(&self.world.router, request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut jar = self.jar.lock().unwrap();
            if rest.contains("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(token) = json["csrf_token"].as_str() {
            token.clone_into(&mut self.csrf.lock().unwrap());
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            json,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// A request of our own page's.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let csrf = self.csrf();
        let headers = [("origin", ORIGIN), ("ringfence-csrf", csrf.as_str())];
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.send(method, path, &headers, "application/json", body)
            .await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "", Vec::new()).await
    }

    /// What a page asks for by itself.
    pub async fn tick(&self) -> Answer {
        self.send(
            "GET",
            "/v1/session",
            &[("ringfence-timer", "1")],
            "",
            Vec::new(),
        )
        .await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/v1/session", json!({"email": email, "password": password}))
            .await
    }

    pub async fn second(&self, attempt: &str, method: &str, code: &str) -> Answer {
        let body = json!({"attempt": attempt, "method": method, "code": code});
        self.post("/v1/session/second-factor", body).await
    }

    /// Password and app, as its person would.
    pub async fn log_in_with(&self, email: &str, secret: &str) -> Answer {
        let first = self.log_in(email, PASSWORD).await;
        assert_eq!(first.status, 202, "{}", first.json);
        let attempt = first.json["attempt"].as_str().unwrap();
        self.second(attempt, "app", &self.world.code(secret, 0))
            .await
    }

    /// Sets up an app: its secret and the recovery codes.
    pub async fn set_up_app(&self) -> (String, Vec<String>) {
        let new = self.post("/v1/session/two-factor/app", Value::Null).await;
        assert_eq!(new.status, 201, "{}", new.json);
        let secret = new.json["secret"].as_str().unwrap().to_owned();
        let code = self.world.code(&secret, 0);
        let done = self
            .post("/v1/session/two-factor/app/confirm", json!({"code": code}))
            .await;
        assert_eq!(done.status, 200, "{}", done.json);
        let codes = done.json["recovery_codes"].as_array().unwrap();
        let codes = codes
            .iter()
            .map(|c| c.as_str().unwrap().to_owned())
            .collect();
        // Its code was used: the next one is another.
        self.world.pass(30);
        (secret, codes)
    }

    pub fn csrf(&self) -> String {
        self.csrf.lock().unwrap().clone()
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar
            .lock()
            .unwrap()
            .insert(name.to_owned(), value.to_owned());
    }

    pub fn forget(&self, name: &str) {
        self.jar
            .lock()
            .unwrap()
            .retain(|found, _| !found.starts_with(name));
    }
}

/// A span in seconds.
pub fn seconds(of: SignedDuration) -> i64 {
    of.as_secs()
}

//! An app with an operator, an agency, an account and a key of each, and names that resolve without
//! a network.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use ringfence_domain::{
    access::{Owner, Scope},
    history::Actor,
    settings::{Account, Agency},
};
use ringfence_embedded::Embedded;
use ringfence_http::AppState;
use ringfence_ports::contract::{Counting, TestClock};
use ringfence_test_support::TestApp;
use ringfence_webhook::{Policy, target::Resolve};
use serde_json::Value;
use tower::ServiceExt as _;

/// An answer: status, headers, and the body as JSON (null: empty or no JSON).
pub(super) type Answer = (StatusCode, HeaderMap, Value);

/// `public.example` and everything below it is public, `private.example` private, `mixed.example`
/// both; no other name exists.
struct Names;

#[async_trait::async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let public = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));
        let private = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
        match name {
            "private.example" => Ok(vec![private]),
            "mixed.example" => Ok(vec![public, private]),
            "hooks.example.com" => Ok(vec![public]),
            _ if name == "public.example" || name.ends_with(".public.example") => Ok(vec![public]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The app and who is in it. Each key holds every scope.
pub(super) struct World {
    pub(super) app: AppState,
    pub(super) clock: TestClock,
    pub(super) operator_key: String,
    pub(super) agency: Agency,
    pub(super) agency_key: String,
    pub(super) account: Account,
    pub(super) account_key: String,
    /// Has the folder, and makes keys.
    folder: TestApp,
}

impl World {
    /// It may send to this machine as well as to public addresses.
    pub(super) async fn new() -> Self {
        Self::with_policy(Policy::public().allow_subnet("127.0.0.0/8".parse().unwrap())).await
    }

    pub(super) async fn with_policy(policy: Policy) -> Self {
        let test = TestApp::with_resolver(policy, Arc::new(Names)).await;
        let app = test.app.clone();
        let agency = app.find_agency(&test.agency).await.unwrap().unwrap().value;
        let account = app
            .find_account(&test.account)
            .await
            .unwrap()
            .unwrap()
            .value;
        Self {
            agency_key: test
                .key_for(Owner::Agency(agency.id.clone()), &Scope::ALL)
                .await,
            account_key: test
                .key_for(Owner::Account(account.id.clone()), &Scope::ALL)
                .await,
            operator_key: test.key.clone(),
            clock: test.clock.clone(),
            app,
            agency,
            account,
            folder: test,
        }
    }

    pub(super) async fn key(&self, owner: Owner, scopes: &[Scope]) -> String {
        self.folder.key_for(owner, scopes).await
    }

    /// What stands before the store, counting.
    pub(super) fn counting(&self) -> &Counting<Embedded> {
        &self.folder.counting
    }

    /// Another account of the agency, with a key of its own.
    pub(super) async fn another_account(&self) -> (Account, String) {
        let made = self
            .app
            .create_account(&self.agency.id, "Another", &Actor::system())
            .await;
        let account = made.unwrap().value;
        let key = self
            .key(Owner::Account(account.id.clone()), &Scope::ALL)
            .await;
        (account, key)
    }

    /// Another agency, with a key of its own.
    pub(super) async fn another_agency(&self) -> (Agency, String) {
        let agency = self
            .app
            .create_agency("Another", &Actor::system())
            .await
            .unwrap()
            .value;
        let key = self
            .key(Owner::Agency(agency.id.clone()), &Scope::ALL)
            .await;
        (agency, key)
    }

    /// One request. A `body` goes as `application/json`.
    pub(super) async fn request(
        &self,
        router: &Router<AppState>,
        method: Method,
        path: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Answer {
        self.send(router, method, path, key, body, &[]).await
    }

    /// The same with more headers.
    pub(super) async fn send(
        &self,
        router: &Router<AppState>,
        method: Method,
        path: &str,
        key: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !key.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let router = router.clone().with_state(self.app.clone());
        let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (
            head.status,
            head.headers,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }
}

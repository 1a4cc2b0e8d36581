//! The endpoints, as the billing system and an administrator use them.

use ringfence_domain::{
    access::{Owner, Scope},
    history::{Action, Actor},
    id,
    people::{Grant, Home, MailAddress, Role, User, UserChange, UserStatus},
};
use ringfence_ports::{Clock as _, SendError, Unit};
use ringfence_test_support::{Handling, TestApp};
use serde_json::{Value, json};

async fn app() -> TestApp {
    TestApp::new().await.serving(ringfence_notices::router())
}

async fn administrator(test: &TestApp, email: &str, on: Owner, role: Role) -> String {
    let now = test.clock.now();
    let mut user = User::invited(
        id::new(id::Kind::User, now, &*test.app.random),
        Home::Agency(test.agency.clone()),
        MailAddress::parse(email).unwrap(),
        "Ada Quist".to_owned(),
        now,
    );
    user.status = UserStatus::Active;
    user.grants = vec![Grant::new(on, role)];
    let how = UserChange {
        owner: &Owner::Agency(test.agency.clone()),
        actor: &Actor::system(),
        action: Action::Create,
        part: "",
    };
    let id = user.id.clone();
    let made = test.app.change_user(None, user, how, Unit::default());
    made.await.unwrap();
    id
}

fn invoice() -> Value {
    json!({
        "id": "invoice-2026-0042", "subject": "Your invoice for January",
        "amount": {"value": "129.00", "currency": "EUR"},
        "period": {"from": "2026-01-01", "to": "2026-01-31"},
        "url": "https://billing.example.com/invoices/2026-0042",
    })
}

fn path(test: &TestApp) -> String {
    format!("/v1/accounts/{}/billing-notices", test.account)
}

#[tokio::test]
async fn the_billing_system_posts_a_notice_once_and_learns_how_many_get_it() {
    let test = app().await;
    let key = test.key_for(Owner::Platform, &[Scope::BillingWrite]).await;
    let path = path(&test);
    let post = || test.request_as(Some(&key), "POST", &path, &[], invoice());
    let nobody = post().await;
    assert_eq!(nobody.status, 409, "{}", nobody.json);
    let account = Owner::Account(test.account.clone());
    administrator(&test, "ada@example.com", account, Role::Administrator).await;
    let agency = Owner::Agency(test.agency.clone());
    administrator(&test, "bob@example.com", agency, Role::AgencyAdministrator).await;
    let first = post().await;
    assert_eq!(first.status, 202);
    let answer = json!({"id": "invoice-2026-0042", "recipients": 2, "repeated": false});
    assert_eq!(first.json, answer);
    let again = post().await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json["repeated"], true);
    let mut other = invoice();
    other["subject"] = "Another".into();
    let other = test.request_as(Some(&key), "POST", &path, &[], other).await;
    assert_eq!(other.status, 409);
    test.drain().await;
    let mails = test.post.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].subject, "Your invoice for January");
    assert!(mails[0].text.contains("Amount: 129.00 EUR\n"));
    assert!(
        mails[0]
            .text
            .contains("Period: 1 January 2026 to 31 January 2026\n")
    );
}

#[tokio::test]
async fn what_is_not_right_is_named_and_nothing_is_sent() {
    let test = app().await;
    let account = Owner::Account(test.account.clone());
    administrator(&test, "ada@example.com", account, Role::Administrator).await;
    for (field, value) in [
        ("id", json!("")),
        ("id", json!("with space")),
        ("id", json!("x".repeat(129))),
        ("subject", json!("two\r\nBcc: eve@example.com")),
        ("subject", json!(" ")),
        ("subject", json!("x".repeat(121))),
        ("amount", json!({"value": "12,5", "currency": "EUR"})),
        ("amount", json!({"value": "12.5", "currency": "Euro"})),
        ("amount", json!({"value": 12.5, "currency": "EUR"})),
        (
            "amount",
            json!({"value": "1", "currency": "EUR", "more": 1}),
        ),
        ("period", json!({"from": "2026-02-01", "to": "2026-01-31"})),
        ("period", json!({"from": "2026-02-30", "to": "2026-03-31"})),
        ("url", json!("http://billing.example.com")),
        ("url", json!("javascript:alert(1)")),
        ("url", json!("https://user:canary@billing.example.com")),
        ("to", json!("eve@example.com")),
    ] {
        let mut body = invoice();
        body[field] = value.clone();
        let answer = test.request("POST", &path(&test), body).await;
        assert_eq!(answer.status, 400, "{field} {value}: {}", answer.json);
        let named = answer.json["errors"][0]["field"]
            .as_str()
            .unwrap_or_default();
        assert!(named.starts_with(field), "{field}: {}", answer.json);
        assert!(!answer.json.to_string().contains("canary"));
    }
    let mut small = invoice();
    for optional in ["amount", "period", "url"] {
        small.as_object_mut().unwrap().remove(optional);
    }
    assert_eq!(test.request("POST", &path(&test), small).await.status, 202);
    test.drain().await;
    assert_eq!(test.post.mails().len(), 1);
}

#[tokio::test]
async fn administrators_see_what_could_not_be_sent() {
    let test = app().await;
    let account = Owner::Account(test.account.clone());
    let ada = administrator(&test, "canary@example.com", account, Role::Administrator).await;
    for n in 0..3 {
        let no = SendError::Refused("the mail server answered 550".to_owned());
        test.post.then([Handling::Fail(no)]);
        let mut body = invoice();
        body["id"] = n.to_string().into();
        let posted = test.request("POST", &path(&test), body).await;
        assert_eq!(posted.status, 202);
        test.drain().await;
    }
    let unsent = format!("/v1/agencies/{}/unsent-notices?limit=2", test.agency);
    let page = test.request("GET", &unsent, Value::Null).await;
    assert_eq!(page.status, 200);
    let items = page.json["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["kind"], "billing");
    assert_eq!(items[0]["user"], ada);
    assert_eq!(items[0]["attempts"], 1);
    assert_eq!(items[0]["reason"], "the mail server answered 550");
    assert!(!page.json.to_string().contains("canary"));
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = test
        .request("GET", &format!("{unsent}&cursor={cursor}"), Value::Null)
        .await;
    assert_eq!(rest.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest.json["next_cursor"], Value::Null);
}

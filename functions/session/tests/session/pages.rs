//! The pages, as a browser without scripts has them. What they look like is for Chromium to see.

use serde_json::json;

use crate::world::{Answer, Browser, ORIGIN, PASSWORD, SESSION, World};

const ADA: &str = "ada@example.com";
const FORM: &str = "application/x-www-form-urlencoded";

async fn submit(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    submit_from(browser, path, Some(ORIGIN), fields).await
}

async fn submit_from(
    browser: &Browser<'_>,
    path: &str,
    origin: Option<&str>,
    fields: &[(&str, &str)],
) -> Answer {
    let body: Vec<_> = fields
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}={}",
                value
                    .replace('+', "%2B")
                    .replace(' ', "+")
                    .replace('@', "%40")
            )
        })
        .collect();
    let headers: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
    let body = body.join("&").into_bytes();
    browser.send("POST", path, &headers, FORM, body).await
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

/// The token in a page's forms.
fn csrf(page: &Answer) -> String {
    let at = page.text.find("name=\"csrf\" value=\"").unwrap() + 19;
    page.text[at..at + 64].to_owned()
}

#[tokio::test]
async fn a_form_counts_only_from_our_own_origin_and_with_its_token() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let login = [("email", ADA), ("password", PASSWORD)];
    for origin in [None, Some("null"), Some("https://evil.example")] {
        let browser = world.browser();
        let answer = submit_from(&browser, "/login", origin, &login).await;
        assert_eq!(answer.status, 403, "{origin:?}");
        assert_eq!(browser.cookie(SESSION), None);
        let token = csrf(&ada.get("/account").await);
        let out = [("csrf", token.as_str())];
        let answer = submit_from(&ada, "/account/logout", origin, &out).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
    for path in [
        "/account/logout",
        "/account/confirm",
        "/account/password",
        "/account/app",
        "/account/app/confirm",
        "/account/app/remove",
        "/account/sms",
        "/account/sms/confirm",
        "/account/sms/remove",
        "/account/recovery-codes",
        "/account/sessions/end",
    ] {
        for token in ["", &"0".repeat(64)] {
            let answer = submit(&ada, path, &[("csrf", token)]).await;
            assert_eq!(answer.status, 403, "{path}");
        }
        let answer = submit(&world.browser(), path, &[("csrf", "")]).await;
        assert_eq!(location(&answer), "/login", "{path}");
    }
    assert_eq!(
        ada.get("/account").await.status,
        200,
        "nothing has happened"
    );
}

#[tokio::test]
async fn a_login_leads_where_it_was_wanted_and_nowhere_else() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    for (next, leads) in [
        ("/r/v1.1.abc", "/r/v1.1.abc"),
        ("//evil.example", "/account"),
        ("https://evil.example", "/account"),
    ] {
        let browser = world.browser();
        let fields = [("email", ADA), ("password", PASSWORD), ("next", next)];
        assert_eq!(location(&submit(&browser, "/login", &fields).await), leads);
    }
    let page = world.browser().get("/login?next=%2Fr%2Fv1.1.abc").await;
    assert!(page.text.contains("value=\"/r/v1.1.abc\""), "{}", page.text);
    // With a second factor as well.
    let (secret, _) = ada.set_up_app().await;
    let browser = world.browser();
    let fields = [
        ("email", ADA),
        ("password", PASSWORD),
        ("next", "/r/v1.1.abc"),
    ];
    let asked = submit(&browser, "/login", &fields).await;
    let path = location(&asked).to_owned();
    assert_eq!(path, "/login/second-factor?next=%2Fr%2Fv1.1.abc");
    let page = browser.get(&path).await;
    let (token, code) = (csrf(&page), world.code(&secret, 0));
    let fields = [("csrf", ""), ("method", "app"), ("code", code.as_str())];
    let refused = submit(&browser, "/login/second-factor", &fields).await;
    assert_eq!(refused.status, 403, "without its token");
    let fields = [
        ("csrf", token.as_str()),
        ("method", "app"),
        ("code", code.as_str()),
        ("next", "/r/v1.1.abc"),
    ];
    let done = submit(&browser, "/login/second-factor", &fields).await;
    assert_eq!(location(&done), "/r/v1.1.abc");
    assert_eq!(browser.cookie("__Host-ringfence-login"), None, "it is over");
    assert_eq!(
        location(&browser.get("/login").await),
        "/account",
        "who is logged in is"
    );
}

#[tokio::test]
async fn a_link_is_looked_at_by_anything_and_spent_by_nobody_but_its_person() {
    let world = World::new().await;
    let (_, token) = world.invite(ADA).await;
    let path = format!("/invitation/{token}");
    for _ in 0..3 {
        let page = world.browser().get(&path).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["referrer-policy"], "strict-origin");
        assert_eq!(page.headers["cache-control"], "no-store");
        let csp = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            csp.contains("frame-ancestors 'none'") && !csp.contains("unsafe"),
            "{csp}"
        );
    }
    let browser = world.browser();
    let weak = submit(&browser, &path, &[("name", "Ada"), ("password", "short")]).await;
    assert_eq!(weak.status, 400);
    assert!(
        weak.text.contains("at least 15 characters"),
        "{}",
        weak.text
    );
    assert!(
        !weak.text.contains("short\""),
        "what was given is not shown"
    );
    let done = submit(&browser, &path, &[("name", "Ada"), ("password", PASSWORD)]).await;
    assert_eq!(location(&done), "/account");
    assert_eq!(browser.get(&path).await.status, 410);
}

#[tokio::test]
async fn who_must_have_a_second_factor_is_led_to_it() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    world
        .security(json!({"two_factor": {"required": true}}))
        .await;
    let fields = [
        ("email", ADA),
        ("password", PASSWORD),
        ("next", "/r/v1.1.abc"),
    ];
    let done = submit(&ada, "/login", &fields).await;
    assert_eq!(location(&done), "/account", "before anything else");
    let page = ada.get("/account").await;
    assert!(
        page.text.contains("requires a second factor"),
        "{}",
        page.text
    );
    let token = csrf(&page);
    let fields = [("csrf", token.as_str()), ("phone", "+14155550198")];
    assert_eq!(
        location(&submit(&ada, "/account/sms", &fields).await),
        "/account"
    );
    let code = world.notice("sms_code").await["code"]
        .as_str()
        .unwrap()
        .to_owned();
    let fields = [("csrf", token.as_str()), ("code", code.as_str())];
    let codes = submit(&ada, "/account/sms/confirm", &fields).await;
    assert_eq!(codes.status, 200);
    let list = codes.text.split_once("class=\"codes\">").unwrap().1;
    let list = list.split_once("</ul>").unwrap().0;
    assert_eq!(list.matches("<li>").count(), 10);
    assert!(!codes.text.contains("requires a second factor"));
    assert!(
        !codes.text.contains("4155550198"),
        "the number is not shown"
    );
    // And when that was a while ago, it is asked again.
    world.pass(601);
    let page = ada.get("/account").await;
    assert!(page.text.contains("Confirm that it is you"));
    let remove = submit(&ada, "/account/sms/remove", &[("csrf", token.as_str())]).await;
    assert_eq!(remove.status, 403);
}

//! What is sent to whom, once, and what it looks like.

mod world;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::date};
use ringfence_domain::{
    access::Owner,
    notification::{Amount, BillingError, BillingNotice, DisabledBecause, Notice, Period, Secret},
    people::{Role, UserStatus},
    settings::EndpointKind,
};
use ringfence_ports::{
    Consumer as _, Query, Received, SendError, StoreError, Unit, contract::Fault,
};
use ringfence_test_support::Handling;
use world::{ACCOUNT, AGENCY, World};

fn billing(id: &str) -> BillingNotice {
    BillingNotice {
        id: id.to_owned(),
        subject: "Your invoice for January".to_owned(),
        amount: Some(Amount {
            value: "129.00".to_owned(),
            currency: "EUR".to_owned(),
        }),
        period: Some(Period {
            from: date(2026, 1, 1),
            to: date(2026, 1, 31),
        }),
        url: Some("https://billing.example.com/i/42?a=1&b=2".to_owned()),
    }
}

/// Show 6 of the recipients' rule: all opted out, all receive; one opted out, the others.
#[tokio::test]
async fn billing_notices_go_to_administrators_but_those_who_opted_out() {
    let world = World::new().await;
    world
        .person("account@example.com", ACCOUNT, Role::Administrator)
        .await;
    let one = world
        .person("one@example.com", AGENCY, Role::AgencyAdministrator)
        .await;
    let two = world
        .person("two@example.com", AGENCY, Role::AgencyAdministrator)
        .await;
    world
        .person("manager@example.com", ACCOUNT, Role::CallManager)
        .await;
    world
        .person("bills@example.com", ACCOUNT, Role::BillingManager)
        .await;
    world
        .person(
            "agency-bills@example.com",
            AGENCY,
            Role::AgencyBillingManager,
        )
        .await;

    let everybody = ["account@example.com", "one@example.com", "two@example.com"];
    assert_eq!(world.bill("1").await, everybody);
    world
        .change(&one, |user| user.notifications.billing = false)
        .await;
    assert_eq!(
        world.bill("2").await,
        ["account@example.com", "two@example.com"]
    );
    world
        .change(&two, |user| user.notifications.billing = false)
        .await;
    assert_eq!(world.bill("3").await, everybody);
    // Who cannot log in counts for nothing.
    world
        .change(&two, |user| user.notifications.billing = true)
        .await;
    world
        .change(&two, |user| user.status = UserStatus::Suspended)
        .await;
    assert_eq!(
        world.bill("4").await,
        ["account@example.com", "one@example.com"]
    );
}

#[tokio::test]
async fn a_billing_notice_is_taken_once() {
    let world = World::new().await;
    let account = world.account().await;
    let app = &world.test.app;
    let nobody = app.billing_notice(&account, billing("1")).await;
    assert!(matches!(nobody, Err(BillingError::Nobody)), "{nobody:?}");
    world
        .person("a@example.com", ACCOUNT, Role::Administrator)
        .await;
    let posts = (0..20).map(|_| app.billing_notice(&account, billing("1")));
    let answers = futures(posts).await;
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
    assert!(answers.iter().all(|answer| answer.recipients == 1));
    world.test.drain().await;
    assert_eq!(world.test.post.mails().len(), 1);
    // Later, too; and to no more than then.
    world
        .person("b@example.com", ACCOUNT, Role::Administrator)
        .await;
    world.test.drain().await;
    world.test.post.mails();
    world.test.clock.advance(Duration::from_hours(24 * 200));
    let again = app.billing_notice(&account, billing("1")).await.unwrap();
    assert!(again.repeated && again.recipients == 1);
    let other = BillingNotice {
        subject: "Another".to_owned(),
        ..billing("1")
    };
    let refused = app.billing_notice(&account, other).await;
    assert!(
        matches!(refused, Err(BillingError::OtherOfThisId)),
        "{refused:?}"
    );
    world.test.drain().await;
    assert_eq!(world.test.post.mails().len(), 0);
}

async fn futures<T, E: std::fmt::Debug>(
    all: impl Iterator<Item = impl Future<Output = Result<T, E>>>,
) -> Vec<T> {
    let mut answers = Vec::new();
    for answer in all {
        answers.push(answer.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_new_administrator_is_told_to_those_who_were_there() {
    let world = World::new().await;
    let first = world
        .person("first@example.com", AGENCY, Role::AgencyAdministrator)
        .await;
    world
        .person("manager@example.com", ACCOUNT, Role::CallManager)
        .await;
    world.test.drain().await;
    world.test.post.mails();
    let second = world
        .person("second@example.com", AGENCY, Role::AgencyAdministrator)
        .await;
    for user in [&first, &second] {
        let notice = Notice::NewAdministrator {
            owner: Owner::Agency(world.test.agency.clone()),
            user: user.clone(),
            at: world.now(),
        };
        world.send(notice).await;
    }
    let mails = world.test.post.mails();
    let mut told: Vec<_> = mails
        .iter()
        .map(|mail| (mail.to.as_str(), mail.text.contains("first@example.com)")))
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [("first@example.com", false), ("second@example.com", true)]
    );
    assert_eq!(mails[0].subject, "New administrator of Sample agency");
}

#[tokio::test]
async fn what_happens_to_an_account_goes_to_its_administrators_or_its_agencys() {
    let world = World::new().await;
    world
        .person("agency@example.com", AGENCY, Role::AgencyAdministrator)
        .await;
    world.test.drain().await;
    let notice = || Notice::EndpointDisabled {
        account: world.test.account.clone(),
        callback: EndpointKind::Cdr,
        because: DisabledBecause::Gone,
        at: world.now(),
    };
    world.send(notice()).await;
    assert_eq!(world.recipients(), ["agency@example.com"]);
    world
        .person("account@example.com", ACCOUNT, Role::Administrator)
        .await;
    world.send(notice()).await;
    assert_eq!(world.recipients(), ["account@example.com"]);
}

#[tokio::test]
async fn a_message_that_comes_twice_sends_once() {
    let world = World::new().await;
    let user = world
        .person("a@example.com", ACCOUNT, Role::Administrator)
        .await;
    let mut unit = world.test.app.notify(world.changed(&user)).await.unwrap();
    let copies: Vec<_> = std::iter::repeat_n(unit.sends[0].clone(), 9).collect();
    unit.sends.extend(copies);
    world.test.app.table.commit(unit.clone()).await.unwrap();
    world.test.drain().await;
    for _ in 0..3 {
        world.test.app.queue.send(unit.sends.clone()).await.unwrap();
        world.pass(Duration::from_mins(10)).await;
    }
    assert_eq!(world.recipients(), ["a@example.com"]);
}

#[tokio::test]
async fn whoever_dies_between_sending_and_marking_sends_the_same_again() {
    let world = World::new().await;
    let user = world
        .person("a@example.com", ACCOUNT, Role::Administrator)
        .await;
    world.test.post.then([Handling::TakeAndDie]);
    world.send(world.changed(&user)).await;
    let first = world.test.post.mails();
    assert_eq!(first.len(), 1);
    // While the claim holds, nobody takes over.
    world.pass(Duration::from_mins(1)).await;
    assert_eq!(world.test.post.mails().len(), 0);
    world.pass(Duration::from_mins(5)).await;
    let second = world.test.post.mails();
    assert_eq!(second.len(), 1, "it cannot be known that it was sent");
    assert_eq!(first[0].message_id(), second[0].message_id());
    world.pass(Duration::from_hours(30)).await;
    assert_eq!(world.test.post.mails().len(), 0);
}

/// Each call of the store fails once, or is done and its answer lost: one mail, whichever it is.
#[tokio::test]
async fn a_store_that_fails_at_any_moment_sends_once() {
    for lost in [false, true] {
        for skip in 0..8 {
            let world = World::new().await;
            let user = world
                .person("a@example.com", ACCOUNT, Role::Administrator)
                .await;
            let unit = world.test.app.notify(world.changed(&user)).await.unwrap();
            let body = unit.sends[0].body.clone();
            world
                .test
                .app
                .table
                .commit(Unit {
                    sends: Vec::new(),
                    ..unit
                })
                .await
                .unwrap();
            let error = StoreError::Unavailable("told to".to_owned());
            let fault = if lost {
                Fault::LoseAnswer(error)
            } else {
                Fault::Refuse(error)
            };
            let (table, consumer) = world.faulty();
            table.fail(skip, fault);
            for receives in 1..8 {
                let message = Received {
                    id: "1".to_owned(),
                    body: body.clone(),
                    group: String::new(),
                    receives,
                };
                if consumer.handle(vec![message]).await.is_empty() {
                    break;
                }
                world.test.clock.advance(Duration::from_mins(3));
            }
            assert_eq!(
                world.recipients(),
                ["a@example.com"],
                "skip {skip}, lost {lost}"
            );
        }
    }
}

#[tokio::test]
async fn what_cannot_be_sent_now_is_tried_for_days_and_then_listed() {
    let world = World::new().await;
    let user = world
        .person("canary@example.com", ACCOUNT, Role::Administrator)
        .await;
    let fail = || Handling::Fail(SendError::Later("the mail server answered 451".to_owned()));
    world.test.post.then(std::iter::repeat_with(fail).take(3));
    world.send(world.changed(&user)).await;
    for wait in [15, 80, 400] {
        assert_eq!(world.test.post.mails().len(), 0);
        world.pass(Duration::from_secs(wait)).await;
    }
    assert_eq!(
        world.recipients(),
        ["canary@example.com"],
        "the fourth time"
    );

    world.test.post.then(std::iter::repeat_with(fail).take(100));
    world.send(world.changed(&user)).await;
    for _ in 0..80 {
        world.pass(Duration::from_hours(1)).await;
    }
    let home = Owner::Agency(world.test.agency.clone());
    let (listed, _) = world
        .test
        .app
        .unsent_notices(&home, 10, None)
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
    let given_up = &listed[0];
    assert_eq!(given_up.kind, "password_changed");
    assert_eq!(given_up.user.as_deref(), Some(user.as_str()));
    assert_eq!(given_up.reason, "the mail server answered 451");
    assert_eq!(given_up.attempts, 10);
    let after = given_up.ended_at.duration_since(given_up.created_at);
    assert!(
        after > SignedDuration::from_hours(36) && after < SignedDuration::from_hours(73),
        "{after}"
    );
    assert!(!format!("{given_up:?}").contains("canary"));
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again() {
    let world = World::new().await;
    let user = world
        .person("a@example.com", ACCOUNT, Role::Administrator)
        .await;
    let no = SendError::Refused("the mail server answered 550".to_owned());
    world.test.post.then([Handling::Fail(no)]);
    world.send(world.changed(&user)).await;
    world.pass(Duration::from_hours(24)).await;
    assert_eq!(world.test.post.mails().len(), 0);
    let home = Owner::Agency(world.test.agency.clone());
    let (listed, _) = world
        .test
        .app
        .unsent_notices(&home, 10, None)
        .await
        .unwrap();
    assert_eq!((listed.len(), listed[0].attempts), (1, 1));
}

#[tokio::test]
async fn a_code_that_comes_too_late_is_not_sent() {
    let world = World::new().await;
    let user = world
        .person("a@example.com", ACCOUNT, Role::Administrator)
        .await;
    let code = || Notice::SmsCode {
        user: user.clone(),
        number: Secret::new("+14155550132"),
        code: Secret::new("402817"),
        expires_at: world.now() + SignedDuration::from_mins(10),
    };
    world.send(code()).await;
    let texts = world.test.post.texts();
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].to, "+14155550132");
    assert!(texts[0].text.starts_with("402817 is your Ringfence code."));
    let later = || Handling::Fail(SendError::Later("no connection".to_owned()));
    world.test.post.then(std::iter::repeat_with(later).take(4));
    world.send(code()).await;
    for _ in 0..40 {
        world.pass(Duration::from_mins(1)).await;
    }
    assert_eq!(world.test.post.texts().len(), 0);
}

/// What is secret stands in no row and no message in plain, and in none at all when it was sent.
#[tokio::test]
async fn secrets_are_sealed_until_they_are_sent_and_then_gone() {
    let world = World::new().await;
    let user = world
        .person("a@example.com", ACCOUNT, Role::Administrator)
        .await;
    let canary = "tokencanary0123456789";
    for notice in [
        Notice::PasswordReset {
            user: user.clone(),
            link: Secret::new(format!("/reset/{canary}")),
            expires_at: world.now() + SignedDuration::from_hours(1),
        },
        Notice::SmsCode {
            user: user.clone(),
            number: Secret::new("+14155550132"),
            code: Secret::new(canary.get(..8).unwrap()),
            expires_at: world.now() + SignedDuration::from_mins(10),
        },
    ] {
        let unit = world.test.app.notify(notice.clone()).await.unwrap();
        let shown = format!("{unit:?} {notice:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("4155550132"),
            "{shown}"
        );
        let id = unit.sends[0].body.split('"').nth(3).unwrap().to_owned();
        world.test.app.table.commit(unit).await.unwrap();
        world.test.drain().await;
        let rows = Query::partition(format!("ntc/{id}"));
        let rows = world.test.app.table.query(rows).await.unwrap().rows;
        assert_eq!(rows.len(), 1, "that it was sent is known");
        for erased in ["sealed", "\"notice\":", "canary"] {
            assert!(!rows[0].doc.contains(erased), "{}", rows[0].doc);
        }
    }
    let mails = world.test.post.mails();
    let link = format!("https://ringfence.example/reset/{canary}");
    assert!(mails[0].text.contains(&format!("\n{link}\n")));
    assert!(mails[0].html.contains(&format!("href=\"{link}\"")));
}

#[tokio::test]
async fn a_lost_message_is_sent_by_the_sweep() {
    let world = World::without_shared_commits().await;
    let user = world
        .person("a@example.com", ACCOUNT, Role::Administrator)
        .await;
    let mut unit = world.apart().notify(world.changed(&user)).await.unwrap();
    unit.sends.clear();
    world.apart().table.commit(unit).await.unwrap();
    world.test.drain().await;
    assert_eq!(world.test.post.mails().len(), 0);
    world.pass(Duration::from_mins(11)).await;
    assert_eq!(world.recipients(), ["a@example.com"]);
    world.pass(Duration::from_mins(30)).await;
    assert_eq!(world.recipients(), [""; 0]);
}

#[tokio::test]
async fn names_that_people_choose_are_text_and_nothing_else() {
    let world = World::new().await;
    let hostile = "Eve <script>alert(1)</script> \"'& {{ 7*7 }} \u{202e}gpj.exe www.evil.example";
    let user = world
        .person("eve@example.com", ACCOUNT, Role::Administrator)
        .await;
    world
        .change(&user, |user| user.name = hostile.to_owned())
        .await;
    let admin = world
        .person("b@example.com", ACCOUNT, Role::Administrator)
        .await;
    world.test.drain().await;
    world.test.post.mails();
    let account = world.account().await;
    world
        .rename(&account.id, "Acme\u{2028}Inc <b>x</b> https://evil.example")
        .await;
    for notice in [
        Notice::NewAdministrator {
            owner: Owner::Account(account.id.clone()),
            user: user.clone(),
            at: world.now(),
        },
        Notice::NewLogin {
            user: user.clone(),
            address: "2001:db8::1".parse().unwrap(),
            device: Some("Mozilla <img src=x onerror=alert(1)>\r\nBcc: v@example.com".to_owned()),
            at: world.now(),
        },
    ] {
        world.send(notice).await;
    }
    let mails = world.test.post.mails();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        for (what, text) in [
            ("html", &mail.html),
            ("text", &mail.text),
            ("subject", &mail.subject),
        ] {
            for bad in [
                "\u{202e}",
                "\r",
                "\u{2028}",
                "://evil.example",
                "www.evil.example",
                "Bcc: v@example.com\n",
            ] {
                assert!(!text.contains(bad), "{what} {bad:?}: {text}");
            }
        }
        for bad in ["<script", "<img", "<b>x", "onerror=alert(1)>"] {
            assert!(!mail.html.contains(bad), "{bad}: {}", mail.html);
        }
        assert!(!mail.subject.contains('\n'));
    }
    let to_admin = mails
        .iter()
        .find(|mail| mail.to == "b@example.com")
        .unwrap();
    assert!(
        to_admin.html.contains("Eve &#60;script&#62;"),
        "{}",
        to_admin.html
    );
    drop(admin);
}

/// Every kind of mail, as it is written: text and HTML. Looked at in Chromium, light and dark, at the
/// widths of a phone and a desktop (`RINGFENCE_LETTERS` names a folder to write them to).
#[tokio::test]
async fn mails_read_well() {
    let world = World::new().await;
    let user = world
        .person("ada@example.com", ACCOUNT, Role::Administrator)
        .await;
    world
        .change(&user, |user| {
            user.profile.time_zone = Some("Europe/Berlin".to_owned());
        })
        .await;
    let boss = world
        .person("boss@example.com", AGENCY, Role::AgencyAdministrator)
        .await;
    let invited = world.invited("new@example.com", Role::CallManager).await;
    world.test.drain().await;
    world.test.post.mails();
    let at: Timestamp = "2026-01-31T08:15:09Z".parse().unwrap();
    let address = Some("203.0.113.7".parse().unwrap());
    let account = world.test.account.clone();
    let all = [
        Notice::Invitation {
            user: invited,
            link: Secret::new("/invitation/usr_x.token"),
            expires_at: at + SignedDuration::from_hours(72),
        },
        Notice::PasswordReset {
            user: user.clone(),
            link: Secret::new("/reset/usr_x.token"),
            expires_at: at + SignedDuration::from_hours(1),
        },
        Notice::NewAdministrator {
            owner: Owner::Account(account.clone()),
            user: boss,
            at,
        },
        Notice::NewLogin {
            user: user.clone(),
            address: "203.0.113.7".parse().unwrap(),
            device: Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".to_owned()),
            at,
        },
        Notice::AccountLocked {
            user: user.clone(),
            address,
            until: at + SignedDuration::from_mins(15),
        },
        Notice::PasswordChanged {
            user: user.clone(),
            address,
            at,
        },
        Notice::TwoFactorChanged {
            user: user.clone(),
            what: "An authenticator app was set up.".to_owned(),
            address,
            at,
        },
        Notice::PinLocked {
            account: account.clone(),
            recording: "rec_019c1310e4007a70858c50c604032a8a".to_owned(),
            until: Some(at + SignedDuration::from_mins(15)),
            at,
        },
        Notice::EndpointDisabled {
            account: account.clone(),
            callback: EndpointKind::Cdr,
            because: DisabledBecause::Failing,
            at,
        },
    ];
    for notice in all {
        let kind = notice.kind();
        world.send(notice).await;
        let mail = world.test.post.mails().remove(0);
        world::keep(kind, &mail);
        insta::assert_snapshot!(
            format!("{kind}.txt"),
            format!("Subject: {}\n\n{}", mail.subject, mail.text)
        );
    }
    let account = world.account().await;
    world
        .test
        .app
        .billing_notice(&account, billing("1"))
        .await
        .unwrap();
    world.test.drain().await;
    let mails = world.test.post.mails();
    let mail = mails
        .iter()
        .find(|mail| mail.to == "ada@example.com")
        .unwrap();
    world::keep("billing", mail);
    insta::assert_snapshot!(
        "billing.txt",
        format!("Subject: {}\n\n{}", mail.subject, mail.text)
    );
    insta::assert_snapshot!("billing.html", mail.html);
}

use std::time::Duration;

use ringfence_domain::history::{Bad, Checkpoint, Entry, Fault, FileVerifier, PublicKey, Verified};

use super::*;

/// An account with 40 entries, some of people, and a checkpoint after 20.
async fn signed() -> TestApp {
    let app = app().await;
    for at in 2..=40 {
        if at % 5 == 0 {
            person(&app, &format!("usr_{at}"), "Ada").await;
        } else {
            change(&app, "settings/security", "key_1").await;
        }
        if at == 20 {
            app.app.checkpoint(&app.account).await.unwrap();
        }
        app.clock.advance(Duration::from_secs(1));
    }
    app
}

async fn verify(app: &TestApp) -> Value {
    let answer = app
        .request("POST", &path(app, "/verification"), json!({}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json
}

async fn first_bad(app: &TestApp) -> (u64, String) {
    let answer = verify(app).await;
    assert_eq!(answer["status"], "broken", "{answer}");
    let bad = &answer["first_bad"];
    (
        bad["seq"].as_u64().unwrap(),
        bad["fault"].as_str().unwrap().to_owned(),
    )
}

fn edited(doc: &str) -> String {
    doc.replacen("\"on\":true", "\"on\":\"maybe\"", 1)
}

/// The entry with a hash that fits what it now says.
fn rehashed(doc: &str) -> (String, String) {
    let mut entry: Entry = serde_json::from_str(doc).unwrap();
    entry.hash = entry.compute_hash().unwrap();
    (serde_json::to_string(&entry).unwrap(), entry.hash)
}

#[tokio::test]
async fn an_untouched_history_verifies_in_the_table_and_as_a_file() {
    let app = signed().await;
    let answer = verify(&app).await;
    assert_eq!(
        (
            &answer["status"],
            &answer["entries"],
            &answer["verified"],
            &answer["signed"]
        ),
        (&json!("verified"), &json!(40), &json!(40), &json!(20))
    );
    assert_eq!(answer["first_bad"], Value::Null);
    let file = file(&app, "").await;
    assert_eq!(file.lines().count(), 42);
    let found = check(&app, &file).await;
    assert_eq!((found.first, found.last, found.bad), (1, 40, None));
    assert_eq!(found.owner.as_deref(), Some(app.account.as_str()));
    // A checkpoint that is made now covers all.
    let answer = get(&app, &app.key, &path(&app, "/checkpoint")).await;
    assert_eq!(answer.json["seq"], 40);
    assert_eq!(verify(&app).await["signed"], 40);
}

#[tokio::test]
async fn the_table_tampered_with_names_the_first_bad_entry() {
    // Edited, with or without a hash that fits.
    let app = signed().await;
    tamper(&app, 33, Some(edited(&stored(&app, 33).await))).await;
    assert_eq!(first_bad(&app).await, (33, "edited".to_owned()));
    let app = signed().await;
    tamper(&app, 33, Some(rehashed(&edited(&stored(&app, 33).await)).0)).await;
    assert_eq!(first_bad(&app).await, (33, "edited".to_owned()));
    let app = signed().await;
    tamper(&app, 40, None).await;
    tamper(&app, 17, Some(rehashed(&edited(&stored(&app, 17).await)).0)).await;
    assert_eq!(first_bad(&app).await, (17, "edited".to_owned()));
    // The last one, and the one that a checkpoint ends with.
    for seq in [40, 19, 21] {
        let app = signed().await;
        let seq = if seq == 40 { 39 } else { seq };
        tamper(
            &app,
            seq,
            Some(rehashed(&edited(&stored(&app, seq).await)).0),
        )
        .await;
        assert_eq!(first_bad(&app).await, (seq, "edited".to_owned()));
    }
    // Dropped.
    let app = signed().await;
    tamper(&app, 7, None).await;
    assert_eq!(first_bad(&app).await, (7, "missing".to_owned()));
    let app = signed().await;
    tamper(&app, 1, None).await;
    assert_eq!(first_bad(&app).await, (1, "missing".to_owned()));
    // Reordered.
    let app = signed().await;
    let (nine, ten) = (stored(&app, 9).await, stored(&app, 10).await);
    tamper(&app, 9, Some(ten)).await;
    tamper(&app, 10, Some(nine)).await;
    assert_eq!(first_bad(&app).await, (9, "out_of_order".to_owned()));
    // Truncated.
    let app = signed().await;
    tamper(&app, 39, None).await;
    tamper(&app, 40, None).await;
    assert_eq!(first_bad(&app).await, (39, "truncated".to_owned()));
    // No longer JSON.
    let app = signed().await;
    tamper(&app, 12, Some("{}".to_owned())).await;
    assert_eq!(first_bad(&app).await, (12, "unreadable".to_owned()));
}

#[tokio::test]
async fn what_a_thorough_attacker_rewrites_a_checkpoint_gives_away() {
    // Cut off, with a head to match.
    let app = signed().await;
    for seq in 15..=40 {
        tamper(&app, seq, None).await;
    }
    let hash = rehashed(&stored(&app, 14).await).1;
    let head = json!({"seq": 14, "hash": hash}).to_string();
    let key = keyspace::history_head(&app.account);
    write(&app, Op::Put(Put::new(key, head, When::Always))).await;
    assert_eq!(first_bad(&app).await, (15, "truncated".to_owned()));

    // A head that was only set back.
    let app = signed().await;
    let hash = rehashed(&stored(&app, 30).await).1;
    let head = json!({"seq": 30, "hash": hash, "signed": 20}).to_string();
    let key = keyspace::history_head(&app.account);
    write(&app, Op::Put(Put::new(key, head, When::Always))).await;
    assert_eq!(first_bad(&app).await, (31, "stray".to_owned()));

    // All hashes from the edited one on computed anew, up to the head.
    let app = signed().await;
    let kept: Checkpoint = app.app.checkpoint(&app.account).await.unwrap().unwrap();
    let mut previous = None;
    for seq in 12..=40 {
        let doc = if seq == 12 {
            edited(&stored(&app, seq).await)
        } else {
            stored(&app, seq).await
        };
        let mut entry: Entry = serde_json::from_str(&doc).unwrap();
        entry.previous = previous.unwrap_or(entry.previous);
        let (doc, hash) = rehashed(&serde_json::to_string(&entry).unwrap());
        tamper(&app, seq, Some(doc)).await;
        previous = Some(hash);
    }
    let head = json!({"seq": 40, "hash": previous, "signed": 40}).to_string();
    let key = keyspace::history_head(&app.account);
    write(&app, Op::Put(Put::new(key, head.clone(), When::Always))).await;
    let answer = verify(&app).await;
    assert_eq!(
        answer["first_bad"],
        json!({"seq": 1, "until": 20, "fault": "rewritten",
            "detail": "entry 1, or one up to 20, was edited and all after it rewritten"})
    );
    // Nothing new is signed over it, and the file does not fit what was.
    let answer = get(&app, &app.key, &path(&app, "/checkpoint")).await;
    assert_eq!(answer.status, 409, "{}", answer.json);
    let text = file(&app, "").await;
    let rewritten = Bad {
        seq: 1,
        fault: Fault::Rewritten,
        until: Some(40),
    };
    assert_eq!(bad(&app, &text).await, rewritten);
    // Nor over what was added behind the last checkpoint.
    change(&app, "settings/security", "key_1").await;
    let text = file(&app, "").await;
    assert!(text.contains("\"fault\":") && !text.contains("\"checkpoint\":"));
    assert_eq!(bad(&app, &text).await.fault, Fault::Edited);
    tamper(&app, 41, None).await;
    let key = keyspace::history_head(&app.account);
    write(&app, Op::Put(Put::new(key, head.clone(), When::Always))).await;

    // The checkpoints taken away: the head knows of them, and a kept one tells more.
    for seq in [20, 40] {
        let key = keyspace::history_checkpoint(&app.account, seq);
        write(&app, Op::Delete(key, When::Present)).await;
    }
    assert_eq!(first_bad(&app).await, (40, "checkpoint".to_owned()));
    let head = head.replace("\"signed\":40", "\"signed\":0");
    let key = keyspace::history_head(&app.account);
    write(&app, Op::Put(Put::new(key, head, When::Always))).await;
    assert_eq!(verify(&app).await["status"], "verified");
    let answer = app
        .request(
            "POST",
            &path(&app, "/verification"),
            json!({"checkpoint": kept}),
        )
        .await;
    assert_eq!(answer.json["first_bad"]["fault"], "rewritten");
    // As a file that was made of it: signed all the same, but not what was kept.
    let text = file(&app, "").await;
    assert_eq!(check(&app, &text).await.bad, None);
    let found = check_with(&app, &text, Some(kept)).await;
    assert_eq!(found.bad.unwrap().0.fault, Fault::Rewritten);
}

#[tokio::test]
async fn a_personal_value_that_was_swapped_is_noticed() {
    let app = signed().await;
    let key = keyspace::history_personal(&app.account, 10);
    let row = app.app.table.get(&key).await.unwrap().unwrap();
    let doc = row.doc.replace("Ada", "Eve");
    write(&app, Op::Put(Put::new(key, doc, When::Always))).await;
    assert_eq!(first_bad(&app).await, (10, "revealed".to_owned()));
    let text = file(&app, "").await;
    assert_eq!(
        bad(&app, &text).await,
        Bad {
            seq: 10,
            fault: Fault::Revealed,
            until: None
        }
    );
    // Without personal values the file verifies: the chain is whole.
    assert_eq!(
        check(&app, &file(&app, "?personal=false").await).await.bad,
        None
    );
}

#[tokio::test]
async fn a_long_history_is_verified_in_steps_that_go_on_where_the_last_ended() {
    let app = app().await;
    for _ in 0..2_100 {
        change(&app, "settings/security", "key_1").await;
    }
    tamper(
        &app,
        2_050,
        Some(rehashed(&edited(&stored(&app, 2_050).await)).0),
    )
    .await;
    let mut cursor = Value::Null;
    let mut steps = 0;
    loop {
        let body = if cursor.is_null() {
            json!({})
        } else {
            json!({"cursor": cursor})
        };
        app.counting.take();
        let answer = app
            .request("POST", &path(&app, "/verification"), body)
            .await;
        assert!(app.counting.take().rows <= 1_010);
        steps += 1;
        if answer.json["status"] == "broken" {
            assert_eq!(answer.json["first_bad"]["seq"], 2_050);
            break;
        }
        assert_eq!(answer.json["status"], "incomplete", "{}", answer.json);
        cursor = answer.json["next_cursor"].clone();
    }
    assert_eq!(steps, 3);
}

#[tokio::test]
async fn the_sweep_signs_what_is_a_day_old_or_many_entries_long() {
    let app = app().await;
    let is_signed = async |seq| {
        let key = keyspace::history_checkpoint(&app.account, seq);
        app.app.table.get(&key).await.unwrap().is_some()
    };
    assert_eq!(app.app.sweep_checkpoints().await.unwrap(), 0);
    app.clock.advance(Duration::from_secs(24 * 3600 - 1));
    change(&app, "settings/security", "key_1").await;
    assert_eq!(app.app.sweep_checkpoints().await.unwrap(), 0);
    app.clock.advance(Duration::from_secs(1));
    // The platform's, the agency's, the account's.
    assert_eq!(app.app.sweep_checkpoints().await.unwrap(), 3);
    assert!(is_signed(2).await);
    // Nothing new: nothing to sign, however long.
    app.clock.advance(Duration::from_hours(72));
    assert_eq!(app.app.sweep_checkpoints().await.unwrap(), 0);
    for _ in 0..999 {
        change(&app, "settings/security", "key_1").await;
    }
    assert_eq!(app.app.sweep_checkpoints().await.unwrap(), 0);
    change(&app, "settings/security", "key_1").await;
    assert_eq!(app.app.sweep_checkpoints().await.unwrap(), 1);
    assert!(is_signed(1002).await);
}

#[tokio::test]
async fn the_sweep_signs_no_chain_that_was_tampered_with() {
    let app = signed().await;
    tamper(&app, 26, Some(edited(&stored(&app, 26).await))).await;
    app.clock.advance(Duration::from_hours(24));
    app.app.sweep_checkpoints().await.unwrap();
    assert_eq!(first_bad(&app).await, (26, "edited".to_owned()));
    // It is looked at again a day later, not with every sweep.
    app.counting.take();
    assert_eq!(app.app.sweep_checkpoints().await.unwrap(), 0);
    assert_eq!(app.counting.take().rows, 0);
}

async fn file(app: &TestApp, query: &str) -> String {
    let answer = get(app, &app.key, &path(app, &format!("/export{query}"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    String::from_utf8(answer.bytes).unwrap()
}

async fn public_key(app: &TestApp) -> PublicKey {
    let answer = app
        .request_as(None, "GET", "/v1/history/keys", &[], Value::Null)
        .await;
    let key: PublicKey = serde_json::from_value(answer.json["keys"][0].clone()).unwrap();
    assert_eq!(PublicKey::parse(&key.x).unwrap(), key);
    key
}

async fn check(app: &TestApp, text: &str) -> Verified {
    check_with(app, text, None).await
}

async fn check_with(app: &TestApp, text: &str, kept: Option<Checkpoint>) -> Verified {
    let mut verifier = FileVerifier::new(Some(public_key(app).await), kept);
    text.lines().for_each(|line| verifier.line(line));
    verifier.finish()
}

async fn bad(app: &TestApp, text: &str) -> Bad {
    check(app, text).await.bad.expect("a bad entry").0
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_file_tampered_with_names_the_first_bad_entry() {
    let app = signed().await;
    let text = file(&app, "").await;
    let of = |seq, fault| Bad {
        seq,
        fault,
        until: None,
    };
    // Line 0 is about the file, line n is entry n.
    let mut edit = lines(&text);
    edit[33] = edited(&edit[33]);
    assert_eq!(bad(&app, &edit.join("\n")).await, of(33, Fault::Edited));
    // With a hash that fits: the next one knows better. The last one: the checkpoint does.
    for seq in [33_usize, 39, 36] {
        let mut edit = lines(&text);
        let doc = edited(&stored(&app, seq as u64).await);
        edit[seq] = format!("{{\"entry\":{}}}", rehashed(&doc).0);
        assert_eq!(
            bad(&app, &edit.join("\n")).await,
            of(seq as u64, Fault::Edited)
        );
    }
    // A key twice, which readers may take either way; spaces.
    let mut edit = lines(&text);
    edit[8] = edit[8].replace("\"on\":true", "\"on\":false,\"on\":true");
    assert_eq!(bad(&app, &edit.join("\n")).await, of(8, Fault::Edited));
    let mut edit = lines(&text);
    edit[8] = edit[8].replace("\"item\":", "\"note\":1,\"item\":");
    assert_eq!(bad(&app, &edit.join("\n")).await, of(8, Fault::Edited));
    // Dropped: in the middle, at the start.
    for seq in [7_usize, 1] {
        let mut edit = lines(&text);
        edit.remove(seq);
        assert_eq!(
            bad(&app, &edit.join("\n")).await,
            of(seq as u64, Fault::Missing)
        );
    }
    let without_first: Vec<String> = lines(&text).split_off(2);
    assert_eq!(
        bad(&app, &without_first.join("\n")).await,
        of(1, Fault::Missing)
    );
    // Reordered, and one twice.
    let mut edit = lines(&text);
    edit.swap(9, 11);
    assert_eq!(bad(&app, &edit.join("\n")).await, of(9, Fault::OutOfOrder));
    let mut edit = lines(&text);
    edit.insert(9, edit[4].clone());
    assert_eq!(bad(&app, &edit.join("\n")).await, of(9, Fault::OutOfOrder));
    // Truncated, with and without the checkpoint's line.
    let mut edit = lines(&text);
    edit.truncate(31);
    assert_eq!(bad(&app, &edit.join("\n")).await, of(31, Fault::Truncated));
    edit.push(lines(&text).pop().unwrap());
    assert_eq!(bad(&app, &edit.join("\n")).await, of(31, Fault::Truncated));
    assert_eq!(bad(&app, "").await, of(1, Fault::Truncated));
    // Half a line.
    let mut edit = lines(&text);
    edit[20].truncate(60);
    assert_eq!(bad(&app, &edit.join("\n")).await, of(20, Fault::Unreadable));
}

#[tokio::test]
async fn a_checkpoint_counts_only_with_the_right_key_and_for_its_own_chain() {
    let app = signed().await;
    let text = file(&app, "").await;
    let other = PublicKey::parse("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let mut verifier = FileVerifier::new(Some(other), None);
    text.lines().for_each(|line| verifier.line(line));
    assert_eq!(verifier.finish().bad.unwrap().0.fault, Fault::Checkpoint);
    // Every field of it is signed.
    for (from, to) in [
        ("\"first\":1", "\"first\":2"),
        ("\"at\":\"2026", "\"at\":\"2027"),
    ] {
        let mut edit = lines(&text);
        let last = edit.pop().unwrap();
        assert!(last.contains(from), "{last}");
        edit.push(last.replace(from, to));
        assert_eq!(bad(&app, &edit.join("\n")).await.fault, Fault::Checkpoint);
    }
    // Trusting nothing verifies nothing.
    let mut verifier = FileVerifier::new(None, None);
    text.lines().for_each(|line| verifier.line(line));
    assert_eq!(verifier.finish().bad.unwrap().0.fault, Fault::Unsigned);
    // One that was kept will do without a key, as far as it goes.
    let kept = app.app.checkpoint(&app.account).await.unwrap().unwrap();
    let mut verifier = FileVerifier::new(None, Some(kept.clone()));
    text.lines().for_each(|line| verifier.line(line));
    assert_eq!(verifier.finish().bad, None);
    change(&app, "settings/security", "key_1").await;
    let longer = file(&app, "").await;
    let mut verifier = FileVerifier::new(None, Some(kept.clone()));
    longer.lines().for_each(|line| verifier.line(line));
    assert_eq!(
        verifier.finish().bad.unwrap().0,
        Bad {
            seq: 41,
            fault: Fault::Unsigned,
            until: None
        }
    );
    assert_eq!(check_with(&app, &longer, Some(kept)).await.bad, None);
    // A foreign one is refused by the API.
    let foreign = app.app.checkpoint(&app.agency).await.unwrap().unwrap();
    let answer = app
        .request(
            "POST",
            &path(&app, "/verification"),
            json!({"checkpoint": foreign}),
        )
        .await;
    assert_eq!(answer.status, 400, "{}", answer.json);
}

#[tokio::test]
async fn a_newer_checkpoint_shows_that_an_older_file_is_cut() {
    let app = signed().await;
    let text = file(&app, "").await;
    for _ in 0..3 {
        change(&app, "settings/security", "key_1").await;
    }
    let kept = app.app.checkpoint(&app.account).await.unwrap().unwrap();
    let found = check_with(&app, &text, Some(kept)).await;
    assert_eq!(
        found.bad.unwrap().0,
        Bad {
            seq: 41,
            fault: Fault::Truncated,
            until: None
        }
    );
}

#[tokio::test]
async fn a_range_of_time_verifies_by_itself() {
    let app = signed().await;
    let at = |seconds: i64| {
        let start: jiff::Timestamp = ringfence_test_support::START.parse().unwrap();
        start + jiff::SignedDuration::from_secs(seconds)
    };
    // Entry n was made n - 2 seconds after the start.
    let text = file(&app, &format!("?since={}&until={}", at(10), at(20))).await;
    let found = check(&app, &text).await;
    assert_eq!((found.first, found.last, found.bad), (12, 21, None));
    let mut edit = lines(&text);
    edit.remove(1);
    assert_eq!(bad(&app, &edit.join("\n")).await.seq, 12);
    let nothing = file(&app, &format!("?since={}", at(1000))).await;
    assert_eq!(nothing.lines().count(), 1);
}

#[tokio::test]
async fn a_long_export_comes_in_parts_that_are_one_file() {
    let app = app().await;
    for _ in 0..90 {
        let change = Change {
            item: "settings/callbacks".to_owned(),
            action: Action::Update,
            before: Value::Null,
            after: json!({"text": "x".repeat(50_000)}),
        };
        app.app
            .commit_change(&app.account, &Actor::system(), change, no_rows())
            .await
            .unwrap();
    }
    let mut text = String::new();
    let mut next = path(&app, "/export?personal=false");
    let mut parts = 0;
    loop {
        let answer = get(&app, &app.key, &next).await;
        assert!(answer.bytes.len() < 2_500_000);
        parts += 1;
        text.push_str(std::str::from_utf8(&answer.bytes).unwrap());
        let Some(link) = answer.headers.get("link") else {
            break;
        };
        let link = link.to_str().unwrap();
        next = link[1..link.find('>').unwrap()].to_owned();
    }
    assert_eq!(parts, 3);
    let found = check(&app, &text).await;
    assert_eq!((found.first, found.last, found.bad), (1, 91, None));
    // A part by itself is a file that was cut.
    let first: Vec<&str> = text.lines().take(30).collect();
    assert_eq!(bad(&app, &first.join("\n")).await.fault, Fault::Truncated);
}

#[tokio::test]
async fn a_redacted_history_still_verifies_as_a_file() {
    let app = signed().await;
    app.app
        .redact_person(&app.account, "usr_10", &Actor::system())
        .await
        .unwrap();
    let text = file(&app, "").await;
    let found = check(&app, &text).await;
    assert_eq!((found.last, found.bad), (41, None));
}

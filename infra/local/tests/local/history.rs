//! `ringfence history verify`, on files that a server gave.

use crate::process::{Folder, Server, complaint, run};

/// Answers of a server, as files.
struct Kept {
    folder: Folder,
    history: String,
}

impl Kept {
    fn new() -> Self {
        let folder = Folder::new("history");
        let server = Server::start(&folder, &[]);
        let (key, account) = (server.told("API key"), server.told("Account"));
        let get = |path: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {key}");
            let answer = server.request(&head, "");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            answer.split_once("\r\n\r\n").unwrap().1.to_owned()
        };
        for at in 0..8 {
            let path = format!("/v1/accounts/{account}/api-keys");
            let head = format!(
                "POST {path} HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json"
            );
            let body = format!("{{\"name\":\"key {at}\",\"scopes\":[\"calls:read\"]}}");
            assert!(server.request(&head, &body).starts_with("HTTP/1.1 201"));
        }
        let history = get(&format!("/v1/accounts/{account}/history/export"));
        let checkpoint = get(&format!("/v1/accounts/{account}/history/checkpoint"));
        let keys = get("/v1/history/keys");
        drop(server);
        let kept = Self { folder, history };
        kept.write("keys.json", &keys);
        kept.write("checkpoint.json", &checkpoint);
        kept
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// What is said of a file that was tampered with.
    fn complaint(&self, lines: &[&str], trusted: &str) -> String {
        let file = self.write("tampered.ndjson", &lines.join("\n"));
        let (option, name) = match trusted {
            "key" => ("--key", "keys.json"),
            _ => ("--checkpoint", "checkpoint.json"),
        };
        complaint(&run(&[
            "history",
            "verify",
            &file,
            option,
            &self.path(name),
        ]))
    }
}

#[test]
fn a_history_is_verified_offline_and_the_first_bad_entry_is_named() {
    let kept = Kept::new();
    let file = kept.write("history.ndjson", &kept.history);
    let (keys, checkpoint) = (kept.path("keys.json"), kept.path("checkpoint.json"));
    for trusted in [
        &["--key", &keys][..],
        &["--checkpoint", &checkpoint],
        &["--key", &keys, "--checkpoint", &checkpoint],
    ] {
        let output = run(&[&["history", "verify", file.as_str()], trusted].concat());
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.starts_with("Verified: entries 1 to 9 of acc_"),
            "{said}"
        );
    }

    let lines: Vec<&str> = kept.history.lines().collect();
    assert_eq!(
        lines.len(),
        11,
        "about the file, nine entries, a checkpoint"
    );
    for trusted in ["key", "checkpoint"] {
        let edited = lines[4].replace("key 2", "key 7");
        let mut edit = lines.clone();
        edit[4] = &edited;
        let said = kept.complaint(&edit, trusted);
        assert!(said.contains("entry 4 was edited (line 5)"), "{said}");
        let mut edit = lines.clone();
        edit.remove(6);
        let said = kept.complaint(&edit, trusted);
        assert!(said.contains("entry 6 is missing (line 7)"), "{said}");
        let mut edit = lines.clone();
        edit.swap(2, 3);
        let said = kept.complaint(&edit, trusted);
        assert!(said.contains("entry 2 is out of order (line 3)"), "{said}");
        let said = kept.complaint(&lines[..8], trusted);
        assert!(
            said.contains("entry 8 and all after it are missing"),
            "{said}"
        );
    }
}

#[test]
fn a_history_verifies_before_and_after_somebody_was_erased_from_it() {
    let folder = Folder::new("history-erased");
    let server = Server::start(&folder, &[]);
    let key = server.told("API key").to_owned();
    let call = |method: &str, path: &str, body: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json"
        );
        let answer = server.request(&head, body);
        let status = answer.split(' ').nth(1).unwrap();
        assert!(status.starts_with('2'), "{method} {path} {answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let id = |answer: &str, kind: &str| {
        let at = answer.find(kind).unwrap();
        answer[at..at + kind.len() + 32].to_owned()
    };
    let agency = id(&call("GET", "/v1/agencies", ""), "agy_");
    let users = format!("/v1/agencies/{agency}/users");
    let body = format!(
        r#"{{"email":"zelda@example.com","name":"Zelda","grants":[{{"on":"{agency}","role":"agency_billing_manager"}}]}}"#
    );
    let user = format!("{users}/{}", id(&call("POST", &users, &body), "usr_"));
    call("DELETE", &user, "");
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, call("GET", "/v1/history/keys", "")).unwrap();
    let keys = keys.to_str().unwrap();
    let export = format!("/v1/agencies/{agency}/history/export");
    for is_erased in [false, true] {
        if is_erased {
            call("POST", &format!("{user}/erasure"), "");
        }
        let text = call("GET", &export, "");
        assert_ne!(text.contains("zelda@example.com"), is_erased);
        let file = folder.path().join("history.ndjson");
        std::fs::write(&file, text).unwrap();
        let output = run(&["history", "verify", file.to_str().unwrap(), "--key", keys]);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_it_needs_is_said_in_one_line() {
    let folder = Folder::new("history-none");
    std::fs::create_dir_all(folder.path()).unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "{}").unwrap();
    let empty = empty.to_str().unwrap();
    let line = complaint(&run(&["history", "verify", empty]));
    assert!(
        line.contains("--key") && line.contains("--checkpoint"),
        "{line}"
    );
    let line = complaint(&run(&["history", "verify", empty, "--key", empty]));
    assert!(line.contains("holds no key"), "{line}");
    let line = complaint(&run(&["history", "verify", empty, "--checkpoint", empty]));
    assert!(line.contains("holds no checkpoint"), "{line}");
    let key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let line = complaint(&run(&["history", "verify", "/no/such/file", "--key", key]));
    assert!(line.contains("cannot read /no/such/file"), "{line}");
    let line = complaint(&run(&["history", "verify", empty, "--key", key]));
    assert!(line.contains("entry 1 cannot be read"), "{line}");
}

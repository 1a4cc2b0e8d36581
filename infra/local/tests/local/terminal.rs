//! The binary as somebody at a terminal, or a service manager, meets it.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use crate::process::{self, Folder, Server, complaint, run};

#[test]
fn help_names_every_command_and_option() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "serve",
        "key",
        "rotate-key",
        "history",
        "listen",
        "demo",
        "--data",
        "--listen",
        "--allow-subnet",
        "--public-url",
        "--log",
        "--log-level",
        "RINGFENCE_DATA",
        "RINGFENCE_ALLOW_SUBNET",
        "127.0.0.1:8080",
    ] {
        assert!(text.contains(word), "{word} in:\n{text}");
    }
    for command in [
        &["listen", "--help"][..],
        &["demo", "--help"],
        &["key", "new", "--help"],
        &["history", "verify", "--help"],
        &["serve", "--help"],
    ] {
        assert!(run(command).status.success(), "{command:?}");
    }
}

#[test]
fn the_first_start_shows_the_key_and_later_ones_say_how_to_get_another() {
    let folder = Folder::new("first");
    let first = Server::start(&folder, &[]);
    let key = first.told("API key").to_owned();
    assert!(key.starts_with("rfk_"), "{key}");
    let account = first.told("Account").to_owned();
    assert!(account.starts_with("acc_"), "{account}");
    assert!(first.greeting.contains("/docs") && first.greeting.contains("curl http://"));
    assert!(
        !first.greeting.contains("--allow-subnet"),
        "off unless given"
    );
    let authorized = |server: &Server, key: &str| {
        let head = format!("GET /v1/accounts/{account} HTTP/1.1\r\nauthorization: Bearer {key}");
        server.request(&head, "")
    };
    assert!(authorized(&first, &key).starts_with("HTTP/1.1 200"));
    first.signal("TERM");
    let (status, said, logged) = first.ended();
    assert!(status.success());
    assert!(said.contains("Stopped."), "{said}");
    assert!(!logged.contains("rfk_"), "no key in a log: {logged}");

    let second = Server::start(&folder, &[]);
    assert!(!second.greeting.contains("rfk_"), "{}", second.greeting);
    assert!(
        second
            .greeting
            .contains(&format!("ringfence key new --data {}", folder.text()))
    );
    assert_eq!(second.told("Account"), account);
    assert!(
        authorized(&second, &key).starts_with("HTTP/1.1 200"),
        "the key is still good"
    );
    second.signal("INT");
    assert!(second.ended().0.success(), "Ctrl-C is no error");

    let output = run(&["key", "new", "--data", folder.text()]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let another = text.split_whitespace().next().unwrap().to_owned();
    let third = Server::start(&folder, &[]);
    assert!(authorized(&third, &another).starts_with("HTTP/1.1 200"));
    drop(third);

    let listed = String::from_utf8(run(&["key", "list", "--data", folder.text()]).stdout).unwrap();
    assert!(listed.contains("First key") && !listed.contains(&another) && !listed.contains(&key));
    let id = listed.split_whitespace().next().unwrap();
    assert!(
        run(&["key", "revoke", id, "--data", folder.text()])
            .status
            .success()
    );
    let fourth = Server::start(&folder, &[]);
    assert!(
        authorized(&fourth, &key).starts_with("HTTP/1.1 401"),
        "it was revoked"
    );
    assert!(
        !fourth.greeting.contains("rfk_"),
        "revoking makes no new key"
    );
}

#[test]
fn what_stands_in_the_way_is_said_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new("ways");
    let line = complaint(&run(&["--data", folder.text(), "--listen", &address]));
    assert!(
        line.contains("in use") && line.contains("--listen"),
        "{line}"
    );
    assert!(!folder.path().exists(), "nothing was begun");
    let line = complaint(&run(&["listen", "--listen", &address]));
    assert!(line.contains("in use"), "{line}");

    std::fs::write(folder.path(), "a file").unwrap();
    let line = complaint(&run(&["--data", folder.text(), "--listen", "127.0.0.1:0"]));
    assert!(line.contains("not a folder"), "{line}");
    std::fs::remove_file(folder.path()).unwrap();

    let line = complaint(&run(&[
        "--listen",
        "192.0.2.1:8080",
        "--data",
        folder.text(),
    ]));
    assert!(line.contains("cannot listen on 192.0.2.1:8080"), "{line}");
    let line = complaint(&run(&["key", "new", "--data", folder.text()]));
    assert!(line.contains("no data folder"), "{line}");
}

#[test]
fn a_held_folder_is_left_alone() {
    let folder = Folder::new("held");
    let holder = Server::start(&folder, &[]);
    for args in [
        &["--data", folder.text(), "--listen", "127.0.0.1:0"][..],
        &["key", "new", "--data", folder.text()],
        &["demo", "--data", folder.text()],
    ] {
        let line = complaint(&run(args));
        assert!(
            line.contains("in use by another") || line.contains("not empty"),
            "{line}"
        );
    }
    assert!(
        holder
            .request("GET /healthz HTTP/1.1", "")
            .starts_with("HTTP/1.1 200")
    );
}

#[test]
fn bad_options_are_said_in_one_line_without_their_value() {
    for (args, word) in [
        (&["--lisen", "x"][..], "--listen"),
        (&["--listen", "8080"], "127.0.0.1:8080"),
        (&["--allow-subnet", "10.0.0.1/8"], "--allow-subnet"),
        (&["--public-url", "calls.example.com"], "https://"),
        (&["--log", "xml"], "json"),
        (&["key", "new", "--scope", "everything"], "events:write"),
    ] {
        let line = complaint(&run(args));
        assert!(line.contains(word), "{line}");
    }
    let line = complaint(&run(&["listen", "--secret", "whsec_canary"]));
    assert!(
        line.contains("--secret") && !line.contains("canary"),
        "{line}"
    );
}

#[test]
fn an_open_subnet_is_told_at_the_start() {
    let folder = Folder::new("subnet");
    let server = Server::start(
        &folder,
        &[
            "--allow-subnet",
            "127.0.0.0/8",
            "--allow-subnet",
            "fd00::/8",
        ],
    );
    let line = server
        .greeting
        .lines()
        .find(|line| line.contains("Warning"))
        .expect("a warning");
    assert!(line.contains("127.0.0.0/8, fd00::/8"), "{line}");
}

#[test]
fn a_stop_answers_what_is_in_flight_and_waits_for_nobody_idle() {
    let folder = Folder::new("drain");
    let server = Server::start(&folder, &[]);
    let head = format!(
        "POST /v1/accounts/{}/events HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nexpect: 100-continue\r\n",
        server.told("Account"),
        server.told("API key"),
    );
    let body = r#"{"type":"recording.available","id":"e1","data":{"call_id":"c1","recording":{"id":"r1"}}}"#;
    let idle = TcpStream::connect(server.address).unwrap();
    let mut busy = TcpStream::connect(server.address).unwrap();
    write!(busy, "{head}content-length: {}\r\n\r\n", body.len()).unwrap();
    // The handler is at work when it asks for the body.
    let mut buffer = [0; 25];
    std::io::Read::read_exact(&mut busy, &mut buffer).unwrap();
    assert!(buffer.starts_with(b"HTTP/1.1 100"));

    let begun = Instant::now();
    server.signal("TERM");
    let address = server.address;
    while TcpStream::connect(address).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still accepts");
        std::thread::sleep(Duration::from_millis(5));
    }
    busy.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut busy, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let (status, said, _) = server.ended();
    assert!(status.success());
    assert!(
        said.contains("Stopped. Everything accepted is on disk."),
        "{said}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "an idle connection held it up"
    );
    drop(idle);
}

#[test]
fn the_demo_delivers_everything_and_leaves_nothing() {
    let folder = Folder::new("demo");
    std::fs::create_dir_all(folder.path()).unwrap();
    let output = process::ringfence(&["demo", "--fast"])
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("Posted 37, delivered and verified 37, retried 1."),
        "{text}"
    );
    assert!(
        text.contains("attempt 2")
            && text.contains("+141****0132")
            && !text.contains("+14155550132")
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "its folder is gone"
    );
}

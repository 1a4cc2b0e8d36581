//! The binary under test, and a folder of a test's own.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A run of the binary, cut loose from this process's environment.
pub fn ringfence(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    ringfence(args).output().expect("the binary starts")
}

/// The one line that a failed run says.
pub fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "it should have failed");
    let text = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "one line: {text}");
    text
}

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    /// A path that nothing is at yet.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "ringfence-test-{}-{name}-{count}",
            std::process::id()
        ));
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn text(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that runs, and what it said at its start.
pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Everything up to `Ctrl-C stops it.`
    pub greeting: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts one on a free port.
    pub fn start(folder: &Folder, more: &[&str]) -> Self {
        let mut args = vec!["--data", folder.text(), "--listen", "127.0.0.1:0"];
        args.extend(more);
        let mut child = ringfence(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C stops it.") {
            if stdout.read_line(&mut greeting).expect("UTF-8") == 0 {
                let mut errors = String::new();
                let _ = child
                    .stderr
                    .take()
                    .expect("piped")
                    .read_to_string(&mut errors);
                panic!("it stopped at its start: {greeting}{errors}");
            }
        }
        let address = greeting
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|address| address.parse().ok())
            .expect("an address");
        Self {
            child,
            stdout,
            greeting,
            address,
        }
    }

    /// What stands in the greeting behind `label`.
    pub fn told(&self, label: &str) -> &str {
        let line = self
            .greeting
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        line.and_then(|rest| rest.split_whitespace().next())
            .expect("the greeting says it")
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .expect("kill")
                .success()
        );
    }

    /// Waits for its end: how it ended, what it said last, what it logged.
    pub fn ended(mut self) -> (ExitStatus, String, String) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(5));
        };
        let (mut said, mut logged) = (String::new(), String::new());
        self.stdout.read_to_string(&mut said).expect("UTF-8");
        self.child
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut logged)
            .expect("UTF-8");
        (status, said, logged)
    }

    /// One request on a connection of its own; the whole response.
    pub fn request(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let length = body.len();
        write!(
            stream,
            "{head}\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("it answers");
        response
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A function's process and the Runtime API it talks to.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use crate::{Aws, http};

/// How long a function may take for anything, before a test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(40);

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The function's answer.
    Answer(Value),
    /// The function says that it failed: its error's type.
    Error(String),
}

/// A running function.
pub struct Function {
    child: Child,
    started: Instant,
    events: Sender<(String, u64)>,
    outcomes: Receiver<Outcome>,
    /// When the function first asked for an event, and that it did.
    asked: Receiver<Instant>,
    output: Vec<JoinHandle<()>>,
    log: Arc<Mutex<String>>,
}

impl Function {
    /// Starts a binary, before this stand-in for AWS.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub fn start(binary: &str, aws: Aws) -> Self {
        let (events, waiting) = mpsc::channel::<(String, u64)>();
        let (done, outcomes) = mpsc::channel();
        let (asks, asked) = mpsc::channel();
        let waiting = Mutex::new(waiting);
        let api = http::serve(move |request| {
            let accepted = Some((202, Vec::new(), Vec::new()));
            let path = request.path.strip_prefix("/2018-06-01/runtime/")?;
            match (request.method.as_str(), path) {
                ("GET", "invocation/next") => {
                    let _ = asks.send(Instant::now());
                    // The test is over when nobody sends events any more.
                    let (event, deadline_ms) = waiting.lock().ok()?.recv().ok()?;
                    let headers = vec![
                        (
                            "lambda-runtime-aws-request-id",
                            "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
                        ),
                        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
                        (
                            "lambda-runtime-invoked-function-arn",
                            "arn:aws:lambda:eu-west-1:123456789012:function:tested".to_owned(),
                        ),
                        (
                            "lambda-runtime-trace-id",
                            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned(),
                        ),
                        ("content-type", "application/json".to_owned()),
                    ];
                    Some((200, headers, event.into_bytes()))
                }
                ("POST", path) if path.ends_with("/response") => {
                    let answer = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
                    done.send(Outcome::Answer(answer)).ok()?;
                    accepted
                }
                ("POST", path) if path.ends_with("/error") => {
                    let error: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
                    let kind = error["errorType"].as_str().unwrap_or_default().to_owned();
                    done.send(Outcome::Error(kind)).ok()?;
                    accepted
                }
                _ => Some((404, Vec::new(), Vec::new())),
            }
        });
        let environment = environment(&api.to_string(), &aws.start());
        let started = Instant::now();
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let output = vec![
            collect(child.stdout.take().expect("piped"), &log),
            collect(child.stderr.take().expect("piped"), &log),
        ];
        Self {
            child,
            started,
            events,
            outcomes,
            asked,
            output,
            log,
        }
    }

    /// Waits until the function asks for an event; answers when it did.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub fn ready(&self) -> Instant {
        self.asked
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("it never asks for an event: {}", self.log()))
    }

    /// Hands over an event, to be answered within this time.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub fn invoke(&self, event: &str, within: Duration) -> Outcome {
        let deadline = SystemTime::now() + within;
        let deadline_ms = deadline
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970")
            .as_millis();
        let deadline_ms = u64::try_from(deadline_ms).expect("before the year 584 million");
        self.events
            .send((event.to_owned(), deadline_ms))
            .expect("the API runs");
        self.outcomes
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no answer to {event}: {}", self.log()))
    }

    /// When the process was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn log(&self) -> String {
        self.log.lock().map(|log| log.clone()).unwrap_or_default()
    }

    /// Ends the function, and answers with all that it wrote.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub fn stop(mut self) -> String {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it ends");
        for thread in self.output.drain(..) {
            thread.join().expect("its output is text");
        }
        self.log()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // Already gone after `stop`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What Lambda sets for each function, and what the template does.
pub fn environment(api: &str, aws: &str) -> Vec<(&'static str, String)> {
    [
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "tested"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-that-no-log-shows"),
        ("AWS_SESSION_TOKEN", "a-token-that-no-log-shows"),
        ("AWS_ENDPOINT_URL", aws),
        ("RINGFENCE_TABLE", "ringfence"),
        (
            "RINGFENCE_QUEUE_DISPATCH",
            &format!("{aws}/123456789012/dispatch"),
        ),
        ("RINGFENCE_QUEUE_JOBS", &format!("{aws}/123456789012/jobs")),
        (
            "RINGFENCE_QUEUE_RECORDINGS",
            &format!("{aws}/123456789012/recordings"),
        ),
        (
            "RINGFENCE_QUEUE_NOTIFY",
            &format!("{aws}/123456789012/notify"),
        ),
        ("RINGFENCE_MAIL_FROM", "Ringfence <ringfence@example.com>"),
        ("RINGFENCE_BUCKET", "ringfence-recordings"),
        ("RINGFENCE_SEAL_KEY", "alias/ringfence-seal"),
        ("RINGFENCE_MAC_KEY", "alias/ringfence-mac"),
        ("RINGFENCE_PUBLIC_URL", "https://api.example.com"),
        ("RINGFENCE_LOG_LEVEL", "debug"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

fn collect(mut pipe: impl Read + Send + 'static, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut bytes) {
            if let Ok(mut log) = log.lock() {
                log.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        }
    })
}

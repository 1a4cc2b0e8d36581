//! `ringfence demo`: the whole set, a receiver, and a day of calls between them.

mod scratch;
mod script;

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{body::Body, response::Response};
use http::{Request, StatusCode};
use jiff::Timestamp;
use ringfence_local::{Config, Running, server};
use ringfence_webhook::Verifier;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use self::{scratch::Scratch, script::Post};
use super::{
    args::{Demo, LogFormat, LogLevel},
    client::{Client, ClientError},
    failure::Failure,
    listen::{self, GREEN, RED, YELLOW, coloured, harmless},
    log,
    receiver::{self, Callback, Verdict},
    serve::{Signals, origin_of, say},
};

/// How long the day takes.
const PLAYED_IN: Duration = Duration::from_secs(14);

/// How long the last callbacks may take; the first retry comes after 4 to 6 seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The callback that the receiver fails once.
const FAILS_ONCE: &str = "call-0901-cdr";

/// The callbacks that are set.
const CALLBACKS: [&str; 3] = ["call_status", "cdr", "predictive_task"];

/// Plays the demo.
pub async fn demo(args: Demo) -> Result<(), Failure> {
    log::start(LogFormat::Text, LogLevel::Error);
    let mut signals = Signals::new()?;
    let scratch = Scratch::new(args.data.as_deref())?;
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        allow_subnets: "127.0.0.0/8".parse().into_iter().collect(),
        ..Config::new(scratch.path())
    };
    let running = ringfence_local::start(config).await?;
    let receiver = Receiver::start().await?;
    let outcome = tokio::select! {
        outcome = play(&running, &receiver, args.fast) => outcome,
        () = signals.received() => Err(Failure::Demo("it was stopped before its end".to_owned())),
    };
    receiver.stop().await;
    running.shutdown().await;
    if let (Ok(()), Some(kept)) = (&outcome, args.data) {
        say(&format!(
            "\nIts data is in {0}; look around in it with: ringfence --data {0}",
            kept.display()
        ));
    }
    outcome
}

async fn play(running: &Running, receiver: &Receiver, fast: bool) -> Result<(), Failure> {
    let (Some(account), Some(key)) = (&running.sample.account, &running.sample.new_key) else {
        return Err(Failure::Demo("its folder is not new".to_owned()));
    };
    let posts = script::day(Timestamp::now());
    say(&format!(
        "A day of a small call centre, in {}.

  Ringfence  {}  over a folder of its own
  Receiver   {}  (for it, callbacks may go to 127.0.0.0/8 in this demo)
",
        if fast { "one go" } else { "some 14 seconds" },
        origin_of(running.address),
        receiver.url,
    ));
    let mut client = Client::new(running.address, key.reveal().to_owned());
    set_up(&mut client, account, receiver).await?;
    say("Callbacks set for cdr, call_status and predictive_task; phone number masking on.");
    say("The receiver will answer one of them with 500, so that you see it come again.\n");

    let mut sent = Vec::with_capacity(posts.len());
    let mut second = posts.first().map_or(0, |post| post.second);
    let span = posts.last().map_or(0, |post| post.second) - second;
    for post in &posts {
        if !fast && span > 0 {
            let share = f64::from(u32::try_from(post.second - second).unwrap_or(0))
                / f64::from(u32::try_from(span).unwrap_or(1));
            tokio::time::sleep(PLAYED_IN.mul_f64(share)).await;
            second = post.second;
        }
        let at = Instant::now();
        let delivery = send(&mut client, account, post).await?;
        sent.push((delivery, at));
    }
    let complete = tokio::time::timeout(PATIENCE, receiver.verified(sent.len()))
        .await
        .is_ok();
    summary(&sent, receiver, complete)
}

/// Through the API, as anybody would.
async fn set_up(
    client: &mut Client,
    account: &str,
    receiver: &Receiver,
) -> Result<(), ClientError> {
    let url = json!({ "url": receiver.url });
    let callbacks: Value = CALLBACKS
        .into_iter()
        .map(|name| (name.to_owned(), url.clone()))
        .collect();
    let settings = format!("/v1/accounts/{account}/settings");
    let saved = client
        .patch_first(&format!("{settings}/callbacks"), &callbacks)
        .await?;
    let secrets = CALLBACKS
        .into_iter()
        .map(|name| saved["secrets"][name]["secret"].as_str()?.parse().ok())
        .collect::<Option<Vec<Verifier>>>()
        .ok_or(ClientError::Answer)?;
    receiver.trust(secrets);
    client
        .patch_first(
            &format!("{settings}/security"),
            &json!({"phone_number_masking": true}),
        )
        .await?;
    Ok(())
}

/// Posts one event; answers with the id of its delivery.
async fn send(client: &mut Client, account: &str, post: &Post) -> Result<String, ClientError> {
    let path = format!("/v1/accounts/{account}/{}", post.path);
    let answer = client
        .post(&path, "application/json", post.body.clone())
        .await?;
    answer["results"][0]["delivery"]
        .as_str()
        .map(str::to_owned)
        .ok_or(ClientError::Answer)
}

fn summary(sent: &[(String, Instant)], receiver: &Receiver, complete: bool) -> Result<(), Failure> {
    let all_seen = receiver.received();
    let mut latencies = Vec::new();
    let (mut delivered, mut retried, mut forged) = (0, 0, 0);
    for (delivery, at) in sent {
        let Some(seen) = all_seen.get(delivery) else {
            continue;
        };
        forged += seen.refused;
        retried += usize::from(seen.attempts > 1);
        if let Some(verified) = seen.verified {
            delivered += 1;
            if seen.attempts == 1 {
                latencies.push(verified.duration_since(*at));
            }
        }
    }
    drop(all_seen);
    latencies.sort_unstable();
    let p50 = latencies
        .get(latencies.len() / 2)
        .copied()
        .unwrap_or_default();
    say(&format!(
        "\nPosted {}, delivered and verified {delivered}, retried {retried}. From post to callback: p50 {:.1} ms.",
        sent.len(),
        p50.as_secs_f64() * 1000.0,
    ));
    if complete && delivered == sent.len() && forged == 0 {
        Ok(())
    } else {
        Err(Failure::Demo(format!(
            "{} of {} callbacks were not delivered and verified",
            sent.len() - delivered,
            sent.len()
        )))
    }
}

/// What the receiver saw of one delivery.
#[derive(Default)]
struct Seen {
    attempts: usize,
    refused: usize,
    verified: Option<Instant>,
}

#[derive(Default)]
struct State {
    secrets: RwLock<Vec<Verifier>>,
    received: Mutex<HashMap<String, Seen>>,
    has_failed: AtomicBool,
    news: Notify,
    colour: bool,
}

/// The demo's own receiver.
struct Receiver {
    url: String,
    state: Arc<State>,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<bool>,
}

impl Receiver {
    async fn start() -> Result<Self, Failure> {
        let listener = listen::bind(([127, 0, 0, 1], 0).into()).await?;
        let url = format!(
            "{}/",
            origin_of(listener.local_addr().map_err(Failure::Runtime)?)
        );
        let state = Arc::new(State {
            colour: listen::colours(),
            ..State::default()
        });
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        let serving = tokio::spawn(server::serve(
            listener,
            move |request| {
                let state = shared.clone();
                async move { state.answer(request).await }
            },
            async { drop(stopped.await) },
            Duration::from_secs(2),
        ));
        Ok(Self {
            url,
            state,
            stop,
            serving,
        })
    }

    fn trust(&self, secrets: Vec<Verifier>) {
        *self
            .state
            .secrets
            .write()
            .unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    fn received(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.state.received()
    }

    /// Until so many deliveries were verified.
    async fn verified(&self, count: usize) {
        loop {
            let news = self.state.news.notified();
            if self
                .received()
                .values()
                .filter(|seen| seen.verified.is_some())
                .count()
                >= count
            {
                return;
            }
            news.await;
        }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.serving.await;
    }
}

impl State {
    fn received(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        let secrets = self
            .secrets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let callback = match receiver::take(request, &secrets, Timestamp::now()).await {
            Ok(callback) => callback,
            Err(answer) => return answer,
        };
        let at = Instant::now();
        let verdict = callback.verdict;
        let mut received = self.received();
        let seen = received.entry(callback.id.clone()).or_default();
        seen.attempts += 1;
        if let Verdict::Refused(reason) = verdict {
            seen.refused += 1;
            drop(received);
            say(&shown(
                &callback,
                &coloured(&format!("NOT VERIFIED: {reason}"), RED, self.colour),
            ));
            return receiver::status(StatusCode::UNAUTHORIZED);
        }
        if callback.event["id"] == FAILS_ONCE && !self.has_failed.swap(true, Ordering::Relaxed) {
            drop(received);
            say(&shown(
                &callback,
                &coloured("answered with 500", YELLOW, self.colour),
            ));
            return receiver::status(StatusCode::INTERNAL_SERVER_ERROR);
        }
        seen.verified.get_or_insert(at);
        let again = if seen.attempts > 1 {
            format!(", attempt {}", seen.attempts)
        } else {
            String::new()
        };
        drop(received);
        say(&shown(
            &callback,
            &format!("{}{again}", coloured("verified", GREEN, self.colour)),
        ));
        self.news.notify_waiters();
        receiver::status(StatusCode::NO_CONTENT)
    }
}

/// A callback in a line: the time in the call centre, what happened, whether it is genuine.
fn shown(callback: &Callback, verdict: &str) -> String {
    let event = &callback.event;
    let at = event["timestamp"]
        .as_str()
        .and_then(|at| at.get(11..19))
        .unwrap_or("--:--:--");
    let data = &event["data"];
    let text = |name: &str| data[name].as_str().unwrap_or("?").to_owned();
    let mut about = match callback.event_type() {
        "recording.available" => format!(
            "{} of {}",
            data["recording"]["id"].as_str().unwrap_or("?"),
            text("call_id")
        ),
        "predictive_task.completed" => {
            let progress = &data["progress"];
            format!(
                "{}: {} of {} answered",
                text("task_id"),
                progress["answered"],
                progress["total"]
            )
        }
        _ => format!("{} → {}", text("from"), text("to")),
    };
    if let Some(disposition) = data["disposition"].as_str() {
        let _ = write!(about, "  {disposition}");
    }
    format!(
        "  {at}  {:<31}  {:<44}  {verdict}",
        harmless(callback.event_type()),
        harmless(&about)
    )
}

//! The load benchmark. It starts the release server on a fresh folder, points the sample account's CDR
//! callback at a receiver of its own, and measures three ways of posting 1 KB events over loopback:
//! one event a request, 100 events a request, and paced. Beside each, in the same run, the same client
//! posts the same bytes straight to the same receiver.
//!
//! `cargo build --release && cargo run --release -p ringfence-load -- [--events N] [--paced-seconds S]`
//!
//! Latency is counted from the moment a request is sent to the moment its callback has been read whole.

mod http;
mod receiver;
mod server;

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use receiver::Receiver;
use server::Server;

const CONNECTIONS: usize = 64;

struct Options {
    events: usize,
    paced_seconds: usize,
    binary: String,
    data: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        events: 60_000,
        paced_seconds: 15,
        binary: "target/release/ringfence".to_owned(),
        data: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{flag} needs a number"));
        match flag.as_str() {
            "--events" => options.events = number()?,
            "--paced-seconds" => options.paced_seconds = number()?,
            "--server" => options.binary = value,
            "--data" => options.data = Some(value),
            _ => return Err(format!("there is no flag {flag}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(run()));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let options = options()?;
    let receiver =
        Arc::new(Receiver::start(options.events.max(options.paced_seconds * 200) + 1).await?);
    let server = Server::start(&options.binary, options.data.as_deref(), receiver.address).await?;
    println!(
        "run                         events/s    p50 ms    p99 ms    max ms   CPU s/1000   peak MiB"
    );

    let n = options.events;
    let straight = Posting {
        to: receiver.address,
        path: "/".into(),
        key: String::new(),
        per_request: 1,
    };
    let through = Posting {
        to: server.address,
        path: format!("/v1/accounts/{}/events", server.account),
        key: server.key.clone(),
        per_request: 1,
    };
    let batched = Posting {
        per_request: 100,
        ..through.clone()
    };
    // Warm: pages, pools, allocator.
    measure("warm-up", &receiver, &through, n / 10, None, Some(&server)).await?;
    measure("straight, 1 a request", &receiver, &straight, n, None, None).await?;
    measure(
        "through,  1 a request",
        &receiver,
        &through,
        n,
        None,
        Some(&server),
    )
    .await?;
    measure("straight, 1 a request", &receiver, &straight, n, None, None).await?;
    measure(
        "through, 100 a request",
        &receiver,
        &batched,
        n,
        None,
        Some(&server),
    )
    .await?;
    let paced = options.paced_seconds * 200;
    measure(
        "straight, paced 200/s",
        &receiver,
        &straight,
        paced,
        Some(200),
        None,
    )
    .await?;
    measure(
        "through,  paced 200/s",
        &receiver,
        &through,
        paced,
        Some(200),
        Some(&server),
    )
    .await?;
    server.stop().await
}

#[derive(Clone)]
struct Posting {
    to: SocketAddr,
    path: String,
    key: String,
    per_request: usize,
}

async fn measure(
    name: &str,
    receiver: &Arc<Receiver>,
    posting: &Posting,
    events: usize,
    per_second: Option<usize>,
    server: Option<&Server>,
) -> Result<(), String> {
    let run = receiver.begin(events);
    let cpu = server.map(Server::cpu_seconds).transpose()?;
    let started = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(tokio::spawn(client(
            posting.clone(),
            receiver.clone(),
            run,
            next.clone(),
            events,
            per_second,
            started,
        )));
    }
    for client in clients {
        client.await.map_err(|error| error.to_string())??;
    }
    let accepted = started.elapsed();
    receiver.wait_for(events, Duration::from_mins(2)).await?;
    let delivered = started.elapsed();
    let mut latencies = receiver.latencies(events);
    latencies.sort_unstable();
    let at = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let index = ((latencies.len() as f64 - 1.0) * share) as usize;
        #[allow(clippy::cast_precision_loss)]
        let nanos = latencies.get(index).copied().unwrap_or(0) as f64;
        nanos / 1e6
    };
    #[allow(clippy::cast_precision_loss)]
    let rate = |elapsed: Duration| events as f64 / elapsed.as_secs_f64();
    print!(
        "{name:<24} {:>11.0} {:>9.2} {:>9.2} {:>9.2}",
        rate(delivered),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    if let (Some(server), Some(cpu)) = (server, cpu) {
        #[allow(clippy::cast_precision_loss)]
        let per_thousand = (server.cpu_seconds()? - cpu) / (events as f64 / 1000.0);
        print!(
            " {per_thousand:>12.3} {:>10.1}   accepted {:.0}/s",
            server.peak_mib()?,
            rate(accepted)
        );
    }
    println!();
    Ok(())
}

async fn client(
    posting: Posting,
    receiver: Arc<Receiver>,
    run: usize,
    next: Arc<AtomicUsize>,
    events: usize,
    per_second: Option<usize>,
    started: Instant,
) -> Result<(), String> {
    let mut connection = http::Connection::open(posting.to).await?;
    loop {
        let first = next.fetch_add(posting.per_request, Ordering::Relaxed);
        if first >= events {
            return Ok(());
        }
        let last = (first + posting.per_request).min(events);
        if let Some(per_second) = per_second {
            #[allow(clippy::cast_precision_loss)]
            let due = started + Duration::from_secs_f64(first as f64 / per_second as f64);
            tokio::time::sleep_until(due.into()).await;
        }
        let body = body(run, first, last);
        let request = http::request("POST", &posting.path, &posting.key, &[], body.as_bytes());
        for index in first..last {
            receiver.sent(index);
        }
        let (status, answer) = connection.exchange(&request).await?;
        if status != 202 && status != 204 {
            return Err(format!(
                "a post was answered {status}: {}",
                String::from_utf8_lossy(&answer)
            ));
        }
    }
}

/// One event, or an array of several, of 1,000 bytes each.
fn body(run: usize, first: usize, last: usize) -> String {
    if last - first == 1 {
        return event(run, first);
    }
    let events: Vec<String> = (first..last).map(|index| event(run, index)).collect();
    format!("[{}]", events.join(","))
}

/// A call id as platforms make them: random, so that rows do not come in the order of their keys.
fn call_id(run: usize, index: usize) -> String {
    let mix = |seed: u64| {
        let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let seed = (run as u64) << 32 | index as u64;
    format!("{:016x}{:016x}", mix(2 * seed + 1), mix(2 * seed + 2))
}

fn event(run: usize, index: usize) -> String {
    let call = call_id(run, index);
    let mut event = format!(
        r#"{{"type":"cdr.created","timestamp":"2026-01-31T08:16:09Z","id":"load-{run}-{index}","data":{{"call_id":"{call}","direction":"inbound","from":"+14155550132","to":"+442079460958","display_number":"+442079460000","extension":"204","agent_id":"agent-17","started_at":"2026-01-31T08:14:55Z","ringing_at":"2026-01-31T08:14:56Z","answered_at":"2026-01-31T08:15:04Z","ended_at":"2026-01-31T08:16:09Z","duration":74,"billsec":65,"ring_time":8,"talk_time":60,"hold_time":5,"wait_time":9,"disposition":"answered","hangup_party":"caller","hangup_cause":"NORMAL_CLEARING","answered_by":"human","tags":["sales","returning"],"source":{{"trunk":"carrier-2","codec":"PCMU","note":""#
    );
    let rest = 1_000 - event.len() - 4;
    event.extend(std::iter::repeat_n('x', rest));
    event.push_str(r#""}}}"#);
    event
}

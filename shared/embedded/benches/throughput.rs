//! Durable units a second, and the CPU that each costs: `cargo bench -p ringfence-embedded`.
//!
//! `accept`: 64 callers, each with one event row (1 KB) and one message a unit. `cycle`: the same,
//! and a consumer that writes one indexed delivery row per message. `paced`: 200 units a second.
//! `SECONDS`, `BODY` (bytes of a message), `FOLDER` and `ORDERED` (keys rise with time, as `UUIDv7` does)
//! change the defaults.

#![allow(clippy::cast_precision_loss, reason = "rates to read, not to count on")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_ports::{
    Consumer, Key, Message, Op, Put, QueueName, Received, SystemClock, Table as _, Unit, When,
};

const QUEUE: QueueName = QueueName("dispatch");
const CALLERS: u64 = 64;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// Evenly spread, as hashed or random ids are; `ORDERED` leaves them in the order of time.
fn spread(n: u64) -> u64 {
    static ORDERED: OnceLock<bool> = OnceLock::new();
    if *ORDERED.get_or_init(|| std::env::var_os("ORDERED").is_some()) {
        return n;
    }
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn event(n: u64, body: usize) -> Unit {
    let key = Key::new(
        format!("acc_0001/evt_{:016x}{:016x}", spread(n), n),
        "event",
    );
    Unit {
        ops: vec![Op::Put(Put::new(key, "x".repeat(1024), When::Absent))],
        sends: vec![Message {
            queue: QUEUE,
            body: "m".repeat(body),
            delay: Duration::ZERO,
            group: format!("endpoint_{}", n % 3),
        }],
    }
}

struct Deliver {
    store: Arc<Embedded>,
    handled: AtomicU64,
}

#[async_trait]
impl Consumer for Deliver {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let units = batch
            .iter()
            .map(|message| {
                let n: u64 = message.id.parse().unwrap_or_default();
                let key = Key::new(
                    format!("acc_0001/dlv_{:016x}{n:016x}", spread(n)),
                    "delivery",
                );
                let mut put = Put::new(key, "d".repeat(400), When::Absent);
                put.index[0] = Some(Key::new(
                    format!("acc_0001/{}", message.group),
                    format!("{n:020}"),
                ));
                Unit {
                    ops: vec![Op::Put(put)],
                    sends: Vec::new(),
                }
            })
            .collect();
        let results = self.store.write(units).await;
        self.handled
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        batch
            .into_iter()
            .zip(results)
            .filter(|(_, r)| r.is_err())
            .map(|(m, _)| m.id)
            .collect()
    }
}

/// CPU time of this process, user and system (proc(5), in ticks of 10 ms).
fn cpu() -> (Duration, Duration) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = after
        .split_whitespace()
        .skip(11)
        .map(|n| n.parse().unwrap_or(0));
    let mut next = || Duration::from_millis(10 * fields.next().unwrap_or(0));
    (next(), next())
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

async fn load(
    store: &Arc<Embedded>,
    first: u64,
    time: Duration,
    rate: Option<u64>,
) -> (u64, Vec<Duration>) {
    let body = setting("BODY", 300);
    let end = Instant::now() + time;
    let number = Arc::new(AtomicU64::new(first));
    let mut callers = Vec::new();
    for caller in 0..if rate.is_some() { 4 } else { CALLERS } {
        let (store, number) = (Arc::clone(store), Arc::clone(&number));
        callers.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            let mut ticks = rate.map(|rate| {
                tokio::time::interval_at(
                    (Instant::now() + Duration::from_micros(1250 * caller)).into(),
                    Duration::from_micros(4_000_000 / rate),
                )
            });
            while Instant::now() < end {
                if let Some(ticks) = &mut ticks {
                    ticks.tick().await;
                }
                let unit = event(number.fetch_add(1, Ordering::Relaxed), body);
                let start = Instant::now();
                store.commit(unit).await.expect("written");
                latencies.push(start.elapsed());
            }
            latencies
        }));
    }
    let mut all = Vec::new();
    for caller in callers {
        all.extend(caller.await.expect("caller"));
    }
    all.sort_unstable();
    (all.len() as u64, all)
}

fn report(
    name: &str,
    count: u64,
    time: Duration,
    before: (Duration, Duration),
    latencies: &[Duration],
) {
    let after = cpu();
    let each = |a: Duration, b: Duration| a.saturating_sub(b).as_micros() as f64 / count as f64;
    let at = |q: usize| {
        latencies
            .get(latencies.len() * q / 1000)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{name:8} {:>7.0}/s  CPU {:>5.1} us each (user {:.1}, system {:.1})  p50 {:?} p99 {:?} max {:?}  peak {} MiB",
        count as f64 / time.as_secs_f64(),
        each(after.0, before.0) + each(after.1, before.1),
        each(after.0, before.0),
        each(after.1, before.1),
        at(500),
        at(990),
        latencies.last().copied().unwrap_or_default(),
        peak_mib(),
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime");
    let folder = std::env::var_os("FOLDER").map_or_else(
        || std::env::temp_dir().join(format!("ringfence-bench-{}", std::process::id())),
        PathBuf::from,
    );
    let time = Duration::from_secs(setting("SECONDS", 5) as u64);
    runtime.block_on(async {
        let store =
            Embedded::open(&folder, &Options::default(), Arc::new(SystemClock)).expect("open");
        let store = Arc::new(store);
        let (start, before) = (Instant::now(), cpu());
        let (accepted, latencies) = load(&store, 0, time, None).await;
        report("accept", accepted, start.elapsed(), before, &latencies);

        let handled = AtomicU64::new(0);
        let deliver = Arc::new(Deliver {
            store: Arc::clone(&store),
            handled,
        });
        let pump = Pump::new(&store, Arc::new(SystemClock)).consumer(
            QUEUE,
            deliver.clone(),
            PumpOptions::default(),
        );
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let pumping = tokio::spawn(async move { pump.run(async { drop(stopped.await) }).await });
        let (start, before) = (Instant::now(), cpu());
        while deliver.handled.load(Ordering::Relaxed) < accepted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        report("catch-up", accepted, start.elapsed(), before, &[]);

        let (start, before) = (Instant::now(), cpu());
        let (more, latencies) = load(&store, accepted, time, None).await;
        let took = start.elapsed();
        println!("cycle: accepted {:.0}/s", more as f64 / took.as_secs_f64());
        while deliver.handled.load(Ordering::Relaxed) < accepted + more {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        report("cycle", more, start.elapsed(), before, &latencies);

        let (start, before) = (Instant::now(), cpu());
        let (paced, latencies) = load(&store, accepted + more, time, Some(200)).await;
        report("paced", paced, start.elapsed(), before, &latencies);

        drop(stop);
        pumping.await.expect("pump");
    });
    if std::env::var_os("FOLDER").is_none() {
        let _ = std::fs::remove_dir_all(&folder);
    }
}

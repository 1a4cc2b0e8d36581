//! Measures the functions' binaries, and bare ones with the same clients beside them, in one run:
//!
//! ```text
//! cargo lambda build --release
//! cargo lambda build --release -p ringfence-cold-start
//! cargo run --release -p ringfence-cold-start [-- ROUNDS]
//! ```
//!
//! Each round starts every binary once, so that whatever else the machine does meets all of them. AWS is
//! a stand-in on loopback that answers at once: these are the costs of the process alone.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ringfence_test_lambda::{Aws, Function, sample};

/// Starts of each binary; an argument says otherwise.
const ROUNDS: usize = 30;
/// Warm invocations a start.
const WARM: usize = 20;
/// Which functions have the client of S3 besides.
const WITH_BLOBS: [&str; 6] = [
    "bare-blobs",
    "deletion",
    "exports",
    "jobs",
    "playback",
    "recordings",
];
const TIMEOUT: Duration = Duration::from_secs(30);

/// What one binary is given.
struct Subject {
    name: &'static str,
    /// The bare one that it is measured by.
    bare: &'static str,
    binary: PathBuf,
    /// The first event: one that goes to the table.
    first: String,
    /// Those after it: what goes as far as it can without AWS.
    warm: String,
    cold: Vec<Duration>,
    /// Of that, on a processor: what other work on the machine does not lengthen.
    cpu: Vec<Duration>,
    first_event: Vec<Duration>,
    warm_event: Vec<Duration>,
    peak_kib: Vec<u64>,
}

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/lambda");
    let mut subjects = subjects(&folder);
    // Once, so that none is read from the disk in the first round.
    for subject in &mut subjects {
        subject.measure();
        subject.forget();
    }
    for _ in 0..rounds {
        subjects.iter_mut().for_each(Subject::measure);
    }
    report(&mut subjects, rounds);
}

/// Every function, and what it is compared with.
fn subjects(folder: &Path) -> Vec<Subject> {
    let request = sample("ingest", "event.apigw.json");
    let nothing = request.replace(
        r#""rawPath": "/v1/"#,
        r#""rawPath": "/nothing", "was": "/v1/"#,
    );
    let empty = r#"{"Records": []}"#.to_owned();
    let subject = |name: &'static str, first: &str, warm: String| Subject {
        name,
        bare: if WITH_BLOBS.contains(&name) {
            "bare-blobs"
        } else {
            "bare"
        },
        binary: folder.join(name).join("bootstrap"),
        first: first.to_owned(),
        warm,
        cold: Vec::new(),
        cpu: Vec::new(),
        first_event: Vec::new(),
        warm_event: Vec::new(),
        peak_kib: Vec::new(),
    };
    let refused = |function| sample(function, "broken-no-key.apigw.json");
    let minute = sample("sweep", "minute.schedule.json");
    vec![
        subject("bare", &request, nothing.clone()),
        subject("bare-blobs", &request, nothing),
        subject("ingest", &request, refused("ingest")),
        subject(
            "activities",
            &sample("activities", "call.apigw.json"),
            sample("activities", "broken-key.apigw.json"),
        ),
        subject(
            "callbacks",
            &sample("callbacks", "deliveries.apigw.json"),
            refused("callbacks"),
        ),
        subject(
            "settings",
            &sample("settings", "agencies.apigw.json"),
            sample("settings", "broken-method.apigw.json"),
        ),
        subject(
            "history",
            &sample("history", "account.apigw.json"),
            refused("history"),
        ),
        subject(
            "recordings",
            &sample("recordings", "list.apigw.json"),
            refused("recordings"),
        ),
        subject(
            "playback",
            &sample("playback", "link.apigw.json"),
            sample("playback", "broken-method.apigw.json"),
        ),
        subject(
            "dispatch",
            &sample("dispatch", "deliveries.sqs.json"),
            empty.clone(),
        ),
        subject("jobs", &sample("jobs", "steps.sqs.json"), empty.clone()),
        subject(
            "deletion",
            &sample("deletion", "list.apigw.json"),
            refused("deletion"),
        ),
        subject(
            "exports",
            &sample("exports", "list.apigw.json"),
            refused("exports"),
        ),
        subject(
            "people",
            &sample("people", "users.apigw.json"),
            refused("people"),
        ),
        subject(
            "session",
            &sample("session", "who.apigw.json"),
            sample("session", "broken-method.apigw.json"),
        ),
        subject(
            "notices",
            &sample("notices", "unsent.apigw.json"),
            refused("notices"),
        ),
        subject("notify", &sample("notify", "notices.sqs.json"), empty),
        // Last: what its many requests leave behind on the machine would be the next one's start.
        subject("sweep", &minute, minute.clone()),
    ]
}

impl Subject {
    fn measure(&mut self) {
        let function = Function::start(&self.binary.to_string_lossy(), Aws::Empty);
        self.cold
            .push(function.ready().duration_since(function.started()));
        self.cpu.push(on_processor(function.id()));
        let timed = |event: &str| {
            let started = Instant::now();
            function.invoke(event, TIMEOUT);
            started.elapsed()
        };
        self.first_event.push(timed(&self.first));
        let mut warm: Vec<Duration> = (0..WARM).map(|_| timed(&self.warm)).collect();
        self.warm_event.push(median(&mut warm));
        self.peak_kib.push(peak_kib(function.id()));
    }

    fn forget(&mut self) {
        for times in [
            &mut self.cold,
            &mut self.cpu,
            &mut self.first_event,
            &mut self.warm_event,
        ] {
            times.clear();
        }
        self.peak_kib.clear();
    }
}

fn report(subjects: &mut [Subject], rounds: usize) {
    println!("Medians of {rounds} starts each, beside each other.\n");
    println!(
        "| binary | MiB | cold ms | × bare | CPU ms | × bare | first event ms | warm µs | peak MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut bare = BTreeMap::new();
    for subject in subjects {
        let cold = median(&mut subject.cold).as_secs_f64() * 1e3;
        let cpu = median(&mut subject.cpu).as_secs_f64() * 1e3;
        bare.insert(subject.name, (cold, cpu));
        let (bare_cold, bare_cpu) = bare[subject.bare];
        let size = fs::metadata(&subject.binary)
            .map(|file| file.len())
            .unwrap_or_default();
        println!(
            "| {} | {:.2} | {cold:.2} | {:.2} | {cpu:.2} | {:.2} | {:.2} | {:.0} | {:.1} |",
            subject.name,
            mebi(size),
            cold / bare_cold,
            cpu / bare_cpu,
            median(&mut subject.first_event).as_secs_f64() * 1e3,
            median(&mut subject.warm_event).as_secs_f64() * 1e6,
            mebi(median(&mut subject.peak_kib) * 1024),
        );
    }
}

fn median<T: Ord + Copy>(values: &mut [T]) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files and processes")]
fn mebi(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// The most memory that a process ever had (`VmHWM`; proc(5)).
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

/// How long a process has been on a processor (`schedstat`; proc(5)).
fn on_processor(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a process");
    let times = threads.map(|thread| {
        let path = thread.expect("a thread").path().join("schedstat");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split(' ')
            .next()
            .and_then(|nanos| nanos.parse::<u64>().ok())
            .unwrap_or_default()
    });
    Duration::from_nanos(times.sum())
}

//! What it costs to know who is calling: the same empty answer without a caller, with an API key, and
//! with a session, in turn, in one run, over the embedded store, in this process (no socket).
//!
//! `cargo bench -p ringfence-local --bench access`
//!
//! The clock stands still, as it does for the three seconds that a key is remembered, and for the second
//! in which a session's activity is written once. What that write costs is measured by itself: as a
//! server does it, behind its answers, and where each answer waits for it.

use std::time::{Duration, Instant};

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use ringfence_domain::people::Role;
use ringfence_http::{AppState, Authenticated};
use ringfence_test_support::{SignedIn, TestApp};
use tower::ServiceExt as _;

const ROUNDS: usize = 20_000;
const WRITES: usize = 500;

struct Way {
    name: &'static str,
    path: &'static str,
    headers: Vec<(String, String)>,
    times: Vec<Duration>,
}

impl Way {
    async fn step(&mut self, router: &Router) {
        let mut request = Request::builder().uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).unwrap();
        let router = router.clone();
        let start = Instant::now();
        let answer = router.oneshot(request).await.unwrap();
        self.times.push(start.elapsed());
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }

    /// Median and 99th percentile, µs.
    fn told(&mut self) -> (f64, f64) {
        self.times.sort();
        let at = |part: usize| self.times[self.times.len() * part / 100].as_secs_f64() * 1e6;
        (at(50), at(99))
    }
}

fn router(app: &TestApp) -> Router {
    Router::<AppState>::new()
        .route("/open", get(async || StatusCode::NO_CONTENT))
        .route(
            "/asks",
            get(async |Authenticated(_): Authenticated| StatusCode::NO_CONTENT),
        )
        .with_state(app.app.clone())
}

/// A session whose activity is written with each request.
async fn once_a_second(name: &'static str, app: &TestApp) -> Way {
    let router = router(app);
    let person = app.sign_in_as(Role::Administrator).await;
    let mut way = Way {
        name,
        path: "/asks",
        headers: headers(&person),
        times: Vec::with_capacity(WRITES),
    };
    for _ in 0..WRITES {
        app.clock.advance(Duration::from_secs(1));
        way.step(&router).await;
        // As far apart as requests of one person are at the least.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    way
}

fn headers(person: &SignedIn) -> Vec<(String, String)> {
    person
        .headers()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::main]
async fn main() {
    let app = TestApp::going_on().await;
    let router = router(&app);
    let person = app.sign_in_as(Role::Administrator).await;
    let way = |name, path, headers: Vec<(String, String)>| Way {
        name,
        path,
        headers,
        times: Vec::with_capacity(ROUNDS),
    };
    let key = vec![("authorization".to_owned(), format!("Bearer {}", app.key))];
    let mut ways = [
        way("without a caller", "/open", Vec::new()),
        way("API key", "/asks", key),
        way("session", "/asks", headers(&person)),
    ];
    for way in &mut ways {
        for _ in 0..200 {
            way.step(&router).await;
        }
        way.times.clear();
    }
    let mut reads = [0; 3];
    for (way, reads) in ways.iter_mut().zip(&mut reads) {
        app.counting.take();
        way.step(&router).await;
        let calls = app.counting.take();
        *reads = calls.get + calls.get_many + calls.query;
        assert_eq!((calls.write, calls.count), (0, 0), "{}", way.name);
    }
    for _ in 0..ROUNDS {
        for way in &mut ways {
            way.step(&router).await;
        }
    }
    let behind = once_a_second("session, once a second", &app).await;
    let waiting = once_a_second("the same, waited for", &TestApp::new().await).await;
    let (bare, _) = ways[0].told();
    println!(
        "{:<24} {:>10} {:>10} {:>12} {:>6}",
        "", "median µs", "p99 µs", "overhead µs", "reads"
    );
    for (way, reads) in ways.iter_mut().zip(reads) {
        let (median, p99) = way.told();
        println!(
            "{:<24} {median:>10.1} {p99:>10.1} {:>12.1} {reads:>6}",
            way.name,
            median - bare
        );
    }
    for mut way in [behind, waiting] {
        let (median, p99) = way.told();
        println!(
            "{:<24} {median:>10.1} {p99:>10.1} {:>12.1}",
            way.name,
            median - bare
        );
    }
}

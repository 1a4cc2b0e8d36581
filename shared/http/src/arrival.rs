//! Bodies as they arrive: bounded in size, in time, and in what all of them hold together.
//!
//! A body that is still on its way holds no more than came of it, and must keep coming; what a client
//! announces reserves nothing. Only a whole body takes a place among those that are worked on, so that
//! no client decides how long another one waits for such a place.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
};
use bytes::{Bytes, BytesMut};
use http::header;
use http_body_util::BodyExt;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{Code, Problem};

/// The largest body of a caller who is not known yet (a login, a link's PIN), in bytes.
pub const MAX_OPEN_BYTES: usize = 8 * 1024;

/// So much of a body needs no place while it arrives: about what a connection holds anyway, and bounded by
/// the number of connections. Nearly every event and every login fits.
const FREE_BYTES: usize = 8 * 1024;

/// The unit of the budgets, in bytes.
const UNIT: usize = 1024;

/// How long a body may take to arrive, whatever its size.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// How long a body may take before its size counts.
const GRACE: Duration = Duration::from_secs(10);

/// What a body must bring in each second after that, in bytes.
const MIN_RATE: u64 = 16 * 1024;

/// How long a body may wait for its places. After that the caller is told to come back, rather than left
/// to find out by its own deadline.
const PLACE_DEADLINE: Duration = Duration::from_secs(15);

/// Bodies of callers who are known: API keys and sessions. What an event needs on its way is a multiple of
/// its size, so `working` bounds the memory of many large requests at once.
static KNOWN: Budget = Budget::new(4096, 1024);

/// Bodies of everybody else, so that nobody who is not known is in the way of those who are.
static OPEN: Budget = Budget::new(1024, 1024);

/// What bodies may hold at a time.
#[derive(Debug)]
struct Budget {
    /// Beyond their first [`FREE_BYTES`], while they arrive.
    arriving: Semaphore,
    /// One body may go on without a place in `arriving`: without this, many that are half here could
    /// wait for each other.
    through: Semaphore,
    /// While they are worked on.
    working: Semaphore,
    working_units: u32,
}

impl Budget {
    /// Budgets in units of [`UNIT`].
    const fn new(arriving: u32, working: u32) -> Self {
        Self {
            arriving: Semaphore::const_new(arriving as usize),
            through: Semaphore::const_new(1),
            working: Semaphore::const_new(working as usize),
            working_units: working,
        }
    }
}

/// A body, and its place among those that are worked on: given back when this is dropped.
#[derive(Debug)]
pub struct LimitedBody {
    bytes: Bytes,
    _place: SemaphorePermit<'static>,
}

impl std::ops::Deref for LimitedBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The whole body of a caller who is known, or 413 as soon as it is known to be over `limit` bytes: from
/// Content-Length before anything is read, else when the limit is passed. 408 when it does not arrive
/// within ten seconds and one more for every 16 KiB that came, or half a minute; 503 when there is no
/// place for it.
pub async fn read_limited(request: Request, limit: usize) -> Result<LimitedBody, Problem> {
    read(request, limit, &KNOWN).await
}

/// The same of a caller who is not known yet. It waits for no body of callers who are, nor they for it.
pub async fn read_open(request: Request, limit: usize) -> Result<LimitedBody, Problem> {
    read(request, limit, &OPEN).await
}

async fn read(
    request: Request,
    limit: usize,
    budget: &'static Budget,
) -> Result<LimitedBody, Problem> {
    let too_large =
        || Problem::new(Code::PayloadTooLarge).detail(format!("The limit here is {limit} bytes."));
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut place = Place::new(budget);
    let mut body = request.into_body();
    let mut bytes = Pieces::None;
    let mut began = Instant::now();
    while let Some(piece) = next(&mut body, began + time_for(bytes.len())).await? {
        let length = bytes.len().saturating_add(piece.len());
        if length > limit {
            return Err(too_large());
        }
        // What the body waits for is not its own slowness.
        began += place.grow(length).await?;
        bytes = bytes.and(piece);
        if body.is_end_stream() {
            break;
        }
    }
    let units = u32::try_from(bytes.len().div_ceil(UNIT))
        .unwrap_or(u32::MAX)
        .clamp(1, budget.working_units);
    // One that is larger than the budget by itself goes alone.
    let working = timeout_at(place.until(), budget.working.acquire_many(units))
        .await
        .map_err(|_| no_place())?
        .map_err(|_| no_place())?;
    Ok(LimitedBody {
        bytes: bytes.whole(),
        _place: working,
    })
}

/// The next piece of a body; `None`: it is over.
async fn next(body: &mut Body, until: Instant) -> Result<Option<Bytes>, Problem> {
    loop {
        return match timeout_at(until, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(Some(data)),
                // Trailers: nothing that anybody asked for.
                Err(_) => continue,
            },
            Ok(Some(Err(_))) => {
                Err(Problem::new(Code::MalformedBody).detail("The body broke off."))
            }
            Ok(None) => Ok(None),
            Err(_) => Err(Problem::new(Code::RequestTimeout)),
        };
    }
}

/// How long a body may take of which so many bytes came.
fn time_for(received: usize) -> Duration {
    GRACE
        .saturating_add(Duration::from_secs(received as u64 / MIN_RATE))
        .min(BODY_DEADLINE)
}

fn no_place() -> Problem {
    Problem::new(Code::Unavailable).detail("Too many large requests are under way.")
}

/// What of a body came.
enum Pieces {
    None,
    /// As it came, without a copy: nearly always it is the whole.
    One(Bytes),
    /// Copied together: a small piece may hold on to a large buffer.
    Many(BytesMut),
}

impl Pieces {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(bytes) => bytes.len(),
            Self::Many(bytes) => bytes.len(),
        }
    }

    fn and(self, piece: Bytes) -> Self {
        match self {
            Self::None => Self::One(piece),
            Self::One(first) => {
                let mut bytes = BytesMut::with_capacity(first.len() + piece.len());
                bytes.extend_from_slice(&first);
                bytes.extend_from_slice(&piece);
                Self::Many(bytes)
            }
            Self::Many(mut bytes) => {
                bytes.extend_from_slice(&piece);
                Self::Many(bytes)
            }
        }
    }

    fn whole(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

/// The place of a body that arrives.
struct Place {
    budget: &'static Budget,
    units: usize,
    held: Option<SemaphorePermit<'static>>,
    /// It needs no further place.
    through: Option<SemaphorePermit<'static>>,
    /// How long it has waited.
    waited: Duration,
}

impl Place {
    const fn new(budget: &'static Budget) -> Self {
        Self {
            budget,
            units: 0,
            held: None,
            through: None,
            waited: Duration::ZERO,
        }
    }

    /// When its waiting is over.
    fn until(&self) -> Instant {
        Instant::now() + PLACE_DEADLINE.saturating_sub(self.waited)
    }

    /// A place for so many bytes in all. Answers how long it waited for it.
    async fn grow(&mut self, length: usize) -> Result<Duration, Problem> {
        let wanted = length.saturating_sub(FREE_BYTES).div_ceil(UNIT);
        if wanted <= self.units || self.through.is_some() {
            return Ok(Duration::ZERO);
        }
        let more = u32::try_from(wanted - self.units).map_err(|_| no_place())?;
        if let Ok(permit) = self.budget.arriving.try_acquire_many(more) {
            self.take(permit, wanted);
            return Ok(Duration::ZERO);
        }
        let asked = Instant::now();
        tokio::select! {
            biased;
            permit = self.budget.arriving.acquire_many(more) => {
                self.take(permit.map_err(|_| no_place())?, wanted);
            }
            permit = self.budget.through.acquire() => {
                self.through = Some(permit.map_err(|_| no_place())?);
                self.held = None;
            }
            () = sleep_until(self.until()) => return Err(no_place()),
        }
        let time = asked.elapsed();
        self.waited += time;
        Ok(time)
    }

    fn take(&mut self, permit: SemaphorePermit<'static>, units: usize) {
        self.units = units;
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use tokio::time::sleep;

    use super::*;

    fn budget(arriving: u32, working: u32) -> &'static Budget {
        Box::leak(Box::new(Budget::new(arriving, working)))
    }

    /// A body of so many pieces of a KiB, one at a time, this far apart.
    fn pieces(count: usize, apart: Duration) -> Request {
        let pieces = stream::iter(0..count).then(move |_| async move {
            sleep(apart).await;
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; UNIT]))
        });
        Request::new(Body::from_stream(pieces))
    }

    fn announcing(length: usize, request: Request) -> Request {
        let mut request = request;
        let length = length.to_string().parse().unwrap();
        request.headers_mut().insert(header::CONTENT_LENGTH, length);
        request
    }

    const LIMIT: usize = 5 * 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn what_is_announced_and_does_not_come_is_in_nobodys_way() {
        let budget = budget(64, 64);
        for _ in 0..100 {
            let slow = announcing(LIMIT, pieces(9_000, Duration::from_millis(900)));
            tokio::spawn(read(slow, LIMIT, budget));
        }
        sleep(Duration::from_secs(5)).await;
        let began = Instant::now();
        let body = read(pieces(60, Duration::ZERO), LIMIT, budget).await;
        assert_eq!(body.unwrap().len(), 60 * UNIT);
        assert!(began.elapsed() < Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_keep_coming() {
        let budget = budget(64, 64);
        for (apart, seconds) in [(1_000, 10), (70, 10)] {
            let began = Instant::now();
            let slow = pieces(9_000, Duration::from_millis(apart));
            let code = read(slow, LIMIT, budget).await.unwrap_err().code;
            assert_eq!(code, Code::RequestTimeout);
            let took = began.elapsed().as_secs();
            assert!(
                (seconds..=30).contains(&took),
                "{apart} ms apart: {took} seconds"
            );
        }
        // 20 KiB in each second are enough.
        let whole = read(pieces(500, Duration::from_millis(50)), LIMIT, budget).await;
        assert_eq!(whole.unwrap().len(), 500 * UNIT);
    }

    #[tokio::test(start_paused = true)]
    async fn many_large_bodies_get_through_though_none_has_a_place_for_the_whole() {
        let budget = budget(64, 64);
        let bodies = (0..20).map(|_| async {
            let body = read(pieces(200, Duration::from_millis(1)), LIMIT, budget).await;
            let length = body.map(|body| body.len());
            sleep(Duration::from_millis(100)).await;
            length
        });
        for length in futures_util::future::join_all(bodies).await {
            assert_eq!(length.unwrap(), 200 * UNIT);
        }
        assert_eq!(budget.arriving.available_permits(), 64);
        assert_eq!(budget.working.available_permits(), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_is_told_to_come_back() {
        let budget = budget(64, 4);
        let held = read(pieces(4, Duration::ZERO), LIMIT, budget)
            .await
            .unwrap();
        let began = Instant::now();
        let problem = read(pieces(1, Duration::ZERO), LIMIT, budget).await;
        assert_eq!(problem.unwrap_err().code, Code::Unavailable);
        assert_eq!(began.elapsed().as_secs(), PLACE_DEADLINE.as_secs());
        drop(held);
        assert!(read(pieces(1, Duration::ZERO), LIMIT, budget).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_over_the_limit_is_refused_at_the_limit() {
        let budget = budget(64, 64);
        for request in [
            announcing(3 * UNIT, pieces(0, Duration::ZERO)),
            pieces(9_000, Duration::ZERO),
        ] {
            let problem = read(request, 2 * UNIT, budget).await.unwrap_err();
            assert_eq!(problem.code, Code::PayloadTooLarge);
        }
    }
}

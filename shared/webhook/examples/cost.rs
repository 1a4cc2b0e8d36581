//! What one message costs: CPU and wall time of signing and sending it over a kept-alive loopback
//! connection. `cargo run --release -p ringfence-webhook --example cost`
//!
//! The receiver runs on a thread of its own and is not counted. Linux only (reads /proc).

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use ringfence_webhook::send::Options;
use ringfence_webhook::target::SystemResolver;
use ringfence_webhook::{ExtraHeaders, Outgoing, Policy, Secret, Sender, Target, Timeouts};

const MESSAGES: u32 = 50_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut buffer = [0; 8192];
        // The client writes each request at once, so one read is one request here.
        while stream.read(&mut buffer)? > 0 {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        }
        Ok(())
    });

    let policy = Policy::public().allow_subnet("127.0.0.0/8".parse()?);
    let target = Target::parse(&format!("http://{address}/hook"), &policy)?;
    let start = Instant::now();
    let sender = Sender::new(policy, Arc::new(SystemResolver), Options::default())?;
    println!("new sender: {:.2?}", start.elapsed());

    let keys = [ringfence_webhook::Key::Symmetric(Secret::from_random(
        &[7; 32],
    )?)];
    let headers = ExtraHeaders::default();
    let body = Bytes::from(vec![b'x'; 1024]);
    let message = Outgoing {
        target: &target,
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: 1_614_265_330,
        keys: &keys,
        headers: &headers,
        content_type: HeaderValue::from_static("application/json"),
        body,
        timeouts: Timeouts::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        for _ in 0..1000 {
            sender.send(message.clone()).await;
        }
        let (start, cpu) = (Instant::now(), thread_cpu()?);
        for _ in 0..MESSAGES {
            let attempt = sender.send(message.clone()).await;
            if !attempt.outcome.is_success() {
                return Err(attempt.outcome.explain().into());
            }
        }
        let (wall, cpu) = (start.elapsed(), thread_cpu()?.saturating_sub(cpu));
        println!(
            "a message: {:.2?} CPU, {:.2?} wall",
            cpu / MESSAGES,
            wall / MESSAGES
        );
        let start = thread_cpu()?;
        for _ in 0..MESSAGES {
            ringfence_webhook::sign(&keys, message.id, message.timestamp, &message.body)?;
        }
        println!(
            "of it signing: {:.2?} CPU",
            thread_cpu()?.saturating_sub(start) / MESSAGES
        );
        Ok(())
    })
}

/// CPU time of this thread, by the scheduler's count.
fn thread_cpu() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

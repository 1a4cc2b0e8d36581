//! The whole set in one process: started, running, stopped.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use ringfence_domain::{App, keyspace, settings::SettingsError};
use ringfence_embedded::{Embedded, OpenError, Pump, PumpOptions, SmtpServerError};
use ringfence_ports::OBJECTS;
use ringfence_webhook::{
    Policy, Subnet,
    send::{self, SenderError},
    target::{Resolve, SystemResolver},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    api, blobs,
    mail::{self, MailConfig, Post},
    server,
    setup::{self, Sample},
};

/// How often a message may fail before it is given up. What makes one fail is mostly a store that
/// cannot write (a full disk): with waits of up to five minutes this outlasts most of a day of that.
const MAX_RECEIVES: u32 = 200;

/// How to start.
#[derive(Clone)]
pub struct Config {
    /// The data folder; made if there is none.
    pub data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Subnets that callbacks may go to beside public addresses.
    pub allow_subnets: Vec<Subnet>,
    /// The origin under which the world reaches this installation.
    pub public_url: Option<String>,
    /// The time between two sweeps for due retries.
    pub sweep_every: Duration,
    /// How long a shutdown waits for requests and deliveries in flight.
    pub grace: Duration,
    /// Looks up the hosts of callbacks.
    pub resolver: Arc<dyn Resolve>,
    /// How callbacks are sent.
    pub sending: send::Options,
    /// How mail is sent.
    pub mail: MailConfig,
}

impl Config {
    /// The defaults, on this data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: ([127, 0, 0, 1], 8080).into(),
            allow_subnets: Vec::new(),
            public_url: None,
            sweep_every: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            resolver: Arc::new(SystemResolver),
            sending: send::Options::default(),
            mail: MailConfig::default(),
        }
    }
}

/// Why it did not start. Each is one line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something else listens there.
    #[error("{0} is in use by another program")]
    InUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The data folder cannot be opened.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// Mail could not be sent.
    #[error("mail could not be sent: {0}")]
    Mail(#[from] SmtpServerError),
    /// Callbacks could not be sent.
    #[error("callbacks could not be sent: {0}")]
    Sender(#[from] SenderError),
    /// The sample agency, account or key could not be made or read.
    #[error("the data folder cannot be set up: {0}")]
    Setup(#[from] SettingsError),
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Whole,
    /// Requests were cut off at the end of the grace period.
    Cut,
}

/// The whole set, running. Dropping it without [`Running::shutdown`] leaves its tasks to the runtime.
#[derive(Debug)]
pub struct Running {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// What to start with.
    pub sample: Sample,
    /// Where mail goes.
    pub post: Post,
    // Not `Debug`; an `App` holds ports.
    parts: Parts,
}

struct Parts {
    app: Arc<App>,
    store: Arc<Embedded>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<bool>,
    pumping: JoinHandle<()>,
    sweeping: JoinHandle<()>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// Takes the address, opens the folder, and starts to serve, deliver and sweep.
pub async fn start(config: Config) -> Result<Running, StartError> {
    // First the address: a start that fails on it has not touched the folder.
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(config.listen),
            _ => StartError::Listen {
                address: config.listen,
                cause,
            },
        })?;
    let address = listener.local_addr().map_err(|cause| StartError::Listen {
        address: config.listen,
        cause,
    })?;
    let policy = config
        .allow_subnets
        .iter()
        .copied()
        .fold(Policy::public(), Policy::allow_subnet);
    let (store, mut app) = setup::open(&config.data, policy, config.resolver, config.sending)?;
    app.public_origin.clone_from(&config.public_url);
    app.local_origin = Some(origin_of(address));
    app.goes_on = true;
    let origin = app.link_origin().to_owned();
    let (post, outlets) = mail::outlets(&config.data, config.mail, origin, &app.clock)?;
    let sample = setup::sample(&app).await?;
    redrive(&store).await?;
    let app = Arc::new(app);

    let (stop, stopped) = watch::channel(false);
    let router =
        api::router(app.clone(), config.public_url.as_deref()).merge(blobs::router(store.blobs()));
    let serving = tokio::spawn(server::serve(
        listener,
        move |request| {
            let router = router.clone();
            async move { ringfence_http::answer(&router, request).await }
        },
        told(stopped.clone()),
        config.grace,
    ));

    let recordings = Arc::new(ringfence_recordings::consumer(app.clone()));
    let pump = Pump::new(&store, app.clock.clone())
        .consumer(
            keyspace::DISPATCH,
            Arc::new(ringfence_dispatch::consumer(app.clone())),
            PumpOptions {
                // As many as an endpoint may be set to, and enough for some that hang not to be in the
                // way of the others.
                max_in_flight_per_group: 256,
                max_in_flight: 16_384,
                max_receives: MAX_RECEIVES,
                grace: config.grace,
                ..PumpOptions::default()
            },
        )
        .consumer(
            keyspace::JOBS,
            Arc::new(ringfence_jobs::consumer(app.clone())),
            PumpOptions {
                batch: 1,
                max_in_flight: 16,
                max_receives: MAX_RECEIVES,
                grace: config.grace,
                ..PumpOptions::default()
            },
        )
        .consumer(
            keyspace::NOTIFY,
            Arc::new(outlets.consumer(app.clone())),
            few_at_a_time(config.grace),
        )
        .consumer(
            keyspace::RECORDINGS,
            recordings.clone(),
            few_at_a_time(config.grace),
        )
        .consumer(OBJECTS, recordings, few_at_a_time(config.grace));
    let pump_stopped = told(stopped.clone());
    let pumping = tokio::spawn(async move { pump.run(pump_stopped).await });
    let sweeping = tokio::spawn(sweep(app.clone(), config.sweep_every, stopped));
    tracing::info!(%address, "serving");
    Ok(Running {
        address,
        sample,
        post,
        parts: Parts {
            app,
            store,
            stop,
            serving,
            pumping,
            sweeping,
        },
    })
}

/// Whatever made messages fail, a new start is a new chance.
async fn redrive(store: &Embedded) -> Result<(), SettingsError> {
    for queue in [
        keyspace::DISPATCH,
        keyspace::JOBS,
        keyspace::NOTIFY,
        keyspace::RECORDINGS,
        OBJECTS,
    ] {
        let count = store.redrive(queue).await?;
        if count > 0 {
            tracing::warn!(
                queue = queue.0,
                count,
                "messages that had been given up are tried again"
            );
        }
    }
    Ok(())
}

impl Running {
    /// The app that it serves. Who still holds it when [`Running::shutdown`] returns keeps the data
    /// folder open.
    pub fn app(&self) -> &Arc<App> {
        &self.parts.app
    }

    /// The store under it.
    pub fn store(&self) -> &Arc<Embedded> {
        &self.parts.store
    }

    /// Stops: accepts no more, lets what is in flight finish within the grace period, and closes the
    /// store. What was accepted and not delivered goes on at the next start.
    pub async fn shutdown(self) -> Drained {
        let Parts {
            app,
            store,
            stop,
            serving,
            pumping,
            sweeping,
        } = self.parts;
        stop.send_replace(true);
        // Requests first, deliveries beside them: what a last request queues is on disk anyway.
        let (served, pumped, swept) = tokio::join!(serving, pumping, sweeping);
        if pumped.is_err() || swept.is_err() {
            tracing::error!("a background task had panicked");
        }
        if let Err(error) = store.flush().await {
            tracing::error!(%error, "the store did not close in order; it recovers at the next start");
        }
        // Closing joins the store's threads.
        let _ = tokio::task::spawn_blocking(move || drop((app, store))).await;
        match served {
            Ok(true) => Drained::Whole,
            _ => Drained::Cut,
        }
    }
}

/// For objects that are looked at, each a read of the store, and mails, each a conversation.
fn few_at_a_time(grace: Duration) -> PumpOptions {
    PumpOptions {
        max_in_flight: 16,
        max_receives: MAX_RECEIVES,
        grace,
        ..PumpOptions::default()
    }
}

/// Where to reach a server from this machine.
pub fn origin_of(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}")
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error: the sender is gone, and with it whoever could want this to go on.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn sweep(app: Arc<App>, every: Duration, stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopped = std::pin::pin!(told(stopped));
    loop {
        tokio::select! {
            () = stopped.as_mut() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = ringfence_sweep::run(&app).await {
            tracing::error!(%error, "a sweep failed; the next one goes on with it");
        }
    }
}

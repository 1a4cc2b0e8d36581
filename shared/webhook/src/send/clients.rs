//! One reqwest client an origin, for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolving};
use rustls::ClientConfig;
use tokio::time::Instant;

use super::Options;
use super::dial::Watch;
use crate::target::{Origin, Policy, Resolve};

/// Clients, by what they connect to and in what time (reqwest sets that for all of a client).
pub(super) struct Clients {
    pub(super) gate: Arc<Gate>,
    tls: ClientConfig,
    options: Options,
    kept: Mutex<HashMap<Key, Kept>>,
}

/// What every connection must pass.
pub(super) struct Gate {
    pub(super) policy: Policy,
    pub(super) resolver: Arc<dyn Resolve>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    origin: Arc<Origin>,
    connect: Duration,
}

struct Kept {
    client: Arc<OriginClient>,
    /// When it was last asked for.
    used: Instant,
}

/// A client that connects to one origin only. Its idle connections close with it.
pub(super) struct OriginClient {
    pub(super) http: reqwest::Client,
    born: Instant,
}

impl Clients {
    pub(super) fn new(gate: Gate, tls: ClientConfig, options: Options) -> Self {
        Self {
            gate: Arc::new(gate),
            tls,
            options,
            kept: Mutex::default(),
        }
    }

    /// The client for an origin.
    pub(super) fn take(
        &self,
        origin: &Arc<Origin>,
        connect: Duration,
        now: Instant,
    ) -> reqwest::Result<Arc<OriginClient>> {
        let key = Key {
            origin: Arc::clone(origin),
            connect,
        };
        if let Some(kept) = self.lock().get_mut(&key)
            && self.is_young(&kept.client, now)
        {
            kept.used = now;
            return Ok(Arc::clone(&kept.client));
        }
        self.renew(key, now, None)
    }

    /// Another client than one that has turned out to hold dead connections.
    pub(super) fn replace(
        &self,
        dead: &Arc<OriginClient>,
        origin: &Arc<Origin>,
        connect: Duration,
        now: Instant,
    ) -> reqwest::Result<Arc<OriginClient>> {
        let key = Key {
            origin: Arc::clone(origin),
            connect,
        };
        self.renew(key, now, Some(dead))
    }

    /// Keeps a new client, unless there is one that is young and not dead: then that one.
    fn renew(
        &self,
        key: Key,
        now: Instant,
        dead: Option<&Arc<OriginClient>>,
    ) -> reqwest::Result<Arc<OriginClient>> {
        // Made before the lock is taken: the messages to all other receivers need it.
        let client = Arc::new(self.build(&key, now)?);
        let fresh = Kept {
            client: Arc::clone(&client),
            used: now,
        };
        let mut kept = self.lock();
        if let Some(other) = kept.get(&key)
            && self.is_young(&other.client, now)
            && !dead.is_some_and(|dead| Arc::ptr_eq(dead, &other.client))
        {
            return Ok(Arc::clone(&other.client));
        }
        let mut gone: Vec<Kept> = kept.remove(&key).into_iter().collect();
        if kept.len() >= self.options.max_origins {
            // Those that hold no connection any more, else the one that was not used for longest.
            let idle = self.options.idle_timeout;
            let useless = |one: &Kept| {
                now.saturating_duration_since(one.used) >= idle || !self.is_young(&one.client, now)
            };
            gone.extend(kept.extract_if(|_, one| useless(one)).map(|(_, one)| one));
            if kept.len() >= self.options.max_origins
                && let Some((oldest, _)) = kept.iter().min_by_key(|(_, one)| one.used)
            {
                let oldest = oldest.clone();
                gone.extend(kept.remove(&oldest));
            }
        }
        if kept.len() < self.options.max_origins {
            kept.insert(key, fresh);
        }
        drop(kept);
        // Closes connections: not under the lock.
        drop(gone);
        Ok(client)
    }

    fn build(&self, key: &Key, now: Instant) -> reqwest::Result<OriginClient> {
        let vetted = Vetted {
            gate: Arc::clone(&self.gate),
            origin: Arc::clone(&key.origin),
        };
        let http = reqwest::Client::builder()
            .user_agent(self.options.user_agent.clone())
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(vetted)
            .connect_timeout(key.connect)
            .connector_layer(Watch)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .http1_only()
            .tcp_nodelay(true)
            .pool_idle_timeout(self.options.idle_timeout)
            .pool_max_idle_per_host(self.options.max_idle_per_origin)
            .build()?;
        Ok(OriginClient { http, born: now })
    }

    fn is_young(&self, client: &OriginClient, now: Instant) -> bool {
        now.saturating_duration_since(client.born) < self.options.max_connection_age
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        // Every change above is complete before anything can panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers reqwest's lookups with the addresses of the one origin, resolved and judged for each
/// connection, so that what is dialled is what was judged. A literal address is dialled without a
/// lookup; it is judged with every message ([`crate::Target::check`]).
struct Vetted {
    gate: Arc<Gate>,
    origin: Arc<Origin>,
}

impl reqwest::dns::Resolve for Vetted {
    fn resolve(&self, _: Name) -> Resolving {
        let (gate, origin) = (Arc::clone(&self.gate), Arc::clone(&self.origin));
        Box::pin(async move {
            let found = origin.addresses(&gate.policy, &*gate.resolver).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;
    use crate::target::SystemResolver;

    const SECOND: Duration = Duration::from_secs(1);

    fn clients(max_origins: usize) -> Clients {
        let gate = Gate {
            policy: Policy::public(),
            resolver: Arc::new(SystemResolver),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let options = Options {
            max_origins,
            ..Options::default()
        };
        Clients::new(gate, tls, options)
    }

    fn origin(url: &str) -> Arc<Origin> {
        Arc::clone(Target::parse(url, &Policy::public()).unwrap().origin())
    }

    fn same(a: &Arc<OriginClient>, b: &Arc<OriginClient>) -> bool {
        Arc::ptr_eq(a, b)
    }

    #[test]
    fn an_origin_has_one_client_until_that_is_old() {
        let (clients, now) = (clients(9), Instant::now());
        let take = |url, connect, now| clients.take(&origin(url), connect, now).unwrap();
        let first = take("https://a.example/x", SECOND, now);
        assert!(same(
            &first,
            &take("https://a.example:443/y?z", SECOND, now)
        ));
        for other in ["http://a.example/x", "https://b.example/x"] {
            assert!(!same(&first, &take(other, SECOND, now)), "{other}");
        }
        assert!(!same(&first, &take("https://a.example/x", 2 * SECOND, now)));

        let age = Options::default().max_connection_age;
        let late = now + age - SECOND;
        assert!(same(&first, &take("https://a.example/x", SECOND, late)));
        let next = take("https://a.example/x", SECOND, now + age);
        assert!(!same(&first, &next));
        assert!(same(&next, &take("https://a.example/x", SECOND, now + age)));
    }

    #[test]
    fn beyond_the_limit_the_one_not_used_for_longest_goes() {
        let (clients, now) = (clients(2), Instant::now());
        let at = |n: u32| now + Duration::from_millis(10) * n;
        let take = |url, now| clients.take(&origin(url), SECOND, now).unwrap();
        let a = take("https://a.example/", at(0));
        let b = take("https://b.example/", at(1));
        assert!(same(&a, &take("https://a.example/", at(2))));
        take("https://c.example/", at(3));
        assert_eq!(clients.lock().len(), 2);
        assert!(same(&a, &take("https://a.example/", at(4))));
        assert!(!same(&b, &take("https://b.example/", at(5))));

        // All those that are idle for so long that they hold no connection go at once.
        take(
            "https://d.example/",
            at(5) + Options::default().idle_timeout,
        );
        assert_eq!(clients.lock().len(), 1);
    }

    #[test]
    fn a_limit_of_none_keeps_none() {
        let (clients, now) = (clients(0), Instant::now());
        let origin = origin("https://a.example/");
        let take = || clients.take(&origin, SECOND, now).unwrap();
        assert!(!same(&take(), &take()));
        assert_eq!(clients.lock().len(), 0);
    }

    #[test]
    fn a_dead_client_is_replaced_once_for_all_who_notice() {
        let (clients, now) = (clients(9), Instant::now());
        let origin = origin("https://a.example/");
        let dead = clients.take(&origin, SECOND, now).unwrap();
        let replace = || clients.replace(&dead, &origin, SECOND, now).unwrap();
        let next = replace();
        assert!(!same(&next, &dead));
        assert!(same(&next, &replace()));
        assert!(same(&next, &clients.take(&origin, SECOND, now).unwrap()));
    }
}

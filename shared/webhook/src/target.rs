//! Which URLs a callback may go to, against server-side request forgery.
//!
//! A [`Target`] is vetted when it is saved ([`Target::parse`]) and again on every attempt: the
//! sender resolves its name ([`Target::addresses`]), refuses it if *any* address is forbidden, and
//! dials exactly the addresses that were vetted. A literal address is judged without a resolver,
//! in whatever disguise it was written, since the URL parser has undone the disguise.
//!
//! A refusal says "forbidden address" and never which one: the answer must not tell a customer what
//! a name resolves to inside the sender's network.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;
use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;
use url::{Position, Url};

/// Longest URL accepted, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// Longest host name, in bytes (RFC 1035, section 2.3.4, in presentation form).
const MAX_NAME_BYTES: usize = 253;

const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// Why a URL is refused. Holds no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Longer than [`MAX_URL_BYTES`].
    #[error("the URL is longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// Does not start with `http://` or `https://`.
    #[error("the URL must start with http:// or https://")]
    Scheme,
    /// Cannot be read as a URL, or holds blanks, control characters or backslashes.
    #[error("the URL is malformed")]
    Malformed,
    /// Holds a user name or password.
    #[error("the URL must not hold a user name or password; use an extra header instead")]
    UserInfo,
    /// Holds a fragment, which is never sent.
    #[error("the URL must not have a fragment (#)")]
    Fragment,
    /// The host is missing or no valid name or address.
    #[error("the URL has no valid host")]
    Host,
    /// The port is not among those allowed.
    #[error("the port is not allowed; use 80 or 443")]
    Port,
    /// The host is an address, or a name that always means an address, which is forbidden.
    #[error("the URL leads to a forbidden address")]
    ForbiddenAddress,
}

/// Why a vetted URL leads nowhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The lookup failed.
    #[error("the host name could not be resolved")]
    Lookup,
    /// The lookup found no address.
    #[error("the host name has no address")]
    NoAddress,
    /// An address that the name resolves to may not be dialled.
    #[error("the host name leads to a forbidden address")]
    ForbiddenAddress,
}

/// A subnet in CIDR notation, such as `127.0.0.0/8`; an address alone is a subnet of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    network: IpAddr,
    prefix: u8,
}

/// Why a text is no [`Subnet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subnet is written like 127.0.0.0/8 or fd00::/8, with no bits set after the prefix")]
pub struct SubnetError;

impl Subnet {
    /// Whether the address lies in the subnet. An IPv4-mapped IPv6 address counts as its IPv4 one,
    /// since dialling it reaches that.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => in_v4(address, network, self.prefix),
            (IpAddr::V6(network), IpAddr::V6(address)) => in_v6(address, network, self.prefix),
            _ => false,
        }
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| SubnetError)?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // `parse` alone would take "+8" and "008".
            Some(digits) if digits == "0" || !digits.starts_with(['0', '+']) => {
                digits.parse().map_err(|_| SubnetError)?
            }
            Some(_) => return Err(SubnetError),
            None => width,
        };
        let exact = match network {
            IpAddr::V4(network) => network.to_bits() & !v4_mask(prefix) == 0,
            IpAddr::V6(network) => network.to_bits() & !v6_mask(prefix) == 0,
        };
        if prefix > width || !exact {
            return Err(SubnetError);
        }
        Ok(Self { network, prefix })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl fmt::Debug for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What may be dialled: public addresses on ports 80 and 443, and what the operator adds.
///
/// An added subnet is allowed on every port; an added port is allowed at every public address.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    subnets: Vec<Subnet>,
    ports: Vec<u16>,
}

impl Policy {
    /// Public addresses on ports 80 and 443, nothing else.
    pub fn public() -> Self {
        Self::default()
    }

    /// Also allows a subnet, on every port.
    #[must_use]
    pub fn allow_subnet(mut self, subnet: Subnet) -> Self {
        self.subnets.push(subnet);
        self
    }

    /// Also allows a port at public addresses.
    #[must_use]
    pub fn allow_port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// The subnets that were added, for the operator to be told at start-up.
    pub fn subnets(&self) -> &[Subnet] {
        &self.subnets
    }

    /// Whether this address may be dialled on this port.
    pub fn permits(&self, address: IpAddr, port: u16) -> bool {
        self.allows(address) || (self.allows_port(port) && !is_forbidden(address))
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.subnets.iter().any(|subnet| subnet.contains(address))
    }

    fn allows_port(&self, port: u16) -> bool {
        DEFAULT_PORTS.contains(&port) || self.ports.contains(&port)
    }
}

/// IPv4 ranges that are not for the public Internet to reach (IANA's special-purpose registry).
const FORBIDDEN_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// IPv6 ranges likewise, for addresses that embed no IPv4 address (see [`embedded_v4`]).
const FORBIDDEN_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::UNSPECIFIED, 8),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// Whether an address is private, special or reserved, so that a callback must not reach it.
pub fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_forbidden_v4(inner),
            None => FORBIDDEN_V6
                .iter()
                .any(|(network, prefix)| in_v6(address, *network, *prefix)),
        },
    }
}

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    FORBIDDEN_V4
        .iter()
        .any(|(network, prefix)| in_v4(address, *network, *prefix))
}

/// The IPv4 address that a packet to this IPv6 address may end up at: mapped (`::ffff:0:0/96`),
/// translated (`::ffff:0:0:0/96`), NAT64 (`64:ff9b::/96`) and 6to4 (`2002::/16`).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

fn v4_mask(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32_u32.saturating_sub(prefix.into()))
        .unwrap_or(0)
}

fn v6_mask(prefix: u8) -> u128 {
    u128::MAX
        .checked_shl(128_u32.saturating_sub(prefix.into()))
        .unwrap_or(0)
}

fn in_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    address.to_bits() & v4_mask(prefix) == network.to_bits()
}

fn in_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u8) -> bool {
    address.to_bits() & v6_mask(prefix) == network.to_bits()
}

/// Looks host names up. A port, so that tests can answer what no real name does.
#[async_trait::async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of a name, in the order to try them.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver. Each lookup holds a thread until the system has answered, whether
/// or not anyone still waits for that; at most 64 of them do so at a time, and the others queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

/// Far below the 512 threads that Tokio has for blocking calls, which others need as well.
static LOOKUPS: Semaphore = Semaphore::const_new(64);

/// Makes a blocking lookup that keeps its place until it is over, even if nobody waits any more.
async fn lookup<T: Send + 'static>(
    places: &'static Semaphore,
    blocking: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let place = places.acquire().await.map_err(io::Error::other)?;
    let lookup = tokio::task::spawn_blocking(move || {
        let _place = place;
        blocking()
    });
    lookup.await.map_err(io::Error::other)?
}

#[async_trait::async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let name = name.to_owned();
        lookup(&LOOKUPS, move || {
            let found = (name.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        })
        .await
    }
}

/// Where connections are shared: scheme, host and port.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

impl Origin {
    /// See [`Target::addresses`].
    pub(crate) async fn addresses(
        &self,
        policy: &Policy,
        resolver: &dyn Resolve,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = match &self.host {
            Host::Address(address) => vec![*address],
            // RFC 6761, section 6.3: loopback, whatever a resolver says. Of its two addresses the
            // permitted ones, so that allowing 127.0.0.0/8 is enough on a machine with IPv6.
            Host::Name(name) if is_localhost(name) => {
                let mut found = LOOPBACK.to_vec();
                found.retain(|address| policy.permits(*address, self.port));
                if found.is_empty() {
                    return Err(ResolveError::ForbiddenAddress);
                }
                found
            }
            Host::Name(name) => resolver
                .resolve(name)
                .await
                .map_err(|_| ResolveError::Lookup)?,
        };
        if found.is_empty() {
            return Err(ResolveError::NoAddress);
        }
        if !found
            .iter()
            .all(|address| policy.permits(*address, self.port))
        {
            return Err(ResolveError::ForbiddenAddress);
        }
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, self.port))
            .collect())
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Address(IpAddr),
    /// Lower case, in ASCII, without a dot at the end.
    Name(Box<str>),
}

/// A URL that was vetted. Cheap to clone.
#[derive(Clone)]
pub struct Target(Arc<Parts>);

struct Parts {
    url: Url,
    origin: Arc<Origin>,
    host_header: HeaderValue,
}

impl Target {
    /// Reads and vets a URL as far as that goes without resolving its name.
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong);
        }
        // Before the parser: it reads an unknown scheme's IP literal as a *name*, drops blanks and
        // takes a backslash for a slash.
        let rest = strip_scheme(text).ok_or(UrlError::Scheme)?;
        if text.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'\\') {
            return Err(UrlError::Malformed);
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        if authority.is_empty() {
            return Err(UrlError::Host);
        }
        let mut url = Url::parse(text).map_err(|error| match error {
            url::ParseError::InvalidPort => UrlError::Port,
            url::ParseError::RelativeUrlWithoutBase => UrlError::Malformed,
            _ => UrlError::Host,
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlError::Scheme),
        };
        let port = url
            .port_or_known_default()
            .filter(|port| *port != 0)
            .ok_or(UrlError::Port)?;
        let host = match url.host().ok_or(UrlError::Host)? {
            url::Host::Ipv4(address) => Host::Address(address.into()),
            url::Host::Ipv6(address) => Host::Address(address.into()),
            url::Host::Domain(name) => Host::Name(host_name(name)?),
        };
        if let Host::Name(name) = &host {
            // The name without a dot at the end: one spelling, one pool, one certificate.
            url.set_host(Some(name)).map_err(|_| UrlError::Host)?;
            // What no certificate can be for would only fail later.
            ServerName::try_from(&**name).map_err(|_| UrlError::Host)?;
        }
        let host_header = &url[Position::BeforeHost..Position::AfterPort];
        let host_header = HeaderValue::from_str(host_header).map_err(|_| UrlError::Host)?;
        // The HTTP client reads it once more, and more narrowly.
        url.as_str()
            .parse::<http::Uri>()
            .map_err(|_| UrlError::Malformed)?;
        let target = Self(Arc::new(Parts {
            url,
            origin: Arc::new(Origin { tls, host, port }),
            host_header,
        }));
        target.check(policy)?;
        Ok(target)
    }

    /// Vets the target again, under a policy that may have changed since it was parsed.
    pub fn check(&self, policy: &Policy) -> Result<(), UrlError> {
        let origin = &self.0.origin;
        let literal = match &origin.host {
            Host::Address(address) => Some(std::slice::from_ref(address)),
            Host::Name(name) => is_localhost(name).then_some(&LOOPBACK[..]),
        };
        match literal {
            Some(addresses) if addresses.iter().any(|a| policy.permits(*a, origin.port)) => Ok(()),
            Some(addresses) if addresses.iter().all(|a| is_forbidden(*a)) => {
                Err(UrlError::ForbiddenAddress)
            }
            // Another port is fine where the name turns out to lie in an allowed subnet.
            None if policy.allows_port(origin.port) || !policy.subnets.is_empty() => Ok(()),
            Some(_) | None => Err(UrlError::Port),
        }
    }

    /// Resolves the host and vets what was found: the addresses to dial, and no others. Refuses
    /// all of them if any one is forbidden.
    pub async fn addresses(
        &self,
        policy: &Policy,
        resolver: &dyn Resolve,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        self.0.origin.addresses(policy, resolver).await
    }

    /// The URL in normal form. Paths and queries of webhooks hold secrets: not for logs.
    pub fn as_str(&self) -> &str {
        self.0.url.as_str()
    }

    /// Whether the target is `https`.
    pub fn is_https(&self) -> bool {
        self.0.origin.tls
    }

    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.0.origin
    }

    pub(crate) fn host_header(&self) -> &HeaderValue {
        &self.0.host_header
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0.url
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.0.url == other.0.url
    }
}

impl Eq for Target {}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https() { "https" } else { "http" };
        let host = self.0.host_header.to_str().unwrap_or_default();
        write!(f, "Target({scheme}://{host}/…)")
    }
}

const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// What follows `http://` or `https://`.
fn strip_scheme(text: &str) -> Option<&str> {
    ["https://", "http://"].iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Checks a name that the URL parser made lower-case ASCII, and drops the dot at its end.
fn host_name(name: &str) -> Result<Box<str>, UrlError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // An address that the URL parser had taken for a name would otherwise reach the resolver,
    // which reads more forms of one than the standard has.
    let numeric = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit()));
    if name.len() > MAX_NAME_BYTES || numeric || !name.split('.').all(label) {
        return Err(UrlError::Host);
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests;

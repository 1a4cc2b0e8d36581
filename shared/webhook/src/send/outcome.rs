//! What became of one attempt, as data and in plain words.

use std::borrow::Cow;
use std::error::Error;
use std::io;

use http::StatusCode;
use rustls::CertificateError;

use crate::target::ResolveError;

/// How one attempt ended. Only [`Outcome::Success`] is a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered 2xx. What its body then did does not matter.
    Success,
    /// 410: the receiver wants no more messages; the endpoint should be disabled.
    Gone,
    /// 429, 502, 503 or 504: the receiver, or what stands before it, is overloaded.
    SlowDown(StatusCode),
    /// 3xx: redirects are never followed.
    Redirect(StatusCode),
    /// Any other status.
    Rejected(StatusCode),
    /// A deadline passed before the response head was complete.
    Timeout(Phase),
    /// The host name could not be resolved, or has no address.
    Dns,
    /// The URL, or an address that its name resolves to, is not one that may be dialled.
    ForbiddenAddress,
    /// The TLS handshake failed.
    Tls(TlsFailure),
    /// No connection, or it broke before the response head was complete.
    Connection(ConnectionFailure),
    /// What came back is not an acceptable HTTP response.
    BadResponse(BadResponse),
    /// The message could not be built: its id or time is none that can be signed. A fault of the
    /// caller; trying again does not help.
    Unsendable,
}

/// What an attempt was waiting for when its deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Name lookup, connection and TLS handshake.
    Connect,
    /// The response head.
    FirstByte,
    /// The whole exchange.
    Total,
}

/// Why no TLS session came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate is past its end.
    Expired,
    /// The certificate's time has not begun.
    NotYetValid,
    /// The certificate is for other names.
    WrongName,
    /// No trusted authority signed the certificate.
    UnknownIssuer,
    /// The certificate is refused for another reason.
    Certificate,
    /// Both sides found no common protocol, or the peer speaks no TLS.
    Handshake,
}

/// Why a connection could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionFailure {
    /// Nothing listens there.
    Refused,
    /// The peer reset the connection.
    Reset,
    /// The peer closed the connection without a complete response head.
    Closed,
    /// There is no way to the host.
    Unreachable,
}

/// What is wrong with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// It is not HTTP/1.1.
    NotHttp,
    /// Its headers are larger than the sender reads.
    HeadersTooLarge,
}

impl Outcome {
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Success,
            410 => Self::Gone,
            429 | 502..=504 => Self::SlowDown(status),
            300..=399 => Self::Redirect(status),
            _ => Self::Rejected(status),
        }
    }

    pub(super) fn of_resolve(error: ResolveError) -> Self {
        match error {
            ResolveError::Lookup | ResolveError::NoAddress => Self::Dns,
            ResolveError::ForbiddenAddress => Self::ForbiddenAddress,
        }
    }

    /// Of what reqwest reports, by the types of the causes: its own error only says where it failed.
    pub(super) fn of_error(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            // reqwest's deadline to connect, or the operating system gave up on its own.
            return Self::Timeout(if error.is_connect() {
                Phase::Connect
            } else {
                Phase::FirstByte
            });
        }
        Self::of_cause(error)
    }

    fn of_cause(error: &(dyn Error + 'static)) -> Self {
        // What there is no better word for: the connection is gone and says nothing.
        let mut outcome = Self::Connection(ConnectionFailure::Closed);
        let mut next = Some(error);
        while let Some(error) = next {
            next = error.source();
            if let Some(error) = error.downcast_ref::<ResolveError>() {
                return Self::of_resolve(*error);
            } else if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Self::Tls(TlsFailure::of(error));
            } else if let Some(error) = error.downcast_ref::<hyper::Error>() {
                if error.is_parse_too_large() {
                    return Self::BadResponse(BadResponse::HeadersTooLarge);
                }
                if error.is_parse() {
                    return Self::BadResponse(BadResponse::NotHttp);
                }
            } else if let Some(error) = error.downcast_ref::<io::Error>() {
                outcome = Self::Connection(ConnectionFailure::of(error.kind()));
                // `source` would pass over the error that this one was made from.
                if let Some(inner) = error.get_ref() {
                    next = Some(inner);
                }
            }
        }
        outcome
    }

    /// Whether the message was delivered.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }

    /// A short, stable name for logs, filters and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Gone => "gone",
            Self::SlowDown(_) => "slow_down",
            Self::Redirect(_) => "redirect",
            Self::Rejected(_) => "rejected",
            Self::Timeout(Phase::Connect) => "timeout_connect",
            Self::Timeout(Phase::FirstByte) => "timeout_first_byte",
            Self::Timeout(Phase::Total) => "timeout_total",
            Self::Dns => "dns",
            Self::ForbiddenAddress => "forbidden_address",
            Self::Tls(_) => "tls",
            Self::Connection(ConnectionFailure::Refused) => "connection_refused",
            Self::Connection(ConnectionFailure::Reset) => "connection_reset",
            Self::Connection(ConnectionFailure::Closed) => "connection_closed",
            Self::Connection(ConnectionFailure::Unreachable) => "unreachable",
            Self::BadResponse(_) => "bad_response",
            Self::Unsendable => "unsendable",
        }
    }

    /// The outcome in plain words, for the delivery log that a customer reads. Names no address and
    /// quotes nothing of the response.
    pub fn explain(&self) -> Cow<'static, str> {
        let text = match self {
            Self::Success => "The receiver accepted the message.",
            Self::Gone => "The receiver answered 410 (Gone): it wants no more messages.",
            Self::SlowDown(status) => {
                return format!(
                    "The receiver answered {status}: it is overloaded or limits the rate."
                )
                .into();
            }
            Self::Redirect(status) => {
                return format!(
                    "The receiver answered with a redirect ({status}). Redirects are not followed; set the endpoint to the final URL."
                )
                .into();
            }
            Self::Rejected(status) => {
                return format!("The receiver answered {status}; only a status from 200 to 299 counts as delivered.").into();
            }
            Self::Timeout(Phase::Connect) => "The receiver could not be connected to in time.",
            Self::Timeout(Phase::FirstByte) => {
                "The receiver was connected to but did not answer in time."
            }
            Self::Timeout(Phase::Total) => "The receiver did not complete its answer in time.",
            Self::Dns => "The host name of the URL could not be resolved.",
            Self::ForbiddenAddress => "The URL leads to a forbidden address.",
            Self::Tls(failure) => failure.explain(),
            Self::Connection(ConnectionFailure::Refused) => {
                "The receiver refused the connection: nothing listens at this URL."
            }
            Self::Connection(ConnectionFailure::Reset) => {
                "The receiver reset the connection before it answered."
            }
            Self::Connection(ConnectionFailure::Closed) => {
                "The receiver closed the connection without an answer."
            }
            Self::Connection(ConnectionFailure::Unreachable) => {
                "The receiver could not be reached over the network."
            }
            Self::BadResponse(BadResponse::NotHttp) => {
                "What came back is not a valid HTTP/1.1 response."
            }
            Self::BadResponse(BadResponse::HeadersTooLarge) => {
                "The headers of the response are too large."
            }
            Self::Unsendable => "The message could not be built and was not sent.",
        };
        Cow::Borrowed(text)
    }
}

impl ConnectionFailure {
    fn of(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Unreachable,
        }
    }
}

impl TlsFailure {
    fn of(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else {
            return Self::Handshake;
        };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            _ => Self::Certificate,
        }
    }

    fn explain(self) -> &'static str {
        match self {
            Self::Expired => "The receiver's TLS certificate has expired.",
            Self::NotYetValid => "The receiver's TLS certificate is not valid yet.",
            Self::WrongName => "The receiver's TLS certificate is for another host name.",
            Self::UnknownIssuer => {
                "The receiver's TLS certificate is not signed by a trusted authority, or an intermediate certificate is missing."
            }
            Self::Certificate => "The receiver's TLS certificate is not acceptable.",
            Self::Handshake => "No TLS connection could be set up with the receiver.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        for status in 100..=999 {
            let status = StatusCode::from_u16(status).unwrap();
            let expected = match status.as_u16() {
                200..=299 => "success",
                300..=399 => "redirect",
                410 => "gone",
                429 | 502 | 503 | 504 => "slow_down",
                _ => "rejected",
            };
            let outcome = Outcome::of_status(status);
            assert_eq!(outcome.code(), expected, "{status}");
            assert_eq!(outcome.is_success(), expected == "success");
        }
    }

    #[test]
    fn explanations_name_the_status() {
        let outcome = Outcome::of_status(StatusCode::MOVED_PERMANENTLY);
        assert!(
            outcome.explain().contains("301 Moved Permanently"),
            "{}",
            outcome.explain()
        );
        assert!(
            Outcome::of_status(StatusCode::IM_A_TEAPOT)
                .explain()
                .contains("418")
        );
    }

    #[test]
    fn what_tls_says_of_a_certificate_is_kept() {
        for (error, expected) in [
            (CertificateError::Expired, TlsFailure::Expired),
            (CertificateError::NotValidForName, TlsFailure::WrongName),
            (CertificateError::UnknownIssuer, TlsFailure::UnknownIssuer),
            (CertificateError::Revoked, TlsFailure::Certificate),
        ] {
            let error = io::Error::new(
                io::ErrorKind::InvalidData,
                rustls::Error::InvalidCertificate(error),
            );
            // As a TLS connector wraps it.
            assert_eq!(
                Outcome::of_cause(&io::Error::other(error)),
                Outcome::Tls(expected)
            );
        }
    }
}

//! What several endpoints answer with.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use ringfence_domain::{
    App,
    people::User,
    session::{ATTEMPT_TTL, Current, Method, NewAttempt, NewSession, Password, device},
};
use ringfence_http::{
    Problem, cookies,
    session::{ATTEMPT_COOKIE, SESSION_COOKIE, of},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who is logged in, and for how long.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SessionBody {
    /// `logged_in`
    state: String,
    /// Who.
    user: UserBody,
    /// `ses_…`
    id: String,
    /// When it began.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it is over whatever happens.
    #[schema(format = DateTime)]
    ends_at: String,
    /// When it is over unless you ask for something.
    #[schema(format = DateTime)]
    idle_until: String,
    /// Seconds until the sooner of the two.
    seconds_left: i64,
    /// The header `Ringfence-Csrf` of requests that change something.
    csrf_token: String,
    /// Your agency requires a second factor and you have none: nothing but setting one up is open.
    second_factor_required: bool,
}

/// A person, to itself.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = OwnUser)]
pub(crate) struct UserBody {
    /// `usr_…`
    id: String,
    /// The mail address.
    email: String,
    /// The name.
    name: String,
    /// The second factor.
    two_factor: TwoFactorBody,
}

/// A person's second factor.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TwoFactor)]
pub(crate) struct TwoFactorBody {
    /// An authenticator app is set up.
    app: bool,
    /// A number for codes by SMS is set up.
    sms: bool,
    /// Recovery codes that are left.
    recovery_left: u8,
}

impl From<&User> for TwoFactorBody {
    fn from(user: &User) -> Self {
        let summary = user.two_factor;
        Self {
            app: summary.app,
            sms: summary.sms,
            recovery_left: summary.recovery_left,
        }
    }
}

impl SessionBody {
    pub(crate) async fn new(app: &App, user: &User, session: &Current) -> Result<Self, Problem> {
        let csrf_token = app
            .csrf_token(&session.key_hash)
            .await
            .map_err(|error| of(app, error))?;
        Ok(Self {
            state: "logged_in".to_owned(),
            user: UserBody {
                id: user.id.clone(),
                email: user.email.as_str().to_owned(),
                name: user.name.clone(),
                two_factor: user.into(),
            },
            id: session.id.clone(),
            created_at: session.created_at.to_string(),
            ends_at: session.ends_at.to_string(),
            idle_until: session.idle_until.to_string(),
            seconds_left: session.seconds_left(app.clock.now()),
            csrf_token,
            second_factor_required: session.is_limited,
        })
    }
}

/// A login that waits for its second factor.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AttemptBody {
    /// `second_factor_required`
    state: String,
    /// Goes with the code: a secret.
    attempt: String,
    /// By what it can be given: `app`, `sms`, `recovery_code`.
    methods: Vec<String>,
    /// Until when.
    #[schema(format = DateTime)]
    ends_at: String,
}

impl AttemptBody {
    pub(crate) fn new(attempt: &NewAttempt) -> Self {
        Self {
            state: "second_factor_required".to_owned(),
            attempt: attempt.ticket.reveal(),
            methods: attempt
                .methods
                .iter()
                .map(|m| name(*m).to_owned())
                .collect(),
            ends_at: attempt.ends_at.to_string(),
        }
    }
}

/// The name of a method.
pub(crate) const fn name(method: Method) -> &'static str {
    match method {
        Method::App => "app",
        Method::Sms => "sms",
        Method::RecoveryCode => "recovery_code",
    }
}

/// The method of that name.
pub(crate) fn method(name: &str) -> Result<Method, Problem> {
    match name {
        "app" => Ok(Method::App),
        "sms" => Ok(Method::Sms),
        "recovery_code" => Ok(Method::RecoveryCode),
        _ => Err(Problem::field(
            "method",
            "unknown_value",
            "must be one of app, sms, recovery_code",
        )),
    }
}

/// A password as it was given. One that is too long to be looked at is refused by its field.
pub(crate) fn password(field: &str, text: &str) -> Result<Password, Problem> {
    Password::given(text).ok_or_else(|| {
        Problem::field(
            field,
            "too_long",
            format!(
                "must have at most {} characters",
                ringfence_domain::session::password::MAX_CHARS
            ),
        )
    })
}

/// The cookies of a session that has begun: its own, the device's, and no attempt's any more.
pub(crate) fn session_cookies(app: &App, headers: &HeaderMap, new: &NewSession) -> Vec<String> {
    let device = device::cookie_name(&new.user.id);
    let known_for = device::KNOWN_FOR.as_secs();
    let mut cookies = vec![
        cookies::set(app, headers, SESSION_COOKIE, &new.ticket.reveal(), None),
        cookies::set(app, headers, &device, &new.device.reveal(), Some(known_for)),
    ];
    let attempt = cookies::name(app, headers, ATTEMPT_COOKIE);
    if cookies::pairs(headers).any(|(name, _)| name == attempt) {
        cookies.push(cookies::clear(app, headers, ATTEMPT_COOKIE));
    }
    cookies
}

/// The cookie of a login that waits for its second factor.
pub(crate) fn attempt_cookie(app: &App, headers: &HeaderMap, attempt: &NewAttempt) -> String {
    let seconds = ATTEMPT_TTL.as_secs();
    cookies::set(
        app,
        headers,
        ATTEMPT_COOKIE,
        &attempt.ticket.reveal(),
        Some(seconds),
    )
}

/// 201 with the session and its cookies.
pub(crate) async fn begun(
    app: &App,
    headers: &HeaderMap,
    new: &NewSession,
) -> Result<Response, Problem> {
    let body = SessionBody::new(app, &new.user, &new.session).await?;
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    cookies::append(response.headers_mut(), session_cookies(app, headers, new));
    Ok(response)
}

/// How long from `since` to `now` in words: `3 hours ago`.
pub(crate) fn ago(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// What a browser says that it is, in the words that people use; as it is, where it is none that is known.
pub(crate) fn browser(agent: &str) -> String {
    // In this order: most of them claim to be others as well.
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let known = |list: &[(&str, &'static str)]| {
        list.iter()
            .find_map(|(token, name)| agent.contains(token).then_some(*name))
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        _ => agent.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_times_read_well() {
        for (agent, text) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36",
                "Chrome on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36 Edg/148.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (Android 16; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
                "Firefox on Android",
            ),
            ("curl/8.5.0", "curl/8.5.0"),
        ] {
            assert_eq!(browser(agent), text);
        }
        let now: Timestamp = "2026-01-31T08:00:00Z".parse().unwrap();
        for (since, text) in [
            ("2026-01-31T08:00:05Z", "just now"),
            ("2026-01-31T07:59:01Z", "just now"),
            ("2026-01-31T07:59:00Z", "1 minute ago"),
            ("2026-01-31T05:00:00Z", "3 hours ago"),
            ("2026-01-30T07:00:00Z", "1 day ago"),
            ("2025-12-31T08:00:00Z", "31 days ago"),
        ] {
            assert_eq!(ago(since.parse().unwrap(), now), text);
        }
    }
}

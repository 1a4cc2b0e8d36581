//! Cookies: bound to this very host, out of reach of scripts, and only over HTTPS, except on the machine
//! itself.

use http::{HeaderMap, HeaderValue, header};
use ringfence_domain::App;

/// Whether browsers speak HTTPS to this installation. Unless its origin says otherwise, only this
/// machine itself may do without.
pub fn is_https(app: &App, headers: &HeaderMap) -> bool {
    if let Some(origin) = &app.public_origin {
        return !origin.starts_with("http://");
    }
    let host = host(headers);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    !matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether [`is_https`] only takes for granted that browsers speak HTTPS, since nobody said how they
/// reach this installation. Where they do not, they keep none of its cookies.
pub fn is_https_assumed(app: &App, headers: &HeaderMap) -> bool {
    app.public_origin.is_none() && !host(headers).is_empty() && is_https(app, headers)
}

fn host(headers: &HeaderMap) -> &str {
    headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
}

/// The origin of this installation's pages, as browsers send it in `Origin`.
pub fn own_origin(app: &App, headers: &HeaderMap) -> String {
    if let Some(origin) = &app.public_origin {
        return origin.trim_end_matches('/').to_ascii_lowercase();
    }
    let scheme = if is_https(app, headers) {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}", host(headers).to_ascii_lowercase())
}

/// A cookie's name in this installation.
pub fn name(app: &App, headers: &HeaderMap, base: &str) -> String {
    // Browsers keep a cookie of this prefix to this very host, over HTTPS (RFC 6265bis section 4.1.3.2).
    let prefix = if is_https(app, headers) {
        "__Host-"
    } else {
        ""
    };
    format!("{prefix}{base}")
}

/// The `Set-Cookie` for a value. Without `max_age`, in seconds, it lasts as long as the browser's window.
pub fn set(
    app: &App,
    headers: &HeaderMap,
    base: &str,
    value: &str,
    max_age: Option<i64>,
) -> String {
    let name = name(app, headers, base);
    let age = max_age
        .map(|age| format!("Max-Age={age}; "))
        .unwrap_or_default();
    let secure = if is_https(app, headers) {
        "; Secure"
    } else {
        ""
    };
    format!("{name}={value}; {age}Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// The `Set-Cookie` that removes it.
pub fn clear(app: &App, headers: &HeaderMap, base: &str) -> String {
    set(app, headers, base, "", Some(0))
}

/// The values of the cookies of this name, as [`name`] makes it.
pub fn all<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    pairs(headers)
        .filter(move |(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// All cookies, name and value.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// Puts cookies into an answer's headers.
pub fn append(headers: &mut HeaderMap, cookies: impl IntoIterator<Item = String>) {
    for cookie in cookies {
        // Names and values are ours: they make header values.
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

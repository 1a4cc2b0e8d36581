//! `ringfence listen`: a receiver that prints.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use http::StatusCode;
use jiff::Timestamp;
use ringfence_local::{StartError, server};
use tokio::net::TcpListener;

use super::{
    args::Listen,
    failure::Failure,
    receiver::{self, Callback, Verdict},
    serve::{Signals, origin_of, say},
};

/// Longest wait for callbacks in flight when it is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// Receives until it is told to stop.
pub async fn listen(args: Listen) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let listener = bind(args.address).await?;
    let address = listener.local_addr().map_err(Failure::Runtime)?;
    say(&greeting(&origin_of(address), &args));
    let colour = colours();
    let args = Arc::new(args);
    let handler = move |request| {
        let args = args.clone();
        async move {
            let now = Timestamp::now();
            let callback = match receiver::take(request, &args.secrets, now).await {
                Ok(callback) => callback,
                Err(answer) => return answer,
            };
            // Who started it may have closed standard output.
            let _ = io::stdout().write_all(shown(&callback, now, colour).as_bytes());
            tokio::time::sleep(Duration::from_millis(args.delay)).await;
            if let Some(status) = args
                .fail
                .and_then(|status| StatusCode::from_u16(status).ok())
            {
                return receiver::status(status);
            }
            if let Verdict::Refused(_) = callback.verdict {
                return receiver::status(StatusCode::UNAUTHORIZED);
            }
            callback
                .challenge_answer()
                .unwrap_or_else(|| receiver::status(StatusCode::NO_CONTENT))
        }
    };
    server::serve(listener, handler, signals.received(), GRACE).await;
    say("\nStopped.");
    Ok(())
}

/// Listens, or says in one line why not.
pub async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|cause| {
        Failure::from(match cause.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(address),
            _ => StartError::Listen { address, cause },
        })
    })
}

/// Whether to colour: on a terminal, unless the environment says no (no-color.org).
pub fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// `text` in a colour (an SGR code), if there are any.
pub fn coloured(text: &str, code: u8, colour: bool) -> String {
    if colour {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Colour of what is well.
pub const GREEN: u8 = 32;
/// Colour of what is not.
pub const RED: u8 = 31;
/// Colour of what nobody knows.
pub const YELLOW: u8 = 33;

fn greeting(origin: &str, args: &Listen) -> String {
    let mut text = format!("Receiving callbacks at {origin}/\n");
    match args.secrets.len() {
        0 => text.push_str(
            "Nothing is verified: start it with --secret and the whsec_… of each callback to verify signatures.\n",
        ),
        1 => text.push_str("Signatures are verified; what does not verify is answered with 401.\n"),
        n => {
            let _ = writeln!(text, "Signatures are verified with {n} secrets; what does not verify is answered with 401.");
        }
    }
    if let Some(status) = args.fail {
        let _ = writeln!(text, "Every callback is answered with {status} (--fail).");
    }
    let url = format!("\"url\":\"{origin}/\"");
    let _ = write!(
        text,
        "
To have an account's callbacks sent here, with its id in RINGFENCE_ACCOUNT and an API key in RINGFENCE_KEY,
on a server that was started with --allow-subnet 127.0.0.0/8:

  curl -X PATCH http://127.0.0.1:8080/v1/accounts/$RINGFENCE_ACCOUNT/settings/callbacks \\
    -H \"Authorization: Bearer $RINGFENCE_KEY\" -H 'Content-Type: application/merge-patch+json' \\
    -H 'If-Match: \"0\"' \\
    -d '{{\"cdr\":{{{url}}},\"call_status\":{{{url}}},\"predictive_task\":{{{url}}}}}'

The answer holds the signing secrets, once. If it says that somebody changed the settings first, put the
ETag of a GET of the same address into If-Match. Ctrl-C stops this receiver.
"
    );
    text
}

fn shown(callback: &Callback, now: Timestamp, colour: bool) -> String {
    let verdict = match callback.verdict {
        Verdict::Verified => coloured("verified", GREEN, colour),
        Verdict::Unchecked => coloured("not verified: no --secret was given", YELLOW, colour),
        Verdict::Refused(reason) => coloured(&format!("NOT VERIFIED: {reason}"), RED, colour),
    };
    let id = if callback.id.is_empty() {
        "no webhook-id"
    } else {
        &callback.id
    };
    let mut text = format!(
        "\n{}  {}  {}  {verdict}\n",
        now.strftime("%H:%M:%SZ"),
        harmless(callback.event_type()),
        harmless(id),
    );
    let body = String::from_utf8_lossy(&callback.body);
    let body = if callback.event.is_null() {
        body.into_owned()
    } else if body.trim_start().starts_with(['{', '[']) {
        indented(&body)
    } else {
        indented(&callback.event.to_string())
    };
    for line in body.lines() {
        let _ = writeln!(text, "    {}", harmless(line));
    }
    text
}

/// JSON with a line for each field, its fields in the order of the sender.
fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = json.trim().chars().peekable();
    while let Some(c) = rest.next() {
        if in_string {
            text.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        let is_end = |c: Option<&char>| c.is_some_and(|c| matches!(c, '}' | ']'));
        match c {
            '{' | '[' => {
                text.push(c);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                if !is_end(rest.peek()) {
                    depth += 1;
                    new_line(&mut text, depth);
                } else if let Some(end) = rest.next() {
                    text.push(end);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                in_string = c == '"';
                text.push(c);
            }
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Text that cannot act on a terminal.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn json_is_indented_in_the_senders_order() {
        let json = r#"{"z":1,"a":[{"q":"x,\"{y:"},[],{ }],"e":"\\"}"#;
        let shown = indented(json);
        assert_eq!(
            serde_json::from_str::<Value>(&shown).unwrap(),
            serde_json::from_str::<Value>(json).unwrap()
        );
        assert_eq!(
            shown,
            "{\n  \"z\": 1,\n  \"a\": [\n    {\n      \"q\": \"x,\\\"{y:\"\n    },\n    [],\n    {}\n  ],\n  \"e\": \"\\\\\"\n}"
        );
    }

    #[test]
    fn what_comes_in_cannot_act_on_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\u{9b}c"), "a\\u001b[2Jb\\u009bc");
    }
}

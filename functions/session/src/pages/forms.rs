//! Forms as they arrive.

use axum::{extract::Request, response::Response};
use http::{header, request::Parts};
use ringfence_domain::App;
use ringfence_http::{
    Code, MAX_OPEN_BYTES, Problem, read_open,
    session::{Session, of_page, require_csrf, require_own_origin},
};
use serde::Deserialize;

use super::{refused, to};

/// All fields that any of the forms has. What is missing is empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) csrf: String,
    pub(super) next: Option<String>,
    pub(super) email: String,
    pub(super) name: Option<String>,
    pub(super) password: String,
    pub(super) new_password: String,
    pub(super) method: String,
    pub(super) code: String,
    pub(super) phone: String,
    pub(super) session: String,
}

/// A form of a page of ours.
pub(super) async fn read(app: &App, request: Request) -> Result<(Parts, Fields), Box<Response>> {
    let refuse = |problem: Problem| Box::new(refused(&problem));
    let (parts, body) = request.into_parts();
    require_own_origin(app, &parts.headers).map_err(refuse)?;
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(refuse(Problem::new(Code::UnsupportedMediaType)));
    }
    let mut for_body = Request::new(body);
    if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
        for_body
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.clone());
    }
    let body = read_open(for_body, MAX_OPEN_BYTES).await.map_err(refuse)?;
    let fields = serde_urlencoded::from_bytes(&body)
        .map_err(|_| refuse(Problem::new(Code::MalformedBody)))?;
    Ok((parts, fields))
}

/// A form of somebody who is logged in.
pub(super) async fn read_own(
    app: &App,
    request: Request,
) -> Result<(Parts, Fields, Session), Box<Response>> {
    let (parts, fields) = read(app, request).await?;
    let found = logged_in(app, &parts).await?;
    require_csrf(app, &found.session.key_hash, &fields.csrf)
        .await
        .map_err(|problem| Box::new(refused(&problem)))?;
    Ok((parts, fields, found))
}

/// The session of a page; without one, on to the login.
pub(super) async fn logged_in(app: &App, parts: &Parts) -> Result<Session, Box<Response>> {
    match of_page(parts, app).await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(Box::new(to("/login"))),
        Err(problem) if problem.code == Code::SessionOver => Err(Box::new(to("/login?ended"))),
        Err(problem) => Err(Box::new(refused(&problem))),
    }
}

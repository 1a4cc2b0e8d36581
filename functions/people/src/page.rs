//! `/people`: who may log in, and when each last did. For whoever may list users.

use askama::Template;
use axum::{
    Router,
    extract::{Query, Request, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use ringfence_domain::{
    App,
    access::{AccessError, Caller, Owner, Scope},
    id,
    people::{Desk, PeopleError, User, UserStatus, ago},
};
use ringfence_http::{
    AppState, Code, Problem,
    pages::{CSP, secured},
    session::of_visit,
    words::Moment,
};
use serde::Deserialize;

/// How many people a page shows.
const PEOPLE: usize = 50;

pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/people", get(people))
}

/// Whose people, and where to go on.
#[derive(Default, Deserialize)]
struct Search {
    of: Option<String>,
    after: Option<String>,
}

struct Place {
    id: String,
    name: String,
}

struct Login {
    at: Moment,
    ago: String,
}

struct Person {
    name: String,
    email: String,
    /// Where it is not the usual one.
    status: Option<&'static str>,
    role: String,
    /// Of somebody who holds roles elsewhere as well, an account is told no more.
    is_guest: bool,
    has_second_factor: bool,
    login: Option<Login>,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    id: String,
    place: String,
    others: Vec<Place>,
    people: Vec<Person>,
    next: Option<String>,
}

async fn people(State(app): State<AppState>, request: Request) -> Response {
    let search = Query::try_from_uri(request.uri());
    let Query(search) = search.unwrap_or_default();
    let (parts, _) = request.into_parts();
    let response = match of_visit(&parts, &app).await {
        Ok(Some(caller)) => match rendered(&app, &caller, &search).await {
            Ok(response) => response,
            Err(error) => Problem::from(error).into_response(),
        },
        // Over, or in need of a second factor: the login says which.
        Ok(None) => to_login(),
        Err(problem) if matches!(problem.code, Code::SessionOver) => to_login(),
        Err(problem) => problem.into_response(),
    };
    secured(response, CSP, "no-referrer")
}

fn to_login() -> Response {
    let to = [(
        header::LOCATION,
        HeaderValue::from_static("/login?next=/people"),
    )];
    (StatusCode::SEE_OTHER, to).into_response()
}

async fn rendered(app: &App, caller: &Caller, search: &Search) -> Result<Response, PeopleError> {
    // Those on which the visitor's roles say that they may.
    let mut places = Vec::new();
    for grant in caller
        .person()
        .into_iter()
        .flat_map(|person| &person.user.grants)
    {
        if let Some(place) = desk(app, caller, &grant.on).await? {
            places.push(place);
        }
    }
    let wanted = match &search.of {
        None => (!places.is_empty()).then(|| places.remove(0)),
        Some(of) => match places.iter().position(|(place, _)| place.id == *of) {
            Some(at) => Some(places.remove(at)),
            // One of the agency's accounts: no role of its own is needed.
            None => match Owner::parse(of) {
                Some(owner) => desk(app, caller, &owner).await?,
                None => None,
            },
        },
    };
    let Some((place, desk)) = wanted else {
        return Ok(Problem::new(Code::NotFound).into_response());
    };
    let after = search.after.as_deref();
    let after = after.filter(|after| id::Kind::User.matches(after));
    let found = app.list_people(&desk, None, PEOPLE, after).await?;
    let page = PeoplePage {
        id: place.id,
        place: place.name,
        others: places.into_iter().map(|(place, _)| place).collect(),
        people: found
            .items
            .into_iter()
            .map(|user| shown(app, &desk.owner, user))
            .collect(),
        next: found.next,
    };
    let Ok(html) = page.render() else {
        return Ok(Problem::new(Code::Internal).into_response());
    };
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    )];
    Ok((kind, html).into_response())
}

/// The people of an owner, as far as the visitor may list them.
async fn desk(
    app: &App,
    caller: &Caller,
    owner: &Owner,
) -> Result<Option<(Place, Desk)>, PeopleError> {
    let scope = Scope::PeopleRead;
    let (desk, name) = match owner {
        Owner::Platform => (
            app.people_of_platform(caller, scope),
            Some("the operator".to_owned()),
        ),
        Owner::Agency(agency) => (
            app.people_of_agency(caller, scope, agency).await,
            app.find_agency(agency).await?.map(|found| found.value.name),
        ),
        Owner::Account(account) => (
            app.people_of_account(caller, scope, account).await,
            app.find_account(account)
                .await?
                .map(|found| found.value.name),
        ),
    };
    match (desk, name) {
        (Ok(desk), Some(name)) => Ok(Some((
            Place {
                id: owner.as_str().to_owned(),
                name,
            },
            desk,
        ))),
        (Err(PeopleError::Access(AccessError::Scope(_) | AccessError::NotFound(_))), _)
        | (Ok(_), None) => Ok(None),
        (Err(error), _) => Err(error),
    }
}

fn shown(app: &App, owner: &Owner, user: User) -> Person {
    let roles: Vec<_> = user
        .grants
        .iter()
        .filter(|grant| grant.on == *owner || matches!(owner, Owner::Agency(_)))
        .map(|grant| grant.role.as_str().replace('_', " "))
        .collect();
    let now = app.clock.now();
    Person {
        name: user.name,
        email: user.email.as_str().to_owned(),
        status: (user.status != UserStatus::Active).then(|| user.status.as_str()),
        role: roles.join(", "),
        is_guest: user.is_guest,
        has_second_factor: user.two_factor.is_on(),
        login: user.last_login_at.map(|at| Login {
            at: at.into(),
            ago: ago(now, at),
        }),
    }
}

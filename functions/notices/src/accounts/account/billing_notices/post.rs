//! `POST /v1/accounts/{account}/billing-notices`

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use ringfence_domain::{access::Scope, notification::BillingNotice};
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde::Serialize;
use utoipa::ToSchema;

/// What the billing system has to say.
#[derive(ToSchema)]
#[schema(as = BillingNotice)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::notification::BillingNotice, which is what is read"
)]
pub(crate) struct BillingNoticeBody {
    /// The sender's own id of it, 1 to 128 visible ASCII characters. A second one of the same id and
    /// content sends nothing.
    id: String,
    /// About what: one line of up to 120 characters.
    subject: String,
    /// How much.
    amount: Option<AmountBody>,
    /// For which days.
    period: Option<PeriodBody>,
    /// Where to read more: `https`.
    url: Option<String>,
}

/// A sum of money.
#[derive(ToSchema)]
#[schema(as = BillingAmount)]
#[expect(dead_code, reason = "describes what is read")]
pub(crate) struct AmountBody {
    /// Digits, and after a dot up to four more.
    value: String,
    /// ISO 4217.
    currency: String,
}

/// Days, both included.
#[derive(ToSchema)]
#[schema(as = BillingPeriod)]
#[expect(dead_code, reason = "describes what is read")]
pub(crate) struct PeriodBody {
    /// The first.
    #[schema(format = Date)]
    from: String,
    /// The last.
    #[schema(format = Date)]
    to: String,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct BillingNoticeAnswer {
    /// The sender's id of it.
    id: String,
    /// How many people it goes to.
    recipients: usize,
    /// It had been posted before, and is not sent again.
    repeated: bool,
}

/// Send a billing notice
///
/// Goes by mail to everybody who administers the account or its agency; an administrator of the agency
/// can opt out in the own profile, unless all of them did: then they all get it. Needs the scope
/// `billing:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/billing-notices",
    tag = "notices",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = BillingNoticeBody, example = json!({
        "id": "invoice-2026-0042", "subject": "Your invoice for January",
        "amount": {"value": "129.00", "currency": "EUR"},
        "period": {"from": "2026-01-01", "to": "2026-01-31"},
        "url": "https://billing.example.com/invoices/2026-0042",
    })),
    responses(
        (status = 202, description = "It is being sent", body = BillingNoticeAnswer, example = json!({"id": "invoice-2026-0042", "recipients": 3, "repeated": false})),
        (status = 200, description = "It had been posted before", body = BillingNoticeAnswer, example = json!({"id": "invoice-2026-0042", "recipients": 3, "repeated": true})),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "Another notice had this id, or nobody administers the account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<BillingNotice>, Problem>,
) -> Result<(StatusCode, Json<BillingNoticeAnswer>), Problem> {
    // First whether the caller may, then what it says.
    let config = app.account(&caller, Scope::BillingWrite, &account).await?;
    let notice = body?.0;
    let id = notice.id.clone();
    let accepted = app.billing_notice(&config.account, notice).await?;
    let status = if accepted.repeated {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((
        status,
        Json(BillingNoticeAnswer {
            id,
            recipients: accepted.recipients,
            repeated: accepted.repeated,
        }),
    ))
}

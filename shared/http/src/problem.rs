//! Errors, as RFC 9457 problem details. The set of codes is closed; each says what happened and what
//! to do next. Causes go to the log, never to the caller.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ringfence_domain::{
    access::AccessError,
    callback::log::CallbackError,
    calls::{CallError, MAX_BYTES_OF_CALL, MAX_EVENTS_OF_CALL},
    deletion::{DeletionError, HoldError},
    export::{ExportError, MAX_RUNNING},
    history::HistoryError,
    notification::BillingError,
    people::PeopleError,
    recording::RecordingError,
    redaction::RedactionError,
    session::SessionError,
    settings::SettingsError,
};
use ringfence_ports::{BlobError, KeysError, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// The catalogue of problems. `type` is `/problems/{code}`, a page of the API itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The body is not what its media type says, or breaks the JSON rules.
    MalformedBody,
    /// Fields of the body are wrong.
    InvalidFields,
    /// A query parameter is wrong.
    InvalidQuery,
    /// The path cannot be decoded.
    InvalidPath,
    /// The cursor is of another query.
    InvalidCursor,
    /// No or unknown credentials.
    Unauthenticated,
    /// A scope is missing.
    InsufficientScope,
    /// There is no such thing within reach.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The state does not allow it.
    Conflict,
    /// `If-Match` names another version.
    PreconditionFailed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The body is over its limit.
    PayloadTooLarge,
    /// The media type is not one of those taken.
    UnsupportedMediaType,
    /// The endpoint did not answer the verification challenge.
    ChallengeFailed,
    /// What arrived as a recording is not audio, or not what was announced.
    NotAudio,
    /// The range lies outside of the audio.
    RangeNotSatisfiable,
    /// It is too large for one answer.
    RangeRequired,
    /// It was there once.
    Gone,
    /// A link asks for a PIN.
    PinRequired,
    /// The PIN is wrong.
    WrongPin,
    /// A link asks for a login.
    LoginRequired,
    /// Too many wrong PINs.
    PinLocked,
    /// The mail address or the password is wrong.
    LoginFailed,
    /// Too many wrong passwords or codes.
    LoginLocked,
    /// The one-time code is wrong.
    WrongCode,
    /// A login must start again.
    LoginOver,
    /// There is no session, or it is over.
    SessionOver,
    /// The request may come from another site's page.
    ForeignRequest,
    /// The second factor must be given again.
    ConfirmationRequired,
    /// A second factor must be set up first.
    SecondFactorRequired,
    /// `If-Match` is missing.
    PreconditionRequired,
    /// Too many requests.
    RateLimited,
    /// A defect of Ringfence.
    Internal,
    /// The store or the key service cannot be reached.
    Unavailable,
}

impl Code {
    /// The whole catalogue.
    pub const ALL: [Self; 35] = [
        Self::MalformedBody,
        Self::InvalidFields,
        Self::InvalidQuery,
        Self::InvalidPath,
        Self::InvalidCursor,
        Self::Unauthenticated,
        Self::InsufficientScope,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::RequestTimeout,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ChallengeFailed,
        Self::PreconditionRequired,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
        // Behind those of the same status that a rejection of axum's stands for.
        Self::NotAudio,
        Self::RangeNotSatisfiable,
        Self::RangeRequired,
        Self::Gone,
        Self::PinRequired,
        Self::WrongPin,
        Self::LoginRequired,
        Self::PinLocked,
        Self::LoginFailed,
        Self::LoginLocked,
        Self::WrongCode,
        Self::LoginOver,
        Self::SessionOver,
        Self::ForeignRequest,
        Self::ConfirmationRequired,
        Self::SecondFactorRequired,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        self.row().1
    }

    /// What happened, in a few words.
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// What the caller does next.
    pub const fn next(self) -> &'static str {
        self.row().3
    }

    #[expect(clippy::too_many_lines, reason = "a table, four columns a code")]
    const fn row(self) -> (&'static str, StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedBody => (
                "malformed-body",
                StatusCode::BAD_REQUEST,
                "The body cannot be read",
                "Send what the Content-Type says, in UTF-8, with no key twice.",
            ),
            Self::InvalidFields => (
                "invalid-fields",
                StatusCode::BAD_REQUEST,
                "Some fields are not right",
                "Mend the fields named in errors and send it again.",
            ),
            Self::InvalidQuery => (
                "invalid-query",
                StatusCode::BAD_REQUEST,
                "A query parameter is not right",
                "See the parameters of this endpoint in /docs.",
            ),
            Self::InvalidPath => (
                "invalid-path",
                StatusCode::BAD_REQUEST,
                "The path cannot be read",
                "Percent-encode the ids in the path, as UTF-8.",
            ),
            Self::InvalidCursor => (
                "invalid-cursor",
                StatusCode::BAD_REQUEST,
                "The cursor does not belong to this query",
                "Start again without a cursor, and keep the filters as they are from page to page.",
            ),
            Self::Unauthenticated => (
                "unauthenticated",
                StatusCode::UNAUTHORIZED,
                "The API key or session is missing, unknown or expired",
                "Send 'Authorization: Bearer rfk_…' with a key that is in force, or log in again.",
            ),
            Self::InsufficientScope => (
                "insufficient-scope",
                StatusCode::FORBIDDEN,
                "The API key or role does not allow this",
                "Use a key with what is named in detail, or ask somebody with a higher role.",
            ),
            Self::NotFound => (
                "not-found",
                StatusCode::NOT_FOUND,
                "There is no such thing",
                "Check the path and the ids in it, and that the key or login belongs to their owner.",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "This path does not take that method",
                "See the Allow header.",
            ),
            Self::Conflict => (
                "conflict",
                StatusCode::CONFLICT,
                "The present state does not allow this",
                "Read the present state, then decide.",
            ),
            Self::PreconditionFailed => (
                "precondition-failed",
                StatusCode::PRECONDITION_FAILED,
                "Somebody else changed it first",
                "Read it again, apply your change to what is there now, and send it with the new ETag.",
            ),
            Self::RequestTimeout => (
                "request-timeout",
                StatusCode::REQUEST_TIMEOUT,
                "The body did not arrive in time",
                "Send it again, in smaller requests where the line is slow.",
            ),
            Self::PayloadTooLarge => (
                "payload-too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is over its limit",
                "Send less in one request.",
            ),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This endpoint does not take that media type",
                "Send one of the media types named in detail.",
            ),
            Self::ChallengeFailed => (
                "challenge-failed",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The endpoint did not answer the verification challenge",
                "Let the endpoint answer the challenge, or save without it.",
            ),
            Self::NotAudio => (
                "not-audio",
                StatusCode::UNPROCESSABLE_ENTITY,
                "What arrived is not the recording that was announced",
                "Register it again and send the file itself: WAV (PCM, mu-law, A-law), MP3, Ogg, FLAC or M4A \
                 (another MP4 if it has no pictures and its index comes first).",
            ),
            Self::RangeNotSatisfiable => (
                "range-not-satisfiable",
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The range lies outside of the audio",
                "Ask for a range within the length in detail.",
            ),
            Self::RangeRequired => (
                "range-required",
                StatusCode::BAD_REQUEST,
                "The audio is larger than one answer",
                "Ask for it in ranges: 'Range: bytes=0-', then on from where the answer ended.",
            ),
            Self::Gone => (
                "gone",
                StatusCode::GONE,
                "It was there once, and is not any more",
                "Ask whoever gave you the link for a new one, if detail leaves hope.",
            ),
            Self::PinRequired => (
                "pin-required",
                StatusCode::FORBIDDEN,
                "This recording asks for a PIN",
                "POST the PIN to the link, as {\"pin\": \"…\"} or a form, and send the cookie that you get.",
            ),
            Self::WrongPin => (
                "wrong-pin",
                StatusCode::FORBIDDEN,
                "The PIN is wrong",
                "Try again with the right PIN; after some wrong ones none is looked at for a while.",
            ),
            Self::LoginRequired => (
                "login-required",
                StatusCode::FORBIDDEN,
                "This recording is for people of the account",
                "Log in as one of them, or send an API key of the account with the scope recordings:read.",
            ),
            Self::PinLocked => (
                "pin-locked",
                StatusCode::TOO_MANY_REQUESTS,
                "There were too many wrong PINs",
                "Come back after Retry-After; without one, ask for a new PIN.",
            ),
            Self::LoginFailed => (
                "login-failed",
                StatusCode::UNAUTHORIZED,
                "The mail address or the password is wrong",
                "Try again, or ask for a new password; after some wrong ones none is looked at for a while.",
            ),
            Self::LoginLocked => (
                "login-locked",
                StatusCode::TOO_MANY_REQUESTS,
                "There were too many failures",
                "Come back after Retry-After, use a device that you logged in on before, or ask for a new password.",
            ),
            Self::WrongCode => (
                "wrong-code",
                StatusCode::FORBIDDEN,
                "The code is wrong, or was used already",
                "Give the next code, or start the login again; a login takes five codes.",
            ),
            Self::LoginOver => (
                "login-over",
                StatusCode::GONE,
                "This login is over",
                "Start again with mail address and password.",
            ),
            Self::SessionOver => (
                "session-over",
                StatusCode::UNAUTHORIZED,
                "There is no session, or it is over",
                "Log in, and send the session's cookie.",
            ),
            Self::ForeignRequest => (
                "foreign-request",
                StatusCode::FORBIDDEN,
                "The request may come from another site",
                "Send the header Ringfence-Csrf with the csrf_token of GET /v1/session, and the Origin of this site.",
            ),
            Self::ConfirmationRequired => (
                "confirmation-required",
                StatusCode::FORBIDDEN,
                "This asks for your second factor again",
                "POST {\"method\": \"app\", \"code\": \"…\"} (or {\"password\": \"…\"} if you have no second factor) to /v1/session/confirm, then send the same request again within ten minutes.",
            ),
            Self::SecondFactorRequired => (
                "second-factor-required",
                StatusCode::FORBIDDEN,
                "Your agency requires a second factor",
                "Set one up at /account, or with POST /v1/session/two-factor/app, then go on.",
            ),
            Self::PreconditionRequired => (
                "precondition-required",
                StatusCode::PRECONDITION_REQUIRED,
                "A change needs If-Match",
                "Read it first, and send the ETag you got as If-Match.",
            ),
            Self::RateLimited => (
                "rate-limited",
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "Wait as long as Retry-After says.",
            ),
            Self::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
                "Try again; if it stays, tell the operator the time of the request.",
            ),
            Self::Unavailable => (
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "Ringfence cannot do this at the moment",
                "Nothing was lost: send the same request again after Retry-After.",
            ),
        }
    }
}

/// One field that is not right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The place of the item in the batch, from 0, where the body is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The path of the field, with dots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A stable name of what is wrong.
    pub code: String,
    /// The same in plain words. Never holds the value.
    pub reason: String,
}

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Which.
    pub code: Code,
    /// What exactly, in this case. Holds nothing sensitive.
    pub detail: Option<String>,
    /// The fields concerned.
    pub errors: Vec<FieldError>,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
}

/// A problem on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `/problems/{code}`
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "/problems/invalid-fields")]
    kind: String,
    /// What happened, in a few words.
    #[schema(value_type = String)]
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    detail: Option<&'a str>,
    /// What to do next.
    #[schema(value_type = String)]
    next: &'a str,
    /// The fields concerned.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldError>)]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem without detail.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Says what exactly.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names fields.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// One wrong field.
    pub fn field(field: &str, code: &str, reason: impl Into<String>) -> Self {
        Self::new(Code::InvalidFields).errors(vec![FieldError {
            index: None,
            field: Some(field.to_owned()),
            code: code.to_owned(),
            reason: reason.into(),
        }])
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound).detail(format!("There is no such {what}."))
    }

    /// The document on the wire.
    pub fn body(&self) -> ProblemBody<'_> {
        ProblemBody {
            kind: format!("/problems/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.as_deref(),
            next: self.code.next(),
            errors: &self.errors,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (
            self.code.status(),
            [(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/problem+json"),
            )],
            body,
        )
            .into_response();
        let retry_after = self.retry_after.or(match self.code {
            Code::Unavailable => Some(1),
            _ => None,
        });
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self.code, Code::LoginFailed | Code::SessionOver) {
            // Without Basic: a browser would ask for a password by itself.
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"ringfence\""),
            );
        }
        if self.code == Code::Unauthenticated {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"ringfence\", Basic realm=\"ringfence\""),
            );
        }
        response
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthenticated => Self::new(Code::Unauthenticated),
            AccessError::Scope(scope) => Self::new(Code::InsufficientScope)
                .detail(format!("This needs the scope {}.", scope.as_str())),
            AccessError::NotFound(what) => Self::not_found(what),
            AccessError::Store(error) => error.into(),
        }
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            SettingsError::Challenge(errors) => Self::new(Code::ChallengeFailed)
                .errors(errors.into_iter().map(Into::into).collect()),
            SettingsError::Stale => Self::new(Code::PreconditionFailed),
            SettingsError::Conflict(why) => Self::new(Code::Conflict).detail(why),
            SettingsError::Access(error) => error.into(),
            SettingsError::Store(error) => error.into(),
            SettingsError::Keys(error) => error.into(),
        }
    }
}

impl From<PeopleError> for Problem {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            PeopleError::Stale => Self::new(Code::PreconditionFailed),
            PeopleError::AddressTaken => Self::new(Code::Conflict)
                .detail("This mail address cannot be used: somebody logs in with it already."),
            PeopleError::LastAdministrator => Self::new(Code::Conflict)
                .detail("The last administrator cannot leave: let somebody else become one first."),
            PeopleError::NotBelow => Self::new(Code::InsufficientScope)
                .detail("This needs a role above the one it is about."),
            PeopleError::ConfirmationRequired => Self::new(Code::ConfirmationRequired),
            PeopleError::Conflict(why) => Self::new(Code::Conflict).detail(why),
            PeopleError::Access(error) => error.into(),
            PeopleError::Store(error) => error.into(),
            PeopleError::Keys(error) => error.into(),
        }
    }
}

impl From<BillingError> for Problem {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            BillingError::OtherOfThisId => Self::new(Code::Conflict)
                .detail("Another notice was posted with this id: give this one an id of its own."),
            BillingError::Nobody => Self::new(Code::Conflict).detail(
                "Nobody who can log in administers the account or its agency: invite somebody, then post it again.",
            ),
            BillingError::Store(error) => error.into(),
            BillingError::Keys(error) => error.into(),
        }
    }
}

impl From<ringfence_domain::settings::FieldError> for FieldError {
    fn from(error: ringfence_domain::settings::FieldError) -> Self {
        Self {
            index: None,
            field: (!error.field.is_empty()).then_some(error.field),
            code: error.code.to_owned(),
            reason: error.reason,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            // Where a lost race has a meaning, the use case has said so; here it is only bad luck.
            StoreError::Condition { .. } | StoreError::Busy => Self::new(Code::Unavailable),
            StoreError::TooLarge { limit } => Self::new(Code::PayloadTooLarge)
                .detail(format!("One document may hold {limit} bytes.")),
            StoreError::Invalid(cause) => {
                tracing::error!(cause, "invalid store request");
                Self::new(Code::Internal)
            }
            StoreError::Unavailable(cause) => {
                tracing::error!(cause, "the store is unavailable");
                Self::new(Code::Unavailable)
            }
        }
    }
}

impl From<CallbackError> for Problem {
    fn from(error: CallbackError) -> Self {
        match error {
            CallbackError::NoDelivery => Self::not_found("delivery"),
            CallbackError::NoJob => Self::not_found("job"),
            CallbackError::NoEndpoint => Self::new(Code::Conflict)
                .detail("This callback has no URL yet: set one in settings/callbacks."),
            CallbackError::Erased => {
                Self::new(Code::Conflict).detail("The event of this delivery has been erased.")
            }
            CallbackError::Conflict => {
                Self::new(Code::Conflict).detail("It was changed at the same moment: try again.")
            }
            CallbackError::Store(error) => error.into(),
        }
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TooMany => Self::new(Code::Conflict).detail(format!(
                "This call has more than {MAX_EVENTS_OF_CALL} events, or {} MiB of them. They were delivered: search the delivery log by time.",
                MAX_BYTES_OF_CALL >> 20
            )),
            CallError::Store(error) => error.into(),
        }
    }
}

impl From<KeysError> for Problem {
    fn from(error: KeysError) -> Self {
        tracing::error!(%error, "a key cannot be used");
        Self::new(Code::Unavailable)
    }
}

impl From<RecordingError> for Problem {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::NotFound => Self::not_found("recording"),
            RecordingError::NoLink => Self::not_found("link"),
            RecordingError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            RecordingError::IdReused => Self::new(Code::Conflict).detail(
                "Another recording of this call was registered under this external_id, with other facts.",
            ),
            RecordingError::NotStored => {
                Self::new(Code::Conflict).detail("No audio of this recording has arrived yet.")
            }
            RecordingError::AlreadyStored => {
                Self::new(Code::Conflict).detail("The audio of this recording is there already.")
            }
            RecordingError::Named => Self::new(Code::Conflict).detail(
                "The audio of this recording is the object that an event named. Put it there.",
            ),
            RecordingError::CustomerKey(error) => {
                let why = error.map_or_else(|| "none is set".to_owned(), |error| error.to_string());
                Self::new(Code::Conflict).detail(format!(
                    "Recordings of this account are kept only encrypted to the customer's own public key, and \
                     that one does not serve: {why}. Nothing was stored. Set public_key in the recording \
                     settings, then send it again."
                ))
            }
            RecordingError::StoreKey(code) => Self::store_key(&code),
            RecordingError::Refused(refusal) => Self::new(Code::NotAudio).detail(refusal.reason()),
            RecordingError::Deleted => {
                Self::new(Code::Gone).detail("This recording was deleted.")
            }
            RecordingError::Range { length } => Self::new(Code::RangeNotSatisfiable)
                .detail(format!("The audio has {length} bytes.")),
            RecordingError::InParts { limit } => Self::new(Code::RangeRequired)
                .detail(format!("One answer carries {limit} bytes here.")),
            RecordingError::Damaged => {
                tracing::error!("a stored recording is damaged");
                Self::new(Code::Internal)
            }
            RecordingError::Store(error) => error.into(),
            RecordingError::Blob(error) => error.into(),
            RecordingError::Keys(error) => error.into(),
        }
    }
}

impl From<RedactionError> for Problem {
    fn from(error: RedactionError) -> Self {
        match error {
            RedactionError::NotFound => Self::not_found("redaction"),
            RedactionError::NoOriginal => Self::not_found("original"),
            RedactionError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            RedactionError::CustomerOnly => Self::new(Code::Conflict).detail(
                "Only the customer can open this recording: nobody here can redact it. It can be deleted.",
            ),
            RedactionError::Held(holds) => Self::new(Code::Conflict).detail(format!(
                "A legal hold keeps the original ({}): keep_original redacts what is heard, and keeps it.",
                holds.join(", ")
            )),
            RedactionError::TooMany => Self::new(Code::Conflict).detail(
                "Several redactions of this recording are under way: wait for one, or ask for all spans at once.",
            ),
            RedactionError::Audio(error) => Self::new(Code::Conflict).detail(error.to_string()),
            RedactionError::Recording(error) => error.into(),
            RedactionError::Store(error) => error.into(),
            RedactionError::Keys(error) => error.into(),
        }
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NotFound => Self::not_found("entry"),
            HistoryError::Broken(bad) => Self::new(Code::Conflict).detail(format!(
                "The history does not verify: {bad}. Nothing is signed over it."
            )),
            HistoryError::Keys(error) => error.into(),
            HistoryError::Store(error) => error.into(),
        }
    }
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::NotFound => Self::not_found("hold"),
            HoldError::NoRecording => Self::not_found("recording"),
            HoldError::Deleted => Self::new(Code::Gone).detail("This recording was deleted."),
            HoldError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            HoldError::TooMany => Self::new(Code::Conflict)
                .detail("There are as many holds on this as there can be: release one first."),
            HoldError::Store(error) => error.into(),
            HoldError::Keys(error) => error.into(),
        }
    }
}

impl From<DeletionError> for Problem {
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::NotFound => Self::not_found("deletion"),
            DeletionError::NoRecording => Self::not_found("recording"),
            DeletionError::Deleted => {
                Self::new(Code::Gone).detail("This recording was deleted before.")
            }
            DeletionError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            DeletionError::Conflict(why) => Self::new(Code::Conflict).detail(why),
            DeletionError::Store(error) => error.into(),
            DeletionError::Blob(error) => error.into(),
            DeletionError::Keys(error) => error.into(),
        }
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::NotFound => Self::not_found("export"),
            ExportError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            ExportError::TooMany => Self::new(Code::Conflict).detail(format!(
                "{MAX_RUNNING} exports of this account are being made: wait until one is done, or delete one."
            )),
            ExportError::Store(error) => error.into(),
            ExportError::Blob(error) => error.into(),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => Self::not_found("recording"),
            BlobError::Range { length } => Self::new(Code::RangeNotSatisfiable)
                .detail(format!("The audio has {length} bytes.")),
            BlobError::Mismatch => Self::new(Code::NotAudio)
                .detail("What arrived has another length or checksum than was announced."),
            BlobError::Invalid(cause) => {
                tracing::error!(cause, "invalid request of an object");
                Self::new(Code::Internal)
            }
            BlobError::Damaged => {
                tracing::error!("a stored object is damaged");
                Self::new(Code::Internal)
            }
            BlobError::Key(code) => Self::store_key(&code),
            BlobError::Unavailable(cause) => {
                tracing::error!(cause, "the object store is unavailable");
                Self::new(Code::Unavailable)
            }
        }
    }
}

impl Problem {
    /// The account's key at the store's provider is no good.
    fn store_key(code: &str) -> Self {
        tracing::warn!(code, "the key of an account's audio cannot be used");
        Self::new(Code::Conflict).detail(format!(
            "The KMS key that the audio is encrypted with (kms_key in the recording settings) cannot be used: \
             {code}. Nothing was stored, in the clear least of all. Enable the key and let Ringfence use it, \
             or set another, then try again."
        ))
    }
}

impl Problem {
    /// Why somebody is not logged in, or may not do something with a login, at `now`.
    pub fn of_session(error: SessionError, now: jiff::Timestamp) -> Self {
        match error {
            SessionError::Wrong => Self::new(Code::LoginFailed),
            SessionError::Locked { until } => {
                let seconds =
                    crate::words::whole_second_after(until).saturating_sub(now.as_second());
                Self {
                    retry_after: Some(u32::try_from(seconds).unwrap_or(1).max(1)),
                    ..Self::new(Code::LoginLocked)
                }
            }
            SessionError::WrongCode => Self::new(Code::WrongCode),
            SessionError::AttemptOver => Self::new(Code::LoginOver),
            SessionError::Over => Self::new(Code::SessionOver),
            SessionError::ConfirmationRequired => Self::new(Code::ConfirmationRequired),
            SessionError::EnrolmentRequired => Self::new(Code::SecondFactorRequired),
            SessionError::LinkOver => Self::new(Code::Gone)
                .detail("The link was used, replaced by a newer one, or its time is over."),
            SessionError::Fields(errors) => {
                Self::new(Code::InvalidFields).errors(errors.into_iter().map(Into::into).collect())
            }
            SessionError::Conflict(why) => Self::new(Code::Conflict).detail(why),
            SessionError::Store(error) => error.into(),
            SessionError::Keys(error) => error.into(),
        }
    }
}

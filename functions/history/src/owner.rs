//! Whose history a request is about.

use ringfence_domain::{
    App,
    access::{Caller, Owner, Scope},
};
use ringfence_http::Problem;

/// An account's, if the caller reaches it.
pub(crate) async fn account(
    app: &App,
    caller: &Caller,
    scope: Scope,
    account: &str,
) -> Result<String, Problem> {
    let tenant = app.account_tenant(caller, scope, account).await?;
    Ok(tenant.id().to_owned())
}

/// An agency's, if the caller reaches it.
pub(crate) async fn agency(
    app: &App,
    caller: &Caller,
    scope: Scope,
    agency: &str,
) -> Result<String, Problem> {
    let tenant = app.agency_tenant(caller, scope, agency).await?;
    Ok(tenant.id().to_owned())
}

/// The platform's, if the caller is the operator.
pub(crate) fn platform(app: &App, caller: &Caller, scope: Scope) -> Result<String, Problem> {
    app.platform(caller, scope)?;
    Ok(Owner::Platform.as_str().to_owned())
}

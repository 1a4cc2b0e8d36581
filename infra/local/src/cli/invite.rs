//! `ringfence invite`: the first administrator, for who has the data folder.

use ringfence_domain::access::Owner;

use super::{args::Invite, failure::Failure, key::open, serve::say};

/// Invites somebody and shows the link.
pub async fn invite(args: Invite) -> Result<(), Failure> {
    let (_store, mut app) = open(&args.folder)?;
    app.public_origin = Some(args.public_url);
    let owner = match &args.owner {
        None => Owner::Platform,
        Some(id) => Owner::parse(id).ok_or_else(|| Failure::NoSuch(id.clone()))?,
    };
    let invitation = app
        .invite_administrator(&owner, &args.email, args.name.as_deref())
        .await?;
    say(&format!(
        "{}\n\nWorks once, until {:.0}, when the server runs again.",
        app.page_url(&format!("/invitation/{}", invitation.ticket.reveal())),
        invitation.until
    ));
    Ok(())
}

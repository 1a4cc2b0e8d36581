//! Teams on the wire.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::users::RecordingAccessBody;

/// A team of an account.
#[derive(Deserialize, ToSchema)]
#[schema(as = Team)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::people::Team, which is what is sent"
)]
pub(crate) struct TeamBody {
    /// `tea_…`
    id: String,
    /// What people call it.
    name: String,
    /// What recordings call it: the `team` that they are registered with.
    label: String,
    /// Which of its recordings its members hear.
    recording_access_settings: RecordingAccessBody,
    /// The teams to which its members may transfer a call; absent: to everybody.
    transfer_to: Option<Vec<String>>,
    /// enabled or disabled: whether its members may listen to calls while they last.
    live_listening: String,
    /// The access control group of its members.
    access_group: Option<String>,
}

/// A team that somebody asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct TeamRequest {
    /// What people call it: 1 to 200 characters.
    name: String,
    /// What recordings call it; its name unless given.
    label: Option<String>,
    /// Which of its recordings its members hear; all unless given.
    recording_access_settings: Option<RecordingAccessBody>,
    /// The teams to which its members may transfer a call.
    transfer_to: Option<Vec<String>>,
    /// enabled (unless given) or disabled.
    live_listening: Option<String>,
    /// The access control group of its members.
    access_group: Option<String>,
}

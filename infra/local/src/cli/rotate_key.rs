//! `ringfence rotate-key`: a new master key, for who has the data folder.

use ringfence_embedded::Embedded;
use ringfence_local::StartError;

use super::{args::Folder, failure::Failure, serve::say};

/// Adds a key to the key file, and wraps the keys of stored objects under it.
pub fn rotate_key(folder: &Folder) -> Result<(), Failure> {
    if !folder.data.exists() {
        return Err(Failure::NoFolder(folder.data.clone()));
    }
    let rotated = Embedded::rotate_key(&folder.data).map_err(StartError::from)?;
    say(&format!(
        "The key file holds {} keys now; the last one seals from the next start on. Back it up.\n\
         Stored objects whose keys are under it: {}. No audio was touched.",
        rotated.keys, rotated.objects
    ));
    if rotated.damaged > 0 {
        say(&format!(
            "Objects whose keys do not open, and stay as they are: {}.",
            rotated.damaged
        ));
    }
    say(
        "Start the server again. Recordings that Ringfence encrypts itself (encryption: client) come under the\n\
         new key by POST /v1/accounts/{account}/recordings/rewrap, account by account.",
    );
    Ok(())
}

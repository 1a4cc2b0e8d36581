//! `ringfence history`: verifies an exported change history, offline.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::Path,
};

use ringfence_domain::history::{Checkpoint, FileVerifier, PublicKey};
use serde_json::Value;

use super::{
    args::{History, Verify},
    failure::Failure,
    serve::say,
};

/// The longest line that an export has: an entry, and its personal values beside it.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;
/// The largest file with a key or a checkpoint.
const MAX_SMALL_BYTES: u64 = 64 * 1024;

/// Verifies a history.
pub fn history(args: History) -> Result<(), Failure> {
    match args {
        History::Verify(args) => verify(&args),
    }
}

fn verify(args: &Verify) -> Result<(), Failure> {
    if args.key.is_none() && args.checkpoint.is_none() {
        return Err(Failure::History(
            "give what to trust: --key (a file from /v1/history/keys), --checkpoint (one that you kept), or both".to_owned(),
        ));
    }
    let key = args.key.as_deref().map(key).transpose()?;
    let kept = args.checkpoint.as_deref().map(checkpoint).transpose()?;
    if let (Some(key), Some(kept)) = (&key, &kept)
        && !kept.is_signed_by(key)
    {
        return Err(Failure::History(
            "the checkpoint was not signed with this key".to_owned(),
        ));
    }
    let mut file: Box<dyn io::BufRead> = if args.file.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(open(&args.file)?))
    };
    let mut verifier = FileVerifier::new(key, kept);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = file
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(|cause| unreadable(&args.file, &cause))?;
        if length == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        verifier.line(text.trim_end_matches(['\r', '\n']));
    }
    let found = verifier.finish();
    if let Some((bad, at)) = found.bad {
        return Err(Failure::History(format!(
            "{} does not verify: {bad} (line {at})",
            args.file.display()
        )));
    }
    say(&format!(
        "Verified: entries {} to {} of {} are as they were recorded, and signed.",
        found.first,
        found.last,
        found.owner.as_deref().unwrap_or("this history")
    ));
    Ok(())
}

/// The key in a file (a JSON Web Key, or a set of them), or as its `x`.
fn key(named: &str) -> Result<PublicKey, Failure> {
    if let Some(key) = PublicKey::parse(named) {
        return Ok(key);
    }
    let text = small(Path::new(named))?;
    let wrong = || {
        Failure::History(format!(
            "{named} holds no key; take it from /v1/history/keys"
        ))
    };
    let document: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
    let key = document.pointer("/keys/0").unwrap_or(&document);
    key["x"]
        .as_str()
        .and_then(PublicKey::parse)
        .ok_or_else(wrong)
}

fn checkpoint(file: &Path) -> Result<Checkpoint, Failure> {
    serde_json::from_str(&small(file)?).map_err(|_| {
        Failure::History(format!(
            "{} holds no checkpoint; take it from …/history/checkpoint",
            file.display()
        ))
    })
}

fn small(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    open(file)?
        .take(MAX_SMALL_BYTES)
        .read_to_string(&mut text)
        .map_err(|cause| unreadable(file, &cause))?;
    Ok(text)
}

fn open(file: &Path) -> Result<File, Failure> {
    File::open(file).map_err(|cause| unreadable(file, &cause))
}

fn unreadable(file: &Path, cause: &io::Error) -> Failure {
    Failure::History(format!("cannot read {}: {cause}", file.display()))
}

//! Making an export: page by page of recordings into one object, in constant memory.
//!
//! A run takes the export over by a write of its row, and says with each page how far it is. Another run,
//! or somebody who deletes the export, moves that row: then this run stops, and stores nothing. A run that died
//! is begun anew from the start; the links of the earlier one are the same ones ([`App::export_links`]),
//! so that none is left that no export knows.

use bytes::Bytes;
use futures_util::{future, stream};
use ringfence_ports::{BlobError, BlobMeta, ByteStream, Op, StoreError, Unit, When};
use tokio::sync::mpsc;

use super::{
    Export, ExportMessage, Failure, MAX_ROWS, State, blob_key,
    csv::{LineLink, Lines},
    folder, later, told,
};
use crate::{
    App,
    history::{Action, Change},
    keyspace,
    recording::Recording,
    settings::{AccountConfig, EncryptionMode},
};

/// How its file is given out.
pub(super) const CONTENT_TYPE: &str = "text/csv; charset=utf-8; header=present";

/// How many recordings are worked on at a time.
const PAGE: usize = 1_000;

/// How many parts may wait to be stored.
const WAITING: usize = 2;

/// Why a run ends before its end.
enum Stop {
    /// It goes on elsewhere, or is not wanted any more.
    TakenOver,
    /// The store does not take more; what it says counts.
    NotTaken,
    /// It will never come to an end.
    GiveUp(Failure),
    /// It is to be tried again.
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Condition { .. } => Self::TakenOver,
            error => Self::Failed(error),
        }
    }
}

/// An export that this run has taken over, and its row's version.
struct Run {
    export: Export,
    version: u64,
}

impl App {
    /// Looks at an export: makes it, or removes what is left of it.
    pub(crate) async fn export_message(&self, message: &ExportMessage) -> Result<(), StoreError> {
        let (account, id) = (message.account.as_str(), message.export.as_str());
        let Some((export, version)) = self.stored_export(account, id).await? else {
            // A run may have ended behind its back.
            return self.remove_export_file(account, id).await;
        };
        if !export.is_there(self.clock.now()) {
            return self.remove_export(&export, version).await;
        }
        if export.state != State::Running {
            return Ok(());
        }
        if export.is_too_slow(self.clock.now()) {
            return self.give_export_up(account, id, Failure::TooSlow).await;
        }
        let number = export.run + 1;
        match self.make_export(export, version).await {
            Ok(()) => Ok(()),
            Err(Stop::TakenOver) => self.leave_export(account, id, number).await,
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::GiveUp(failure)) => self.give_export_up(account, id, failure).await,
            Err(Stop::NotTaken) => Err(StoreError::Unavailable(
                "the store did not take an export".to_owned(),
            )),
        }
    }

    /// Removes what a run stored that was overtaken.
    async fn leave_export(&self, account: &str, id: &str, run: u32) -> Result<(), StoreError> {
        match self.stored_export(account, id).await? {
            // It was this one after all.
            Some((export, _)) if export.is_there(self.clock.now()) && export.run == run => Ok(()),
            Some((export, _)) if export.is_there(self.clock.now()) => {
                self.erase(account, &blob_key(account, id, run)).await
            }
            // Whoever removes it may have looked already, even where its row is still there.
            _ => self.remove_export_file(account, id).await,
        }
    }

    /// Removes what runs stored that died before they could say so. Where that fails, it goes with the export.
    async fn remove_earlier_runs(&self, account: &str, id: &str, run: u32) {
        for earlier in 1..run {
            if let Err(error) = self.erase(account, &blob_key(account, id, earlier)).await {
                tracing::warn!(export = id, %error, "what an earlier run stored is still there");
                return;
            }
        }
    }

    async fn remove_export_file(&self, account: &str, export: &str) -> Result<(), StoreError> {
        self.erase(account, &folder(account, export)).await
    }

    async fn erase(&self, account: &str, key: &str) -> Result<(), StoreError> {
        self.erase_object(account, key)
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Removes the file of an export whose time is over, and then its row.
    async fn remove_export(&self, export: &Export, version: u64) -> Result<(), StoreError> {
        self.remove_export_file(&export.account, &export.id).await?;
        let key = keyspace::export(&export.account, &export.id);
        let mut ops = vec![Op::Delete(key, When::Version(version))];
        if export.links && export.state == State::Running {
            // Nobody ever saw them.
            ops.push(self.revoke_export_links(&export.id)?);
        }
        let unit = Unit {
            ops,
            sends: Vec::new(),
        };
        match self.table.commit(unit).await {
            // A copy of the message was faster; or it comes again.
            Err(StoreError::Condition { .. }) => Ok(()),
            result => result,
        }
    }

    /// Takes an export over, and makes it.
    async fn make_export(&self, export: Export, version: u64) -> Result<(), Stop> {
        let (account, id) = (export.account.clone(), export.id.clone());
        let gone = || StoreError::Unavailable("an export's account cannot be read".to_owned());
        let config = self.account_config(&account).await?.ok_or_else(gone)?;
        let rules = self.recording_rules(&account).await?.ok_or_else(gone)?;
        let mut run = Run { export, version };
        run.export.run += 1;
        run.export.rows = 0;
        run.export.linked = 0;
        run.export.masked = config.masking.console;
        self.note_export(&mut run).await?;

        let meta = BlobMeta {
            content_type: CONTENT_TYPE.to_owned(),
            length: None,
            sha256: None,
            // Whatever way the audio is encrypted: there is none in it.
            kms_key: rules.store_key(EncryptionMode::Provider),
        };
        let (parts, mut waiting) = mpsc::channel::<Result<Bytes, BlobError>>(WAITING);
        let bytes: ByteStream =
            Box::pin(stream::poll_fn(move |context| waiting.poll_recv(context)));
        let key = blob_key(&account, &id, run.export.run);
        let (written, stored) = future::join(
            self.write_export(&config, &mut run, parts),
            self.blobs.put(&key, meta, bytes),
        )
        .await;
        match (written, stored) {
            (Ok(()), Ok(head)) => {
                run.export.size = Some(head.length);
                let number = run.export.run;
                self.end_export(run, State::Done, None).await?;
                self.remove_earlier_runs(&account, &id, number).await;
                Ok(())
            }
            (Ok(()) | Err(Stop::NotTaken), Err(BlobError::Key(code))) => {
                tracing::warn!(
                    export = id,
                    code,
                    "the key of an account's recordings cannot be used"
                );
                Err(Stop::GiveUp(Failure::StoreKey))
            }
            (Ok(()) | Err(Stop::NotTaken), Err(error)) => {
                Err(Stop::Failed(StoreError::Unavailable(error.to_string())))
            }
            (Err(stop), _) => Err(stop),
        }
    }

    /// Writes all lines into `parts`. However it ends before its end, the last part is an error, so that
    /// nothing of it is stored.
    async fn write_export(
        &self,
        config: &AccountConfig,
        run: &mut Run,
        parts: mpsc::Sender<Result<Bytes, BlobError>>,
    ) -> Result<(), Stop> {
        let written = self.write_export_pages(config, run, &parts).await;
        if written.is_err() {
            let broken_off = BlobError::Unavailable("an export broke off".to_owned());
            // Not taken: the store has given it up already.
            let _ = parts.send(Err(broken_off)).await;
        }
        written
    }

    async fn write_export_pages(
        &self,
        config: &AccountConfig,
        run: &mut Run,
        parts: &mpsc::Sender<Result<Bytes, BlobError>>,
    ) -> Result<(), Stop> {
        let (account, filter) = (run.export.account.clone(), run.export.selection.filter());
        let mut lines = Lines::new(&run.export.reach, run.export.links)?;
        let mut before: Option<String> = None;
        loop {
            let page = self
                .recordings_within(
                    &run.export.reach,
                    &account,
                    &filter,
                    PAGE,
                    before.as_deref(),
                )
                .await?;
            let mut found = page.recordings;
            found.retain(|recording| recording.created_at <= run.export.created_at);
            if run.export.rows + found.len() as u64 > MAX_ROWS {
                return Err(Stop::GiveUp(Failure::TooManyRows));
            }
            self.write_export_page(config, run, &mut lines, &found)
                .await?;
            let part = lines.take()?;
            if !part.is_empty() && parts.send(Ok(part.into())).await.is_err() {
                return Err(Stop::NotTaken);
            }
            before = page.next;
            if before.is_none() {
                return Ok(());
            }
            // Only now: what is noted as written is on its way.
            self.note_export(run).await?;
        }
    }

    async fn write_export_page(
        &self,
        config: &AccountConfig,
        run: &mut Run,
        lines: &mut Lines,
        found: &[Recording],
    ) -> Result<(), Stop> {
        let made = self.links_of_export_page(run, found).await?;
        for (recording, link) in found.iter().zip(&made) {
            run.export.rows += 1;
            run.export.linked += u64::from(link.is_some());
            if config.masking.console {
                lines.push(&recording.masked(), link.as_ref())?;
            } else {
                lines.push(recording, link.as_ref())?;
            }
        }
        Ok(())
    }

    /// The link of each recording, where it gets one: those of held ones would not open.
    async fn links_of_export_page(
        &self,
        run: &Run,
        found: &[Recording],
    ) -> Result<Vec<Option<LineLink>>, Stop> {
        let mut links: Vec<Option<LineLink>> = found.iter().map(|_| None).collect();
        if !run.export.links || found.is_empty() {
            return Ok(links);
        }
        let gone = || StoreError::Unavailable("an export's account cannot be read".to_owned());
        let account = run.export.account.as_str();
        let rules = self.recording_rules(account).await?.ok_or_else(gone)?;
        let looked_at: Vec<&Recording> = found.iter().collect();
        let (_, holds) = self
            .holds_on(account, &looked_at)
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let free: Vec<(usize, &Recording)> = looked_at
            .into_iter()
            .enumerate()
            .zip(holds)
            .filter(|(_, holds)| holds.is_empty())
            .map(|(one, _)| one)
            .collect();
        let recordings: Vec<&Recording> = free.iter().map(|(_, recording)| *recording).collect();
        let look = run.export.run > 1;
        let made = self
            .export_links(&run.export, &rules, &recordings, look)
            .await?;
        for ((at, _), made) in free.into_iter().zip(made) {
            if let Some(place) = links.get_mut(at) {
                *place = Some(LineLink {
                    url: self.link_url(&made.token),
                    ends_at: made.ends_at,
                });
            }
        }
        Ok(links)
    }

    /// Writes how far a run is. Whoever moved the row since has taken the export over.
    async fn note_export(&self, run: &mut Run) -> Result<(), StoreError> {
        let due = later(self.clock.now());
        let put = run.export.put(due, When::Version(run.version))?;
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        self.table.commit(unit).await?;
        run.version += 1;
        Ok(())
    }

    /// Ends a run, in the history too.
    async fn end_export(
        &self,
        run: Run,
        state: State,
        failure: Option<Failure>,
    ) -> Result<(), Stop> {
        let before = told(&run.export);
        let now = self.clock.now();
        let mut export = run.export;
        export.state = state;
        export.failure = failure;
        export.finished_at = Some(now);
        let put = export.put(export.expires_at, When::Version(run.version))?;
        let mut unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        if failure.is_some() && export.links {
            // Nobody ever saw them.
            unit.ops.push(self.revoke_export_links(&export.id)?);
        }
        let change = Change {
            item: format!("exports/{}", export.id),
            action: Action::Update,
            before,
            after: told(&export),
        };
        self.commit_change(&export.account, &export.actor(), change, unit)
            .await?;
        Ok(())
    }

    /// Notes that an export will never come to its end.
    async fn give_export_up(
        &self,
        account: &str,
        id: &str,
        failure: Failure,
    ) -> Result<(), StoreError> {
        let Some((export, version)) = self.stored_export(account, id).await? else {
            return Ok(());
        };
        if export.state != State::Running {
            return Ok(());
        }
        // What a run stored that died before it could say so.
        self.remove_export_file(account, id).await?;
        match self
            .end_export(Run { export, version }, State::Failed, Some(failure))
            .await
        {
            Ok(()) | Err(Stop::TakenOver) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::NotTaken | Stop::GiveUp(_)) => Err(StoreError::Busy),
        }
    }
}

//! Audio files as they come: what they are ([`AudioFormat`]), and how spans of them are made
//! inaudible ([`Redactor`]). Pure: bytes in, bytes out, in constant memory, whatever the length.
//!
//! What lies in a span is not in the redacted file, in no form: samples are overwritten; of compressed
//! audio every frame that is heard within the span, even for a sample of it, is replaced by one that holds
//! nothing, together with what other frames hold of it (MP3's bit reservoir, Opus's forward error
//! correction and redundancy). What lies outside stays as it is, to the byte where the format has it: nothing is encoded
//! anew.
//!
//! One pass is enough, but for MPEG-4 files whose index stands behind the audio, as every encoder writes them
//! that is not told to do otherwise: what is to be overwritten is not known when it goes by. So whoever redacts
//! makes a [`Survey`] first. It says when it knows enough: of other formats before it is given anything.
//!
//! Architecture invariant: a file that is not understood whole is refused ([`RedactionError`]), and never
//! passed through.

mod bits;
mod crc;
mod flac;
mod format;
mod mp3;
mod mp4;
mod ogg;
mod span;
mod wav;

pub use format::{AudioFormat, HEAD_BYTES, MAX_HEAD_BYTES, Sniffed};
pub use span::{MAX_SPANS, Span, SpanError, Spans};

/// What is heard where something was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replacement {
    /// Nothing.
    #[default]
    Silence,
    /// A low, quiet tone, so that nobody takes it for a lost connection. Only WAV takes it: elsewhere it
    /// would have to be encoded.
    Tone,
}

/// Why a file was not redacted. Never holds content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactionError {
    /// It is damaged, or not what it begins like. What it breaks is for the log and for whoever sent it.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// It is whole, and of a kind in which spans cannot be silenced.
    #[error("spans of this file cannot be silenced: {0}")]
    Unsupported(&'static str),
    /// Its index stands behind its audio, and is not known: a [`Survey`] was left out.
    #[error("the file must be surveyed first: its index stands behind its audio")]
    NotSurveyed,
    /// A span begins where there is no audio: whoever named it meant another place.
    #[error("a span begins past the end of the audio, which lasts {duration_ms} ms")]
    PastEnd {
        /// How long the audio is, ms.
        duration_ms: u64,
    },
}

/// What was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// How long the audio is, ms, rounded down.
    pub duration_ms: u64,
    /// How much of it is silent now, ms, rounded up: at least the spans, and more where whole frames were
    /// replaced.
    pub silenced_ms: u64,
}

/// Reads of a file what must be known before its spans can be silenced as it goes by.
#[derive(Debug)]
pub struct Survey(Option<mp4::Search>);

/// What a [`Survey`] has found. It holds as much as the index of the file does, at most 16 MiB.
#[derive(Clone, Debug, Default)]
pub struct Surveyed(Option<mp4::Index>);

impl Survey {
    /// Of a file of this format.
    pub fn new(format: AudioFormat) -> Self {
        Self((format == AudioFormat::M4a).then(mp4::Search::new))
    }

    /// Whether it knows enough, and needs no more of the file: at once, but of MPEG-4. There mostly as soon as
    /// the first box of some length begins, but at the end of the file where the index stands there.
    pub fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(mp4::Search::is_done)
    }

    /// Takes the next part of the file. What comes when it [is done](Self::is_done) is not looked at.
    ///
    /// # Errors
    /// The file cannot be redacted: [`RedactionError::Damaged`], [`RedactionError::Unsupported`].
    pub fn push(&mut self, part: &[u8]) -> Result<(), RedactionError> {
        self.0.as_mut().map_or(Ok(()), |search| search.push(part))
    }

    /// It is done, or the file has ended.
    ///
    /// # Errors
    /// [`RedactionError::Damaged`]: the file has ended, and what is needed did not come.
    pub fn finish(self) -> Result<Surveyed, RedactionError> {
        match self.0 {
            Some(search) => Ok(Surveyed(search.finish()?)),
            None => Ok(Surveyed::default()),
        }
    }
}

/// Takes a file in parts of any size and gives out its redacted copy.
///
/// ```
/// use ringfence_audio::{AudioFormat, Redactor, Replacement, Span, Spans, Survey};
///
/// # fn redacted(file: &[u8], format: AudioFormat) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
/// let spans = Spans::new(vec![Span { start_ms: 2_311, end_ms: 10_303 }])?;
/// let mut survey = Survey::new(format);
/// for part in file.chunks(65_536) {
///     if survey.is_done() {
///         break;
///     }
///     survey.push(part)?;
/// }
/// let surveyed = survey.finish()?;
/// let mut redactor = Redactor::with_survey(format, spans, Replacement::Silence, surveyed)?;
/// let mut copy = Vec::new();
/// for part in file.chunks(65_536) {
///     redactor.push(part, &mut copy)?;
/// }
/// redactor.finish(&mut copy)?;
/// # Ok(copy)
/// # }
/// ```
#[derive(Debug)]
pub struct Redactor(Inner);

#[derive(Debug)]
enum Inner {
    Wav(wav::Wav),
    Mp3(mp3::Mp3),
    Ogg(Box<ogg::Ogg>),
    M4a(Box<mp4::M4a>),
    Flac(flac::Flac),
}

impl Redactor {
    /// Of a file of this format that needs no [`Survey`]. Of one that does, [`push`](Self::push) will say
    /// [`RedactionError::NotSurveyed`].
    ///
    /// # Errors
    /// [`RedactionError::Unsupported`]: the format does not take the replacement.
    pub fn new(
        format: AudioFormat,
        spans: Spans,
        replacement: Replacement,
    ) -> Result<Self, RedactionError> {
        Self::with_survey(format, spans, replacement, Surveyed::default())
    }

    /// Of a file of this format, whose [`Survey`] this is.
    ///
    /// # Errors
    /// [`RedactionError::Unsupported`]: the format does not take the replacement.
    pub fn with_survey(
        format: AudioFormat,
        spans: Spans,
        replacement: Replacement,
        surveyed: Surveyed,
    ) -> Result<Self, RedactionError> {
        if format != AudioFormat::Wav && replacement == Replacement::Tone {
            return Err(RedactionError::Unsupported(
                "a tone can be written into WAV only: ask for silence",
            ));
        }
        match format {
            AudioFormat::Wav => Ok(Self(Inner::Wav(wav::Wav::new(spans, replacement)))),
            AudioFormat::Ogg => Ok(Self(Inner::Ogg(Box::new(ogg::Ogg::new(spans))))),
            AudioFormat::Mp3 => Ok(Self(Inner::Mp3(mp3::Mp3::new(spans)))),
            AudioFormat::M4a => {
                let m4a = mp4::M4a::new(spans, surveyed.0)?;
                Ok(Self(Inner::M4a(Box::new(m4a))))
            }
            AudioFormat::Flac => Ok(Self(Inner::Flac(flac::Flac::new(spans)))),
        }
    }

    /// Takes the next part of the file, and adds to `copy` what is sure of the redacted one.
    ///
    /// A copy may be longer than its file, where silence takes more room than next to nothing did: in Ogg a packet in
    /// which nothing was sent may become one of 98 bytes of Opus, or 225 of Speex; a FLAC frame may grow by some.
    pub fn push(&mut self, part: &[u8], copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        match &mut self.0 {
            Inner::Wav(wav) => wav.push(part, copy),
            Inner::Mp3(mp3) => mp3.push(part, copy),
            Inner::Ogg(ogg) => ogg.push(part, copy),
            Inner::M4a(m4a) => m4a.push(part, copy),
            Inner::Flac(flac) => flac.push(part, copy),
        }
    }

    /// The file has ended: adds the rest. Only now is it known that the copy is one: before, it is to be
    /// kept from everybody.
    pub fn finish(self, copy: &mut Vec<u8>) -> Result<Redacted, RedactionError> {
        match self.0 {
            Inner::Wav(wav) => wav.finish(copy),
            Inner::Mp3(mp3) => mp3.finish(copy),
            Inner::Ogg(ogg) => ogg.finish(copy),
            Inner::M4a(m4a) => m4a.finish(copy),
            Inner::Flac(flac) => flac.finish(copy),
        }
    }
}

//! Audio files as they come: what they are ([`AudioFormat`]), and how spans of them are made
//! inaudible ([`Redactor`]). Pure: bytes in, bytes out, in constant memory, whatever the length.
//!
//! What lies in a span is not in the redacted file, in no form: samples are overwritten; of compressed
//! audio every frame that is heard within the span, even for a sample of it, is replaced by one that holds
//! nothing, together with what other frames hold of it (MP3's bit reservoir, Opus's forward error
//! correction). What lies outside stays as it is, to the byte where the format has it: nothing is encoded
//! anew.
//!
//! Architecture invariant: a file that is not understood whole is refused ([`RedactionError`]), and never
//! passed through.

mod bits;
mod crc;
mod format;
mod mp3;
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

/// Takes a file in parts of any size and gives out its redacted copy.
///
/// ```
/// use ringfence_audio::{AudioFormat, Redactor, Replacement, Span, Spans};
///
/// # fn redacted(file: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
/// let spans = Spans::new(vec![Span { start_ms: 2_311, end_ms: 10_303 }])?;
/// let mut redactor = Redactor::new(AudioFormat::Wav, spans, Replacement::Silence)?;
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
}

impl Redactor {
    /// Of a file of this format.
    ///
    /// # Errors
    /// [`RedactionError::Unsupported`]: the format does not take the replacement.
    pub fn new(
        format: AudioFormat,
        spans: Spans,
        replacement: Replacement,
    ) -> Result<Self, RedactionError> {
        if format != AudioFormat::Wav && replacement == Replacement::Tone {
            return Err(RedactionError::Unsupported(
                "a tone can be written into WAV only: ask for silence",
            ));
        }
        match format {
            AudioFormat::Wav => Ok(Self(Inner::Wav(wav::Wav::new(spans, replacement)))),
            AudioFormat::Mp3 => Ok(Self(Inner::Mp3(mp3::Mp3::new(spans)))),
            AudioFormat::Ogg | AudioFormat::Flac | AudioFormat::M4a => Err(
                RedactionError::Unsupported("only WAV and MP3 can be redacted so far"),
            ),
        }
    }

    /// Takes the next part of the file, and adds to `copy` what is sure of the redacted one.
    pub fn push(&mut self, part: &[u8], copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        match &mut self.0 {
            Inner::Wav(wav) => wav.push(part, copy),
            Inner::Mp3(mp3) => mp3.push(part, copy),
        }
    }

    /// The file has ended: adds the rest. Only now is it known that the copy is one: before, it is to be
    /// kept from everybody.
    pub fn finish(self, copy: &mut Vec<u8>) -> Result<Redacted, RedactionError> {
        match self.0 {
            Inner::Wav(wav) => wav.finish(copy),
            Inner::Mp3(mp3) => mp3.finish(copy),
        }
    }
}

//! What a decoder hears in a file.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, TrackType, probe::Hint};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// Samples of all channels, one after the other for each moment; full scale is 1.
#[derive(Debug)]
pub struct Decoded {
    pub rate: u32,
    pub channels: usize,
    pub samples: Vec<f32>,
}

impl Decoded {
    /// All that the decoder gives, with what encoder and decoder put in front. A packet that cannot be decoded is as
    /// silent as its like are long.
    pub fn new(file: &[u8]) -> Self {
        let source = Box::new(Cursor::new(file.to_vec()));
        let stream = MediaSourceStream::new(
            source,
            symphonia::core::io::MediaSourceStreamOptions::default(),
        );
        let mut format = symphonia::default::get_probe()
            .probe(
                &Hint::new(),
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
            .expect("a known format");
        let track = format.default_track(TrackType::Audio).expect("a track");
        let track_id = track.id;
        let parameters = track.codec_params.as_ref().and_then(|all| all.audio());
        let mut decoder = symphonia::default::get_codecs()
            .make_audio_decoder(
                parameters.expect("parameters"),
                &AudioDecoderOptions::default().gapless(false).verify(true),
            )
            .expect("a decoder");
        let mut heard = Self {
            rate: 0,
            channels: 0,
            samples: Vec::new(),
        };
        let mut missed = 0;
        let mut samples = Vec::new();
        while let Ok(Some(packet)) = format.next_packet() {
            if packet.track_id != track_id {
                continue;
            }
            match decoder.decode(&packet) {
                Ok(buffer) => {
                    heard.rate = buffer.spec().rate();
                    heard.channels = buffer.spec().channels().count();
                    samples.resize(buffer.samples_interleaved(), 0.0);
                    buffer.copy_to_slice_interleaved(&mut samples);
                    let silence = heard.samples.len() + missed * samples.len();
                    heard.samples.resize(silence, 0.0);
                    missed = 0;
                    heard.samples.extend_from_slice(&samples);
                }
                Err(Error::DecodeError(_)) => missed += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_ne!(
            decoder.finalize().verify_ok,
            Some(false),
            "the file's own checksum"
        );
        heard
    }

    /// How many moments there are.
    pub fn len(&self) -> usize {
        self.samples.len() / self.channels
    }

    /// All channels of the moments of a range.
    pub fn between(&self, range: std::ops::Range<usize>) -> &[f32] {
        &self.samples[range.start * self.channels..range.end.min(self.len()) * self.channels]
    }
}

//! What a file is, by its first bytes: whoever sends one may say anything of it.

pub(crate) mod mp4;

/// How many bytes of a file decide what it is. Chunks that stand before the format of a WAV (`JUNK`,
/// `bext`) are a kilobyte or less.
pub const HEAD_BYTES: u64 = 4_096;

/// How many are looked at where those do not: an MPEG-4 file with its index first, which grows with its
/// length; that of two hours of AAC has half as many.
pub const MAX_HEAD_BYTES: u64 = 1024 * 1024;

/// Audio that browsers play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFormat {
    /// RIFF WAVE with PCM, mu-law or A-law.
    Wav,
    /// MPEG audio, layer III.
    Mp3,
    /// Ogg with Opus, Vorbis, Speex or FLAC.
    Ogg,
    /// FLAC.
    Flac,
    /// MPEG-4 audio.
    M4a,
}

impl AudioFormat {
    /// The media type to serve it with.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Flac => "audio/flac",
            Self::M4a => "audio/mp4",
        }
    }

    /// The usual end of a file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
            Self::Flac => "flac",
            Self::M4a => "m4a",
        }
    }

    /// The format that a media type names, by any of its usual names.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => Some(Self::Wav),
            "audio/mpeg" | "audio/mp3" | "audio/x-mp3" | "audio/mpeg3" => Some(Self::Mp3),
            "audio/ogg" | "audio/opus" | "audio/vorbis" | "application/ogg" => Some(Self::Ogg),
            "audio/flac" | "audio/x-flac" => Some(Self::Flac),
            "audio/mp4" | "audio/m4a" | "audio/x-m4a" => Some(Self::M4a),
            _ => None,
        }
    }

    /// What begins with these bytes: at least [`HEAD_BYTES`] of them, or all that there are.
    pub fn sniff(head: &[u8]) -> Sniffed {
        let start = usize::try_from(HEAD_BYTES).ok().and_then(|n| head.get(..n));
        let start = start.unwrap_or(head);
        let format = if is_wav(start) {
            Self::Wav
        } else if is_ogg(start) {
            Self::Ogg
        } else if is_flac(start) {
            Self::Flac
        } else if is_mp3(start) {
            Self::Mp3
        } else {
            return match mp4::look(head) {
                Look::Audio => Sniffed::Audio(Self::M4a),
                Look::More if (head.len() as u64) < MAX_HEAD_BYTES => Sniffed::More,
                Look::More | Look::Other => Sniffed::Other,
            };
        };
        Sniffed::Audio(format)
    }
}

/// What the first bytes of a file say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniffed {
    /// Audio that is taken.
    Audio(AudioFormat),
    /// Not audio that is taken.
    Other,
    /// Perhaps: [`MAX_HEAD_BYTES`] tell, or all that there are, if these are fewer.
    More,
}

impl Sniffed {
    /// The format, if it is known to be audio.
    pub const fn format(self) -> Option<AudioFormat> {
        match self {
            Self::Audio(format) => Some(format),
            Self::Other | Self::More => None,
        }
    }
}

/// What the first bytes of an MPEG-4 file say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Audio,
    Other,
    More,
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}

/// RIFF (Microsoft's Multimedia Programming Interface 1.0) or RF64 (EBU Tech 3306).
fn is_wav(head: &[u8]) -> bool {
    const PCM: u16 = 1;
    const A_LAW: u16 = 6;
    const MU_LAW: u16 = 7;
    const EXTENSIBLE: u16 = 0xfffe;
    if !(head.starts_with(b"RIFF") || head.starts_with(b"RF64")) || head.get(8..12) != Some(b"WAVE")
    {
        return false;
    }
    let mut at = 12_usize;
    while let (Some(name), Some(length)) = (head.get(at..at + 4), le32(head, at + 4)) {
        if name == b"fmt " {
            let format = match le16(head, at + 8) {
                // The sub-format's first two bytes are the tag.
                Some(EXTENSIBLE) => le16(head, at + 32),
                format => format,
            };
            return matches!(format, Some(PCM | A_LAW | MU_LAW));
        }
        // Chunks are padded to even lengths.
        let Some(next) = length
            .checked_add(8 + length % 2)
            .and_then(|step| at.checked_add(step))
        else {
            return false;
        };
        at = next;
        if at > head.len() {
            return false;
        }
    }
    false
}

/// RFC 3533, and the codecs' mappings: the first packet names the codec.
fn is_ogg(head: &[u8]) -> bool {
    if !head.starts_with(b"OggS\0") {
        return false;
    }
    let Some(segments) = head.get(26) else {
        return false;
    };
    let Some(packet) = head.get(27 + usize::from(*segments)..) else {
        return false;
    };
    [
        b"OpusHead".as_slice(),
        b"\x01vorbis",
        b"Speex   ",
        b"\x7fFLAC",
    ]
    .iter()
    .any(|magic| packet.starts_with(magic))
}

/// RFC 9639: the marker, then the block STREAMINFO of 34 bytes.
fn is_flac(head: &[u8]) -> bool {
    head.starts_with(b"fLaC") && matches!(head.get(4..8), Some([0 | 0x80, 0, 0, 34]))
}

/// ISO/IEC 11172-3: two frames of layer III one after the other, behind a tag of `ID3v2` perhaps. Of a
/// tag that is longer than `head` nothing more is known.
fn is_mp3(head: &[u8]) -> bool {
    if let Some([b'I', b'D', b'3', version, revision, flags, size @ ..]) = head.get(..10) {
        if !(2..=4).contains(version) || *revision == 0xff || size.iter().any(|b| *b >= 0x80) {
            return false;
        }
        let size = size.iter().fold(0, |size, b| (size << 7) | usize::from(*b));
        let footer = if flags & 0x10 == 0 { 0 } else { 10 };
        return match head.get(10 + size + footer..) {
            // Some writers leave room behind the tag.
            Some(rest) => {
                let padding = rest.iter().take_while(|b| **b == 0).count();
                let rest = rest.get(padding..).unwrap_or_default();
                (head.len() as u64 == HEAD_BYTES && rest.len() < 4) || is_mp3_frames(rest)
            }
            None => head.len() as u64 == HEAD_BYTES,
        };
    }
    is_mp3_frames(head)
}

fn is_mp3_frames(bytes: &[u8]) -> bool {
    let Some(length) = mp3_frame(bytes) else {
        return false;
    };
    match bytes.get(length..) {
        Some(next) if next.len() >= 4 => mp3_frame(next).is_some(),
        // One whole frame and no more.
        Some(_) => true,
        None => false,
    }
}

/// The length of the frame of layer III that begins here, in bytes.
fn mp3_frame(bytes: &[u8]) -> Option<usize> {
    const V1: [usize; 14] = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    const V2: [usize; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const RATES: [usize; 3] = [44_100, 48_000, 32_000];
    let [0xff, second, third, _] = *bytes.get(..4)? else {
        return None;
    };
    if second & 0xe0 != 0xe0 || (second >> 1) & 3 != 1 {
        return None;
    }
    let index = usize::from(third >> 4).checked_sub(1)?;
    let rate = *RATES.get(usize::from((third >> 2) & 3))?;
    let padding = usize::from((third >> 1) & 1);
    let (kbit, rate, factor) = match (second >> 3) & 3 {
        3 => (*V1.get(index)?, rate, 144),
        2 => (*V2.get(index)?, rate / 2, 72),
        0 => (*V2.get(index)?, rate / 4, 72),
        _ => return None,
    };
    Some(factor * kbit * 1000 / rate + padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(format: u16, before: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\x24\0\0\0WAVE".to_vec();
        file.extend(before);
        file.extend(b"fmt \x10\0\0\0");
        file.extend(format.to_le_bytes());
        file.extend(b"\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0");
        file
    }

    #[test]
    fn wav_is_taken_with_pcm_and_both_laws() {
        for format in [1, 6, 7] {
            assert_eq!(
                AudioFormat::sniff(&wav(format, b"")).format(),
                Some(AudioFormat::Wav)
            );
            assert_eq!(
                AudioFormat::sniff(&wav(format, b"JUNK\x03\0\0\0abc\0")).format(),
                Some(AudioFormat::Wav)
            );
        }
        // MS-ADPCM and GSM 6.10 do not play in browsers.
        for format in [2, 49] {
            assert_eq!(AudioFormat::sniff(&wav(format, b"")), Sniffed::Other);
        }
        let mut extensible = wav(0xfffe, b"");
        extensible.extend([0; 40]);
        extensible[44..46].copy_from_slice(&7_u16.to_le_bytes());
        assert_eq!(
            AudioFormat::sniff(&extensible).format(),
            Some(AudioFormat::Wav)
        );
    }

    #[test]
    fn compressed_audio_is_known_by_its_first_bytes() {
        let mut ogg = b"OggS\0\x02".to_vec();
        ogg.extend([0; 20]);
        ogg.extend([1, 19]);
        ogg.extend(b"OpusHead");
        let mut frames = vec![0xff, 0xfb, 0x90, 0x00];
        frames.resize(417, 0);
        frames.extend([0xff, 0xfb, 0x90, 0x00]);
        for (file, format) in [
            (ogg, AudioFormat::Ogg),
            (b"fLaC\0\0\0\x22\x10\0".to_vec(), AudioFormat::Flac),
            (
                b"\0\0\0\x1cftypM4A \0\0\x02\0M4A isomiso2".to_vec(),
                AudioFormat::M4a,
            ),
            (
                [b"ID3\x04\0\0\0\0\0\x04....".as_slice(), &frames].concat(),
                AudioFormat::Mp3,
            ),
            (
                [b"ID3\x04\0\0\0\0\0\x04....\0\0\0\0\0".as_slice(), &frames].concat(),
                AudioFormat::Mp3,
            ),
            (
                [b"ID3\x03\0\0\0\0\x7f\x7f".as_slice(), &[b'c'; 4_086]].concat(),
                AudioFormat::Mp3,
            ),
            (frames, AudioFormat::Mp3),
        ] {
            assert_eq!(
                AudioFormat::sniff(&file).format(),
                Some(format),
                "{format:?}"
            );
        }
    }

    #[test]
    fn what_is_not_audio_is_nothing() {
        let mut one_frame_then_text = vec![0xff, 0xfb, 0x90, 0x00];
        one_frame_then_text.resize(600, b'x');
        for file in [
            b"".to_vec(),
            b"R".to_vec(),
            b"RIFF\0\0\0\0AVI LIST".to_vec(),
            b"RIFF\0\0\0\0WAVE".to_vec(),
            b"RIFF\0\0\0\0WAVEJUNK\xff\xff\xff\xff".to_vec(),
            b"<!doctype html><script>".to_vec(),
            b"%PDF-1.7".to_vec(),
            b"MZ\x90\0".to_vec(),
            b"\xff\xfeh\0i\0".to_vec(),
            b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2".to_vec(),
            b"OggS\0\x02".to_vec(),
            one_frame_then_text,
            b"\xff\xfb\x90\0<script>alert(1)</script>".to_vec(),
            b"ID3\x04\0\0\0\0\0\0<script>alert(1)</script>".to_vec(),
            b"ID3\x04\0\0\0\0\x7f\x7f<script>alert(1)</script>".to_vec(),
        ] {
            assert_eq!(AudioFormat::sniff(&file).format(), None, "{file:?}");
        }
    }

    #[test]
    fn media_types_have_several_names() {
        for (name, format) in [
            ("audio/x-wav", AudioFormat::Wav),
            ("Audio/MPEG", AudioFormat::Mp3),
            ("audio/ogg; codecs=opus", AudioFormat::Ogg),
        ] {
            assert_eq!(AudioFormat::from_content_type(name), Some(format));
        }
        assert_eq!(AudioFormat::from_content_type("text/html"), None);
    }
}

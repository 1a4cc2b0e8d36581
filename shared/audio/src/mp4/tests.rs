use super::*;
use crate::Span;

/// With its index before the audio, which is the last box.
const STEREO: &[u8] = include_bytes!("../../tests/samples/stereo.m4a");

#[test]
fn a_long_recording_is_not_held() {
    const MORE: usize = 20_000_000;
    let mdat = STEREO.windows(4).rposition(|name| name == b"mdat").unwrap();
    let mut file = STEREO.to_vec();
    let length = u32::try_from(file.len() - mdat + 4 + MORE).unwrap();
    file[mdat - 4..mdat].copy_from_slice(&length.to_be_bytes());
    let span = Span {
        start_ms: 500,
        end_ms: 90_000,
    };
    let mut m4a = M4a::new(Spans::new(vec![span]).unwrap(), None).unwrap();
    let (mut copy, mut came) = (Vec::new(), 0);
    let more = vec![7; 50_000];
    for part in file
        .chunks(50)
        .chain(std::iter::repeat_n(&more[..], MORE / more.len()))
    {
        m4a.push(part, &mut copy).unwrap();
        came += part.len();
        // The index, and then an access unit.
        assert!(m4a.held() < if came < mdat { 8_192 } else { 4_096 });
        // What belongs to no access unit nobody hears: it is not told either.
        assert!(came <= file.len() || copy.iter().all(|byte| *byte == 0));
        copy.clear();
    }
    assert_eq!(came, file.len() + MORE);
    assert_eq!(m4a.finish(&mut copy).unwrap().duration_ms, 3_000);
}

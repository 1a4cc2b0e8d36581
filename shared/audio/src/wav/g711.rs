//! ITU-T G.711: sixteen bits as eight, finer where it is quiet.

const BIAS: i32 = 0x84;
const CLIP: i32 = 32_635;

/// Mu-law, with all bits inverted as it is transmitted.
pub(super) fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    !(sign | segment(magnitude, 7))
}

/// A-law, with every other bit inverted.
pub(super) fn a_law(sample: i16) -> u8 {
    // Below zero, the magnitude is that of the ones' complement.
    let (sign, magnitude) = if sample < 0 {
        (0, !i32::from(sample))
    } else {
        (0x80, i32::from(sample))
    };
    let code = if magnitude < 0x100 {
        u8::try_from(magnitude >> 4).unwrap_or(0x0f)
    } else {
        segment(magnitude, 7)
    };
    (sign | code) ^ 0x55
}

/// Three bits of exponent and four of mantissa; `lowest` is the bit that leads in the lowest segment.
fn segment(magnitude: i32, lowest: u32) -> u8 {
    let leading = 31 - (magnitude | 1).leading_zeros();
    let exponent = leading.saturating_sub(lowest).min(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    u8::try_from((exponent << 4) | mantissa.unsigned_abs()).unwrap_or(0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_recommendation() {
        // G.711's tables, scaled to sixteen bits: zero, full scale, and one of each segment's neighbourhood.
        for (sample, expected) in [
            (0, 0xff),
            (-1, 0x7f),
            (32_767, 0x80),
            (-32_768, 0x00),
            (1_000, 0xce),
            (-1_000, 0x4e),
            (100, 0xf2),
        ] {
            assert_eq!(mu_law(sample), expected, "mu-law of {sample}");
        }
        for (sample, expected) in [
            (0, 0xd5),
            (-1, 0x55),
            (32_767, 0xaa),
            (-32_768, 0x2a),
            (1_000, 0xfa),
            (-1_000, 0x7a),
            (100, 0xd3),
        ] {
            assert_eq!(a_law(sample), expected, "A-law of {sample}");
        }
    }
}

//! Cyclic redundancy checks, most significant bit first, as audio formats have them.

#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const CRC8: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u8;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc << 1) ^ if crc & 0x80 == 0 { 0 } else { 0x07 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const CRC16: [u16; 256] = {
    let mut table = [0_u16; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

/// Of a FLAC frame's header (RFC 9639, section 9.1.8): polynomial x^8 + x^2 + x + 1.
pub(crate) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        CRC8.get(usize::from(crc ^ byte)).copied().unwrap_or(0)
    })
}

/// Goes on with `crc` over more bytes: polynomial x^16 + x^15 + x^2 + 1. FLAC's frames (RFC 9639, section 9.3)
/// begin with 0, MPEG audio's (ISO/IEC 11172-3, 2.4.3.1) with 0xffff.
pub(crate) fn crc16(crc: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(crc, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        (u16::from(low) << 8) ^ CRC16.get(usize::from(high ^ byte)).copied().unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_those_of_the_catalogue() {
        // CRC-8/SMBUS, CRC-16/UMTS and CRC-16/CMS over the usual nine digits.
        assert_eq!(crc8(b"123456789"), 0xf4);
        assert_eq!(crc16(0, b"123456789"), 0xfee8);
        assert_eq!(crc16(0xffff, b"123456789"), 0xaee7);
        assert_eq!(crc16(crc16(0, b"1234"), b"56789"), 0xfee8);
    }
}

//! Country codes (ITU-T E.164, List of assigned country codes).

/// How many of the leading ASCII digits of an international number are its country code.
///
/// Zones 1 and 7 have one digit, the codes listed here two, every other three, whether assigned yet or not. `None` if no
/// country code begins so (there is no zone 0) or the digits end within it.
pub(crate) fn country_code_len(digits: &[u8]) -> Option<usize> {
    let len = match digits {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        [b'2'..=b'6' | b'8' | b'9', _, _, ..] => 3,
        _ => return None,
    };
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::country_code_len;

    #[test]
    fn follows_the_itu_list() {
        let two = [
            20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54,
            55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
        ];
        for code in 10..100 {
            let expected = match code / 10 {
                1 | 7 => 1,
                _ if two.contains(&code) => 2,
                _ => 3,
            };
            assert_eq!(
                country_code_len(format!("{code}5550132").as_bytes()),
                Some(expected),
                "{code}"
            );
        }
    }

    #[test]
    fn zone_zero_and_cut_codes_are_none() {
        assert_eq!(country_code_len(b"0123456"), None);
        assert_eq!(country_code_len(b"21"), None);
        assert_eq!(country_code_len(b""), None);
    }
}

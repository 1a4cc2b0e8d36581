//! What the many ways to write one character come to: digits of every script as ASCII, the dashes as `-`, spaces as
//! one space, and characters that draw nothing as nothing.

use std::borrow::Cow;

/// The zero of every run of ten decimal digits (general category Nd) outside ASCII, ascending. A digit's value is its
/// distance from its zero. Unicode 17.0, `DerivedGeneralCategory.txt`.
const ZEROS: [u32; 76] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50,
    0x11DA0, 0x11DE0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE,
    0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

/// What a character stands for in a telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// It draws nothing: bidirectional controls, zero-width characters, variation selectors.
    Nothing,
    /// This character.
    As(char),
}

/// Folds one character.
pub(crate) fn fold(c: char) -> Folded {
    if c.is_ascii() {
        return Folded::As(c);
    }
    if let Some(digit) = decimal_digit(c) {
        return Folded::As(digit);
    }
    match c {
        '\u{00AD}'
        | '\u{034F}'
        | '\u{061C}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{20E3}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}' => Folded::Nothing,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => Folded::As('-'),
        // Full-width forms lie in ASCII order.
        '\u{FF01}'..='\u{FF5E}' => {
            Folded::As(u8::try_from(u32::from(c) - 0xFF01 + 0x21).map_or(c, char::from))
        }
        c if c.is_whitespace() => Folded::As(' '),
        c => Folded::As(c),
    }
}

/// The ASCII digit of a decimal digit of any script.
fn decimal_digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let zero = ZEROS.get(ZEROS.partition_point(|&zero| zero <= code).checked_sub(1)?)?;
    char::from_digit(code - zero, 10)
}

/// Folds a whole field and trims it; ASCII text is only trimmed, without a copy.
pub(crate) fn fold_field(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text.trim());
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match fold(c) {
            Folded::Nothing => {}
            Folded::As(c) => folded.push(c),
        }
    }
    let trimmed = folded.trim();
    if trimmed.len() == folded.len() {
        Cow::Owned(folded)
    } else {
        Cow::Owned(trimmed.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Folded, ZEROS, fold, fold_field};

    #[test]
    fn zeros_are_sorted_runs_that_do_not_overlap() {
        assert!(ZEROS.windows(2).all(|pair| pair[1] - pair[0] >= 10));
    }

    #[test]
    fn digits_of_every_script_fold_to_ascii() {
        for zero in ZEROS {
            for value in 0..10 {
                let c = char::from_u32(zero + value).expect("a character");
                assert_eq!(
                    fold(c),
                    Folded::As(char::from_digit(value, 10).expect("a digit"))
                );
                assert!(c.is_numeric() || zero >= 0x11D00, "{c:?}");
            }
        }
        assert_eq!(
            fold('\u{066A}'),
            Folded::As('\u{066A}'),
            "the character after a run is no digit"
        );
    }

    #[test]
    fn full_width_text_dashes_and_spaces_fold_to_ascii() {
        assert_eq!(
            fold_field("\u{3000}＋８６\u{2013}１３８\u{00A0}(1)"),
            "+86-138 (1)"
        );
        assert_eq!(fold_field("\u{200B} \u{2066}415\u{2069}\u{200F} "), "415");
    }
}

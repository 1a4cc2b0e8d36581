//! `mask_phone` over the published cases and over anything.

use proptest::prelude::*;
use ringfence_pii::mask_phone;

/// One case a line: input, expected, note, separated by tabs.
const CASES: &str = include_str!("phone_masking.tsv");

#[test]
fn every_published_case_is_masked_as_written() {
    let mut cases = 0;
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (input, expected) = (
            columns.next().expect("input"),
            columns.next().expect("expected"),
        );
        assert_eq!(mask_phone(input), expected, "{line}");
        cases += 1;
    }
    assert_eq!(cases, 31);
}

/// Asserts each pair, and that each output is left alone.
fn check(cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        assert_eq!(mask_phone(input), *expected, "{input:?}");
        assert_eq!(mask_phone(expected), *expected, "again: {input:?}");
    }
}

#[test]
fn digits_of_any_script_and_invisible_characters() {
    check(&[
        ("１３８１２３４１２３４", "138****1234"),
        ("＋８６ １３８ １２３４ １２３４", "+86138****1234"),
        ("٠١٢٣٤٥٦٧٨٩", "01****6789"),
        (
            "\u{202A}+1 415\u{2011}555\u{2011}0132\u{202C}",
            "+141****0132",
        ),
        ("\u{200B}\u{FEFF}4155\u{200D}550132 ", "41****0132"),
        ("\u{200B}", ""),
        ("  \t", ""),
    ]);
}

#[test]
fn withheld_numbers_are_anonymous() {
    check(&[
        (" ANONYMOUS ", "anonymous"),
        ("Private", "anonymous"),
        ("blocked", "anonymous"),
        ("Withheld", "anonymous"),
        ("UNAVAILABLE", "anonymous"),
        ("unknown", "anonymous"),
        ("+7378742833", "anonymous"),
        ("+86282452253", "anonymous"),
        ("unknown caller", "****"),
    ]);
}

#[test]
fn masked_input_is_left_alone_and_other_stars_are_not() {
    check(&[
        ("****", "****"),
        ("+86138****1234", "+86138****1234"),
        ("sip:+141****0132 x***@****", "sip:+141****0132 x***@****"),
        ("41****0132, ****567", "41****0132, ****567"),
        ("1381****1234", "****"),
        ("138****12345", "****"),
        ("138*****1234", "****"),
        ("138**1234", "****"),
        ("13812341234**", "****"),
        ("41****0132, 4155550132", "****"),
    ]);
}

#[test]
fn schemes_display_names_and_hosts() {
    check(&[
        (
            "\"Bob\" <sip:+14155550132@pbx.example.com>",
            "sip:+141****0132@****",
        ),
        ("Bob 2 <tel:+14155550132>", "+141****0132"),
        (
            "\"a <b> \\\" 5551234567\" <sips:4155550132@h>;tag=12345678",
            "sips:41****0132@****",
        ),
        ("\"1001\" <1001>", "****"),
        ("\"Bob\" <4155550132", "****"),
        (
            "SIP:4155550132@10.10.10.204:5060;transport=udp",
            "sip:41****0132@****",
        ),
        (
            "sip:+14155550132;phone-context=+15551234567@h",
            "sip:+141****0132@****",
        ),
        ("sip:+14155550132;ext=42@h", "sip:+141****0132 x***@****"),
        ("sip:%2B14155550132@h", "sip:+141****0132@****"),
        ("callto:+14155550132", "+141****0132"),
        ("Client:alice", "client:****"),
        ("1001@10.10.10.204", "****@****"),
        ("4155550132@h", "41****0132@****"),
        ("alice.2@example.com", "****@****"),
        ("https://example.com/4155550132", "****"),
    ]);
}

#[test]
fn feature_codes_are_dropped() {
    check(&[
        ("*674155550132", "41****0132"),
        ("*67 (415) 555-0132", "41****0132"),
        ("#31#+8613812341234", "+86138****1234"),
        ("*31#4155550132", "41****0132"),
        ("*21*+14155550132#", "+141****0132"),
        ("*67", "****"),
        ("#4155550132", "****"),
    ]);
}

#[test]
fn extensions_and_post_dial_digits_are_never_shown() {
    check(&[
        ("4155550132x204", "41****0132 x***"),
        ("4155550132 X 204", "41****0132 x***"),
        ("4155550132 extension 204", "41****0132 x***"),
        ("4155550132 (Ext: 204)", "41****0132 x***"),
        ("4155550132;ext=204", "41****0132 x***"),
        ("4155550132 #204", "41****0132 x***"),
        ("4155550132#204", "41****0132 x***"),
        ("4155550132,204", "41****0132 x***"),
        ("4155550132,,204#", "41****0132 x***"),
        ("4155550132;204", "41****0132 x***"),
        ("4155550132p204", "41****0132 x***"),
        ("+14155550132 w 204", "+141****0132 x***"),
        ("4155550132;p204", "41****0132 x***"),
        ("4155550132 x204,,55#", "41****0132 x***"),
        ("4155550132#", "41****0132"),
        ("72975 x1", "**** x***"),
        ("x204", "****"),
        ("4155550132,,12345678", "****"),
    ]);
}

#[test]
fn several_numbers_are_masked_each() {
    check(&[
        ("13812341234,13912345678", "138****1234, 139****5678"),
        ("4155550132; 4155550133", "41****0132, 41****0133"),
        ("4155550132 / +14155550133", "41****0132, +141****0133"),
        ("4155550132|5550133", "41****0132, ****133"),
        (
            "(415) 555-0132 or 415-555-0133 x2",
            "41****0132, 41****0133 x***",
        ),
        ("4155550132 OR 4111111111111111", "41****0132, ****"),
        (
            "sip:+14155550132@a, sip:+14155550133@b",
            "sip:+141****0132@****, sip:+141****0133@****",
        ),
        ("0151/12345678", "015****5678"),
        ("4155550132,", "41****0132"),
        ("4155550132 4155550133", "****"),
    ]);
}

#[test]
fn what_is_no_phone_number_is_hidden_whole() {
    check(&[
        ("123456789012345", "123****2345"),
        ("1234567890123456", "****"),
        ("+1234567890123456", "****"),
        ("378282246310005", "****"),
        ("+378282246310005", "+378282****0005"),
        ("4222222222222", "****"),
        ("4222222222223", "422****2223"),
        ("123-45-6789", "****"),
        ("123456789", "1****6789"),
        ("电话13812341234", "****"),
        ("MyBrand24", "****"),
        ("415*555*0132", "****"),
        ("1+4155550132", "****"),
        ("+0123456789", "****"),
        ("+", "****"),
    ]);
}

#[test]
fn vanity_letters_are_digits_on_the_keypad() {
    check(&[
        ("1-800-FLOWERS", "180****9377"),
        ("+1-800-Flowers", "+180****9377"),
        ("1-800-FLOWERS x204", "180****9377 x***"),
        ("1-800-FEDEX1", "18****3391"),
        ("1-FLOWERS", "****"),
    ]);
}

#[test]
fn country_codes_are_shown_after_a_prefix_only() {
    check(&[
        ("+7 912 345-67-89", "+791****6789"),
        ("+852 9123 4567", "+852****4567"),
        ("00852 91234567", "+852****4567"),
        ("00 44 (0) 20 7946 0958", "+4420****0958"),
        ("+44 20 (0)7946 0958", "+44200****0958"),
        ("(+44) 20 7946 0958", "+4420****0958"),
        ("8613812341234", "861****1234"),
        ("+210 123456", "+210****56"),
        ("+1 72975", "****"),
        ("123456", "****56"),
    ]);
}

/// Text made of what appears in numbers, so that most rules are met.
fn number_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::string::string_regex("[0-9]{1,8}").expect("a pattern"),
        3 => proptest::sample::select(vec![
            "+", "00", "(0)", " ", "-", ".", "(", ")", ",", ";", "/", "|", " or ", "#", "*", "*67", "#31#", "x", " ext. ",
            ";ext=", "p", "w", "@", "@10.0.0.1", "sip:", "tel:", "whatsapp:", "<", ">", "\"", "=", "%2B", "FLOWERS", "é",
            "４", "٣", "\u{200B}", "****", "anonymous",
        ]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Asserts what holds for every input and returns the output.
fn holds_for_any(input: &str) -> Result<(), TestCaseError> {
    let masked = mask_phone(input);
    prop_assert_eq!(&mask_phone(&masked), &masked, "idempotent");
    if masked.is_empty() || masked == "anonymous" {
        return Ok(());
    }
    for number in masked.split(", ") {
        let stars = number.split_once("****");
        prop_assert!(stars.is_some(), "stars in {}", masked);
        let (head, tail) = stars.expect("checked");
        prop_assert!(
            !head.contains('*') && !tail.starts_with('*'),
            "always four stars in {}",
            masked
        );
        let shown = number.bytes().filter(u8::is_ascii_digit).count();
        let country_code = if number.contains('+') { 3 } else { 0 };
        prop_assert!(shown <= 7 + country_code, "{}", masked);
    }
    if !input.contains("****") {
        let digits = |text: &str| text.chars().filter(|c| c.is_numeric()).count();
        let shown = digits(&masked);
        let held = digits(input);
        prop_assert!(held < shown + 4 || masked != input);
        prop_assert!(held < 6 || masked != input, "returned in clear: {}", masked);
        if held > 0 && !input.chars().any(char::is_alphabetic) {
            prop_assert!(held >= shown + held.min(4), "{} hides too little", masked);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn holds_for_number_like_text(input in number_like()) {
        holds_for_any(&input)?;
    }

    #[test]
    fn holds_for_any_text(input in any::<String>()) {
        holds_for_any(&input)?;
    }

    #[test]
    fn plain_numbers_hide_at_least_four_digits(digits in "[1-9][0-9]{0,14}") {
        let masked = mask_phone(&digits);
        let (head, tail) = masked.split_once("****").expect("stars");
        prop_assert!(digits.starts_with(head) && digits.ends_with(tail));
        prop_assert!(head.len() + tail.len() <= 7);
        prop_assert!(head.len() + tail.len() + digits.len().min(4) <= digits.len());
    }
}

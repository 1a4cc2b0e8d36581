//! The ARN of a KMS key, as strictly as AWS writes it
//! (<https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN>).

/// Whether this is the ARN of a KMS key: not of an alias, which may come to mean another key, and not a bare
/// key id, which means one of whichever account asks.
pub(super) fn is_kms_key_arn(text: &str) -> bool {
    let mut parts = text.split(':');
    let mut next = || parts.next().unwrap_or_default();
    let is_arn = next() == "arn"
        && matches!(next(), "aws" | "aws-cn" | "aws-us-gov")
        && next() == "kms"
        && is_region(next())
        && is_digits(next(), 12)
        && next().strip_prefix("key/").is_some_and(is_key_id);
    is_arn && parts.next().is_none()
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `eu-west-1`, `us-gov-east-1`
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [place @ .., number] = parts.as_slice() else {
        return false;
    };
    let is_word = |part: &&str| {
        (2..=12).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    (2..=3).contains(&place.len()) && place.iter().all(is_word) && is_digits(number, 1)
}

/// A UUID, or what a multi-Region key has.
fn is_key_id(text: &str) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if let Some(rest) = text.strip_prefix("mrk-") {
        return is_hex(rest, 32);
    }
    let mut parts = text.split('-');
    [8, 4, 4, 4, 12]
        .into_iter()
        .all(|length| parts.next().is_some_and(|part| is_hex(part, length)))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_kms_key_arn;

    #[test]
    fn only_the_arn_of_a_key_is_one() {
        for good in [
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-us-gov:kms:us-gov-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:ap-southeast-2:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
        ] {
            assert!(is_kms_key_arn(good), "{good}");
        }
        let good = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        for (part, wrong) in [
            ("arn:", ""),
            ("aws:kms", "azure:kms"),
            (":kms:", ":s3:"),
            ("eu-west-1", ""),
            ("eu-west-1", "EU-WEST-1"),
            ("eu-west-1", "eu-west"),
            ("eu-west-1", "eu--1"),
            ("eu-west-1", "*"),
            ("111122223333", "11112222333"),
            ("111122223333", "1111222233334"),
            ("111122223333", ""),
            ("key/", "alias/"),
            ("key/", ""),
            ("key/", "key/key/"),
            ("1234abcd-12ab", "1234abcd12ab"),
            ("1234abcd-", "1234ABCD-"),
            ("1234567890ab", "1234567890ab-0"),
            ("1234567890ab", "1234567890ab:x"),
            ("1234567890ab", "1234567890ab\n"),
            ("1234567890ab", "1234567890a*"),
            ("1234567890ab", "1234567890ab "),
            ("key/1234abcd-12ab-34cd-56ef-1234567890ab", "key/mrk-1234"),
        ] {
            let text = good.replacen(part, wrong, 1);
            assert_ne!(text, good, "{part}");
            assert!(!is_kms_key_arn(&text), "{text}");
        }
        assert!(!is_kms_key_arn("1234abcd-12ab-34cd-56ef-1234567890ab"));
        assert!(!is_kms_key_arn(""));
    }
}

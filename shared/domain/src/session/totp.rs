//! Codes of an authenticator app: RFC 6238 over HMAC-SHA-1, 30 seconds, six digits, which is what every
//! app understands.

use std::fmt::Write as _;

use jiff::Timestamp;
use ring::hmac;
use ringfence_ports::Random;
use subtle::ConstantTimeEq;

/// A time step, in seconds.
pub const STEP_SECONDS: u64 = 30;

/// The bytes of a secret: as long as the hash (RFC 4226 section 4, R6).
const SECRET_BYTES: usize = 20;

const DIGITS: u32 = 6;

/// The secret that Ringfence and an app share. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct TotpSecret(Vec<u8>);

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

impl TotpSecret {
    /// A new one.
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut bytes = vec![0; SECRET_BYTES];
        random.fill(&mut bytes);
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// In base32 (RFC 4648 section 6) without padding, as apps take it by hand.
    pub fn text(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut text = String::new();
        for chunk in self.0.chunks(5) {
            let mut group = [0; 8];
            group[3..3 + chunk.len()].copy_from_slice(chunk);
            let bits = u64::from_be_bytes(group);
            for place in 0..(chunk.len() * 8).div_ceil(5) {
                let digit = (bits >> (35 - 5 * place)) & 31;
                text.push(char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]));
            }
        }
        text
    }

    /// The `otpauth:` URI that apps read from a QR code, for the account `account`.
    pub fn uri(&self, account: &str) -> String {
        let mut label = String::new();
        for byte in account.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                label.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(label, "%{byte:02X}");
            }
        }
        format!(
            "otpauth://totp/Ringfence:{label}?secret={}&issuer=Ringfence&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            self.text()
        )
    }

    /// The code of a time step.
    pub fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let mac = hmac::sign(&key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = mac.last().map_or(0, |last| usize::from(last & 15));
        let number = mac
            .get(offset..offset + 4)
            .and_then(|four| four.try_into().ok())
            .map_or(0, u32::from_be_bytes)
            & 0x7fff_ffff;
        let width = DIGITS as usize;
        format!("{:0width$}", number % 10_u32.pow(DIGITS))
    }

    /// The time step whose code this is: the present one, or the one before, for who was slow to type
    /// (RFC 6238 section 5.2). One that is yet to come is none.
    pub(crate) fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        let present = step_at(now);
        let mut found = None;
        // Both, whichever it is: how long it takes tells nothing.
        for step in [present.saturating_sub(1), present] {
            if bool::from(self.code(step).as_bytes().ct_eq(code.as_bytes())) {
                found = Some(step);
            }
        }
        found
    }
}

/// The time step of an instant.
pub fn step_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or(0) / STEP_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc() -> TotpSecret {
        TotpSecret(b"12345678901234567890".to_vec())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, the last six of its eight digits.
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(rfc().code(step_at(at(second))), code);
        }
        assert_eq!(rfc().text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn the_present_step_and_the_one_before_are_taken() {
        let now = at(1_234_567_890);
        let step = step_at(now);
        for (given, taken) in [
            (step - 2, false),
            (step - 1, true),
            (step, true),
            (step + 1, false),
        ] {
            let code = rfc().code(given);
            assert_eq!(rfc().step_of(&code, now), taken.then_some(given));
        }
        assert_eq!(rfc().step_of("", now), None);
        assert_eq!(rfc().step_of("００５９２４", now), None);
    }

    #[test]
    fn the_uri_names_the_account() {
        assert_eq!(
            rfc().uri("ada+x@example.com"),
            "otpauth://totp/Ringfence:ada%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Ringfence&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{:?}", rfc()), "TotpSecret(..)");
    }
}

//! `X-Twilio-Signature` (<https://www.twilio.com/docs/usage/security#validating-requests>): base64
//! of HMAC-SHA1, under the auth token, over the URL that Twilio called and every form parameter,
//! name and value run together, sorted by name. For a JSON body the URL carries its SHA-256 as
//! `bodySHA256`, and the signature covers the URL alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

/// The body that a signature goes with.
#[derive(Clone, Copy)]
pub enum Signed<'a> {
    /// `application/x-www-form-urlencoded`.
    Form(&'a [u8]),
    /// Anything else, JSON mostly: the URL has the parameter `bodySHA256`.
    Bytes(&'a [u8]),
}

/// Why a request is not taken for Twilio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not base64 of 20 bytes, or the form cannot be read.
    #[error("the signature or the form is not well-formed")]
    Malformed,
    /// The body is not the one that the URL names.
    #[error("the body does not match bodySHA256")]
    Body,
    /// The signature is of something else, or made with another token.
    #[error("the signature does not match")]
    Mismatch,
}

/// Checks a request. `url` is the one Twilio was given, query included, as the account sees it
/// from outside; as in Twilio's libraries it is tried with and without the port, because proxies
/// add or drop it. All comparisons take the same time whatever differs.
///
/// # Errors
/// [`SignatureError`]; nothing of the request is in it.
pub fn verify(
    auth_token: &str,
    url: &str,
    body: Signed<'_>,
    signature: &str,
) -> Result<(), SignatureError> {
    let signature = STANDARD
        .decode(signature.trim())
        .map_err(|_| SignatureError::Malformed)?;
    let parameters = match body {
        Signed::Form(body) => canonical(body)?,
        Signed::Bytes(body) => {
            check_body(url, body)?;
            String::new()
        }
    };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.as_bytes());
    let matches = |url: &str| {
        let mut signed = String::with_capacity(url.len() + parameters.len());
        signed.push_str(url);
        signed.push_str(&parameters);
        hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
    };
    let known = variants(url).iter().any(|url| matches(url));
    if known {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}

/// Every name and value run together, sorted by name, then value; a pair that repeats counts once.
fn canonical(body: &[u8]) -> Result<String, SignatureError> {
    let mut pairs: Vec<(String, String)> =
        serde_urlencoded::from_bytes(body).map_err(|_| SignatureError::Malformed)?;
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs
        .into_iter()
        .fold(String::new(), |mut all, (name, value)| {
            all.push_str(&name);
            all.push_str(&value);
            all
        }))
}

fn check_body(url: &str, body: &[u8]) -> Result<(), SignatureError> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| SignatureError::Malformed)?;
    let named = pairs
        .iter()
        .find(|(name, _)| name == "bodySHA256")
        .map(|(_, hash)| hash.to_ascii_lowercase())
        .ok_or(SignatureError::Body)?;
    // Public on both sides: there is no secret in it that time could tell.
    let hash = digest::digest(&digest::SHA256, body);
    let hash = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let same = hash
        .map(|nibble| char::from_digit(u32::from(nibble), 16))
        .eq(named.chars().map(Some));
    if same {
        Ok(())
    } else {
        Err(SignatureError::Body)
    }
}

/// The URL as it is, and without its port or with the default one.
fn variants(url: &str) -> Vec<String> {
    let mut variants = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else {
        return variants;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // An IPv6 literal has colons of its own, inside brackets.
    let host_end = authority.rfind(']').unwrap_or(0);
    let port = authority.rfind(':').filter(|colon| *colon >= host_end);
    variants.push(if let Some(colon) = port {
        format!(
            "{scheme}://{}{tail}",
            authority.get(..colon).unwrap_or(authority)
        )
    } else {
        let port = if scheme.eq_ignore_ascii_case("https") {
            443
        } else {
            80
        };
        format!("{scheme}://{authority}:{port}{tail}")
    });
    variants
}

#[cfg(test)]
mod tests {
    use super::*;

    // The test vectors of twilio-python, tests/unit/test_request_validator.py.
    const TOKEN: &str = "12345";
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &str = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";
    const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    const BODY: &str = r#"{"property": "value", "boolean": true}"#;
    const BODY_HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";

    fn form(url: &str, body: &str, signature: &str) -> Result<(), SignatureError> {
        verify(TOKEN, url, Signed::Form(body.as_bytes()), signature)
    }

    #[test]
    fn twilios_own_vectors_verify() {
        assert_eq!(form(URL, FORM, SIGNATURE), Ok(()));
        let with_port = URL.replace(".com", ".com:1234");
        let http = URL.replace("https", "http");
        assert_eq!(form(&with_port, FORM, SIGNATURE), Ok(()), "port dropped");
        assert_eq!(
            form(
                &with_port.replace("https", "http"),
                FORM,
                "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="
            ),
            Ok(()),
            "port kept"
        );
        assert_eq!(
            form(URL, FORM, "kvajT1Ptam85bY51eRf/AJRuM3w="),
            Ok(()),
            "443 added"
        );
        assert_eq!(
            form(&http, FORM, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
            Ok(()),
            "80 added"
        );
        let repeated = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234";
        assert_eq!(
            form(URL, repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
            Ok(()),
            "repeated names"
        );
    }

    #[test]
    fn a_json_body_is_bound_by_its_hash() {
        let url = format!("{URL}&bodySHA256={BODY_HASH}");
        let signature = "a9nBmqA0ju/hNViExpshrM61xv4=";
        assert_eq!(
            verify(TOKEN, &url, Signed::Bytes(BODY.as_bytes()), signature),
            Ok(())
        );
        let other = BODY.replace("true", "false");
        assert_eq!(
            verify(TOKEN, &url, Signed::Bytes(other.as_bytes()), signature),
            Err(SignatureError::Body)
        );
        assert_eq!(
            verify(TOKEN, URL, Signed::Bytes(BODY.as_bytes()), signature),
            Err(SignatureError::Body)
        );
    }

    #[test]
    fn anything_changed_is_refused() {
        let mismatch = Err(SignatureError::Mismatch);
        assert_eq!(
            form(&URL.replace("foo=1", "foo=2"), FORM, SIGNATURE),
            mismatch
        );
        assert_eq!(
            form(&URL.replace("mycompany", "yourcompany"), FORM, SIGNATURE),
            mismatch
        );
        assert_eq!(
            form(URL, &FORM.replace("Digits=1234", "Digits=1235"), SIGNATURE),
            mismatch
        );
        assert_eq!(form(URL, &format!("{FORM}&Extra=1"), SIGNATURE), mismatch);
        assert_eq!(
            verify("12346", URL, Signed::Form(FORM.as_bytes()), SIGNATURE),
            mismatch
        );
        assert_eq!(form(URL, FORM, ""), mismatch);
        assert_eq!(
            form(URL, FORM, "not base64!"),
            Err(SignatureError::Malformed)
        );
    }
}

//! How a document lies in an item: as text, or deflated where that saves a write unit.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use miniz_oxide::{deflate, inflate};
use ringfence_ports::MAX_DOC_BYTES;

/// A write is billed by started kilobytes of the item
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).
pub(crate) const UNIT: usize = 1024;

/// Best ratio for its time on documents of a few kilobytes.
const LEVEL: u8 = 6;
/// Longer documents are deflated faster: they are rare, and what they save is many units anyway.
const FAST_LEVEL: u8 = 1;
const LONG: usize = 32 * 1024;

/// A stored document.
#[derive(Debug, PartialEq)]
pub(crate) enum Stored {
    /// `doc`: the text as it is.
    Plain(String),
    /// `z`: raw deflate (RFC 1951) of the text.
    Deflated(Vec<u8>),
}

impl Stored {
    /// For an item whose other attributes take `others` bytes.
    pub(crate) fn of(doc: &str, others: usize) -> Self {
        let plain = (others + DOC.len() + doc.len()).div_ceil(UNIT);
        if plain > 1 {
            let level = if doc.len() > LONG { FAST_LEVEL } else { LEVEL };
            let deflated = deflate::compress_to_vec(doc.as_bytes(), level);
            if (others + DEFLATED.len() + deflated.len()).div_ceil(UNIT) < plain {
                return Self::Deflated(deflated);
            }
        }
        Self::Plain(doc.to_owned())
    }

    /// Name of the attribute, its value, and the name that must not be there beside it.
    pub(crate) fn into_attribute(self) -> (&'static str, AttributeValue, &'static str) {
        match self {
            Self::Plain(doc) => (DOC, AttributeValue::S(doc), DEFLATED),
            Self::Deflated(bytes) => (DEFLATED, AttributeValue::B(Blob::new(bytes)), DOC),
        }
    }
}

/// The attribute of a plain document.
pub(crate) const DOC: &str = "doc";
/// The attribute of a deflated one.
pub(crate) const DEFLATED: &str = "z";

/// The text of a deflated document; `None`: that is no document of ours.
pub(crate) fn inflated(bytes: &[u8]) -> Option<String> {
    let text = inflate::decompress_to_vec_with_limit(bytes, MAX_DOC_BYTES).ok()?;
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_documents_stay_readable() {
        let doc = format!("{{\"a\":\"{}\"}}", "x".repeat(800));
        assert_eq!(Stored::of(&doc, 100), Stored::Plain(doc));
    }

    #[test]
    fn a_document_is_deflated_only_if_a_unit_is_saved() {
        let doc = format!("{{\"a\":\"{}\"}}", "x".repeat(1000));
        assert!(matches!(Stored::of(&doc, 100), Stored::Deflated(z) if z.len() < 100));
        // Noise shrinks by a fifth, which takes nothing off two units.
        let mut state = 1_u64;
        let mut noise = String::new();
        for _ in 0..1000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            noise.push(char::from(b'0' + u8::try_from((state >> 33) % 75).unwrap()));
        }
        let doc = format!("{{\"a\":\"{noise}\"}}");
        assert!(matches!(Stored::of(&doc, 400), Stored::Plain(_)));
    }

    #[test]
    fn what_inflates_beyond_a_document_is_none() {
        let bomb = deflate::compress_to_vec(&vec![b' '; MAX_DOC_BYTES + 1], 6);
        assert_eq!(inflated(&bomb), None);
        let whole = deflate::compress_to_vec(&vec![b' '; MAX_DOC_BYTES], 6);
        assert_eq!(inflated(&whole).map(|doc| doc.len()), Some(MAX_DOC_BYTES));
        assert_eq!(inflated(b"no deflate"), None);
    }

    proptest! {
        #[test]
        fn every_document_comes_back(doc in ".{0,3000}", others in 0_usize..3000) {
            let back = match Stored::of(&doc, others) {
                Stored::Plain(doc) => Some(doc),
                Stored::Deflated(bytes) => inflated(&bytes),
            };
            prop_assert_eq!(back, Some(doc));
        }
    }
}

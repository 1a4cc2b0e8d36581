//! Cursors: where a page ended, bound to the tenant and the query that it belongs to.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Code, Problem};

const TAG_BYTES: usize = 16;

/// A cursor for `position`, good only with the same `scope` (tenant, endpoint and filters).
pub fn encode<T: Serialize>(scope: &[&str], position: &T) -> String {
    let body = serde_json::to_vec(position).unwrap_or_default();
    let mut bytes = tag(scope, &body).to_vec();
    bytes.extend(body);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position in a cursor that [`encode`] made for the same `scope`.
pub fn decode<T: DeserializeOwned>(scope: &[&str], cursor: &str) -> Result<T, Problem> {
    let invalid = || Problem::new(Code::InvalidCursor);
    if cursor.len() > 4096 {
        return Err(invalid());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    let (found, body) = bytes.split_at_checked(TAG_BYTES).ok_or_else(invalid)?;
    if found != tag(scope, body) {
        return Err(invalid());
    }
    serde_json::from_slice(body).map_err(|_| invalid())
}

// A binding, not an authentication: a cursor holds only a position inside the partitions that the
// caller's own tenant and filters choose, so a forged one reaches nothing new.
fn tag(scope: &[&str], body: &[u8]) -> [u8; TAG_BYTES] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in scope {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.update(body);
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&context.finish().as_ref()[..TAG_BYTES]);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_works_only_for_its_own_tenant_and_query() {
        let cursor = encode(&["acc_a", "deliveries", "status=failed"], &"dlv_1");
        let scope = ["acc_a", "deliveries", "status=failed"];
        assert_eq!(decode::<String>(&scope, &cursor).unwrap(), "dlv_1");
        for other in [
            ["acc_b", "deliveries", "status=failed"],
            ["acc_a", "deliveries", "status=held"],
        ] {
            assert_eq!(
                decode::<String>(&other, &cursor).unwrap_err().code,
                Code::InvalidCursor
            );
        }
        assert_eq!(
            decode::<String>(&scope, "%%%").unwrap_err().code,
            Code::InvalidCursor
        );
    }
}

use crate::{Keys, KeysError};

/// Runs every case against `keys`.
///
/// # Panics
///
/// At the first expectation that is not met.
pub async fn keys(keys: &dyn Keys) {
    for plain in [b"".as_slice(), b"x", &[7; 4096]] {
        let sealed = keys.seal("acc_1/secret/cdr", plain).await.expect("sealed");
        assert_eq!(
            keys.open("acc_1/secret/cdr", &sealed)
                .await
                .expect("opened"),
            plain
        );
    }
    let plain = b"whsec_a secret of some length";
    let sealed = keys.seal("acc_1/secret/cdr", plain).await.expect("sealed");
    let again = keys.seal("acc_1/secret/cdr", plain).await.expect("sealed");
    assert_ne!(sealed, again, "the same twice does not look the same");
    assert!(
        !sealed.windows(6).any(|part| part == b"secret"),
        "it is not there in plain"
    );
    for context in [
        "acc_2/secret/cdr",
        "acc_1/secret/cd",
        "",
        "acc_1/secret/cdr ",
    ] {
        assert_eq!(
            keys.open(context, &sealed).await,
            Err(KeysError::Refused),
            "context {context:?}"
        );
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(
            keys.open("acc_1/secret/cdr", &changed).await,
            Err(KeysError::Refused),
            "byte {at}"
        );
    }
    for length in 0..sealed.len() {
        let cut = &sealed[..length];
        assert_eq!(
            keys.open("acc_1/secret/cdr", cut).await,
            Err(KeysError::Refused),
            "cut to {length}"
        );
    }
    assert!(
        keys.seal("acc_1", &[0; 4097]).await.is_err(),
        "more than 4 KiB is refused"
    );
    let mac = keys.mac("link", b"data").await.expect("a mac");
    assert_eq!(keys.mac("link", b"data").await.expect("a mac"), mac);
    assert_ne!(keys.mac("link", b"datb").await.expect("a mac"), mac);
    assert_ne!(keys.mac("pin", b"data").await.expect("a mac"), mac);
    assert_ne!(keys.mac("lin", b"kdata").await.expect("a mac"), mac);
}

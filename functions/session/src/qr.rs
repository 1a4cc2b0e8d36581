//! QR codes (ISO/IEC 18004), as SVG.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Modules of light around the code, as the standard asks for.
const QUIET: usize = 4;

/// The picture of `text`: one path, black on white whatever the page's colours are, since that is what
/// cameras read. `None`: too long for one.
pub(crate) fn svg(text: &str, label: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (place, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            // Writing to a String cannot fail.
            let _ = write!(
                path,
                "M{} {}h1v1h-1z",
                place % width + QUIET,
                place / width + QUIET
            );
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"{label}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

//! Texts from users' files: with or without a byte order mark, with any line endings.

use std::fmt;

/// Why the bytes of a file are not text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TextError {
    /// They begin with the byte order mark of another encoding.
    Encoding(&'static str),
    /// A byte belongs to no UTF-8 character, or is zero.
    Byte {
        /// The byte.
        byte: u8,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextError::Encoding(name) => write!(f, "the text is {name}; save it as UTF-8"),
            TextError::Byte { byte: 0, line, column } => write!(
                f,
                "a zero byte is in line {line}, column {column}: this is no text, or UTF-16; save \
                 it as UTF-8"
            ),
            TextError::Byte { byte, line, column } => write!(
                f,
                "byte 0x{byte:02x} in line {line}, column {column} is not UTF-8; save the text as \
                 UTF-8"
            ),
        }
    }
}

impl std::error::Error for TextError {}

/// The text in the bytes of a file, which are UTF-8 with or without a byte order mark. A carriage
/// return that stands alone becomes a line feed; those before a line feed stay.
///
/// # Errors
/// When the bytes are UTF-16 or UTF-32, hold a zero byte, or are no UTF-8.
///
/// ```
/// use peerlet_core::runtime::decode_text;
/// assert_eq!(decode_text(b"\xef\xbb\xbfa\rb\r\n".to_vec())?, "a\nb\r\n");
/// let error = decode_text(b"# first\ncaf\xe9".to_vec()).unwrap_err().to_string();
/// assert!(error.starts_with("byte 0xe9 in line 2, column 4 is not UTF-8"));
/// # Ok::<(), peerlet_core::runtime::TextError>(())
/// ```
pub fn decode_text(mut bytes: Vec<u8>) -> Result<String, TextError> {
    const FOREIGN: [(&[u8], &str); 4] = [
        (b"\xff\xfe\0\0", "UTF-32"),
        (b"\0\0\xfe\xff", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ];
    if let Some((_, name)) = FOREIGN.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Err(TextError::Encoding(name));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    for i in 0..bytes.len() {
        if bytes[i] == b'\r' && bytes.get(i + 1) != Some(&b'\n') {
            bytes[i] = b'\n';
        }
    }
    let zero = bytes.iter().position(|byte| *byte == 0);
    let valid = match std::str::from_utf8(&bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    let wrong = zero.unwrap_or(usize::MAX).min(valid);
    if let Some(byte) = bytes.get(wrong) {
        let before = &bytes[..wrong];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        return Err(TextError::Byte { byte: *byte, line, column });
    }
    Ok(String::from_utf8(bytes).expect("every byte was looked at"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_are_taken() {
        let read = |bytes: &[u8]| decode_text(bytes.to_vec()).unwrap();
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\xef\xbb\xbf"), "");
        assert_eq!(read(b"a\r\rb\r\nc\r"), "a\n\nb\r\nc\n");
        assert_eq!(read("é\u{feff}".as_bytes()), "é\u{feff}", "a mark within is no mark");
    }

    #[test]
    fn any_bytes_are_a_text_or_have_a_place() {
        let mut rng = crate::Seed::new(3).rng();
        for _ in 0..2_000 {
            let bytes: Vec<u8> = (0..rng.below(30)).map(|_| rng.bits() as u8).collect();
            match decode_text(bytes.clone()) {
                Ok(text) => assert!(text.len() <= bytes.len() && !text.contains('\0')),
                Err(TextError::Encoding(_)) => {}
                Err(TextError::Byte { line, column, .. }) => assert!(line > 0 && column > 0),
            }
        }
    }

    #[test]
    fn other_encodings_are_refused_with_their_place() {
        let said = |bytes: &[u8]| decode_text(bytes.to_vec()).unwrap_err().to_string();
        for utf16 in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a"] {
            assert_eq!(said(utf16), "the text is UTF-16; save it as UTF-8");
        }
        assert_eq!(said(b"\xff\xfe\0\0a\0\0\0"), "the text is UTF-32; save it as UTF-8");
        assert!(said(b"0\0 \0").starts_with("a zero byte is in line 1, column 2"));
        assert!(said(b"ok\rcaf\xc3\xa9 \xe9").contains("0xe9 in line 2, column 6"));
        assert!(said(b"\xc3\xa9\n\xc3").contains("0xc3 in line 2, column 1"));
        assert!(said(b"\xe9\0").contains("0xe9"), "the first wrong byte is named");
    }
}

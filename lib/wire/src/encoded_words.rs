//! Encoded words of mail headers: `=?UTF-8?B?…?=`, `=?windows-1251?Q?…?=` (RFC 2047).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::Encoding;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The header's text with every encoded word decoded. Blanks between two of them are dropped; what is none, or is in
/// an encoding nobody knows, stays as it is. Neighbours in one encoding are decoded together: senders cut letters in two.
pub fn decoded(header: &str) -> String {
    let mut text = String::new();
    let mut pending: Option<Word> = None;
    let mut rest = header;
    while let Some(at) = rest.find("=?") {
        let (before, found) = rest.split_at(at);
        let Some((word, after)) = Word::read(found) else {
            flush(&mut pending, &mut text);
            text.push_str(before);
            text.push_str("=?");
            rest = &found[2..];
            continue;
        };
        let touches = before.trim().is_empty() && pending.is_some();
        match &mut pending {
            Some(last) if touches && last.encoding == word.encoding => {
                last.bytes.extend(word.bytes);
            }
            _ => {
                flush(&mut pending, &mut text);
                text.push_str(if touches { "" } else { before });
                pending = Some(word);
            }
        }
        rest = after;
    }
    flush(&mut pending, &mut text);
    text.push_str(rest);
    text
}

struct Word {
    encoding: &'static Encoding,
    bytes: Vec<u8>,
}

impl Word {
    /// The word at the beginning, and what follows it.
    fn read(text: &str) -> Option<(Self, &str)> {
        let (name, rest) = text.strip_prefix("=?")?.split_once('?')?;
        let (way, rest) = rest.split_once('?')?;
        let (content, rest) = rest.split_once("?=")?;
        // RFC 2231: a language may follow the name
        let name = name.split_once('*').map_or(name, |(name, _)| name);
        let encoding = Encoding::for_label(name.as_bytes())?;
        let bytes = match way {
            "B" | "b" => BASE64.decode(content.trim()).ok()?,
            "Q" | "q" => unquoted(content),
            _ => return None,
        };
        Some((Self { encoding, bytes }, rest))
    }
}

fn flush(word: &mut Option<Word>, text: &mut String) {
    if let Some(word) = word.take() {
        text.push_str(&word.encoding.decode_without_bom_handling(&word.bytes).0);
    }
}

fn unquoted(content: &str) -> Vec<u8> {
    let bytes = content.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = content.get(at + 1..at + 3).and_then(|two| u8::from_str_radix(two, 16).ok());
        match (byte, hex) {
            (b'=', Some(value)) => {
                plain.push(value);
                at += 2;
            }
            (b'_', _) => plain.push(b' '),
            (byte, _) => plain.push(*byte),
        }
        at += 1;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_every_encoding_become_text() {
        for (header, text) in [
            ("plain =? text", "plain =? text"),
            ("=?UTF-8?B?0KHRh9GR0YI=?=", "Счёт"),
            ("=?utf-8?b?0KHRh9GR0YI?=", "Счёт"),
            ("Re: =?UTF-8?Q?=D0=A1=D1=87=D1=91=D1=82_5?= ok", "Re: Счёт 5 ok"),
            ("=?windows-1251?Q?=D1=F7=E5=F2?=", "Счет"),
            ("=?koi8-r?B?89HF1A==?=", "Сяет"),
            ("=?UTF-8*ru?Q?a?=", "a"),
            // a letter cut in two, and the fold between
            ("=?UTF-8?B?0KHR?= =?UTF-8?B?h9GR0YI=?=", "Счёт"),
            ("=?UTF-8?Q?a?= =?windows-1251?Q?=E5?= b", "aе b"),
            ("=?x-unknown?Q?a?=", "=?x-unknown?Q?a?="),
            ("=?UTF-8?B?***?= =?UTF-8?Q?b", "=?UTF-8?B?***?= =?UTF-8?Q?b"),
            ("=?UTF-8?Q?100%=?=", "100%="),
            ("=?", "=?"),
        ] {
            assert_eq!(decoded(header), text, "{header}");
        }
    }
}

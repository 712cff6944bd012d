//! How many SMS a text makes: GSM-7 with its extension table, else UCS-2 (3GPP TS 23.038, 23.040).

use std::fmt;

/// The alphabet an SMS is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// GSM 7-bit default alphabet: 160 letters, or 153 in each of several.
    Gsm7,
    /// UCS-2 (UTF-16): 70 units, or 67 in each of several.
    Ucs2,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        })
    }
}

/// What a text costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The alphabet.
    pub encoding: Encoding,
    /// SMS it is split into; at least 1.
    pub count: u32,
}

const GSM7: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM7_EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Counts the segments of a text. A letter of two units is never split between two segments.
pub fn segments_of(text: &str) -> Segments {
    let gsm7: Option<Vec<usize>> = text.chars().map(septets).collect();
    let (encoding, units, alone, joined) = match gsm7 {
        Some(septets) => (Encoding::Gsm7, septets, 160, 153),
        None => (Encoding::Ucs2, text.chars().map(char::len_utf16).collect(), 70, 67),
    };
    let total: usize = units.iter().sum();
    let count = if total <= alone { 1 } else { filled(&units, joined) };
    Segments { encoding, count }
}

fn septets(letter: char) -> Option<usize> {
    if GSM7.contains(letter) {
        return Some(1);
    }
    GSM7_EXTENSION.contains(letter).then_some(2)
}

fn filled(units: &[usize], room: usize) -> u32 {
    let mut count = 1;
    let mut used = 0;
    for unit in units {
        if used + unit > room {
            count += 1;
            used = 0;
        }
        used += unit;
    }
    count
}

/// The text in letters of GSM-7: Cyrillic and typographic signs are written in Latin ones. What has no
/// counterpart stays as it is.
pub fn transliterate(text: &str) -> String {
    let mut latin = String::with_capacity(text.len());
    for letter in text.chars() {
        match latin_of(letter) {
            Some(replacement) => latin.push_str(replacement),
            None => latin.push(letter),
        }
    }
    latin
}

const LATIN: [(char, &str); 98] = [
    ('А', "A"),
    ('Б', "B"),
    ('В', "V"),
    ('Г', "G"),
    ('Д', "D"),
    ('Е', "E"),
    ('Ё', "E"),
    ('Ж', "Zh"),
    ('З', "Z"),
    ('И', "I"),
    ('Й', "Y"),
    ('К', "K"),
    ('Л', "L"),
    ('М', "M"),
    ('Н', "N"),
    ('О', "O"),
    ('П', "P"),
    ('Р', "R"),
    ('С', "S"),
    ('Т', "T"),
    ('У', "U"),
    ('Ф', "F"),
    ('Х', "Kh"),
    ('Ц', "Ts"),
    ('Ч', "Ch"),
    ('Ш', "Sh"),
    ('Щ', "Sch"),
    ('Ъ', ""),
    ('Ы', "Y"),
    ('Ь', ""),
    ('Э', "E"),
    ('Ю', "Yu"),
    ('Я', "Ya"),
    ('а', "a"),
    ('б', "b"),
    ('в', "v"),
    ('г', "g"),
    ('д', "d"),
    ('е', "e"),
    ('ё', "e"),
    ('ж', "zh"),
    ('з', "z"),
    ('и', "i"),
    ('й', "y"),
    ('к', "k"),
    ('л', "l"),
    ('м', "m"),
    ('н', "n"),
    ('о', "o"),
    ('п', "p"),
    ('р', "r"),
    ('с', "s"),
    ('т', "t"),
    ('у', "u"),
    ('ф', "f"),
    ('х', "kh"),
    ('ц', "ts"),
    ('ч', "ch"),
    ('ш', "sh"),
    ('щ', "sch"),
    ('ъ', ""),
    ('ы', "y"),
    ('ь', ""),
    ('э', "e"),
    ('ю', "yu"),
    ('я', "ya"),
    ('І', "I"),
    ('і', "i"),
    ('Ї', "Yi"),
    ('ї', "yi"),
    ('Є', "Ye"),
    ('є', "ye"),
    ('Ґ', "G"),
    ('ґ', "g"),
    ('Ў', "U"),
    ('ў', "u"),
    ('№', "No."),
    ('«', "\""),
    ('»', "\""),
    ('“', "\""),
    ('”', "\""),
    ('„', "\""),
    ('‘', "'"),
    ('’', "'"),
    ('–', "-"),
    ('—', "-"),
    ('…', "..."),
    ('\u{a0}', " "),
    ('\u{202f}', " "),
    ('\u{2009}', " "),
    ('₽', "RUB"),
    ('ş', "s"),
    ('ğ', "g"),
    ('ı', "i"),
    ('ç', "c"),
    ('á', "a"),
    ('í', "i"),
    ('ó', "o"),
];

fn latin_of(letter: char) -> Option<&'static str> {
    LATIN.iter().find(|(known, _)| *known == letter).map(|(_, latin)| *latin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_the_table() {
        let emoji = "😀";
        let table = [
            (String::new(), Encoding::Gsm7, 1),
            ("a".repeat(160), Encoding::Gsm7, 1),
            ("a".repeat(161), Encoding::Gsm7, 2),
            ("a".repeat(306), Encoding::Gsm7, 2),
            ("a".repeat(307), Encoding::Gsm7, 3),
            ("€".repeat(80), Encoding::Gsm7, 1),
            ("€".repeat(81), Encoding::Gsm7, 2),
            // 153 is odd: the pair that would be split moves on, so 76 fit and not 76.5
            ("€".repeat(152), Encoding::Gsm7, 2),
            ("€".repeat(153), Encoding::Gsm7, 3),
            ("я".repeat(70), Encoding::Ucs2, 1),
            ("я".repeat(71), Encoding::Ucs2, 2),
            ("я".repeat(134), Encoding::Ucs2, 2),
            ("я".repeat(135), Encoding::Ucs2, 3),
            (emoji.repeat(35), Encoding::Ucs2, 1),
            (emoji.repeat(66), Encoding::Ucs2, 2),
            (emoji.repeat(67), Encoding::Ucs2, 3),
            ("`".to_owned(), Encoding::Ucs2, 1),
            ("{[~]}|^\\".repeat(10), Encoding::Gsm7, 1),
        ];
        for (text, encoding, count) in table {
            assert_eq!(segments_of(&text), Segments { encoding, count }, "{text}");
        }
    }

    #[test]
    fn a_transliterated_text_fits_gsm7() {
        let latin = transliterate("Счёт «№ 5» — оплачен…");
        assert_eq!(latin, "Schet \"No. 5\" - oplachen...");
        assert_eq!(segments_of(&latin).encoding, Encoding::Gsm7);
    }
}

//! How things are printed: tables that line up for a person, stable JSON for a program. The only place that prints,
//! and so the only place that keeps control characters of others from the terminal ([`clean`]).

use crate::arguments::Format;
use anyhow::Result;
use serde_json::{Map, Value};
use std::fmt::{Display, Write as _};
use std::io::{IsTerminal, Write};

/// A list to print: named columns, rows of text. The first column is the one that `-o name` prints.
pub(crate) struct Table {
    /// Titles; those after `narrow` are shown by `-o wide` only.
    pub(crate) columns: Vec<&'static str>,
    /// How many columns a narrow table shows.
    pub(crate) narrow: usize,
    /// Cells, one for each column.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: &[&'static str], narrow: usize) -> Self {
        Self { columns: columns.to_vec(), narrow, rows: Vec::new() }
    }

    fn shown(&self, format: Format) -> usize {
        if format == Format::Wide { self.columns.len() } else { self.narrow }
    }

    fn to_json(&self) -> Vec<Value> {
        let object = |row: &Vec<String>| {
            let cells = self.columns.iter().zip(row);
            Value::Object(
                cells
                    .map(|(name, cell)| ((*name).to_owned(), json_of(cell)))
                    .collect::<Map<_, _>>(),
            )
        };
        self.rows.iter().map(object).collect()
    }
}

/// Whole numbers are numbers, everything else is text.
fn json_of(cell: &str) -> Value {
    match cell.parse::<i64>() {
        Ok(number) if number.to_string() == cell => number.into(),
        _ => cell.into(),
    }
}

/// Prints a list.
pub(crate) fn table(table: &Table, format: Option<Format>) -> Result<()> {
    let format = format.unwrap_or(Format::Table);
    match format {
        Format::Table | Format::Wide | Format::Prometheus => {
            print(&columns_of(table, table.shown(format)))
        }
        Format::Json => {
            print_json(&format!("{}\n", serde_json::to_string_pretty(&table.to_json())?))
        }
        Format::Jsonl => print_json(&lines(table.to_json())),
        Format::Name => print(&lines(table.rows.iter().filter_map(|row| row.first()))),
        Format::Xml => print_xml(&xml_of(table)),
    }
}

fn xml_of(table: &Table) -> String {
    let mut document = wire::xml::Element::new("doc");
    for row in &table.rows {
        let mut element = wire::xml::Element::new("elem");
        for (name, cell) in table.columns.iter().zip(row) {
            element.push(wire::xml::Element::new(*name).with_text(cell.as_str()));
        }
        document.push(element);
    }
    format!("{}\n", document.to_xml())
}

/// The narrow table as text.
pub(crate) fn aligned(table: &Table) -> String {
    columns_of(table, table.narrow)
}

/// The rows as JSON.
pub(crate) fn json_rows(table: &Table) -> Vec<Value> {
    table.to_json()
}

/// Columns as wide as their widest cell; numbers to the right; the last column is not padded.
fn columns_of(table: &Table, columns: usize) -> String {
    let cell = |row: &[String], column: usize| {
        row.get(column).map_or_else(String::new, |text| one_line(text))
    };
    let width = |column: usize| {
        let cells = table.rows.iter().map(|row| cell(row, column).chars().count());
        cells.chain([title_of(table.columns[column]).chars().count()]).max().unwrap_or_default()
    };
    let is_right = |column: usize| {
        let mut cells = table
            .rows
            .iter()
            .map(|row| cell(row, column))
            .filter(|text| !text.is_empty())
            .peekable();
        cells.peek().is_some() && cells.all(|text| is_number(&text))
    };
    let layout: Vec<(usize, bool)> =
        (0..columns).map(|column| (width(column), is_right(column))).collect();
    let titles: Vec<String> = table.columns.iter().map(|name| title_of(name)).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(&table.rows) {
        let cells = layout.iter().enumerate().map(|(column, (width, right))| {
            let content = cell(row, column);
            if *right { format!("{content:>width$}") } else { format!("{content:<width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A whole number, or one with a point that shows digits on both sides.
fn is_number(cell: &str) -> bool {
    let is_measure = |(whole, rest): (&str, &str)| {
        [whole, rest]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    json_of(cell).is_number() || cell.split_once('.').is_some_and(is_measure)
}

/// A column's title: its name in the words of the house.
fn title_of(name: &str) -> String {
    let word = match name {
        "modulename" | "notify_module" => "module",
        "gateway_module" => "gate",
        "err_info" => "reason",
        "runs" => "delivered by",
        "p95_ms" => "95% ms",
        "last_gateway" | "gateway_name" => "gateway",
        "next_probe" => "until",
        other => other,
    };
    word.replace('_', " ").to_uppercase()
}

/// One line for each.
pub(crate) fn lines(each: impl IntoIterator<Item = impl Display>) -> String {
    each.into_iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// What came from outside, without what a terminal would obey; ends of lines and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    text.replace(is_obeyed, "\u{fffd}")
}

fn is_obeyed(c: char) -> bool {
    config::is_obeyed(c) && !matches!(c, '\n' | '\t')
}

/// The same in one line: a cell.
fn one_line(text: &str) -> String {
    clean(&text.replace(['\n', '\t', '\r'], " "))
}

/// Prints words for a person, cleaned.
pub(crate) fn print(text: &str) -> Result<()> {
    exactly(&clean(text))
}

/// Prints JSON: a program reads what was there, a terminal obeys nothing.
pub(crate) fn print_json(text: &str) -> Result<()> {
    exactly(&escaped(text, |c| format!("\\u{:04x}", u32::from(c))))
}

/// Prints XML, likewise.
pub(crate) fn print_xml(text: &str) -> Result<()> {
    exactly(&escaped(text, |c| format!("&#x{:x};", u32::from(c))))
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        if is_obeyed(c) {
            all.push_str(&escape(c));
        } else {
            all.push(c);
        }
        all
    })
}

/// Takes what was shown from the screen.
pub(crate) fn wipe() -> Result<()> {
    exactly("\x1b[H\x1b[2J")
}

/// Prints text as it is: ours, or cleaned already. A reader that has left (`| head`) is no error.
pub(crate) fn exactly(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A line for the person, apart from what a program reads.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", clean(line));
}

/// A question; the answer is typed behind it.
pub(crate) fn prompt(question: &str) {
    let mut screen = std::io::stderr();
    let _ = write!(screen, "{}", clean(question)).and_then(|()| screen.flush());
}

/// A line that the next one takes the place of; only where a person looks.
pub(crate) fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        let mut screen = std::io::stderr();
        let _ = write!(screen, "\r\x1b[K{}", clean(line)).and_then(|()| screen.flush());
    }
}

/// True when a person looks at stdout.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Colours for a person who wants them.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

/// What a word means to the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Look at it soon.
    Warning,
    /// Look at it now.
    Bad,
    /// Less important.
    Quiet,
    /// No colour.
    Plain,
}

impl Paint {
    /// On for a terminal, unless colours are unwelcome.
    pub(crate) fn new(colours: config::Colours) -> Self {
        Self { on: is_terminal() && colours == config::Colours::Welcome }
    }

    /// The text, cleaned, in the tone's colour.
    pub(crate) fn say(self, tone: Tone, text: &str) -> String {
        let text = clean(text);
        let code = match tone {
            Tone::Plain => return text,
            Tone::Good => 32,
            Tone::Warning => 33,
            Tone::Bad => 31,
            Tone::Quiet => 2,
        };
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["id", "name", "reason"], 2);
        table.rows.push(vec!["1".into(), "Почта".into(), "x".into()]);
        table.rows.push(vec!["12".into(), "sms".into(), String::new()]);
        table
    }

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        assert_eq!(aligned(&sample()), "ID  NAME\n 1  Почта\n12  sms\n");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_not_obeyed() {
        let mut table = sample();
        table.rows[0][1] = "a\x1b[2J\u{9b}b\nc".into();
        assert_eq!(aligned(&table), "ID  NAME\n 1  a\u{fffd}[2J\u{fffd}b c\n12  sms\n");
        assert_eq!(clean("a\r\n\tb\x07"), "a\u{fffd}\n\tb\u{fffd}");
        let escape = |c: char| format!("<{:x}>", u32::from(c));
        assert_eq!(escaped("\"\u{9b}\"\n", escape), "\"<9b>\"\n");
    }

    #[test]
    fn json_has_every_column_and_keeps_numbers() {
        let json = serde_json::to_string(&sample().to_json()).unwrap();
        assert_eq!(
            json,
            r#"[{"id":1,"name":"Почта","reason":"x"},{"id":12,"name":"sms","reason":""}]"#
        );
    }

    #[test]
    fn marks_that_turn_or_hide_text_reach_no_terminal() {
        assert_eq!(
            clean("a\u{202e}b\u{200b}c\u{2066}d\u{1b}e\n"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e\n"
        );
        let plain = "Привет, naïve – 你好 می\u{200c}خواهم";
        assert_eq!(clean(plain), plain);
    }
}

//! Comma separated values as RFC 4180 has them: quotes, doubled quotes, line breaks inside quotes.

/// A record and the line it begins in, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) line: usize,
    pub(crate) cells: Vec<String>,
}

/// Every record; the error names the line. A `;` separates where the first line has one and no comma.
pub(crate) fn records(text: &str) -> Result<Vec<Record>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let separator = if first.contains(';') && !first.contains(',') { ';' } else { ',' };
    let mut reader =
        Reader { separator, records: Vec::new(), cells: Vec::new(), cell: String::new() };
    let mut line = 1;
    let mut begun_in = 1;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if reader.cell.is_empty() => loop {
                match letters.next() {
                    None => return Err(format!("line {begun_in}: a quote is not closed")),
                    Some('"') if letters.peek() == Some(&'"') => {
                        letters.next();
                        reader.cell.push('"');
                    }
                    Some('"') => break,
                    Some(inside) => {
                        line += usize::from(inside == '\n');
                        reader.cell.push(inside);
                    }
                }
            },
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                reader.end_record(begun_in);
                line += 1;
                begun_in = line;
            }
            letter if letter == reader.separator => reader.end_cell(),
            letter => reader.cell.push(letter),
        }
    }
    reader.end_record(begun_in);
    Ok(reader.records)
}

struct Reader {
    separator: char,
    records: Vec<Record>,
    cells: Vec<String>,
    cell: String,
}

impl Reader {
    fn end_cell(&mut self) {
        self.cells.push(std::mem::take(&mut self.cell));
    }

    /// A line without anything is no record.
    fn end_record(&mut self, line: usize) {
        self.end_cell();
        let cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.trim().is_empty()) {
            self.records.push(Record { line, cells });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_line_breaks_and_separators_are_read() {
        let text = "\u{feff}name,note\r\nbob,\"a, \"\"b\"\"\nc\"\r\n\r\nal,";
        let read = records(text).unwrap();
        assert_eq!(read[1], Record { line: 2, cells: vec!["bob".into(), "a, \"b\"\nc".into()] });
        assert_eq!(read[2], Record { line: 5, cells: vec!["al".into(), String::new()] });
        assert_eq!(records("a;b\n1;2").unwrap()[1].cells, ["1", "2"]);
        assert_eq!(records("a,b\n\"x").unwrap_err(), "line 2: a quote is not closed");
    }
}

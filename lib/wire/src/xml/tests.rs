use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap()
}

fn problem(bytes: &[u8]) -> XmlProblem {
    Document::parse(bytes).unwrap_err().problem
}

#[test]
fn order_comments_and_unknown_elements_survive() {
    let text = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<!-- before -->\n<?style x=\"1\"?>\n",
        "<doc lang=\"ru\" b=\"&lt;&amp;&quot;&#10;\">\n  <!-- why -->\n",
        "  <field name=\"a\"/>text &amp; <b>bold</b> tail<![CDATA[<raw> & ]]>\n  <?pi data?>\n</doc>\n",
        "<!-- after -->\n",
    );
    assert_eq!(String::from_utf8(parse(text).to_bytes()).unwrap(), text);
}

#[test]
fn an_empty_root_keeps_its_end_tag() {
    assert!(Document::new(Element::new("doc")).to_bytes().ends_with(b"\n<doc></doc>\n"));
}

#[test]
fn leading_white_space_and_a_missing_declaration_are_fine() {
    // S3-70
    assert_eq!(parse("  <doc>\n      <a>1</a>\n  </doc>").root.child_text("a"), "1");
    assert_eq!(parse("\n \t<?xml version=\"1.0\" encoding=\"UTF8\"?><doc/>").root.name, "doc");
}

#[test]
fn a_mark_or_a_declaration_names_the_encoding() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(unit).collect()
    };
    let with_mark = |text: &str, big| utf16(&format!("\u{feff}{text}"), big);
    let declared = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><doc>Привет</doc>";
    let cyrillic = |name: &str| {
        let mut bytes = format!("<?xml version='1.0' encoding='{name}'?><doc>").into_bytes();
        bytes.extend([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2]);
        bytes.extend(b"</doc>");
        bytes
    };
    let mut documents = vec![
        with_mark("<doc>Привет</doc>", false),
        with_mark(declared, true),
        utf16(declared, false),
        utf16(declared, true),
        declared.as_bytes().to_vec(),
        "\u{feff}<doc>Привет</doc>".into(),
    ];
    documents.extend(["windows-1251", "CP1251", "win-1251", "WINDOWS1251"].map(cyrillic));
    for name in ["UTF8", "utf_8", "UTF-8", "unicode-1-1-utf-8", "Utf8 "] {
        documents
            .push(format!("<?xml version=\"1.0\" encoding=\"{name}\"?><doc>Привет</doc>").into());
    }
    for document in documents {
        let read = Document::parse(&document).unwrap();
        assert_eq!(read.root.text(), "Привет", "{}", String::from_utf8_lossy(&document));
    }
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    let table: [(&[u8], &str); 22] = [
        (b"", "line 1, column 1: there is no XML document here"),
        (b" \n ", "line 2, column 2: there is no XML document here"),
        (b"plain", "line 1, column 1: there is no XML document here"),
        (b"<doc>\n <a>\n</doc>", "line 3, column 1: "),
        (b"<doc>\n<a>", "line 2, column 4: the element `a` is not closed"),
        (
            b"<!DOCTYPE doc [<!ENTITY a 'b'>]><doc>&a;</doc>",
            "line 1, column 1: a DOCTYPE is not allowed",
        ),
        (b"<doc>&nbsp;</doc>", "line 1, column 6: the entity `&nbsp;` is not known"),
        (b"<doc a='&nbsp;'/>", "line 1, column 1: the entity `&nbsp;` is not known"),
        (b"<doc>a & b</doc>", "line 1, column 8: "),
        (b"<doc a='x & y'/>", "line 1, column 1: `&` without `;`"),
        (b"<doc/><doc/>", "line 1, column 7: there is something beside the root element"),
        (b"<doc/>text", "line 1, column 7: there is something beside the root element"),
        (b"<doc><?xml version='1.0'?></doc>", "line 1, column 6: an XML declaration inside"),
        (b"<doc a='1' a='2'/>", "line 1, column 1: the attribute `a` stands twice"),
        (b"<1a/>", "line 1, column 1: `1a` is no XML name"),
        (b"<a\"b/>", "line 1, column "),
        (b"<doc 1='2'/>", "line 1, column 1: `1` is no XML name"),
        (b"<doc>\n\xff</doc>", "line 2, column 1: these bytes are no UTF-8 text"),
        (
            b"<?xml version='1.0' encoding='klingon'?><doc/>",
            "line 1, column 1: the encoding `klingon`",
        ),
        (b"<doc>&#xZZ;</doc>", "line 1, column 6: the entity `&#xZZ;` is not known"),
        (b"</doc>", "line 1, column 1: "),
        (b"<doc", "line 1, column 1: "),
    ];
    for (bytes, expected) in table {
        let error = Document::parse(bytes).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}, not {expected}");
    }
}

#[test]
fn a_large_or_deep_document_is_refused() {
    let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(Document::parse(deep(256).as_bytes()).is_ok());
    assert_eq!(problem(deep(257).as_bytes()), XmlProblem::TooDeep { limit: 256 });
    assert_eq!(problem(deep(200_000).as_bytes()), XmlProblem::TooDeep { limit: 256 });
    let limits = Limits { bytes: 100, depth: 9, nodes: 20 };
    let parse =
        |text: String| Document::parse_with(text.as_bytes(), &limits).map_err(|e| e.problem);
    assert_eq!(
        parse(format!("<a>{}</a>", "x".repeat(100))),
        Err(XmlProblem::TooLarge { limit_bytes: 100 })
    );
    assert_eq!(
        parse(format!("<a>{}</a>", "<b/>".repeat(20))),
        Err(XmlProblem::TooManyNodes { limit: 20 })
    );
    let attributes = (0..600).fold(String::new(), |all, n| format!("{all} a{n}=''"));
    let wide = format!("<a{attributes}/>");
    assert_eq!(problem(wide.as_bytes()), XmlProblem::TooManyAttributes { limit: 512 });
}

#[test]
fn illegal_characters_become_the_replacement_character() {
    let read = parse("<doc a='\u{1}'>a\u{0}b&#1;c&#xFFFE;\u{ffff}&#x110000;\u{ef}</doc>");
    assert_eq!(read.root.text(), "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}\u{fffd}\u{ef}");
    assert_eq!(read.root.attribute("a"), Some("\u{fffd}"));
    let mut out = Vec::new();
    write_text(&mut out, "a\u{0}\u{1b}<\u{ffff}\u{f8ff}\u{10ffff}");
    assert_eq!(String::from_utf8(out).unwrap(), "a\u{fffd}\u{fffd}&lt;\u{fffd}\u{f8ff}\u{10ffff}");
}

#[test]
fn line_ends_are_normalised_and_a_written_carriage_return_stays() {
    let read = parse("<doc a='1\r\n2\t3&#13;&#10;'>x\r\ny\rz&#13;</doc>");
    assert_eq!(read.root.text(), "x\ny\nz\r");
    assert_eq!(read.root.attribute("a"), Some("1 2 3\r\n"));
    assert_eq!(parse(std::str::from_utf8(&read.to_bytes()).unwrap()), read);
}

#[test]
fn the_document_is_found_behind_what_a_program_printed_before() {
    // S0-61, S0-62
    let table: [(&[u8], &str, &str); 5] = [
        (b"Added user bob.\n<?xml version=\"1.0\"?>\n<doc/>\n", "Added user bob.", "doc"),
        (b"Content-Type: text/xml\r\n\r\n<doc/>", "Content-Type: text/xml", "doc"),
        (b"use <b> & <c>\n<doc><ok/></doc>", "use <b> & <c>", "doc"),
        (b"\xff\xfe<\0a\0/\0>\0", "", "a"),
        (b"\xd0 junk \n<?xml version='1.0' encoding='UTF8'?><doc/>", "\u{fffd} junk", "doc"),
    ];
    for (output, skipped, root) in table {
        let found = Document::find_in_output(output).unwrap();
        assert_eq!((found.skipped.as_str(), found.document.root.name.as_str()), (skipped, root));
    }
    let late = Document::find_in_output(b"noise\nmore <doc><a></doc>").unwrap_err();
    assert_eq!((late.line, late.column), (2, 14));
}

#[test]
fn half_a_document_is_not_saved_by_one_inside_it() {
    for output in ["<doc><x><![CDATA[<?xml version='1.0'?><doc/>", "<doc><a><doc/>", "no document"]
    {
        assert!(Document::find_in_output(output.as_bytes()).is_err(), "{output}");
    }
}

#[test]
fn a_hostile_name_can_not_make_markup() {
    let element =
        Element::new("a><b").with_attribute("x=\"1\" y", "2").with_child(Element::new(""));
    assert_eq!(element.to_xml(), "<a__b x__1__y=\"2\"><_/></a__b>");
    assert!(Document::parse(element.to_xml().as_bytes()).is_ok());
}

#[test]
fn nested_text_ignores_the_declared_encoding() {
    let text = "<?xml version=\"1.0\" encoding=\"windows-1251\"?><doc><a>Привет</a></doc>";
    assert_eq!(Document::parse_text(text).unwrap().root.child_text("a"), "Привет");
    assert_eq!(Document::parse_text("<!DOCTYPE a><a/>").unwrap_err().problem, XmlProblem::Doctype);
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z_а-я][a-zA-Z0-9_.а-я-]{0,6}"
}

fn element() -> impl Strategy<Value = Element> {
    let attributes = proptest::collection::vec((name(), any::<String>()), 0..4);
    let leaf = (name(), attributes).prop_map(|(name, attributes)| {
        let mut element = Element::new(name);
        for (name, value) in attributes {
            element.set_attribute(name, value);
        }
        element
    });
    leaf.prop_recursive(5, 40, 6, |inner| {
        let node = prop_oneof![
            inner.prop_map(Node::Element),
            any::<String>().prop_map(Node::Text),
            any::<String>().prop_map(Node::CData),
            "[a-z <>&]{0,12}".prop_map(Node::Comment),
            "[a-z]{1,5} [a-z<&]{0,5}".prop_map(Node::Instruction),
        ];
        (name(), proptest::collection::vec(node, 0..6)).prop_map(|(name, children)| Element {
            name,
            children,
            ..Element::default()
        })
    })
}

fn all_text(element: &Element) -> String {
    let replace = |letter| if decode::is_legal(letter) { letter } else { '\u{fffd}' };
    let own: String = element.text().chars().map(replace).collect();
    element.elements().fold(own, |text, child| text + "|" + &all_text(child))
}

proptest! {
    #[test]
    fn any_tree_is_written_well_formed_and_keeps_its_text(root in element()) {
        let read = Document::parse(&Document::new(root.clone()).to_bytes()).unwrap();
        prop_assert_eq!(all_text(&read.root), all_text(&root));
    }

    #[test]
    fn what_was_read_once_is_written_and_read_the_same(root in element()) {
        let read = Document::parse(&Document::new(root).to_bytes()).unwrap();
        let bytes = read.to_bytes();
        let again = Document::parse(&bytes).unwrap();
        prop_assert_eq!(&again, &read);
        prop_assert_eq!(again.to_bytes(), bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Document::parse(&bytes);
        let _ = Document::find_in_output(&bytes);
    }

    #[test]
    fn random_markup_never_panics_and_what_is_read_can_be_written(
        text in "(<|>|/|!|\\?|--|\\[CDATA\\[|\\]\\]>|&|;|#x?|[a-c]|=|\"|'| |\r\n|</a>|<a>|я){0,40}"
    ) {
        if let Ok(read) = Document::parse(text.as_bytes()) {
            prop_assert_eq!(Document::parse(&read.to_bytes()).unwrap().root.text(), read.root.text());
        }
        let _ = Document::find_in_output(text.as_bytes());
    }
}

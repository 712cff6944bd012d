//! The documents a gate is tried with.

use notice::{Fields, TaskId};
use wire::outgoing::{Outgoing, Phone, TaskAttributes};
use wire::params::xmlparams_text;
use wire::serve::{ProjectOf, TextForm, append_configure, append_outgoing};
use wire::xml::Element;

use super::bench::{Bench, World};

/// The text no service ever sees by chance.
pub(super) const PLAIN: &str = "proof plain text 7301";

/// A name, and the text that is sent under it.
pub(super) fn hostile_texts() -> Vec<(&'static str, String)> {
    vec![
        (
            "text with & < ]]> and quotes",
            "a & b < c > ]]> \"q\" 's' </message></doc> &amp; 7302".into(),
        ),
        (
            "text that looks like our document",
            "a </message><user><email>x@x</email><phone>+70000000000</phone></user> 7307".into(),
        ),
        ("text with line ends", "first\nsecond\n\n\tthird 7303".into()),
        ("text in Cyrillic, and a smile", "Привет, мир! Ёж № 5 😀 7304".into()),
        (
            "text a shell would act on",
            "$(touch x) `id` $HOME \\n %s %d; exit 1 # {phone} __name__ 7305".into(),
        ),
        ("text of a megabyte", format!("{} 7306", "я<&".repeat(262_144))),
    ]
}

/// What changes from one input to the next.
pub(super) struct Message<'a> {
    pub(super) text: &'a str,
    pub(super) phone: &'a str,
    pub(super) key: &'a str,
}

impl<'a> Message<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, phone: "+79123456789", key: "proof-key-1" }
    }
}

/// The input of `outgoing` as a module writes it.
pub(super) fn outgoing(bench: &Bench, message: &Message<'_>, world: World) -> Vec<u8> {
    written(&xmlparams_text(&bench.params(world)), message)
}

/// The same with an XML declaration inside `xmlparams`, as foreign callers write it (S3-75).
pub(super) fn declared(bench: &Bench, message: &Message<'_>) -> Vec<u8> {
    let params = xmlparams_text(&bench.params(World::Live));
    written(&format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{params}\n"), message)
}

/// The first frame of serve mode.
pub(super) fn configure(bench: &Bench) -> Vec<u8> {
    let params = xmlparams_text(&bench.params(World::Live));
    let mut frame = Vec::new();
    // Nothing here is near the limit of a frame.
    let _ = append_configure(&mut frame, (&gateway_row(), &params), &project_row());
    frame
}

/// A message of serve mode as a frame.
pub(super) fn served(id: u64, message: &Message<'_>, form: TextForm) -> Vec<u8> {
    let mut frame = Vec::new();
    with_outgoing("", message, |outgoing| {
        let _ = append_outgoing(&mut frame, id, (outgoing, ProjectOf::Gateway, form));
    });
    frame
}

fn written(xmlparams: &str, message: &Message<'_>) -> Vec<u8> {
    let mut document = Vec::new();
    with_outgoing(xmlparams, message, |outgoing| outgoing.write_to(&mut document));
    document
}

fn with_outgoing(xmlparams: &str, message: &Message<'_>, write: impl FnOnce(&Outgoing<'_>)) {
    let (gateway, project) = (gateway_row(), project_row());
    let user =
        [("id", "5"), ("name", "Ёж"), ("email", "proof@localhost"), ("phone", message.phone)];
    let user = user.into_iter().fold(Element::new("user"), |user, (name, text)| {
        user.with_child(Element::new(name).with_text(text))
    });
    let phone = Phone {
        number: message.phone.to_owned(),
        country: "RU".into(),
        encoding: "ucs2".into(),
        segments: 1,
    };
    write(&Outgoing {
        gateway: &gateway,
        xmlparams,
        message: message.text,
        subject: "Subject & <b>",
        text: None,
        headers: &[],
        attachments: &[],
        user_xml: &user.to_xml(),
        project: &project,
        task: TaskAttributes {
            id: TaskId(7),
            key: message.key,
            attempt: 1,
            maybe_sent: false,
            phone: (!message.phone.is_empty()).then_some(&phone),
        },
    });
}

fn project_row() -> Fields {
    [("id", "1"), ("name", "Proof & Co"), ("unheard_of", "x")].into_iter().collect()
}

fn gateway_row() -> Fields {
    [("id", "3"), ("name", "proof"), ("active", "on"), ("gateway_type", "1")].into_iter().collect()
}

/// The input of `ingoing`.
pub(super) fn ingoing(bench: &Bench) -> Vec<u8> {
    let params = xmlparams_text(&bench.params(World::Live));
    wire::ingoing::ingoing_input(&gateway_row(), &params, &[])
}

/// The edit form with the data entered: values in the root, and `xmlparams` as text beside them.
pub(super) fn form(bench: &Bench, world: World) -> Vec<u8> {
    form_of(&bench.params(world), &xmlparams_text(&bench.params(world)))
}

/// The form with parameters nobody can read.
pub(super) fn broken_form() -> Vec<u8> {
    form_of(&Fields::new(), "login=proof, not XML")
}

fn form_of(values: &Fields, xmlparams: &str) -> Vec<u8> {
    let field = |(name, _): (&str, &str)| {
        let input =
            Element::new("input").with_attribute("type", "text").with_attribute("name", name);
        Element::new("field").with_attribute("name", name).with_child(input)
    };
    let form = values.iter().map(field).fold(Element::new("form"), Element::with_child);
    let metadata = Element::new("metadata").with_attribute("name", "gateway.edit").with_child(form);
    let root = Element::new("doc").with_attribute("lang", "ru").with_child(metadata);
    let root = values
        .iter()
        .fold(root, |root, (name, text)| root.with_child(Element::new(name).with_text(text)));
    let root = root
        .with_child(Element::new("proof_mark").with_text("a & <b> Ё"))
        .with_child(Element::new("xmlparams").with_text(xmlparams));
    let mut bytes = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a comment -->\n".to_vec();
    root.write_to(&mut bytes);
    bytes.push(b'\n');
    bytes
}

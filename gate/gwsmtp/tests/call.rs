//! One message, built as a module builds it, given to the program.

use gatepost_kit::gate::GateCall;
use gatepost_kit::host::Ran;
use gatepost_kit::tools;
use notice::{Fields, TaskId};
use wire::answer::read_answer;
use wire::outgoing::{Attachment, Outgoing, TaskAttributes};
use wire::params::xmlparams_text;
use wire::serve::{ProjectOf, TextForm, append_configure, append_outgoing};
use wire::xml::{Document, Element};

/// The gateway's form fields for a plain server on this machine.
pub(crate) fn plain(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("host", "127.0.0.1".into()),
        ("port", port.to_string()),
        ("security", "none".into()),
        ("timeout_secs", "2".into()),
    ]
}

/// A message with the parts a test changes.
pub(crate) struct Message {
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) html: String,
    pub(crate) subject: String,
    pub(crate) text: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) email: String,
    pub(crate) realname: String,
    pub(crate) project_name: String,
    pub(crate) key: String,
}

impl Message {
    pub(crate) fn to(email: &str, fields: Vec<(&'static str, String)>) -> Self {
        Self {
            fields,
            html: "<p>Hello</p>".into(),
            subject: "Hi".into(),
            text: Some("Hello".into()),
            headers: vec![],
            attachments: vec![],
            email: email.into(),
            realname: "Anna".into(),
            project_name: "Hoster".into(),
            key: "k1/7/ntemail".into(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.written(|outgoing, document| *document = outgoing.to_bytes())
    }

    /// The frame that tells a gate of the gateway and the project.
    pub(crate) fn configure(&self) -> Vec<u8> {
        self.written(|outgoing, frame| {
            let gateway = (outgoing.gateway, outgoing.xmlparams);
            append_configure(frame, gateway, outgoing.project).unwrap();
        })
    }

    /// The frame of the message under this number.
    pub(crate) fn frame(&self, id: u64) -> Vec<u8> {
        self.written(|outgoing, frame| {
            let sections = (outgoing, ProjectOf::Gateway, TextForm::Sections);
            append_outgoing(frame, id, sections).unwrap();
        })
    }

    fn written(&self, write: impl FnOnce(&Outgoing<'_>, &mut Vec<u8>)) -> Vec<u8> {
        let fields: Fields = self.fields.iter().map(|(name, text)| (*name, text.clone())).collect();
        let gateway: Fields = [("id", "1"), ("gateway_module", "gwsmtp")].into_iter().collect();
        let project: Fields = [
            ("id", "1"),
            ("name", &self.project_name),
            ("notifyemail", "notify@example.test"),
            ("supportemail", "support@example.test"),
        ]
        .into_iter()
        .collect();
        let user = Element::new("user")
            .with_child(Element::new("email").with_text(&*self.email))
            .with_child(Element::new("realname").with_text(&*self.realname));
        let mut written = Vec::new();
        let outgoing = Outgoing {
            gateway: &gateway,
            xmlparams: &xmlparams_text(&fields),
            message: &self.html,
            subject: &self.subject,
            text: self.text.as_deref(),
            headers: &self.headers,
            attachments: &self.attachments,
            user_xml: &user.to_xml(),
            project: &project,
            task: TaskAttributes {
                id: TaskId(7),
                key: &self.key,
                attempt: 1,
                maybe_sent: false,
                phone: None,
            },
        };
        write(&outgoing, &mut written);
        written
    }

    pub(crate) fn send(&self) -> Ended {
        self.send_by(&gate())
    }

    pub(crate) fn send_by(&self, gate: &GateCall) -> Ended {
        Ended::of(&gate.run("outgoing", &self.bytes()))
    }
}

pub(crate) fn gate() -> GateCall {
    GateCall::of(env!("CARGO_BIN_EXE_gwsmtp"))
}

/// `later`, `unreached` …, and the words.
pub(crate) struct Ended {
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) reference: String,
}

impl Ended {
    fn of(ran: &Ran) -> Self {
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        // Exit code 0 and no document: nobody can tell (S3-55).
        let Ok(Document { root, .. }) = Document::parse(ran.stdout.as_bytes()) else {
            let reason = ran.stdout.trim().to_owned();
            return Self { outcome: "unknown".into(), reason, reference: String::new() };
        };
        let answer = read_answer(&root);
        let outcome = match answer.reach {
            notice::Reach::Unreached => "unreached".to_owned(),
            notice::Reach::Reached => answer.outcome.to_string(),
        };
        Self { outcome, reason: answer.reason, reference: answer.reference.unwrap_or_default() }
    }
}

/// `check_connection` with these fields: None when the form comes back, else the words.
pub(crate) fn check(fields: &[(&'static str, String)]) -> Option<String> {
    let fields: Fields = fields.iter().map(|(name, text)| (*name, text.clone())).collect();
    let form = Element::new("doc")
        .with_child(Element::new("name").with_text("relay"))
        .with_child(Element::new("xmlparams").with_text(xmlparams_text(&fields)));
    let input = Document::new(form).to_bytes();
    let ran = gate().run("check_connection", &input);
    if ran.stdout.as_bytes() == input {
        return None;
    }
    let root = Document::parse(ran.stdout.as_bytes()).unwrap().root;
    Some(read_answer(&root).reason)
}

/// Asks Python's `email` about a message: the script sees it as `m` and what it prints comes back.
pub(crate) fn ask_python(message: &[u8], script: &str) -> Option<String> {
    if !tools::is_here("python3") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("message");
    std::fs::write(&file, message).unwrap();
    let program = format!(
        "import email, email.policy, sys\n\
         raw = open(sys.argv[1], 'rb').read()\n\
         m = email.message_from_bytes(raw, policy=email.policy.default)\n\
         sys.stdout.reconfigure(encoding='utf-8')\n{script}"
    );
    Some(tools::run("/usr/bin/python3", &["-c", &program, file.to_str().unwrap()]))
}

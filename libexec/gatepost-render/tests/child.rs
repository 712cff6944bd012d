//! The render child as its parent meets it: frames, isolation, hostile templates contained.
#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]
#![expect(clippy::disallowed_methods, reason = "the test starts the program it is about")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use wire::frames::{append_frame, read_frame};
use wire::rendering::{
    BodyKind, BodyTemplate, Bundle, Engine, NoticeForm, Part, RenderMessage, Rendered, Reply,
    write_bundle, write_notice, write_render,
};
use wire::xml::Document;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gatepost-render");
const XSL: &str = r#"xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0""#;

fn run(arguments: &[&str]) -> Output {
    let folder = std::env::temp_dir();
    Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("started")
}

struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl Session {
    fn start(engine: Engine) -> Self {
        let mut command = Command::new(PROGRAM);
        let mut child = command
            .arg(engine.word())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout }
    }

    fn tell(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let (mut body, mut frame) = (Vec::new(), Vec::new());
        write(&mut body);
        append_frame(&mut frame, &body).expect("a frame");
        drop(self.stdin.as_mut().expect("a pipe").write_all(&frame));
    }

    fn tell_template(&mut self, hash: &str, engine: Engine, text: &str) {
        let body = BodyTemplate {
            kind: BodyKind::Html,
            engine,
            name: format!("en.ntemail.html.{engine}"),
        };
        self.tell(|out| write_bundle(out, hash, &Bundle::of_one(body, text).to_bytes()));
    }

    fn tell_notice(&mut self, xml: &str) {
        self.tell(|out| write_notice(out, "n", (NoticeForm::Xml, xml)));
    }

    /// Asks for one message of each bundle, in one frame.
    fn ask(&mut self, bundles: &[&str]) -> Option<Reply> {
        let message = |id| RenderMessage {
            id,
            bundle: id,
            notice: "n",
            parts: &[Part::Html],
            lang: "en",
            timezone: "",
            user: "<user><name>N</name></user>",
            project: "",
        };
        let messages: Vec<_> = bundles.iter().map(|id| message(id)).collect();
        self.tell(|out| write_render(out, &messages));
        self.hear()
    }

    fn hear(&mut self) -> Option<Reply> {
        read_frame(&mut self.stdout, 64 << 20)
            .ok()
            .flatten()
            .map(|bytes| Reply::parse(&bytes).expect("a reply"))
    }

    fn ended_well(mut self) -> bool {
        drop(self.stdin.take());
        self.child.wait().expect("ended").success()
    }
}

/// Those of this build.
fn engines() -> impl Iterator<Item = Engine> {
    Engine::ALL.into_iter().filter(|engine| *engine != Engine::Xslt || cfg!(feature = "xslt"))
}

fn html(rendered: &Rendered) -> &str {
    rendered.result.as_ref().expect("rendered").html.as_deref().expect("html")
}

fn error(rendered: &Rendered) -> &str {
    &rendered.result.as_ref().expect_err("must fail").message
}

fn greeting(engine: Engine) -> String {
    match engine {
        Engine::Xslt => format!(
            "<xsl:stylesheet {XSL}><xsl:output method='html'/><xsl:template match='/'><p><xsl:value-of select='/doc/a'/> __name__</p></xsl:template></xsl:stylesheet>"
        ),
        Engine::Ejs => "<p><%= a %> __name__</p>".to_owned(),
        Engine::Tera => "<p>{{ a }} __name__</p>".to_owned(),
    }
}

#[test]
fn every_way_out_is_shut_from_inside() {
    let output = run(&["--command", "isolation"]);
    let report = Document::find_in_output(&output.stdout).expect("a report").document.root;
    let attempts: Vec<_> = report.children_named("attempt").collect();
    assert!(attempts.len() >= 12, "{}", report.to_xml());
    for attempt in attempts {
        assert!(attempt.has("state", "shut"), "{}", report.to_xml());
    }
    let seccomp = report.child("seccomp").and_then(|seccomp| seccomp.attribute("state"));
    assert_eq!(seccomp, Some("full"), "{}", report.to_xml());
    assert!(
        report.child("environment").is_some_and(|environment| environment.has("variables", "0")),
        "{}",
        report.to_xml()
    );
    assert!(output.status.success());
}

#[test]
fn each_engine_serves_many_messages_of_a_bundle_told_once() {
    for engine in engines() {
        let mut session = Session::start(engine);
        session.tell_template("b", engine, &greeting(engine));
        session.tell_notice("<doc><a>1 &lt; 2</a></doc>");
        for _ in 0..3 {
            let reply = session.ask(&["b"; 32]).expect("a reply");
            assert_eq!(reply.messages.len(), 32);
            assert!(
                reply
                    .messages
                    .iter()
                    .all(|message| html(message).trim_end() == "<p>1 &lt; 2 N</p>"),
                "{reply:?}"
            );
            assert!(!reply.last);
        }
        assert!(session.ended_well());
    }
}

#[test]
fn a_failing_template_does_not_touch_the_others_of_its_frame() {
    let broken = [
        (Engine::Ejs, "\n<%= nowhere %>"),
        (Engine::Tera, "\n{{ nowhere }}"),
        (Engine::Xslt, "\n<p>"),
    ];
    for (engine, text) in
        broken.into_iter().filter(|(engine, _)| engines().any(|known| known == *engine))
    {
        let mut session = Session::start(engine);
        session.tell_template("good", engine, &greeting(engine));
        session.tell_template("bad", engine, text);
        session.tell_notice("<doc><a>1</a></doc>");
        let reply = session.ask(&["good", "bad", "good", "untold"]).expect("a reply");
        assert_eq!(html(&reply.messages[0]), html(&reply.messages[2]));
        let failed = reply.messages[1].result.clone().expect_err("must fail");
        assert_eq!((failed.template, failed.line), (format!("en.ntemail.html.{engine}"), 2));
        assert!(error(&reply.messages[3]).contains("was not told"));
        assert!(session.ended_well());
    }
}

/// A template that must be stopped, in a frame between two good ones: the good one before it is answered, it is
/// charged, and it takes only a while. Whether the process lives on is its own affair.
fn contained(engine: Engine, template: &str, notice: &str) -> String {
    let began = Instant::now();
    let mut session = Session::start(engine);
    session.tell_template("good", engine, &greeting(engine));
    session.tell_template("bad", engine, template);
    session.tell_notice(notice);
    let reply = session.ask(&["good", "bad", "good"]);
    assert!(began.elapsed() < Duration::from_mins(1), "{template}");
    let Some(reply) = reply else {
        drop(session.stdin.take());
        return session.child.wait().expect("ended").to_string();
    };
    assert!(html(&reply.messages[0]).starts_with("<p>"), "{template}");
    let said = error(&reply.messages[1]).to_owned();
    match reply.messages.get(2) {
        Some(after) => assert_eq!(html(after), html(&reply.messages[0]), "{template}"),
        None => assert!(reply.last, "{template}"),
    }
    said
}

#[test]
fn endless_ejs_templates_are_stopped() {
    for template in [
        "<% for (;;); %>",
        "<% for (;;) { try { for (;;); } catch (e) {} } %>",
        "<%= /(a+)+$/.test('a'.repeat(40) + 'b') %>",
        "<% while (true) { %>x<% } %>",
        "<% function f() { for (;;) yes(); } function yes() {} f(); %>",
    ] {
        let said = contained(Engine::Ejs, template, "<doc><a>1</a></doc>");
        assert!(said.contains("processor time") || said.contains("memory"), "{template}: {said}");
    }
}

#[test]
fn memory_bombs_in_ejs_are_stopped() {
    for template in [
        "<% var a = []; for (;;) a.push(new Array(1000).fill('x')); %>",
        "<% var s = 'x'; for (;;) s += s; %>",
        "<% new ArrayBuffer(4e9) %>",
        "<%= new Array(1e9).join('x') %>",
        "<%= 2n ** 100000000n %>",
        "<% function f() { f() } f() %>",
        "<%- include('en.ntemail.html.ejs') %>",
        "<%= 'x'.padEnd(2e9) %>",
        "<% var o = {}; for (var i = 0; i < 100000; i++) o = { o }; %><%= JSON.stringify(o) %>",
    ] {
        contained(Engine::Ejs, template, "<doc><a>1</a></doc>");
    }
}

#[test]
fn ejs_has_no_way_to_files_network_or_the_next_message() {
    let mut session = Session::start(Engine::Ejs);
    let probe = "<%= ['require','process','std','os','fetch','XMLHttpRequest','Deno','console','print','scriptArgs','Worker','setTimeout','__loadScript','module'].filter(n => typeof globalThis[n] !== 'undefined') %>|\
        <% try { import('fs') } catch (e) {} %><%= typeof leaked %>|<%= Array.prototype.map.call([1], x => x + 1) %>|<%= ({}).evil %>|<%= typeof date %>";
    let spoil = "<% leaked = 1; Math = null; date = 5; try { Array.prototype.map = null } catch (e) {} Object.prototype.evil = 'yes'; \
        Object.defineProperty(globalThis, 'stuck', { value: 1 }); JSON.parse = () => ({}) %>ok";
    session.tell_template("probe", Engine::Ejs, probe);
    session.tell_template("spoil", Engine::Ejs, spoil);
    let both = format!("{probe}<% if (locals.again) {{ %>x<% }} %>{spoil}");
    session.tell_template("both", Engine::Ejs, &both);
    session.tell_notice("<doc><a>1</a></doc>");
    let reply = session.ask(&["probe", "spoil", "probe", "both", "both"]).expect("a reply");
    let clean = "|undefined|2||function";
    assert_eq!(html(&reply.messages[0]), clean);
    assert_eq!(html(&reply.messages[2]), clean);
    assert_eq!(html(&reply.messages[3]), format!("{clean}ok"));
    assert_eq!(
        html(&reply.messages[4]),
        format!("{clean}ok"),
        "a bundle is swept between its messages"
    );
    assert!(session.ended_well());
}

#[test]
fn hostile_tera_templates_are_stopped() {
    let mut long = String::from("{% set a = 'xxxxxxxxxxxxxxxx' %}");
    for _ in 0..40 {
        long.push_str("{% set a = a ~ a %}");
    }
    for template in [
        "{% for i in range(end=3000) %}{% for j in range(end=3000) %}{{ i }}x{% endfor %}{% endfor %}",
        "{% for i in range(end=50000) %}{% for j in range(end=50000) %}{% endfor %}{% endfor %}",
        "{% for i in range(end=1000000000) %}x{% endfor %}",
        "{% include \"en.ntemail.html.tera\" %}",
        "{{ get_env(name=\"PATH\") }}",
        "{% include \"/etc/passwd\" %}",
        &long,
    ] {
        contained(Engine::Tera, template, "<doc><a>1</a></doc>");
    }
}

#[cfg(feature = "xslt")]
#[test]
fn hostile_xslt_templates_are_stopped() {
    let rows = "<b/>".repeat(3000);
    let notice = format!("<doc><a>1</a>{rows}</doc>");
    let sheet = |body: &str| {
        format!(
            "<xsl:stylesheet {XSL} xmlns:str='http://exslt.org/strings' xmlns:exsl='http://exslt.org/common' extension-element-prefixes='exsl'><xsl:output method='html'/>{body}</xsl:stylesheet>"
        )
    };
    let slow = "<xsl:template match='/'><xsl:variable name='s' select='str:padding(100000)'/><xsl:for-each select='//b'><xsl:for-each select='//b'>\
        <xsl:if test=\"contains($s, concat(str:padding(50000), 'x'))\">x</xsl:if></xsl:for-each></xsl:for-each></xsl:template>";
    for body in [
        slow,
        "<xsl:template match='/'><xsl:call-template name='a'/></xsl:template><xsl:template name='a'><xsl:call-template name='a'/></xsl:template>",
        "<xsl:template match='/'><xsl:for-each select='//b'><xsl:for-each select='//b'><xsl:for-each select='//b'>xxxx</xsl:for-each></xsl:for-each></xsl:for-each></xsl:template>",
        "<xsl:template match='/'><xsl:copy-of select=\"document('/etc/passwd')\"/></xsl:template>",
        "<xsl:template match='/'><xsl:copy-of select=\"document('http://127.0.0.1:9/')\"/></xsl:template>",
        "<xsl:template match='/'><exsl:document href='/tmp/gatepost-render.open'>x</exsl:document></xsl:template>",
    ] {
        contained(Engine::Xslt, &sheet(body), &notice);
    }
    assert!(!std::path::Path::new("/tmp/gatepost-render.open").exists());
    let entities = format!("<!DOCTYPE x [<!ENTITY a 'b'>]>{}", sheet(""));
    assert!(contained(Engine::Xslt, &entities, &notice).contains("DOCTYPE"));
}

#[test]
fn a_frame_that_is_no_request_ends_the_child_with_a_word() {
    for (bytes, code) in [(&b"\0\0\0\x05hello"[..], 65), (b"\xff\xff\xff\xff", 74), (b"\0\0", 74)] {
        let mut child = Command::new(PROGRAM)
            .arg("ejs")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        drop(child.stdin.take().expect("a pipe").write_all(bytes));
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(code), "{bytes:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).starts_with("gatepost-render: "),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_wrong_call_is_answered_with_usage() {
    for arguments in [&[][..], &["perl"], &["--command", "nothing"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(64));
        assert!(!output.stderr.is_empty());
    }
    let features = String::from_utf8(run(&["--command", "features"]).stdout).expect("text");
    assert!(features.contains("name=\"ejs\"") && features.contains("name=\"tera\""), "{features}");
    assert_eq!(features.contains("name=\"xslt\""), cfg!(feature = "xslt"));
}

#[cfg(not(feature = "xslt"))]
#[test]
fn a_build_without_libxslt_refuses_xslt_in_words() {
    let mut session = Session::start(Engine::Xslt);
    session.tell_template("b", Engine::Xslt, &greeting(Engine::Xslt));
    session.tell_notice("<doc/>");
    let reply = session.ask(&["b"]).expect("a reply");
    assert!(error(&reply.messages[0]).contains("without libxslt"));
}

#[test]
fn large_results_come_in_several_replies() {
    let mut session = Session::start(Engine::Ejs);
    let mut text = String::new();
    for _ in 0..60 {
        write!(text, "{}", "x".repeat(50_000)).expect("written");
    }
    session.tell_template("b", Engine::Ejs, &text);
    session.tell_notice("<doc/>");
    let reply = session.ask(&["b"; 32]).expect("a reply");
    assert!(!reply.messages.is_empty() && reply.messages.len() < 32, "{}", reply.messages.len());
    assert!(session.ended_well());
}

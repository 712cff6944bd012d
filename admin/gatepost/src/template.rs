//! `gatepost template list|render|test`: templates through the same isolated child that delivery uses.

use crate::arguments::{Render, Template};
use crate::failure::{Failure, Result, code};
use crate::fields;
use crate::output::{self, Table};
use crate::session::{Session, root_of};
use config::{Config, Root};
use host::{Caller, End};
use notice::{ModuleName, ProjectId};
use platform::BundleWanted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use wire::frames::{append_frame, read_frame};
use wire::rendering::{
    BodyKind, BodyTemplate, Bundle, Engine, NoticeForm, Part, RenderMessage, Rendered, Reply,
    Texts, included, write_bundle, write_notice, write_render,
};
use wire::xml::Document;

/// Bytes of one reply.
const REPLY_BYTES: usize = 16 << 20;
/// Files a template may include, directly or not.
const MOST_FILES: usize = 200;
/// The marks under which the child knows the one bundle and notice.
const ONE: &str = "1";

/// `gatepost template list|test`
pub(crate) fn run(session: &mut Session, what: Template) -> Result<()> {
    match what {
        Template::List => {
            let answer = session.ask("template", &[])?;
            session.list(
                &answer,
                &["notice", "language", "module", "kind", "engine", "project", "path"],
                7,
            )
        }
        Template::Test { notice } => test(session, notice.as_deref()),
        Template::Render(_) => Ok(()),
    }
}

/// What the child is asked for one message.
struct Question<'a> {
    bundle: &'a Bundle,
    notice: (NoticeForm, &'a str),
    parts: &'a [Part],
    lang: &'a str,
    user: &'a str,
}

/// `gatepost template render`: the text on stdout and nothing else; 65 when the template fails.
pub(crate) fn render(root: Option<&Path>, render: &Render) -> Result<ExitCode> {
    let root = root_of(root)?;
    let caller = Caller::new(&root, &Config::load(&root)?);
    let engine: Engine = render
        .engine
        .parse()
        .map_err(|error: notice::UnknownWord| Failure::usage(error.to_string()))?;
    let bundle = bundle_of(render, engine)?;
    let (form, path) = match (&render.xml, &render.json) {
        (Some(path), _) => (NoticeForm::Xml, path),
        (None, Some(path)) => (NoticeForm::Json, path),
        (None, None) => return Err(Failure::usage("give the notice by --xml or --json")),
    };
    let notice = fields::file(&path.to_string_lossy())?;
    if form == NoticeForm::Xml {
        Document::parse(notice.as_bytes())
            .map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
    }
    let user = match &render.user {
        Some(path) => element_of(path)?,
        None if form == NoticeForm::Xml => own_user(&notice),
        None => String::new(),
    };
    let part = if bundle.bodies[0].kind == BodyKind::Html { Part::Html } else { Part::Text };
    let question = Question {
        bundle: &bundle,
        notice: (form, &notice),
        parts: &[part],
        lang: &bundle.lang,
        user: &user,
    };
    let texts = ask(&caller, engine, &question)?;
    output::exactly(&texts.html.or(texts.text).unwrap_or_default())?;
    Ok(ExitCode::SUCCESS)
}

/// The user a sample brings along.
fn own_user(notice: &str) -> String {
    let document = Document::parse_text(notice).ok();
    let user = document.as_ref().and_then(|document| document.root.child("user"));
    user.map(wire::xml::Element::to_xml).unwrap_or_default()
}

/// The language of `LANG.MODULE.KIND.ENGINE`; of any other name it is English.
fn language_of(name: &str) -> &str {
    match name.split('.').collect::<Vec<_>>().as_slice() {
        [lang, _, "html" | "text", _] => lang,
        _ => "en",
    }
}

/// The bundle of a template given by itself: what it includes comes from the folder, else from the folder
/// `shared` beside that one, and cannot leave them.
fn bundle_of(render: &Render, engine: Engine) -> Result<Bundle> {
    let name = render
        .template
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let kind = if name.contains(".text.")
        || Path::new(&name).extension().is_some_and(|ending| ending == "txt")
    {
        BodyKind::Text
    } else {
        BodyKind::Html
    };
    let text = fields::file(&render.template.to_string_lossy())?;
    let beside = render.template.parent().map(Path::to_path_buf).unwrap_or_default();
    let folder = render.templates.clone().unwrap_or(beside);
    let shared = folder.join("../shared");
    let mut bundle =
        Bundle::of_one(BodyTemplate { kind, engine, name: name.clone() }, text.clone());
    language_of(&name).clone_into(&mut bundle.lang);
    let mut known = BTreeSet::from([name]);
    let mut wanted = included(engine, &text);
    while let Some(name) = wanted.pop() {
        if known.len() > MOST_FILES || !known.insert(name.clone()) {
            continue;
        }
        let found = inside(&folder, &name, engine).or_else(|| inside(&shared, &name, engine));
        if let Some(path) = found {
            let text = fields::file(&path.to_string_lossy())?;
            wanted.extend(included(engine, &text));
            bundle.files.push((name, text));
        }
    }
    Ok(bundle)
}

/// The file an include names: as it is written, or with the engine's extension. None: the engine will say so.
fn inside(folder: &Path, name: &str, engine: Engine) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let plain = folder.join(name.trim_start_matches("tmpl:"));
    let candidates =
        [plain.clone(), PathBuf::from(format!("{}.{}", plain.display(), engine.word()))];
    let found = candidates
        .iter()
        .find_map(|path| path.canonicalize().ok().filter(|path| path.is_file()))?;
    found.starts_with(&folder).then_some(found)
}

fn element_of(path: &Path) -> Result<String> {
    let text = fields::file(&path.to_string_lossy())?;
    let document = Document::parse(text.as_bytes())
        .map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
    let user = if document.root.name == "user" {
        Some(&document.root)
    } else {
        document.root.child("user")
    };
    user.map(wire::xml::Element::to_xml)
        .ok_or_else(|| wrong(&format!("{}: no element <user>", path.display())))
}

fn wrong(text: &str) -> Failure {
    Failure::new(code::INPUT, text)
}

/// Asks one child for one message.
fn ask(caller: &Caller, engine: Engine, question: &Question<'_>) -> Result<Texts> {
    let path = caller.dir().join("libexec/gatepost-render");
    let mut program = caller.command_within(&path, "render", Duration::from_secs(30));
    program.args = vec![engine.word().into()];
    program.environment = host::Environment::default();
    let ran = caller.run(&program, &frames_of(question));
    let mut printed = ran.stdout.as_slice();
    let reply = read_frame(&mut printed, REPLY_BYTES)
        .ok()
        .flatten()
        .and_then(|frame| Reply::parse(&frame).ok());
    let Some(rendered) = reply.and_then(|reply| reply.messages.into_iter().next()) else {
        return Err(Failure::new(
            code::UNAVAILABLE,
            format!("gatepost-render {engine} gave no answer: {}", end_of(&ran)),
        ));
    };
    let Rendered { result, .. } = rendered;
    result.map_err(|error| wrong(&error.to_string()))
}

fn frames_of(question: &Question<'_>) -> Vec<u8> {
    let mut input = Vec::new();
    let mut frame = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut document = Vec::new();
        write(&mut document);
        // Only a document over 4 GiB has no frame.
        let _ = append_frame(&mut input, &document);
    };
    frame(&|out| write_bundle(out, ONE, &question.bundle.to_bytes()));
    frame(&|out| write_notice(out, ONE, question.notice));
    let user = Document::parse_text(question.user).ok();
    let timezone = user.map(|user| user.root.child_text("timezone")).unwrap_or_default();
    let message = RenderMessage {
        id: ONE,
        bundle: ONE,
        notice: ONE,
        parts: question.parts,
        lang: question.lang,
        timezone: &timezone,
        user: question.user,
        project: "",
    };
    frame(&|out| write_render(out, &[message]));
    input
}

fn end_of(ran: &host::Ran) -> String {
    let words = String::from_utf8_lossy(&ran.stderr_tail);
    match &ran.end {
        End::Exited(number) => format!("it ended with {number}: {}", words.trim()),
        End::Signalled(number) => format!("signal {number} ended it"),
        End::NotStarted(why) => why.clone(),
        End::Deadline => "its time was up".to_owned(),
        End::OutputLimit | End::Stopped => "it was stopped".to_owned(),
    }
}

/// Renders every template with the sample of its notice.
fn test(session: &mut Session, only: Option<&str>) -> Result<()> {
    let caller = Caller::new(session.platform.root(), session.platform.config());
    let answer = session.ask("template", &[("notice", only.unwrap_or_default())])?;
    let mut wanted: BTreeSet<(String, String, String, i64)> = BTreeSet::new();
    for row in answer.rows() {
        let project = row.child_text("project").parse().unwrap_or_default();
        wanted.insert((
            row.child_text("notice"),
            row.child_text("module"),
            row.child_text("language"),
            project,
        ));
    }
    let root = session.platform.root().clone();
    let mut table = Table::new(&["notice", "module", "language", "project", "result"], 5);
    let mut failed = 0;
    for (notice, module, lang, project) in wanted {
        let result = match sample(
            &root,
            &caller,
            &Entry { notice: &notice, module: &module, lang: &lang, project },
        ) {
            Ok(()) => "ok".to_owned(),
            Err(Failure::Said { text, .. } | Failure::Refused { text, .. }) => {
                failed += 1;
                text
            }
            Err(failure) => return Err(failure),
        };
        table.rows.push(vec![
            notice,
            module,
            lang,
            if project == 0 { String::new() } else { project.to_string() },
            result,
        ]);
    }
    output::table(&table, session.format)?;
    if failed > 0 {
        return Err(wrong(&format!("templates that fail: {failed}")));
    }
    Ok(())
}

struct Entry<'a> {
    notice: &'a str,
    module: &'a str,
    lang: &'a str,
    project: i64,
}

fn sample(root: &Root, caller: &Caller, entry: &Entry<'_>) -> Result<()> {
    let notice = platform::load_notice(root, entry.notice)?;
    let module = ModuleName::new(entry.module).map_err(|error| wrong(&error.to_string()))?;
    let wanted = BundleWanted {
        module: &module,
        project: ProjectId(entry.project),
        languages: [entry.lang, ""],
    };
    let Some(bundle) = platform::bundle(root, &notice, &wanted)? else { return Ok(()) };
    let path = root.overlay(format!("templates/{}/{}", entry.notice, notice.sample));
    let xml = fields::file(&path.to_string_lossy())?;
    let document = Document::parse(xml.as_bytes())
        .map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
    let user = document.root.child("user").map(wire::xml::Element::to_xml).unwrap_or_default();
    for body in &bundle.bodies {
        let part = if body.kind == BodyKind::Html { Part::Html } else { Part::Text };
        let question = Question {
            bundle: &bundle,
            notice: (NoticeForm::Xml, &xml),
            parts: &[part, Part::Subject],
            lang: entry.lang,
            user: &user,
        };
        let parts = if bundle.subject.as_ref().is_some_and(|(engine, _)| *engine == body.engine) {
            question.parts
        } else {
            &question.parts[..1]
        };
        ask(caller, body.engine, &Question { parts, ..question })?;
    }
    Ok(())
}

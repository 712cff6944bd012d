//! The shipped templates as the tests see them: what there is, the samples, and how a module renders them.

use crate::house::repository;
use config::Root;
use gatepost_module::render::{RenderFailure, Renderer, Rendering};
use gatepost_module::render_child::{RenderChildren, RenderSettings};
use notice::{ModuleName, ProjectId};
use platform::{BundleWanted, Notice};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::{Blob, Hash};
use wire::rendering::{Bundle, Part, Texts};
use wire::xml::{Document, Element};

/// What a hoster needs (issue 1 of 3, item 10).
pub(crate) const NOTICES: [&str; 8] = [
    "invoice",
    "low_balance",
    "password_recovery",
    "registration",
    "service_opened",
    "service_suspended",
    "staff_alert",
    "ticket_answer",
];
/// In which languages.
pub(crate) const LANGUAGES: [&str; 2] = ["en", "ru"];
/// By which modules.
pub(crate) const MODULES: [&str; 3] = [ModuleName::EMAIL, ModuleName::SMS, ModuleName::INTERNAL];

/// The repository is laid out like a ROOT as far as templates go.
pub(crate) fn root() -> Root {
    Root::at(&repository()).unwrap()
}

/// A notice of the repository.
pub(crate) fn notice(name: &str) -> Notice {
    platform::load_notice(&root(), name).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// The bundle a send would store.
pub(crate) fn bundle(name: &str, module: &str, lang: &str) -> Bundle {
    let module = ModuleName::new(module).unwrap();
    let wanted = BundleWanted { module: &module, project: ProjectId(1), languages: [lang, ""] };
    let made = platform::bundle(&root(), &notice(name), &wanted);
    made.unwrap_or_else(|refusal| panic!("{refusal}")).unwrap()
}

/// The sample with what lies beside it to be attached, as `notify.send` attaches files.
pub(crate) fn sample(name: &str) -> Element {
    let folder = repository().join("templates").join(name);
    let text = fs::read_to_string(folder.join(notice(name).sample)).unwrap();
    let mut sample = Document::parse_text(&text).unwrap().root;
    let mut attachments = Element::new("attachments");
    for entry in fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().file_name().to_string_lossy().into_owned();
        if Path::new(&file).extension().is_some_and(|ending| ending == "pdf") {
            let attachment = Element::new("attachment")
                .with_attribute("name", &file)
                .with_attribute("type", "application/pdf");
            attachments.push(attachment.with_text("var/attach/0"));
        }
    }
    if attachments.elements().next().is_some() {
        sample.push(attachments);
    }
    sample
}

/// The real render program, started as a module starts it.
pub(crate) fn renderer() -> RenderChildren {
    RenderChildren::new(RenderSettings {
        program: gatepost_kit::host::prefix().join("libexec/gatepost-render"),
        dir: repository(),
        frame_messages: 32,
        message: Duration::from_secs(30),
        reply_bytes: 16 << 20,
    })
}

/// Renders a message of the sample's user in the name of the sample's project.
pub(crate) fn rendered(
    children: &mut RenderChildren,
    bundle: &Bundle,
    sample: &Element,
) -> Result<Texts, RenderFailure> {
    let part = |name: &str| sample.child(name).map(Element::to_xml).unwrap_or_default();
    let zone = sample.child("user").map(|user| user.child_text("timezone")).unwrap_or_default();
    let job = Rendering {
        bundle: blob(&bundle.to_bytes()),
        parsed: Arc::new(bundle.clone()),
        notice: blob(sample.to_xml().as_bytes()),
        parts: vec![Part::Html, Part::Text, Part::Subject],
        lang: bundle.lang.clone(),
        timezone: zone,
        user_xml: part("user"),
        project_xml: part("project"),
    };
    children.render(&[job]).remove(0)
}

/// The child knows a text by its hash; here each has a number of its own.
fn blob(bytes: &[u8]) -> Blob {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Blob { hash: Hash(hash), bytes: Arc::from(bytes) }
}

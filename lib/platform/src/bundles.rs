//! Makes the template bundle of a task: the entry templates and everything they include (DESIGN 6).

use crate::notices::{self, Notice, SHARED};
use crate::refusal::Refusal;
use crate::templates::{TemplateFile, Wanted, choose, of_notice};
use config::Root;
use notice::{ModuleName, ProjectId};
use std::path::{Path, PathBuf};
use wire::rendering::{BodyTemplate, Bundle, Engine, included};

/// Files of one bundle at most.
const MOST_FILES: usize = 200;
/// Bytes of one bundle at most.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// For whom a bundle is made.
#[derive(Clone, Copy, Debug)]
pub struct BundleWanted<'a> {
    /// The module that sends it.
    pub module: &'a ModuleName,
    /// In whose name.
    pub project: ProjectId,
    /// Languages in their order: the user's, the project's; either may be empty.
    pub languages: [&'a str; 2],
}

/// The bundle of a notice, or None when it has no template for this module.
pub fn bundle(
    root: &Root,
    notice: &Notice,
    wanted: &BundleWanted<'_>,
) -> Result<Option<Bundle>, Refusal> {
    let files = of_notice(root, &notice.name);
    let chosen = entries(&files, wanted);
    let Some(first) = chosen.first() else { return Ok(None) };
    let mut collected = Collected::new(root, notice, first);
    for file in &chosen {
        collected.take(&file.name, &file.path, file.engine)?;
    }
    let subject = Notice::text_in(&notice.subject, &first.lang);
    Ok(Some(Bundle {
        notice: notice.name.clone(),
        module: wanted.module.as_str().to_owned(),
        lang: first.lang.clone(),
        on_unknown: notice.on_unknown,
        list_unsubscribe: notice.list_unsubscribe.clone(),
        bodies: chosen
            .iter()
            .map(|file| BodyTemplate {
                kind: file.kind,
                engine: file.engine,
                name: file.name.clone(),
            })
            .collect(),
        subject: subject.map(|text| (subject_engine(text, first.engine), text.to_owned())),
        files: collected.files,
    }))
}

/// The engine of a subject in `notice.toml`: a project's own template may be of another engine than the
/// notice's, and the subject keeps its tags. Without tags it is the body's.
fn subject_engine(subject: &str, of_body: Engine) -> Engine {
    if subject.contains("<%") {
        Engine::Ejs
    } else if subject.contains("{{") || subject.contains("{%") {
        Engine::Tera
    } else if subject.contains("<xsl:") {
        Engine::Xslt
    } else {
        of_body
    }
}

/// An own template of the module; ntinternal without one takes the mail's (S3-6).
fn entries<'a>(files: &'a [TemplateFile], wanted: &BundleWanted<'_>) -> Vec<&'a TemplateFile> {
    let of = |module| {
        choose(files, &Wanted { module, project: wanted.project, languages: wanted.languages })
    };
    let own = of(wanted.module.as_str());
    if own.is_empty() && wanted.module.as_str() == ModuleName::INTERNAL {
        return of(ModuleName::EMAIL);
    }
    own
}

/// True when the notice has a template that this module can use, in any language.
pub(crate) fn has_template(root: &Root, notice: &str, module: &str, project: ProjectId) -> bool {
    of_notice(root, notice).iter().any(|file| {
        let fits = file.module == module
            || module == ModuleName::INTERNAL && file.module == ModuleName::EMAIL;
        fits && file.project.is_none_or(|own| own == project)
    })
}

struct Collected {
    /// Where an included name is looked for, in this order.
    folders: Vec<PathBuf>,
    files: Vec<(String, String)>,
    bytes: usize,
}

impl Collected {
    fn new(root: &Root, notice: &Notice, entry: &TemplateFile) -> Self {
        let base = notices::folders(root);
        let mut folders = Vec::new();
        if let Some(project) = entry.project {
            folders.extend(base.iter().map(|b| b.join(&notice.name).join(format!("p{project}"))));
        }
        folders.extend(base.iter().map(|folder| folder.join(&notice.name)));
        folders.extend(base.iter().map(|folder| folder.join(SHARED)));
        Self { folders, files: Vec::new(), bytes: 0 }
    }

    /// Takes a file and what it includes, each once.
    fn take(&mut self, name: &str, path: &Path, engine: Engine) -> Result<(), Refusal> {
        if self.files.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        let refuse = |reason: String| Refusal::File {
            operation: "use the template",
            path: path.to_owned(),
            reason,
        };
        let text = config::read_regular_text(path).map_err(|error| refuse(error.to_string()))?;
        self.bytes += text.len();
        if self.bytes > MOST_BYTES || self.files.len() >= MOST_FILES {
            return Err(refuse("a bundle takes 200 files and 4 MiB".to_owned()));
        }
        let includes = included(engine, &text);
        let needed: Vec<_> =
            includes.iter().filter(|name| is_needed(engine, &text, name)).cloned().collect();
        let components = engine == Engine::Tera && uses_components(&text);
        self.files.push((name.to_owned(), text));
        for include in includes {
            match self.find(&include, engine) {
                Some(path) => self.take(&include, &path, engine)?,
                None if needed.contains(&include) => {
                    return Err(refuse(format!(
                        "it includes `{include}`, which is neither beside it nor in templates/{SHARED}/"
                    )));
                }
                None => {}
            }
        }
        if components {
            self.take_components()?;
        }
        Ok(())
    }

    fn find(&self, name: &str, engine: Engine) -> Option<PathBuf> {
        let relative = Path::new(name.strip_prefix("tmpl:").unwrap_or(name));
        let plain =
            relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !plain {
            return None;
        }
        let with_extension = format!("{}.{engine}", relative.display());
        let candidates = self.folders.iter().flat_map(|folder| {
            [folder.join(relative), folder.join(&with_extension)].map(|path| (folder, path))
        });
        candidates
            .filter(|(_, path)| path.is_file())
            .find(|(folder, path)| stays_inside(folder, path))
            .map(|(_, path)| path)
    }

    /// Components of Tera 2 are known to all templates that are loaded together: every shared one comes along.
    fn take_components(&mut self) -> Result<(), Refusal> {
        let shared: Vec<_> = self.folders.iter().rev().take(2).cloned().collect();
        for folder in shared {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
                if let Some(name) =
                    name.filter(|name| Engine::of_file_name(name) == Some(Engine::Tera))
                {
                    self.take(&name, &path, Engine::Tera)?;
                }
            }
        }
        Ok(())
    }
}

/// A link must not lead out of the folder it was found in.
fn stays_inside(folder: &Path, path: &Path) -> bool {
    match (folder.canonicalize(), path.canonicalize()) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        _ => false,
    }
}

/// True when the template can't do without it: an XSLT href, a Tera tag that does not ignore the missing.
/// What EJS includes is code; the render process says so if it is missing.
fn is_needed(engine: Engine, text: &str, name: &str) -> bool {
    match engine {
        Engine::Xslt => true,
        Engine::Ejs => false,
        Engine::Tera => text.split("{%").skip(1).any(|rest| {
            let tag = rest.split("%}").next().unwrap_or_default().trim_start_matches('-').trim();
            let names_it =
                tag.contains(&format!("\"{name}\"")) || tag.contains(&format!("'{name}'"));
            (tag.starts_with("include") || tag.starts_with("extends"))
                && names_it
                && !tag.contains("ignore missing")
                && !tag.contains('[')
        }),
    }
}

fn uses_components(text: &str) -> bool {
    ["{{<", "{%<", "{{ <", "{% <"].iter().any(|start| text.contains(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use wire::rendering::BodyKind;

    fn root_with(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = Root::at(folder.path()).unwrap();
        (folder, root)
    }

    fn wanted(module: &ModuleName) -> BundleWanted<'_> {
        BundleWanted { module, project: ProjectId(7), languages: ["ru", "en"] }
    }

    #[test]
    fn a_bundle_holds_the_entries_and_what_they_include_own_over_shipped() {
        let (_folder, root) = root_with(&[
            ("share/templates/hi/notice.toml", "[subject]\nru = \"Привет\""),
            ("share/templates/hi/ru.ntemail.html.ejs", "shipped <%- include('head') %>"),
            ("share/templates/hi/ru.ntemail.text.ejs", "text"),
            ("share/templates/shared/head.ejs", "shipped head <%- include('logo') %>"),
            ("templates/shared/head.ejs", "own head <%- include('logo') %>"),
            ("share/templates/shared/logo.ejs", "logo"),
        ]);
        let notice = notices::load(&root, "hi").unwrap();
        let module = ModuleName::new("ntemail").unwrap();
        let bundle = bundle(&root, &notice, &wanted(&module)).unwrap().unwrap();
        assert_eq!(bundle.bodies.len(), 2);
        assert!(bundle.bodies.iter().any(|body| body.kind == BodyKind::Text));
        let head = bundle.files.iter().find(|(name, _)| name == "head").unwrap();
        assert_eq!(head.1, "own head <%- include('logo') %>");
        assert!(bundle.files.iter().any(|(name, _)| name == "logo"));
        assert_eq!(bundle.subject.unwrap().1, "Привет");
    }

    #[test]
    fn a_subject_keeps_its_engine_when_a_project_brings_a_body_of_another() {
        assert_eq!(subject_engine("Hi <%= user.name %>", Engine::Tera), Engine::Ejs);
        assert_eq!(subject_engine("Hi {{ user.name }}", Engine::Xslt), Engine::Tera);
        assert_eq!(subject_engine("<xsl:stylesheet/>", Engine::Ejs), Engine::Xslt);
        assert_eq!(subject_engine("Hi __name__", Engine::Xslt), Engine::Xslt);
    }

    #[test]
    fn the_inbox_takes_the_mails_template_and_a_module_without_one_gets_no_bundle() {
        let (_folder, root) = root_with(&[("templates/hi/en.ntemail.html.tera", "x")]);
        let notice = notices::load(&root, "hi").unwrap();
        let of = |name: &str| {
            let module = ModuleName::new(name).unwrap();
            bundle(&root, &notice, &wanted(&module)).unwrap()
        };
        assert_eq!(of("ntinternal").unwrap().module, "ntinternal"); // S3-6
        assert!(of("ntsms").is_none());
    }

    #[test]
    fn an_include_can_not_leave_the_templates() {
        let (folder, root) = root_with(&[
            ("secret.txt", "top secret"),
            ("templates/hi/en.ntemail.html.tera", "{% include \"../../secret.txt\" %}"),
            ("templates/ho/en.ntemail.html.tera", "{% include \"link\" %}"),
        ]);
        std::os::unix::fs::symlink(
            folder.path().join("secret.txt"),
            folder.path().join("templates/ho/link"),
        )
        .unwrap();
        let module = ModuleName::new("ntemail").unwrap();
        for name in ["hi", "ho"] {
            let notice = notices::load(&root, name).unwrap();
            let refusal = bundle(&root, &notice, &wanted(&module)).unwrap_err();
            assert!(refusal.to_string().contains("it includes"), "{refusal}");
        }
    }
}

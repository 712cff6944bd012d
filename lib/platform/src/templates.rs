//! Template files: which there are, and which one a notice takes (DESIGN 6).

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::notices;
use crate::plan::Planned;
use crate::refusal::Refusal;
use config::Root;
use notice::{ModuleName, ProjectId};
use std::collections::BTreeMap;
use std::path::PathBuf;
use wire::rendering::{BodyKind, Engine};
use wire::xml::Element;

/// An entry template: `[pPROJECT/]LANG.MODULE.{html|text}.{xslt|ejs|tera}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateFile {
    /// Folder of the notice.
    pub(crate) notice: String,
    /// Of one project alone.
    pub(crate) project: Option<ProjectId>,
    pub(crate) lang: String,
    pub(crate) module: String,
    pub(crate) kind: BodyKind,
    pub(crate) engine: Engine,
    /// File name without its folder.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Every entry template of a notice; the same name under ROOT's own `templates/` wins.
pub(crate) fn of_notice(root: &Root, notice: &str) -> Vec<TemplateFile> {
    let mut found = BTreeMap::new();
    for folder in notices::folders(root).iter().rev() {
        let folder = folder.join(notice);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let name =
                path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            match name.strip_prefix('p').and_then(|id| id.parse().ok()) {
                Some(project) if path.is_dir() => add_all(&mut found, notice, Some(project), path),
                _ => add(&mut found, notice, None, path),
            }
        }
    }
    found.into_values().collect()
}

type Found = BTreeMap<(Option<ProjectId>, String), TemplateFile>;

fn add_all(found: &mut Found, notice: &str, project: Option<ProjectId>, folder: PathBuf) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        add(found, notice, project, entry.path());
    }
}

fn add(found: &mut Found, notice: &str, project: Option<ProjectId>, path: PathBuf) {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return;
    };
    let Some((lang, module, kind, engine)) = parts(&name) else { return };
    let file = TemplateFile {
        notice: notice.to_owned(),
        project,
        lang: lang.to_owned(),
        module: module.to_owned(),
        kind,
        engine,
        name: name.clone(),
        path,
    };
    found.insert((project, name), file);
}

fn parts(name: &str) -> Option<(&str, &str, BodyKind, Engine)> {
    let engine = Engine::of_file_name(name)?;
    let (rest, _) = name.rsplit_once('.')?;
    let (rest, kind) = rest.rsplit_once('.')?;
    let kind = kind.parse().ok()?;
    let (lang, module) = rest.split_once('.')?;
    let fits = crate::function::is_language(lang) && ModuleName::new(module).is_ok();
    fits.then_some((lang, module, kind, engine))
}

/// For whom a template is chosen.
pub(crate) struct Wanted<'a> {
    pub(crate) module: &'a str,
    pub(crate) project: ProjectId,
    /// Languages in their order: the user's, the project's; `en` and any come by themselves.
    pub(crate) languages: [&'a str; 2],
}

/// The bodies of one language and one owner: at most one html and one text. A project's own templates
/// of that module win over all others; within them the language decides: user's, project's, `en`, any.
pub(crate) fn choose<'a>(files: &'a [TemplateFile], wanted: &Wanted<'_>) -> Vec<&'a TemplateFile> {
    let of_module = || files.iter().filter(|file| file.module == wanted.module);
    let own: Vec<_> = of_module().filter(|file| file.project == Some(wanted.project)).collect();
    let pool: Vec<_> = if own.is_empty() {
        of_module().filter(|file| file.project.is_none()).collect()
    } else {
        own
    };
    let Some(lang) = language_of(&pool, wanted) else { return Vec::new() };
    let mut chosen: Vec<&TemplateFile> = Vec::new();
    for file in pool.into_iter().filter(|file| file.lang == lang) {
        if !chosen.iter().any(|other| other.kind == file.kind) {
            chosen.push(file);
        }
    }
    chosen
}

fn language_of(pool: &[&TemplateFile], wanted: &Wanted<'_>) -> Option<String> {
    let asked = wanted.languages.iter().copied().chain(["en"]).filter(|lang| !lang.is_empty());
    let has = |lang: &str| pool.iter().find(|file| file.lang.eq_ignore_ascii_case(lang));
    for lang in asked {
        let base = lang.split(['-', '_']).next().unwrap_or_default();
        if let Some(file) = has(lang).or_else(|| has(base)) {
            return Some(file.lang.clone());
        }
    }
    pool.first().map(|file| file.lang.clone())
}

/// `template`: lists entry templates with language, module, engine and project.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let names = match request.given("notice") {
        Some(name) => vec![notices::load(context.root, name)?.name],
        None => notices::names(context.root),
    };
    let files = names.iter().flat_map(|name| of_notice(context.root, name));
    let wanted = |file: &TemplateFile| {
        request.given("module").is_none_or(|module| file.module == module)
            && request.given("language").is_none_or(|lang| file.lang == lang)
            && request.given("engine").is_none_or(|engine| file.engine.word() == engine)
    };
    let rows: Vec<_> = files.filter(wanted).map(|file| row(context.root, &file)).collect();
    Ok(Planned::Answer(Answer::list(rows)))
}

fn row(root: &Root, file: &TemplateFile) -> Element {
    let mut row = Element::new("elem");
    let mut put = |name: &str, text: &str| row.push(Element::new(name).with_text(text));
    put("notice", &file.notice);
    put("language", &file.lang);
    put("module", &file.module);
    put("kind", file.kind.word());
    put("engine", file.engine.word());
    put("project", &file.project.map(|id| id.to_string()).unwrap_or_default());
    let path = file.path.strip_prefix(root.folder()).unwrap_or(&file.path);
    put("path", &path.to_string_lossy());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(project: Option<i64>, name: &str) -> TemplateFile {
        let mut found = Found::new();
        add(&mut found, "n", project.map(ProjectId), PathBuf::from(name));
        found.into_values().next().unwrap()
    }

    fn chosen(files: &[TemplateFile], project: i64, languages: [&str; 2]) -> Vec<String> {
        let wanted = Wanted { module: "ntemail", project: ProjectId(project), languages };
        choose(files, &wanted).iter().map(|file| file.name.clone()).collect()
    }

    #[test]
    fn the_language_is_the_users_then_the_projects_then_en_then_any() {
        let all =
            ["de", "en", "fr", "ru"].map(|lang| file(None, &format!("{lang}.ntemail.text.ejs")));
        assert_eq!(chosen(&all, 1, ["ru-RU", "de"]), ["ru.ntemail.text.ejs"]);
        assert_eq!(chosen(&all, 1, ["es", "de"]), ["de.ntemail.text.ejs"]);
        assert_eq!(chosen(&all, 1, ["es", "pt"]), ["en.ntemail.text.ejs"]);
        assert_eq!(chosen(&all[3..], 1, ["es", "pt"]), ["ru.ntemail.text.ejs"]);
        assert!(chosen(&[], 1, ["es", "pt"]).is_empty());
    }

    #[test]
    fn a_projects_own_template_wins_and_html_and_text_come_together() {
        let all = [
            file(None, "en.ntemail.html.tera"),
            file(None, "en.ntemail.text.tera"),
            file(Some(7), "en.ntemail.html.xslt"),
        ];
        assert_eq!(chosen(&all, 7, ["ru", ""]), ["en.ntemail.html.xslt"]);
        assert_eq!(chosen(&all, 8, ["ru", ""]), ["en.ntemail.html.tera", "en.ntemail.text.tera"]);
    }

    #[test]
    fn other_files_are_no_entry_templates() {
        for name in
            ["notice.toml", "sample.xml", "header.ejs", "en.ntemail.pdf.ejs", "x.y.html.ejs.bak"]
        {
            assert!(parts(name).is_none(), "{name}");
        }
        assert!(parts("pt-BR.my.module.html.xslt").is_some());
    }
}

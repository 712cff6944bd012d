//! Projects: the providers in whose name notices go out.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::{Asked, Request};
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use notice::{Fields, ProjectId};
use store::{PROJECT_FIELDS, Project, Snapshot};
use wire::xml::Element;

/// `project`: lists, filtered by name.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let projects = context.read(|snapshot| Ok(snapshot.projects()?))?;
    let wanted = |project: &&Project| {
        request.given("name").is_none_or(|name| project.fields.text("name") == name)
            && request.given("id").is_none_or(|id| project.id.to_string() == id)
    };
    Ok(Planned::Answer(Answer::list(projects.iter().filter(wanted).map(element))))
}

/// `project.edit`.
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    match request.asked() {
        Asked::Show("") => Ok(Planned::Answer(Answer::of(element(&blank())))),
        Asked::Show(elid) => {
            let project = context.read(|snapshot| find(snapshot, elid))?;
            let mut document = element(&project);
            "doc".clone_into(&mut document.name);
            Ok(Planned::Answer(Answer::of(document)))
        }
        Asked::Change(elid) => {
            let known = context.read(|snapshot| find(snapshot, elid))?;
            save(context, request, known.clone(), Some(known))
        }
        Asked::Create => save(context, request, blank(), None),
    }
}

fn blank() -> Project {
    let fields =
        PROJECT_FIELDS.iter().map(|name| (*name, if *name == "active" { "on" } else { "" }));
    Project { id: ProjectId(0), fields: fields.collect() }
}

fn save(
    context: &mut Context<'_>,
    request: &Request,
    mut project: Project,
    known: Option<Project>,
) -> Result<Planned, Refusal> {
    for column in PROJECT_FIELDS {
        if let Some(value) = request.given.get(column) {
            project.fields.set(column, value);
        }
    }
    let name = project.fields.text("name").to_owned();
    if name.is_empty() {
        return Err(Refusal::Missing {
            field: "name".to_owned(),
            remedy: "give the project a name, like name=\"Example Hosting\"".to_owned(),
        });
    }
    let others = context.read(|snapshot| Ok(snapshot.projects()?))?;
    if let Some(other) =
        others.iter().find(|other| other.id != project.id && other.fields.text("name") == name)
    {
        return Err(Refusal::Exists {
            noun: "project",
            id: other.id.0,
            field: "name",
            value: name,
        });
    }
    let facts = known.map(|known| Fact::Project(known.id, Some(known)));
    let plan = Plan::new(vec![Change::SaveProject(project)], move |applied| saved(applied, &name));
    Ok(Planned::Once(plan.based_on(facts)))
}

fn saved(applied: &crate::plan::Applied, name: &str) -> Answer {
    let id = applied.ids.first().copied().unwrap_or_default();
    Answer::of(
        Element::new("doc")
            .with_child(Element::new("id").with_text(id.to_string()))
            .with_child(Element::new("name").with_text(name)),
    )
}

/// `project.delete`.
pub(crate) fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let names = request.group("elid");
    let projects = context.read(|snapshot| {
        names.iter().map(|name| find(snapshot, name)).collect::<Result<Vec<_>, _>>()
    })?;
    for project in &projects {
        refuse_used(context, project)?;
    }
    let changes = projects.iter().map(|project| Change::DeleteProject(project.id)).collect();
    let facts: Vec<_> =
        projects.into_iter().map(|project| Fact::Project(project.id, Some(project))).collect();
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok()).based_on(facts)))
}

fn refuse_used(context: &mut Context<'_>, project: &Project) -> Result<(), Refusal> {
    let id = project.id;
    let reason = context.read(|snapshot| {
        let filter = store::UserFilter { project: Some(id), ..Default::default() };
        let has_users = !snapshot.users(&filter, None, 1)?.is_empty();
        let gateway = snapshot.gateways()?.into_iter().find(|gateway| gateway.project == Some(id));
        Ok(match (has_users, gateway) {
            (true, _) => {
                Some(format!("it has users; `gatepost user list project={id}` shows them"))
            }
            (false, Some(gateway)) => Some(format!("gateway {} uses it", gateway.id)),
            (false, None) => None,
        })
    })?;
    match reason {
        Some(reason) => {
            Err(Refusal::Conflict { operation: format!("delete project {id}"), reason })
        }
        None => Ok(()),
    }
}

/// The project of that id or name.
pub(crate) fn find(snapshot: &mut dyn Snapshot, text: &str) -> Result<Project, Refusal> {
    if let Ok(id) = text.parse::<ProjectId>()
        && let Some(project) = snapshot.project(id)?
    {
        return Ok(project);
    }
    let mut named: Vec<_> = snapshot.projects()?;
    named.retain(|project| project.fields.text("name") == text);
    match named.len() {
        0 => Err(Refusal::NotFound {
            noun: "project",
            value: text.to_owned(),
            remedy: "`gatepost project list` shows them".to_owned(),
        }),
        1 => Ok(named.remove(0)),
        _ => Err(Refusal::Ambiguous {
            noun: "project",
            value: text.to_owned(),
            candidates: named.iter().map(words).collect(),
        }),
    }
}

/// The project that is named, or the only one there is.
pub(crate) fn named_or_only(
    snapshot: &mut dyn Snapshot,
    text: Option<&str>,
) -> Result<Project, Refusal> {
    if let Some(text) = text {
        return find(snapshot, text);
    }
    let mut projects = snapshot.projects()?;
    if projects.len() == 1 {
        return Ok(projects.remove(0));
    }
    let remedy = if projects.is_empty() {
        "there is no project yet: `gatepost project add name=…` makes one".to_owned()
    } else {
        let known: Vec<_> = projects.iter().take(10).map(words).collect();
        format!("name the project, one of {}", known.join(", "))
    };
    Err(Refusal::Missing { field: "project".to_owned(), remedy })
}

fn words(project: &Project) -> String {
    format!("{} {}", project.id, project.fields.text("name"))
}

/// `<project>` with every column, as gates and templates get it.
pub(crate) fn element(project: &Project) -> Element {
    let id = Element::new("id").with_text(project.id.to_string());
    with_fields(Element::new("project").with_child(id), &project.fields)
}

/// One child for each field.
pub(crate) fn with_fields(mut element: Element, fields: &Fields) -> Element {
    for (name, value) in fields.iter().filter(|(name, _)| *name != "id") {
        element.push(Element::new(name).with_text(value));
    }
    element
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn a_project_is_named_once_and_deleted_only_when_empty() {
        let mut bench = Bench::with_user();
        assert!(bench.refused("project.add", &[("name", "Brand")]).contains("already"));
        assert!(bench.refused("project.add", &[]).contains("`name` is missing"));
        assert!(bench.refused("project.delete", &[("elid", "1")]).contains("it has users"));
        bench.ok("user.delete", &[("elid", "bob")]);
        bench.ok("project.delete", &[("elid", "Brand")]);
        assert_eq!(bench.ok("project", &[]).rows().count(), 0);
    }

    #[test]
    fn an_edit_keeps_what_it_does_not_name() {
        let mut bench = Bench::with_user();
        bench
            .ok("project.edit", &[("sok", "ok"), ("elid", "Brand"), ("site", "https://b.example")]);
        let project = bench.ok("project.edit", &[("elid", "1")]);
        assert_eq!(project.text("timezone"), "Europe/Moscow");
        assert_eq!(project.text("site"), "https://b.example");
    }
}

//! `user.import`: rows of a CSV file, all of them or none.

use crate::added_fields;
use crate::answer::Answer;
use crate::context::Context;
use crate::csv::{Record, records};
use crate::events::{Notices, Object, Raise};
use crate::function::Request;
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use crate::users::{blank, by_external_id, fill, missing_columns, refuse_empty};
use crate::{projects, sessions, users};
use notice::{Fields, ProjectId, UserId};
use std::collections::HashMap;
use store::{Snapshot, User};
use wire::xml::Element;

/// Rows of one import at most: they are one transaction.
const MOST_ROWS: usize = 100_000;

/// `user.import`. The first line names the columns; a row with a known `external_id` changes that user.
pub(crate) fn import(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let added = added_fields::read(context.root, context.config)?;
    let mut records = records(request.text("csv")).map_err(|reason| wrong("csv", reason))?;
    if records.is_empty() {
        return Err(wrong("csv", "it is empty; the first line names the columns".to_owned()));
    }
    if records.len() > MOST_ROWS + 1 {
        return Err(wrong("csv", format!("it has over {MOST_ROWS} rows; split it")));
    }
    let header = records.remove(0).cells;
    let header: Vec<_> = header.iter().map(|name| name.trim().to_owned()).collect();
    let mut rows = context.read(|snapshot| {
        let mut projects = Projects { default: request.given("project"), known: HashMap::new() };
        records
            .iter()
            .map(|record| {
                row(snapshot, (&header, record), &mut projects)
                    .and_then(|row| {
                        let mut user =
                            row.known.clone().unwrap_or_else(|| blank(row.project, &added));
                        user.external_id.clone_from(&row.external_id);
                        fill(&mut user, &row.values, &added)?;
                        refuse_empty(&user)?;
                        Ok(Row { user: Some(user), ..row })
                    })
                    .map_err(|refusal| wrong("csv", format!("line {}: {refusal}", record.line)))
            })
            .collect::<Result<Vec<_>, _>>()
    })?;
    refuse_repeated(&rows)?;
    let mut changes = context.read(|snapshot| missing_columns(snapshot, &added))?;
    let facts: Vec<_> = rows.iter().filter_map(Row::fact).collect();
    let changed = rows.iter().filter(|row| row.known.is_some()).count();
    let created = rows.len() - changed;
    for (at, row) in rows.iter_mut().enumerate() {
        let Some(user) = row.user.take() else { continue };
        request.require(sessions::level_of(&user), "of a user who may that much")?;
        let raised: Vec<_> = users::events_of(&user, row.known.as_ref()).collect();
        changes.push(Change::SaveUser(user));
        // Who is brought along from elsewhere is a client already: nobody welcomes him.
        changes.extend(raised.into_iter().map(|raise| {
            Change::Raise(Raise { object: Object::Saved(at), notices: Notices::Withheld, ..raise })
        }));
    }
    let plan = Plan::new(changes, move |_| {
        Answer::of(
            Element::new("doc")
                .with_child(Element::new("created").with_text(created.to_string()))
                .with_child(Element::new("changed").with_text(changed.to_string())),
        )
    });
    Ok(Planned::Once(plan.based_on(facts)))
}

fn wrong(field: &str, reason: String) -> Refusal {
    Refusal::Conflict { operation: format!("import the {field}"), reason }
}

struct Row {
    line: usize,
    project: ProjectId,
    external_id: Option<String>,
    values: Fields,
    known: Option<User>,
    user: Option<User>,
}

impl Row {
    fn fact(&self) -> Option<Fact> {
        let external_id = self.external_id.clone()?;
        let holder: Option<UserId> = self.known.as_ref().map(|user| user.id);
        Some(Fact::ExternalId(self.project, external_id, holder))
    }
}

/// Projects are named once and again in such files.
struct Projects<'a> {
    default: Option<&'a str>,
    known: HashMap<String, ProjectId>,
}

impl Projects<'_> {
    fn find(&mut self, snapshot: &mut dyn Snapshot, name: &str) -> Result<ProjectId, Refusal> {
        if let Some(id) = self.known.get(name) {
            return Ok(*id);
        }
        let named = Some(name).filter(|name| !name.is_empty()).or(self.default);
        let id = projects::named_or_only(snapshot, named)?.id;
        self.known.insert(name.to_owned(), id);
        Ok(id)
    }
}

fn row(
    snapshot: &mut dyn Snapshot,
    (header, record): (&[String], &Record),
    projects: &mut Projects<'_>,
) -> Result<Row, Refusal> {
    if record.cells.len() > header.len() {
        return Err(wrong(
            "row",
            format!("it has {} cells, the first line names {}", record.cells.len(), header.len()),
        ));
    }
    let mut values: Fields = header
        .iter()
        .zip(&record.cells)
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, cell)| (name.as_str(), cell.as_str()))
        .collect();
    let named = values.remove("project").unwrap_or_default();
    let project = projects.find(snapshot, named.trim())?;
    let external_id = values.remove("external_id").map(|id| id.trim().to_owned());
    let external_id = external_id.filter(|id| !id.is_empty());
    let known = match &external_id {
        Some(id) => by_external_id(snapshot, project, id)?,
        None => None,
    };
    Ok(Row { line: record.line, project, external_id, values, known, user: None })
}

fn refuse_repeated(rows: &[Row]) -> Result<(), Refusal> {
    let mut lines = HashMap::new();
    for row in rows {
        let Some(external_id) = &row.external_id else { continue };
        if let Some(first) = lines.insert((row.project, external_id), row.line) {
            return Err(wrong(
                "csv",
                format!("lines {first} and {}: both have external_id `{external_id}`", row.line),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn rows_are_made_and_changed_by_their_external_id() {
        let mut bench = Bench::with_user();
        let csv = "external_id,name,email,language\nB-1,robert,,ru\nB-2,\"al, the second\",al@example.com,en\n";
        let done = bench.ok("user.import", &[("csv", csv)]);
        assert_eq!((done.text("created"), done.text("changed")), ("1".into(), "1".into()));
        assert_eq!(bench.ok("user.edit", &[("elid", "ext:B-1")]).text("name"), "robert");
        assert_eq!(bench.ok("user.edit", &[("elid", "ext:B-2")]).text("name"), "al, the second");
    }

    #[test]
    fn one_bad_row_refuses_all_and_names_its_line() {
        let mut bench = Bench::with_user();
        for (csv, words) in [
            ("name,email\nal,al@example.com\nbo,nonsense\n", "line 3"),
            ("name,emial\nal,x\n", "did you mean `email`?"),
            ("name\nal,extra\n", "line 2"),
            ("name,project\nal,Nobody\n", "no project `Nobody`"),
            ("external_id,name\nX,a\nX,b\n", "lines 2 and 3"),
            ("", "is missing"),
            ("name\n\"al", "line 2: a quote"),
        ] {
            let refused = bench.refused("user.import", &[("csv", csv)]);
            assert!(refused.contains(words), "{refused}");
        }
        assert_eq!(bench.ok("user", &[]).rows().count(), 1);
    }
}

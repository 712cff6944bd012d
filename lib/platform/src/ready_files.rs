//! `notify.enqueue`: puts a ready notification file into the queue.

use crate::answer::Answer;
use crate::caller::Level;
use crate::context::Context;
use crate::function::Request;
use crate::modules;
use crate::plan::{Change, Plan, Planned};
use crate::queue_files;
use crate::refusal::Refusal;
use crate::sending::{task_element, times_of};
use notice::{Priority, Route};
use std::io::Read;
use std::path::{Path, PathBuf};
use store::{Body, NewTask};
use wire::notification::read_notifications;
use wire::xml::Element;

/// Bytes of a notification file at most: what the wire takes of one document.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// `notify.enqueue`: the file is checked, copied to `var/notify/DATE/ID` and fsynced before the row is made.
pub(crate) fn enqueue(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let module = modules::find(context, request.text("module"))?;
    let (bytes, path) = content(request)?;
    let notifications = read_notifications(&bytes).map_err(|error| Refusal::File {
        operation: "enqueue",
        path: path.clone(),
        reason: notice::chain(&error),
    })?;
    let now = context.now();
    let times = times_of(request, now, "")?;
    let task = NewTask {
        module: module.name.clone(),
        body: Body::File(queue_files::write(context.root, &bytes, now)?),
        priority: Priority::new(request.number("priority").unwrap_or(0)).unwrap_or_default(),
        forced: request.is_on("while_paused"),
        route: Route::unread(),
        object: String::new(),
        follows: None,
        not_before: times.not_before,
        expires: times.expires,
        key: request.given("key").map(|key| format!("{key}/{}", module.name)),
    };
    let count = notifications.len();
    Ok(Planned::Once(Plan::new(vec![Change::Enqueue(vec![task])], move |applied| {
        let task = task_element(applied.accepted.first(), module.name.as_str(), "");
        let mut document = Element::new("doc").with_child(task);
        document.push(Element::new("notifications").with_text(count.to_string()));
        for (name, said) in &times.said {
            document.push(Element::new(*name).with_text(said));
        }
        Answer::of(document)
    })))
}

fn content(request: &Request) -> Result<(Vec<u8>, PathBuf), Refusal> {
    match (request.given("file"), request.given("xml")) {
        (Some(file), _) => {
            request.require(Level::Super, "file=")?;
            read(Path::new(file)).map(|bytes| (bytes, PathBuf::from(file)))
        }
        (None, Some(xml)) => Ok((xml.as_bytes().to_vec(), PathBuf::from("xml"))),
        (None, None) => Err(Refusal::Missing {
            field: "file".to_owned(),
            remedy: "name a notification file, or give its text as xml=".to_owned(),
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    let refuse =
        |reason: String| Refusal::File { operation: "read", path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| refuse(error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refuse("a notification file has at most 32 MiB".to_owned()));
    }
    Ok(bytes)
}

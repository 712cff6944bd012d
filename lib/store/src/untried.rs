//! What the log says of a task that ended before anybody tried it: read from its body, where no gate and no module
//! has said it yet.

use notice::ModuleName;

/// The notice stands in the beginning of a bundle.
pub(crate) const BUNDLE_HEAD_BYTES: usize = 512;

/// Notice and contact of a task.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Untried {
    pub(crate) notice: Option<String>,
    pub(crate) contact: Option<String>,
}

/// From the beginning of the bundle, and the user as of enqueue. Of modules that are not ours nobody here knows
/// which of the user's columns is the contact.
pub(crate) fn untried(module: &str, user: &str, bundle: &[u8]) -> Untried {
    let column = match module {
        ModuleName::EMAIL => Some("email"),
        ModuleName::SMS => Some("phone"),
        ModuleName::INTERNAL => Some("id"),
        _ => None,
    };
    let contact = column.and_then(|column| field(user, column));
    let head = String::from_utf8_lossy(&bundle[..bundle.len().min(BUNDLE_HEAD_BYTES)]);
    let notice = between(&head, "<bundle notice=\"", "\"").filter(|notice| !notice.is_empty());
    Untried { notice: notice.map(plain), contact }
}

/// The text of a child of `<user>`.
fn field(user: &str, column: &str) -> Option<String> {
    let text = between(user, &format!("<{column}>"), "</")?.trim();
    (!text.is_empty()).then(|| plain(text))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notice_and_contact_of_our_own_modules_are_known() {
        let user = "<user><id>7</id><email>o&amp;b@x.y</email><phone> +79 </phone></user>";
        let bundle = b"<bundle notice=\"hi\" module=\"ntemail\" lang=\"en\">";
        for (module, contact) in [
            ("ntemail", Some("o&b@x.y")),
            ("ntsms", Some("+79")),
            ("ntinternal", Some("7")),
            ("ntx", None),
        ] {
            let known = untried(module, user, bundle);
            assert_eq!(known.notice.as_deref(), Some("hi"));
            assert_eq!(known.contact.as_deref(), contact);
        }
        assert_eq!(untried("ntemail", "<user><email></email></user>", b""), Untried::default());
    }
}

//! What is to be done: an operation, the service it is about, and the words its script gets.

use crate::server::Settings;
use notice::{Answer, Mask, Outcome, Secret};
use wire::xml::Element;

/// What can be done to a service (S1-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Open,
    Suspend,
    Resume,
    Close,
    SetParam,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] =
        [Self::Open, Self::Suspend, Self::Resume, Self::Close, Self::SetParam];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Close => "close",
            Self::SetParam => "setparam",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Its file in the folder of scripts (S1-12, S1-13).
    pub(crate) fn script(self) -> String {
        format!("{}.sh", self.name())
    }
}

/// One operation with all it needs.
pub(crate) struct Order {
    pub(crate) operation: Operation,
    pub(crate) settings: Settings,
    pub(crate) item: Item,
}

/// The service (table `item` of the ancestor): its attributes and what was ordered.
#[derive(Default)]
pub(crate) struct Item {
    externalid: String,
    pub(crate) username: String,
    pub(crate) password: String,
    /// Addons, then parameters, in their order.
    ordered: Vec<(String, String)>,
}

impl Order {
    /// Reads the input; what can't be done is refused before anything is asked of the server.
    pub(crate) fn read(operation: Operation, root: &Element) -> Result<Self, Answer> {
        let row = root.child("processing").unwrap_or(root);
        let settings = Settings::read(row)
            .map_err(|error| Answer::not_sent(Outcome::Hold, error.plain_text()))?;
        let never = |reason: &str| Answer::not_sent(Outcome::Never, reason);
        let item =
            root.child("item").map(Item::read).ok_or_else(|| never("the input has no item"))?;
        if item.username.is_empty() {
            return Err(never("the service has no user name"));
        }
        if operation == Operation::Open && item.password.is_empty() {
            return Err(never("the service has no password"));
        }
        // S1-34
        if operation != Operation::Open && item.externalid.is_empty() {
            return Err(never("the service has no externalid: it was never opened"));
        }
        let unfit = item.ordered.iter().find(|(name, _)| !is_name(name));
        if let Some((name, _)) = unfit {
            return Err(never(&format!("`{name}` can't be the name of an argument")));
        }
        Ok(Self { operation, settings, item })
    }

    /// The script's words, in the order of the document (S1-15 to S1-17, S1-32, S1-36): whatever an addon
    /// is called, what we give ourselves comes last, and a script that looks at the first letters of a
    /// word alone takes ours (S1-41).
    pub(crate) fn arguments(&self) -> Vec<String> {
        let item = &self.item;
        let word = |name: &str, value: &str| format!("--{name}={value}");
        let ordered = match self.operation {
            Operation::Open | Operation::SetParam => item.ordered.as_slice(),
            Operation::Suspend | Operation::Resume | Operation::Close => &[],
        };
        let own = match self.operation {
            Operation::Open => [("user", &item.username), ("password", &item.password)],
            _ => [("id", &item.externalid), ("user", &item.username)],
        };
        let ordered = ordered.iter().map(|(name, value)| word(name, value));
        ordered.chain(own.map(|(name, value)| word(name, value))).collect()
    }

    /// Every secret it knows.
    pub(crate) fn mask(&self) -> Mask {
        let mut mask = self.settings.mask();
        mask.add(&Secret::new(&self.item.password));
        mask
    }
}

impl Item {
    fn read(element: &Element) -> Self {
        let attribute = |name| element.attribute(name).unwrap_or_default().to_owned();
        let ordered = ["addon", "param"].into_iter().flat_map(|kind| element.children_named(kind));
        let named =
            |one: &Element| (one.attribute("name").unwrap_or_default().to_owned(), one.text());
        Self {
            externalid: attribute("externalid"),
            username: attribute("username"),
            password: element.child_text("password"),
            ordered: ordered.map(named).collect(),
        }
    }
}

/// S1-29: what an argument's name is made of.
pub(crate) fn is_name(text: &str) -> bool {
    let is_fit = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    !text.is_empty() && text.chars().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::xml::Document;

    const ROW: &str = "<processing><id>3</id><xmlparams>&lt;doc>&lt;ip>192.0.2.1&lt;/ip>&lt;path>/s&lt;/path>&lt;/doc></xmlparams></processing>";

    fn read(operation: Operation, item: &str) -> Result<Order, Answer> {
        let text = format!("<doc><task id='7'/>{ROW}{item}<user/></doc>");
        Order::read(operation, &Document::parse(text.as_bytes()).unwrap().root)
    }

    const ITEM: &str = "<item id='12' externalid='e 1' username='u12'><password>p'w</password>\
        <param name='domain'>a.b</param><addon name='userlimit'>5</addon><addon name='idle'>1 2</addon></item>";

    #[test]
    fn what_we_give_ourselves_comes_last() {
        // S1-15, S1-16, S1-17, S1-32, S1-36, S1-41
        let words = |operation| read(operation, ITEM).unwrap().arguments();
        let ordered = ["--userlimit=5", "--idle=1 2", "--domain=a.b"];
        assert_eq!(words(Operation::Open)[..3], ordered);
        assert_eq!(words(Operation::Open)[3..], ["--user=u12", "--password=p'w"]);
        assert_eq!(words(Operation::SetParam)[..3], ordered);
        for operation in
            [Operation::SetParam, Operation::Suspend, Operation::Resume, Operation::Close]
        {
            let words = words(operation);
            assert_eq!(words[words.len() - 2..], ["--id=e 1", "--user=u12"]);
            assert_eq!(words.len(), if operation == Operation::SetParam { 5 } else { 2 });
        }
    }

    #[test]
    fn what_can_not_be_done_is_refused_at_once() {
        // S1-34
        let opened = "<item username='u1'><password>x</password></item>";
        let refusal =
            |operation, item| read(operation, item).err().map(|it| (it.outcome, it.reason));
        assert_eq!(refusal(Operation::Open, opened), None);
        for operation in &Operation::ALL[1..] {
            let (outcome, reason) = refusal(*operation, opened).unwrap();
            assert_eq!(outcome, Outcome::Never);
            assert!(reason.contains("externalid"), "{reason}");
        }
        for item in [
            "",
            "<item><password>x</password></item>",
            "<item username='u1'/>",
            "<item username='u1'><password>x</password><addon name='a=b'>1</addon></item>",
            "<item username='u1'><password>x</password><param>1</param></item>",
        ] {
            assert_eq!(
                refusal(Operation::Open, item).map(|it| it.0),
                Some(Outcome::Never),
                "{item}"
            );
        }
    }
}

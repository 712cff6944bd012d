//! Step 7: what the platform itself adds to an answer after the default after handlers (S0-51 … S0-53).

use crate::answer::Answer;
use crate::call::Call;
use crate::context::Context;
use crate::{accounts, money};
use wire::xml::Element;

/// `desktop` shows the balance, and the button that pays into it.
pub(crate) fn modify(context: &mut Context<'_>, call: &Call, answer: &mut Answer) {
    if call.function.name != "desktop" {
        return;
    }
    // A late modifier adds or leaves out; the call is done, so nothing can fail it any more.
    let account = context.read(|snapshot| {
        let user = call.caller.user.map(|id| snapshot.user(id)).transpose()?.flatten();
        let account = user.and_then(|user| accounts::of_user(&user));
        Ok(account.map(|id| snapshot.account(id)).transpose()?.flatten())
    });
    let balance = account.ok().flatten().map_or(0, |account| account.balance);
    answer.document.push(Element::new("balance").with_text(money::shown(balance)));
    answer.document.push(
        Element::new("button")
            .with_attribute("name", "payment.add")
            .with_attribute("func", "payment.add"),
    );
}

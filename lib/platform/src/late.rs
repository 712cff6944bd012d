//! Step 7: what the platform itself adds to an answer after the default after handlers (S0-51 … S0-53).

use crate::answer::Answer;
use crate::call::Call;
use crate::context::Context;
use crate::money;
use wire::xml::Element;

/// `desktop` shows the balance, and the button that pays into it.
pub(crate) fn modify(context: &mut Context<'_>, call: &Call, answer: &mut Answer) {
    if call.function.name != "desktop" {
        return;
    }
    let _ = context;
    let balance = 0;
    answer.document.push(Element::new("balance").with_text(money::shown(balance)));
    answer.document.push(
        Element::new("button")
            .with_attribute("name", "payment.add")
            .with_attribute("func", "payment.add"),
    );
}

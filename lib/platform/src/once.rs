//! Calls under a key of the caller's: a repeated one answers with the first answer and does nothing.

use crate::access;
use crate::answer::Answer;
use crate::call::{Along, Call};
use crate::caller::Caller;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use notice::Fields;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{Durability, Hash, KeyedCall};
use wire::xml::Document;

/// The answer of a call under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// The call was made.
    Called(Answer),
    /// It had been made before: this is what it answered then.
    Known(Answer),
}

/// Functions whose answers are not kept.
const TELLS_A_SECRET: &[&str] = &["session.open", "token.add", "provisioning.edit"];

/// Whose key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Keyed {
    pub(crate) caller: String,
    pub(crate) key: String,
}

/// Calls under keys that this process is about to answer. Only one process takes such calls, the daemon: a key
/// without an answer that is not here belonged to one that died before its transaction, and did nothing.
#[derive(Debug, Default)]
pub(crate) struct KeyedCalls(Mutex<HashSet<Keyed>>);

/// Leaves the set when it is dropped.
struct OnItsWay<'a>(&'a KeyedCalls, Keyed);

impl KeyedCalls {
    fn lock(&self) -> MutexGuard<'_, HashSet<Keyed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: a call under this key is on its way.
    fn enter(&self, keyed: &Keyed) -> Option<OnItsWay<'_>> {
        self.lock().insert(keyed.clone()).then(|| OnItsWay(self, keyed.clone()))
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

impl Platform {
    /// Calls a function under a key; keys of different callers have nothing to do with each other. The answer is
    /// kept in the transaction that does what is asked, so a call whose process died is either answered or made
    /// again, never made twice; its handlers may run twice. One that works in pages and died between two is
    /// refused with the advice to look. A refused call gives the key back. Keys are kept for
    /// `retention.call_key_days`.
    pub fn call_once(
        &mut self,
        key: &str,
        (name, params): (&str, &Fields),
        caller: &Caller,
    ) -> Result<Once, Refusal> {
        let mut call = self.new_call((name, params), caller)?;
        let now = self.clock().now();
        access::enter(self.store(), &mut call, now)?;
        let whose = name_of(&call)?;
        let mine = KeyedCall {
            caller: whose,
            key: key.to_owned(),
            function: name.to_owned(),
            request: hash_of(name, params),
            answer: None,
            made: now,
        };
        let keyed = Keyed { caller: mine.caller.clone(), key: mine.key.clone() };
        let shared = Arc::clone(&self.shared);
        let Some(_on_its_way) = shared.keyed_calls.enter(&keyed) else {
            return refuse(&mine, "the first call under this key still runs; ask again".to_owned());
        };
        let taken: Option<KeyedCall> =
            store::write::<_, Refusal>(self.store(), Durability::Power, |tx| {
                Ok(tx.take_call_key(&mine)?)
            })?;
        if let Some(first) =
            taken.filter(|first| first.request != mine.request || first.answer.is_some())
        {
            return known(&mine, &first);
        }
        match self.call_with(Along::Key(keyed), (name, params), caller) {
            Ok(answer) => {
                // What handlers have added since.
                let text = answer.document.to_xml();
                store::write::<_, Refusal>(self.store(), Durability::Crash, |tx| {
                    Ok(tx.answer_call_key(&mine.caller, key, &text)?)
                })?;
                Ok(Once::Called(answer))
            }
            Err(refusal) => {
                store::write::<_, Refusal>(self.store(), Durability::Crash, |tx| {
                    Ok(tx.drop_call_key(&mine.caller, key)?)
                })?;
                Err(refusal)
            }
        }
    }
}

/// Whoever knows a key of another gets nothing by it: the session or token must still be good for the function,
/// and a level of its own has keys of its own.
fn name_of(call: &Call) -> Result<String, Refusal> {
    if TELLS_A_SECRET.contains(&call.function.name) {
        return Err(Refusal::Conflict {
            operation: format!("call `{}` under a key", call.function.name),
            reason:
                "its answer may hold a secret that is shown once and never kept; call it without"
                    .to_owned(),
        });
    }
    Ok(format!("{} {}", call.caller.level.word(), call.caller.name))
}

fn refuse(mine: &KeyedCall, reason: String) -> Result<Once, Refusal> {
    Err(Refusal::Conflict { operation: format!("call `{}` again", mine.function), reason })
}

fn known(mine: &KeyedCall, first: &KeyedCall) -> Result<Once, Refusal> {
    if first.request != mine.request {
        let reason = format!(
            "its key `{}` belongs to another call, of `{}`; give every call a key of its own",
            mine.key, first.function
        );
        return refuse(mine, reason);
    }
    let text = first.answer.as_deref().unwrap_or_default();
    if text.is_empty() {
        let reason = "the first call under this key was cut short after a part of its work; look \
                      what was done, then use a new key";
        return refuse(mine, reason.to_owned());
    }
    match Document::parse(text.as_bytes()) {
        Ok(document) => Ok(Once::Known(Answer::of(document.root))),
        Err(error) => refuse(mine, format!("its answer was kept, but can't be read: {error}")),
    }
}

/// The same parameters in another order are the same request.
fn hash_of(name: &str, params: &Fields) -> Hash {
    let mut pairs: Vec<(&str, &str)> = params.iter().collect();
    pairs.sort_unstable();
    let mut hash = Sha256::new();
    for text in std::iter::once(name).chain(pairs.into_iter().flat_map(|(name, text)| [name, text]))
    {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    Hash(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Level;
    use crate::testing::Bench;

    fn operator() -> String {
        format!("super {}", Caller::operator().name)
    }

    fn named(name: &str) -> Fields {
        [("name", name)].into_iter().collect()
    }

    fn under_key(bench: &mut Bench, name: &str) -> Result<Once, Refusal> {
        bench.platform.call_once("k", ("project.add", &named(name)), &Caller::operator())
    }

    /// What a process that died between taking the key and its transaction leaves.
    fn taken_by_the_dead(bench: &mut Bench, (function, params): (&str, &Fields)) {
        let call = KeyedCall {
            caller: operator(),
            key: "k".to_owned(),
            function: function.to_owned(),
            request: hash_of(function, params),
            answer: None,
            made: notice::Ms(1),
        };
        let store = bench.platform.store();
        let taken =
            store::write::<_, Refusal>(store, Durability::Power, |tx| Ok(tx.take_call_key(&call)?));
        assert_eq!(taken.unwrap(), None);
    }

    #[test]
    fn a_call_that_died_before_its_transaction_is_made_once_more_and_then_known() {
        let mut bench = Bench::empty();
        taken_by_the_dead(&mut bench, ("project.add", &named("North")));
        let Once::Called(first) = under_key(&mut bench, "North").unwrap() else {
            panic!("it was never made");
        };
        let Once::Known(second) = under_key(&mut bench, "North").unwrap() else {
            panic!("made twice");
        };
        assert_eq!(first.document.to_xml(), second.document.to_xml());
        assert_eq!(bench.ok("project", &[]).rows().count(), 1);
        let refusal = under_key(&mut bench, "South").unwrap_err().to_string();
        assert!(refusal.contains("belongs to another call"), "{refusal}");
    }

    #[test]
    fn the_answer_is_kept_by_the_transaction_itself() {
        let mut bench = Bench::empty();
        let params = named("North");
        let called = ("project.add", &params);
        taken_by_the_dead(&mut bench, called);
        let keyed = Keyed { caller: operator(), key: "k".to_owned() };
        // As if the process died right after it: nobody keeps the answer by hand.
        bench.platform.call_with(Along::Key(keyed), called, &Caller::operator()).unwrap();
        assert!(matches!(under_key(&mut bench, "North").unwrap(), Once::Known(_)));
        assert_eq!(bench.ok("project", &[]).rows().count(), 1);
    }

    #[test]
    fn a_call_in_pages_that_died_between_two_is_not_made_again() {
        let mut bench = Bench::with_user();
        bench.write("templates/hi/en.ntemail.text.ejs", "Hi");
        bench.write("templates/hi/ru.ntemail.text.ejs", "Hi");
        let params: Fields = [("notice", "hi"), ("module", "ntemail")].into_iter().collect();
        let called = ("notify.mass", &params);
        let keyed = Keyed { caller: operator(), key: "k".to_owned() };
        taken_by_the_dead(&mut bench, called);
        // The pages are written; nobody lives to keep the answer.
        bench.platform.call_with(Along::Key(keyed), called, &Caller::operator()).unwrap();
        let refusal = bench.platform.call_once("k", called, &Caller::operator()).unwrap_err();
        assert!(refusal.to_string().contains("cut short after a part of its work"), "{refusal}");
        assert_eq!(bench.ok("task", &[]).rows().count(), 1);
    }

    #[test]
    fn while_a_call_runs_its_key_is_refused() {
        let mut bench = Bench::empty();
        let shared = Arc::clone(&bench.platform.shared);
        let keyed = Keyed { caller: operator(), key: "k".to_owned() };
        let on_its_way = shared.keyed_calls.enter(&keyed).unwrap();
        let refusal = under_key(&mut bench, "North").unwrap_err().to_string();
        assert!(refusal.contains("still runs"), "{refusal}");
        drop(on_its_way);
        assert!(matches!(under_key(&mut bench, "North").unwrap(), Once::Called(_)));
    }

    #[test]
    fn a_replay_asks_again_whether_the_caller_may() {
        let mut bench = Bench::empty();
        under_key(&mut bench, "North").unwrap();
        let params = named("North");
        let weak = Caller::new(&Caller::operator().name, Level::User);
        let refusal = bench.platform.call_once("k", ("project.add", &params), &weak).unwrap_err();
        assert!(matches!(refusal, Refusal::Denied { .. }), "{refusal}");
    }

    #[test]
    fn an_answer_with_a_secret_is_never_kept() {
        let mut bench = Bench::empty();
        let params = named("shop");
        let operator = Caller::operator();
        let refusal = bench.platform.call_once("k", ("token.add", &params), &operator).unwrap_err();
        assert!(refusal.to_string().contains("without"), "{refusal}");
        bench.platform.call("token.add", &params, &operator).unwrap();
    }
}

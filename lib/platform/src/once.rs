//! Calls under a key of the caller's: a repeated one answers with the first answer and does nothing.

use crate::answer::Answer;
use crate::caller::Caller;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use notice::Fields;
use sha2::{Digest, Sha256};
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

impl Platform {
    /// Calls a function under a key; keys of different callers have nothing to do with each other. The key
    /// is taken before the call and the answer kept after it, so a call whose process died in between is
    /// never made again under that key: it is refused with the advice to look. A refused call gives the key
    /// back. Keys are kept for `retention.key_days`.
    pub fn call_once(
        &mut self,
        key: &str,
        (name, params): (&str, &Fields),
        caller: &Caller,
    ) -> Result<Once, Refusal> {
        let mine = KeyedCall {
            caller: caller.name.clone(),
            key: key.to_owned(),
            function: name.to_owned(),
            request: hash_of(name, params),
            answer: None,
            made: self.clock().now(),
        };
        let taken: Option<KeyedCall> =
            store::write::<_, Refusal>(self.store(), Durability::Power, |tx| {
                Ok(tx.take_call_key(&mine)?)
            })?;
        if let Some(first) = taken {
            return known(&mine, &first);
        }
        match self.call(name, params, caller) {
            Ok(answer) => {
                let text = answer.document.to_xml();
                store::write::<_, Refusal>(self.store(), Durability::Power, |tx| {
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

fn known(mine: &KeyedCall, first: &KeyedCall) -> Result<Once, Refusal> {
    let refuse = |reason: String| {
        Err(Refusal::Conflict { operation: format!("call `{}` again", mine.function), reason })
    };
    if first.request != mine.request {
        return refuse(format!(
            "its key `{}` belongs to another call, of `{}`; give every call a key of its own",
            mine.key, first.function
        ));
    }
    let Some(text) = &first.answer else {
        return refuse(
            "the first call under this key has not answered: it still runs, or its process died; \
             look whether it was done, then use a new key"
                .to_owned(),
        );
    };
    match Document::parse(text.as_bytes()) {
        Ok(document) => Ok(Once::Known(Answer::of(document.root))),
        Err(error) => refuse(format!("its answer was kept, but can't be read: {error}")),
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

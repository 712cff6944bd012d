use crate::conformance::{Kit, conformance};
use crate::memory::Memory;
use crate::sqlite::Order;

fn fresh(order: Order) -> Kit {
    let store = Memory::with_order(order);
    let by_hand = store.clone();
    let delete = Box::new(move |id| by_hand.delete_by_hand(id));
    Kit::new(Box::new(store.clone()), Box::new(store), delete)
}

conformance!(fresh);

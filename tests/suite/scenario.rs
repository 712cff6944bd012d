//! The four doors as one product: the eight steps that `cargo xtask demo platform` shows.

use crate::stage::say;
use gatepost_kit::host::Host;
use gatepost_kit::scenario::{STEPS, Scenario};

#[test]
fn the_four_doors_are_one_product() {
    let mut scenario = Scenario::new(Host::new());
    for step in &STEPS {
        scenario.play(step);
    }
    scenario.stop();
    say("the scenario went through its eight steps");
}

//! The samples of `plugins/`, which are shipped as `share/plugins/`.

use super::{Stage, lunch};
use crate::caller::Level;
use serde_json::json;
use std::path::Path;

fn stage() -> Stage {
    let stage = Stage::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    for name in ["guard_staff.py", "lunch_log.py", "office_hours.py", "tidy_counts.py"] {
        stage.copy(&folder, name);
    }
    stage
}

#[test]
fn every_sample_does_what_it_says() {
    let stage = stage();
    stage.write(
        "a_clock.py",
        "import time\nreal = time.localtime\ntime.localtime = lambda *a: time.struct_time(list(real(*a))[:3] + [9] + list(real(*a))[4:])\n",
    );
    let host = stage.start();
    assert!(host.list().iter().all(|(_, words)| words.contains("class")), "{:?}", host.list());
    host.emit(&lunch("Jana"));
    stage.server.line("plugin lunch_log: Jana left: Oběd");
    assert_eq!(host.switch(0, (1, "")), Ok((2, "reading the news".to_owned())));
    assert_eq!(host.switch(2, (1, "")), Ok((1, String::new())));
    assert_eq!(
        host.set("agent_emails", &json!(null), &json!({ "jana": -2 })),
        Ok(json!({ "jana": 0 }))
    );
    assert!(host.set("agent_emails", &json!(null), &json!([])).is_err());
    let save =
        |name: &str| host.called("user.edit", &[("sok", "ok"), ("elid", "7"), ("name", name)]);
    assert_eq!(save("ab").unwrap_err().to_string(), "username: three letters at least");
    assert!(save("bob").is_ok());
    stage.server.line("plugin guard_staff: user None saved by operator");
    assert!(host.called("user.delete", &[("elid", "7")]).is_ok());
    let mut call = super::call("user.delete", &[("elid", "7")]);
    call.caller.level = Level::Admin;
    let refusal = host.around(&call, &mut Vec::new(), &mut |_| unreachable!()).unwrap_err();
    assert_eq!(refusal.to_string(), "only the owner deletes users");
    for (name, _) in host.list() {
        if name != "a_clock" {
            host.unload(&name).unwrap();
        }
    }
    assert_eq!(stage.server.count("left the"), 0, "{:?}", stage.server.lines());
}

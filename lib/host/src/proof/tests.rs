use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::Verdict::{Failed, Hint, Passed};
use super::*;

const FEATURES: &str = "<doc><features><feature name=\"check_connection\"/><feature name=\"outgoing\"/></features>\
                        <notify_module>ntsms</notify_module></doc>";

/// A gate in sh: what it does for each command.
struct Script {
    features: &'static str,
    check: &'static str,
    outgoing: &'static str,
}

const GOOD: Script = Script {
    features: FEATURES,
    check: "cat",
    outgoing: "input=$(cat); case $input in *'</doc>') printf '%s' \"$input\" >var/out/it ;; *) exit 65 ;; esac",
};

fn report(script: &Script) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gwproof");
    let text = format!(
        "#!/bin/bash\ncase $2 in\nfeatures) echo '{}' ;;\ncheck_connection) {} ;;\noutgoing) {} ;;\n*) exit 64 ;;\nesac\n",
        script.features, script.check, script.outgoing
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    prove_with(&program, Duration::from_secs(10))
}

fn prove_with(program: &PathBuf, deadline: Duration) -> Vec<Finding> {
    let environment = Environment::new(vec![("PATH".into(), "/usr/bin:/bin".into())]);
    let params = [("url", "{proof_url}")].into_iter().collect();
    prove(&Subject { program, params: &params, environment, deadline }).unwrap()
}

fn verdict(report: &[Finding], check: &str) -> Verdict {
    report
        .iter()
        .find(|finding| finding.check == check)
        .unwrap_or_else(|| panic!("no {check}: {report:#?}"))
        .verdict
}

fn words<'a>(report: &'a [Finding], check: &str) -> &'a str {
    &report.iter().find(|finding| finding.check == check).unwrap().words
}

#[test]
fn a_gate_that_keeps_the_contract_passes() {
    let report = report(&GOOD);
    assert!(report.iter().all(Finding::passed), "{report:#?}");
    assert_eq!(verdict(&report, "text of a megabyte"), Passed);
    assert_eq!(verdict(&report, "half a document"), Passed);
}

#[test]
fn features_that_are_no_document_end_the_report() {
    // S3-21
    let report = report(&Script { features: "usage: gwproof", ..GOOD });
    assert_eq!((report.len(), report[0].verdict), (1, Failed));
}

#[test]
fn an_echo_without_a_network_is_only_a_hint() {
    // S3-73: the host can't tell a file gate from a liar.
    assert_eq!(verdict(&report(&GOOD), "check_connection, nothing reachable"), Hint);
}

#[test]
fn empty_check_connection_is_against_the_contract() {
    // S3-74
    let report = report(&Script { check: "true", ..GOOD });
    assert_eq!(verdict(&report, "check_connection, service answers"), Failed);
}

#[test]
fn output_that_is_no_document_is_found() {
    let report = report(&Script { outgoing: "cat >/dev/null; echo OK", ..GOOD });
    assert_eq!(verdict(&report, "plain text"), Failed);
}

#[test]
fn a_text_that_arrives_changed_is_found() {
    let outgoing = "input=$(cat); case $input in *'</doc>') printf %s \"$input\" | tr -d '&' >var/out/it ;; esac";
    let report = report(&Script { outgoing, ..GOOD });
    assert_eq!(verdict(&report, "plain text"), Passed);
    assert_eq!(verdict(&report, "text with & < ]]> and quotes"), Failed);
}

#[test]
fn a_gate_that_sends_half_a_message_is_found() {
    let report = report(&Script { outgoing: "cat >>var/out/it", ..GOOD });
    assert_eq!(verdict(&report, "half a document"), Failed);
}

#[test]
fn a_secret_in_an_error_text_is_found() {
    let outgoing = "echo \"<doc><error type='never'><msg>$(grep -ao 'proof-Secret[^ ]*' | head -c 40 | tr '<>' '  ')</msg></error></doc>\"";
    let report = report(&Script { outgoing, ..GOOD });
    assert_eq!(verdict(&report, "secrets stay inside"), Failed, "{report:#?}");
}

#[test]
fn a_gate_that_dies_or_hangs_is_found() {
    let died = report(&Script { outgoing: "kill -9 $$", ..GOOD });
    assert_eq!(verdict(&died, "plain text"), Failed);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gwhang");
    let text = format!(
        "#!/bin/sh\ncase $2 in features) echo '{}' ;; *) exec tail -f /dev/null ;; esac\n",
        FEATURES.replace("check_connection", "formtune")
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let report = prove_with(&program, Duration::from_millis(200));
    for check in [
        "unknown command",
        "formtune",
        "plain text",
        "slow input",
        "empty input",
        "service breaks off",
    ] {
        assert_eq!(verdict(&report, check), Failed, "{check}");
    }
    for check in ["unknown command", "empty input"] {
        let said = words(&report, check);
        assert!(said.contains("by itself: no end within 0.2 s, killed"), "{check}: {said}");
    }
}

#[test]
fn a_feature_that_nobody_asks_for_is_named() {
    let features = "<doc><features><feature name=\"outgoing\"/><feature name=\"fly\"/><feature name=\"sing\"/></features></doc>";
    let report = report(&Script { features, ..GOOD });
    assert_eq!(verdict(&report, "features"), Hint);
    let said = words(&report, "features");
    assert!(said.ends_with("; nobody asks for fly, sing"), "{said}");
}

/// Posts what it was given; what it says when the service breaks off comes behind that.
const POSTS: &str = "input=$(cat); case $input in *'</doc>') ;; *) exit 65 ;; esac\n\
    port=${input#*127.0.0.1:}; port=${port%%[!0-9]*}\n\
    exec 3<>/dev/tcp/127.0.0.1/$port || { echo '<doc><error type=\"unreached\"/></doc>'; exit; }\n\
    printf 'POST / HTTP/1.1\\r\\nContent-Length: %s\\r\\n\\r\\n%s' \"${#input}\" \"$input\" >&3\n\
    read -r status <&3\n\
    case $status in *200*) echo '<doc/>'; exit ;; *503*) echo '<doc><error type=\"later\"/></doc>'; exit ;; esac\n";

// docs/gate.md: if you are not sure that nothing was sent, do not say later
#[test]
fn a_gate_that_says_later_of_what_the_service_may_have_is_found() {
    for (says, verdict_due) in [
        ("echo no answer came", Passed),
        ("echo '<doc><error type=\"later\"/></doc>'", Failed),
        ("echo '<doc><error type=\"unreached\"/></doc>'", Failed),
        ("exit 1", Failed),
    ] {
        let outgoing: &str = format!("{POSTS}{says}").leak();
        let report = report(&Script { outgoing, ..GOOD });
        for check in ["plain text", "service answers 503", "service can't be reached"] {
            assert_eq!(verdict(&report, check), Passed, "{check}: {report:#?}");
        }
        assert_eq!(verdict(&report, "service breaks off"), verdict_due, "{says}: {report:#?}");
    }
}

#[test]
fn a_frame_that_was_not_due_is_told_in_words() {
    use wire::serve::FromGate;
    let answer = |answer| serving::out_of_place(&FromGate::Answer(7, answer));
    assert_eq!(serving::out_of_place(&FromGate::Ping), "a ping that nobody asked for");
    assert_eq!(
        answer(notice::Answer::not_sent(notice::Outcome::Later, "no room")),
        "an answer to 7, which has none to get: later: no room"
    );
    assert_eq!(answer(notice::Answer::sent(None)), "an answer to 7, which has none to get: sent");
}

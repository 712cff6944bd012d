//! `gatepost status`: what is going on, what is wrong, and the command that cures it.
//! Exit 0: all is well; 1: a warning; 2: critical.

use crate::arguments::Format;
use crate::failure::Result;
use crate::output::{self, Paint, Table, Tone};
use crate::session::Session;
use notice::{Ms, State};
use platform::{Finding, GatewayStatus, Promptness, Runner, Severity, Status, when};
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Once, or until a key ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Once,
    Watch,
}

const EVERY: Duration = Duration::from_secs(2);

/// Shows it.
pub(crate) fn run(session: &mut Session, look: Look) -> Result<ExitCode> {
    loop {
        let status = session.platform.status()?;
        if look == Look::Watch {
            output::wipe()?;
        }
        match session.format {
            Some(Format::Prometheus) => output::print(&metrics(&status))?,
            Some(Format::Json | Format::Jsonl) => {
                output::print_json(&format!("{}\n", json(&status)))?;
            }
            _ => output::exactly(&page(&status, Paint::new(config::colours())))?,
        }
        if look == Look::Once {
            return Ok(exit(&status));
        }
        // A commit wakes us early; a pause keeps the screen quiet.
        session.platform.store().waker()?.wait(EVERY);
    }
}

fn exit(status: &Status) -> ExitCode {
    match status.severity() {
        None => ExitCode::SUCCESS,
        Some(Severity::Warning) => ExitCode::from(1),
        Some(Severity::Critical) => ExitCode::from(2),
    }
}

/// The page a person sees.
fn page(status: &Status, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(pause) = &status.paused {
        let since = pause
            .since
            .map(|since| format!(" for {}", when::distance(status.now.since(since))))
            .unwrap_or_default();
        let until = pause.until.map(|until| format!(", until {}", when::shown(until)));
        let until = until.unwrap_or_default();
        let reason =
            if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
        let words = format!("paused{since}{until}{reason}");
        let _ = writeln!(text, "{}", paint.say(Tone::Warning, &words));
    }
    text.push_str(&output::aligned(&modules(status)));
    if !status.gateways.is_empty() {
        text.push('\n');
        text.push_str(&output::aligned(&gateways(status)));
    }
    if let Some(words) = urgent(status) {
        let _ = writeln!(text, "\n{words}");
    }
    text.push('\n');
    if status.findings.is_empty() {
        let _ = writeln!(text, "{}", paint.say(Tone::Good, "all is well"));
    }
    for finding in &status.findings {
        let (tone, word) = tone_of(finding);
        let _ = writeln!(
            text,
            "{} {}\n         {}",
            paint.say(tone, &format!("{word:<8}")),
            paint.say(Tone::Plain, &finding.text),
            paint.say(Tone::Quiet, &finding.cure)
        );
    }
    text
}

/// Nothing where nothing is urgent.
fn urgent(status: &Status) -> Option<String> {
    let urgent = &status.urgent;
    if urgent.oldest.is_none() && urgent.day.messages == 0 {
        return None;
    }
    let oldest = match urgent.oldest {
        Some(since) => format!("the oldest waits for {}", age(status.now, Some(since))),
        None => "none waits".to_owned(),
    };
    let spans = [("hour", urgent.hour), ("day", urgent.day)];
    let handed = spans.map(|(span, prompt)| match prompt.share(prompt.within_1_s) {
        None => format!("last {span} none handed over"),
        Some(share) => {
            let within_10_s = prompt.share(prompt.within_10_s).unwrap_or_default();
            format!(
                "last {span} {} handed over, {} within 1 s, {} within 10 s",
                prompt.messages,
                percent(share),
                percent(within_10_s)
            )
        }
    });
    Some(format!("urgent: {oldest}; {}", handed.join("; ")))
}

/// Never better than it was: 99.99 % is not 100 %.
fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).floor() / 10.0;
    format!("{tenths} %")
}

fn urgent_json(status: &Status) -> serde_json::Value {
    let of = |prompt: Promptness| {
        serde_json::json!({
            "messages": prompt.messages,
            "within_1_s": prompt.share(prompt.within_1_s),
            "within_10_s": prompt.share(prompt.within_10_s),
        })
    };
    let oldest = status.urgent.oldest.map(|since| status.now.since(since).max(0));
    serde_json::json!({
        "oldest_ms": oldest,
        "hour": of(status.urgent.hour),
        "day": of(status.urgent.day),
    })
}

fn tone_of(finding: &Finding) -> (Tone, &'static str) {
    match finding.severity {
        Severity::Warning => (Tone::Warning, "warning"),
        Severity::Critical => (Tone::Bad, "critical"),
    }
}

fn modules(status: &Status) -> Table {
    let mut table = Table::new(
        &["module", "runs", "ready", "sending", "waiting", "failed", "asked", "oldest"],
        8,
    );
    for module in &status.modules {
        let mut row = vec![
            module.name.clone(),
            // the finding has the reason: a cell is short
            match module.broken {
                Some(_) => "broken".to_owned(),
                None => runs(&module.runner, status.now),
            },
        ];
        row.extend(
            State::ALL
                .iter()
                .map(|state| module.tasks.get(state).copied().unwrap_or_default().to_string()),
        );
        row.push(age(status.now, module.oldest_ready));
        table.rows.push(row);
    }
    table
}

fn runs(runner: &Runner, now: Ms) -> String {
    match runner {
        Runner::Daemon { .. } => "daemon".to_owned(),
        Runner::Hung { beat, .. } => format!("hung {}", age(now, *beat)),
        Runner::Process { .. } => "by cron or hand".to_owned(),
        Runner::Nobody => "-".to_owned(),
    }
}

fn gateways(status: &Status) -> Table {
    let mut table = Table::new(
        &[
            "gateway",
            "gate",
            "module",
            "state",
            "until",
            "waiting",
            "oldest",
            "sent in 10 min",
            "last error",
        ],
        9,
    );
    for one in &status.gateways {
        let error = one
            .state
            .as_ref()
            .and_then(|state| state.last_error.as_ref())
            .map(|(at, text)| format!("{} ago: {text}", age(status.now, Some(*at))));
        table.rows.push(vec![
            one.gateway.name.clone(),
            one.gateway.gate.clone(),
            one.gateway.module.to_string(),
            one.word.to_owned(),
            until_of(one),
            one.waiting.to_string(),
            age(status.now, one.oldest),
            one.sent_in_10_min.to_string(),
            error.unwrap_or_default(),
        ]);
    }
    table
}

/// When a held gateway is released or tried again, or one that is open gets messages again.
fn until_of(one: &GatewayStatus) -> String {
    if let (Some(until), "open") = (one.rests_until, one.word) {
        return when::rest(until);
    }
    let is_shut = matches!(one.word, "held" | "down");
    let state = one.state.as_ref().filter(|_| is_shut);
    state.and_then(|state| state.next_probe).map(when::shown).unwrap_or_default()
}

fn age(now: Ms, since: Option<Ms>) -> String {
    since.map(|since| when::distance(now.since(since).max(0))).unwrap_or_default()
}

fn json(status: &Status) -> serde_json::Value {
    let findings: Vec<_> = status
        .findings
        .iter()
        .map(|finding| {
            let severity = tone_of(finding).1;
            serde_json::json!({"severity": severity, "code": finding.code, "text": finding.text, "cure": finding.cure})
        })
        .collect();
    serde_json::json!({
        "paused": status.paused.is_some(),
        "modules": output::json_rows(&modules(status)),
        "gateways": output::json_rows(&gateways(status)),
        "urgent": urgent_json(status),
        "findings": findings,
    })
}

/// Prometheus text format 0.0.4.
fn metrics(status: &Status) -> String {
    let mut text = String::new();
    let paused = i32::from(status.paused.is_some());
    let _ = writeln!(
        text,
        "# TYPE gatepost_paused gauge\ngatepost_paused {paused}\n# TYPE gatepost_tasks gauge"
    );
    for module in &status.modules {
        for state in State::ALL {
            let count = module.tasks.get(&state).copied().unwrap_or_default();
            let _ = writeln!(
                text,
                "gatepost_tasks{{module=\"{}\",state=\"{state}\"}} {count}",
                label(&module.name)
            );
        }
    }
    text.push_str("# TYPE gatepost_oldest_ready_seconds gauge\n");
    for module in &status.modules {
        let seconds = module.oldest_ready.map_or(0, |since| status.now.since(since).max(0) / 1_000);
        let _ = writeln!(
            text,
            "gatepost_oldest_ready_seconds{{module=\"{}\"}} {seconds}",
            label(&module.name)
        );
    }
    text.push_str("# TYPE gatepost_gateway_open gauge\n# TYPE gatepost_gateway_waiting gauge\n# TYPE gatepost_gateway_sent_10m gauge\n");
    for one in &status.gateways {
        let name = label(&one.gateway.name);
        let open = i32::from(one.word == "open");
        let _ = writeln!(text, "gatepost_gateway_open{{gateway=\"{name}\"}} {open}");
        let _ = writeln!(text, "gatepost_gateway_waiting{{gateway=\"{name}\"}} {}", one.waiting);
        let _ = writeln!(
            text,
            "gatepost_gateway_sent_10m{{gateway=\"{name}\"}} {}",
            one.sent_in_10_min
        );
    }
    text.push_str(&urgent_metrics(status));
    let _ = writeln!(
        text,
        "# TYPE gatepost_findings gauge\ngatepost_findings {}",
        status.findings.len()
    );
    text
}

fn urgent_metrics(status: &Status) -> String {
    let urgent = &status.urgent;
    let oldest_ms = urgent.oldest.map_or(0, |since| status.now.since(since).max(0));
    let mut text = format!(
        "# TYPE gatepost_urgent_oldest_seconds gauge\ngatepost_urgent_oldest_seconds {}.{:03}\n\
         # TYPE gatepost_urgent_messages gauge\n# TYPE gatepost_urgent_within gauge\n",
        oldest_ms / 1_000,
        oldest_ms % 1_000
    );
    for (span, prompt) in [("1h", urgent.hour), ("1d", urgent.day)] {
        let _ = writeln!(text, "gatepost_urgent_messages{{span=\"{span}\"}} {}", prompt.messages);
        for (seconds, count) in [("1", prompt.within_1_s), ("10", prompt.within_10_s)] {
            let within = format!("span=\"{span}\",seconds=\"{seconds}\"");
            let _ = writeln!(text, "gatepost_urgent_within{{{within}}} {count}");
        }
    }
    text
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

//! Turns what was seen into findings, each with its cure.

use crate::context::Context;
use crate::descriptions::descriptions;
use crate::locks::Runner;
use crate::status::{
    Finding, GatewayStatus, ModuleStatus, REFUSED_ROWS, Seen, Severity, URGENT_MS, serves,
    worker_of,
};
use crate::when::{distance, shown};
use config::{Config, Vault, refuse_if_writable_by_others};
use host::Listed;
use notice::{ModuleName, Ms, ProjectId, State};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use store::{Condition, Count, Urgent};
use wire::form::Form;
use wire::params::read_xmlparams;

/// Ready rows may wait that long for cron's next minute before a missing worker is a finding.
const PATIENCE_MS: i64 = 120_000;

/// Every code a finding may have; `docs/findings.md` has a place for each, and a test sees to it.
pub const FINDING_CODES: &[&str] = &[
    "paused",
    "daemon_hung",
    "daemon_missing",
    "module_broken",
    "no_gateway",
    "gateway_held",
    "gateway_down",
    "gate_broken",
    "gateway_untested",
    "urgent_late",
    "oldest_ready",
    "asked",
    "failed",
    "refused",
    "secret_key",
    "secret_lost",
    "writable",
    "description_broken",
    "handler_broken",
    "plugin_broken",
    "api_listen",
    "secret_unsealed",
    "database_mode",
];

fn warning(code: &'static str, text: String, cure: impl Into<String>) -> Finding {
    debug_assert!(FINDING_CODES.contains(&code), "{code} is in no list");
    Finding { severity: Severity::Warning, code, text, cure: cure.into() }
}

pub(crate) fn critical(code: &'static str, text: String, cure: impl Into<String>) -> Finding {
    Finding { severity: Severity::Critical, ..warning(code, text, cure) }
}

/// Findings about the queue, its workers and its gateways. Pure.
pub(crate) fn of_seen(seen: &Seen, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(of_pause(seen, config));
    for module in &seen.modules {
        findings.extend(of_runner(module, seen));
        findings.extend(of_program(module));
    }
    findings.extend(seen.counts.iter().filter_map(|count| no_gateway(count, seen, config)));
    for status in &seen.gateways {
        let broken = of_gate(status, seen);
        // a program that is not there reaches nothing: one reason, not two
        if broken.is_none() || !is_down(status) {
            findings.extend(of_condition(status, seen));
        }
        findings.extend(broken);
        findings.extend(never_tested(status, seen));
    }
    findings.extend(urgent_late(seen, config));
    findings.extend(too_old(seen, config));
    findings.extend(waits_for_a_person(seen, State::Asked));
    findings.extend(waits_for_a_person(seen, State::Failed));
    findings.extend(refused(seen));
    findings
}

fn of_pause(seen: &Seen, config: &Config) -> Option<Finding> {
    let pause = seen.paused.as_ref()?;
    let age = pause.since.map_or(0, |since| seen.now.since(since));
    let reason =
        if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
    let until = pause.until.map(|until| format!(", until {}", ahead(until, seen.now)));
    let until = until.unwrap_or_default();
    let text = format!(
        "the queue is paused for {}{until} by `{}`{reason}; only tasks marked for it go out",
        distance(age),
        pause.file.display()
    );
    let finding = warning("paused", text, "gatepost resume");
    let severity = if age > milliseconds(config.status.pause_warning) {
        Severity::Critical
    } else {
        finding.severity
    };
    Some(Finding { severity, ..finding })
}

/// `2026-11-22T00:26:40Z (2 h more)`.
fn ahead(until: Ms, now: Ms) -> String {
    format!("{} ({} more)", shown(until), distance(until.since(now)))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn of_runner(module: &ModuleStatus, seen: &Seen) -> Option<Finding> {
    let name = &module.name;
    match &module.runner {
        Runner::Daemon { .. } | Runner::Process { .. } => None,
        Runner::Hung { pid, .. } => Some(critical(
            "daemon_hung",
            format!(
                "the daemon of {name} holds its lock but gives no sign of life{}",
                pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
            ),
            "systemctl restart gatepostd",
        )),
        Runner::Nobody => {
            // Cron's worker leaves no trace between its minutes: only what could go out counts.
            let ready = seen.counts.iter().filter(|count| count.state == State::Ready);
            let own = ready.filter(|count| count.module == *name && could_go_out(count, seen));
            let oldest = own.map(|count| count.oldest).min().filter(|_| seen.paused.is_none())?;
            let waits = seen.now.since(oldest);
            (waits > PATIENCE_MS).then(|| {
                critical(
                    "daemon_missing",
                    format!(
                        "nobody delivers for {name}: its oldest task waits for {}",
                        distance(waits)
                    ),
                    format!(
                        "systemctl start gatepostd (or run notify/{} --command process from cron)",
                        worker_of(name, &seen.counts)
                    ),
                )
            })
        }
    }
}

/// True when a gateway is open for these rows, or when none is configured for them at all.
fn could_go_out(count: &Count, seen: &Seen) -> bool {
    let mut served =
        seen.gateways.iter().filter(|status| serves(&status.gateway, count)).peekable();
    served.peek().is_none() || served.any(|status| status.word == "open")
}

fn of_program(module: &ModuleStatus) -> Option<Finding> {
    let reason = module.broken.as_ref()?;
    let name = &module.name;
    let text = format!("notify/{name} can't be used: {reason}");
    let cure = format!("notify/{name} --command features");
    let waits = module.oldest_ready.is_some();
    Some(if waits {
        critical("module_broken", text, cure)
    } else {
        warning("module_broken", text, cure)
    })
}

/// Ready rows of a project that has no active gateway for their module. Mail without any goes by sendmail, if that can
/// be run.
fn no_gateway(count: &Count, seen: &Seen, config: &Config) -> Option<Finding> {
    let project = count.route.project_id()?;
    let served = seen.gateways.iter().filter(|status| serves(&status.gateway, count));
    let active = served.clone().any(|status| status.gateway.active);
    let has_none = served.count() == 0;
    let is_mail = count.module == ModuleName::EMAIL;
    let takes_none =
        has_none && (count.module == ModuleName::INTERNAL || is_mail && seen.has_sendmail);
    if count.state != State::Ready || active || takes_none || takes_own_rows(count, seen) {
        return None;
    }
    let known = seen.projects.iter().find(|one| one.id == project);
    let name = known.map(|project| project.fields.text("name")).unwrap_or_default();
    let sendmail = match (is_mail, has_none) {
        (true, true) => {
            format!(", and ntemail.sendmail ({}) can't be run", config.ntemail.sendmail)
        }
        (true | false, _) => String::new(),
    };
    Some(critical(
        "no_gateway",
        format!(
            "project {project} {name} has no active gateway for {}{sendmail}: {} there",
            count.module,
            tasks_wait(count.tasks)
        ),
        cure_of_no_gateway(count, (project, seen)),
    ))
}

/// `1 task waits`, `5 tasks wait`.
fn tasks_wait(count: u64) -> String {
    if count == 1 { "1 task waits".to_owned() } else { format!("{count} tasks wait") }
}

/// A command that can be typed as it stands: the gateway that is off, else a gate for it, else what makes one.
fn cure_of_no_gateway(count: &Count, (project, seen): (ProjectId, &Seen)) -> String {
    if let Some(off) = seen.gateways.iter().find(|status| serves(&status.gateway, count)) {
        return format!("gatepost gateway edit {} active=on", off.gateway.id);
    }
    match fitting_gate(&count.module, seen) {
        Some(gate) => {
            format!("gatepost gateway add {gate} project={project} notify_module={}", count.module)
        }
        None => "gatepost gate list".to_owned(),
    }
}

/// The gate to name for a module: the usual one, else one that says it is of this module, else one that serves any;
/// one that sends to nobody comes last.
fn fitting_gate<'a>(module: &str, seen: &'a Seen) -> Option<&'a str> {
    const USUAL: [(&str, &str); 2] = [(ModuleName::EMAIL, "gwsmtp"), (ModuleName::SMS, "gwhttp")];
    const TO_NOBODY: &str = "gwfile";
    let rank = |gate: &'a Listed| {
        let features = gate.features.as_ref().ok().filter(|known| known.has("outgoing"))?;
        let rank = match features.notify_module.as_deref().unwrap_or_default() {
            own if !own.is_empty() && own != module => return None,
            _ if gate.name == TO_NOBODY => 3,
            "" => 2,
            _ if USUAL.contains(&(module, gate.name.as_str())) => 0,
            _ => 1,
        };
        Some((rank, gate.name.as_str()))
    };
    seen.gates.iter().filter_map(rank).min().map(|(_, name)| name)
}

/// A foreign module's rows need no gateway of ours.
fn takes_own_rows(count: &Count, seen: &Seen) -> bool {
    let standard = [ModuleName::EMAIL, ModuleName::SMS, ModuleName::INTERNAL];
    !standard.contains(&count.module.as_str())
        && !seen.gateways.iter().any(|status| status.gateway.module.as_str() == count.module)
}

fn of_condition(status: &GatewayStatus, seen: &Seen) -> Option<Finding> {
    let state = status.state.as_ref().filter(|_| status.gateway.active)?;
    let (code, word, reason, cure) = match &state.condition {
        Condition::Open => return None,
        Condition::Held { reason, by_person: true } => {
            ("gateway_held", "is held by a person", reason, "release")
        }
        Condition::Held { reason, by_person: false } => ("gateway_held", "is held", reason, "test"),
        Condition::Down { reason } => ("gateway_down", "can't be reached", reason, "test"),
    };
    let id = status.gateway.id;
    let by_person = cure == "release";
    let end = state.next_probe.map(|at| match at > seen.now {
        true if by_person => format!(", until {}", ahead(at, seen.now)),
        true => format!(", tried again {}", ahead(at, seen.now)),
        false if by_person => ", its time is over: a worker opens it".to_owned(),
        false => ", its next try is due, a worker makes it".to_owned(),
    });
    let text = format!(
        "gateway {id} {} {word} for {}{}: {reason}{}",
        status.gateway.name,
        distance(seen.now.since(state.since)),
        end.unwrap_or_default(),
        if status.waiting > 0 {
            format!("; {}", tasks_wait(status.waiting))
        } else {
            String::new()
        }
    );
    let cure = format!("gatepost gateway {cure} {id}");
    Some(if is_alone(status, seen) {
        critical(code, text, cure)
    } else {
        warning(code, text, cure)
    })
}

fn is_down(status: &GatewayStatus) -> bool {
    let condition = status.state.as_ref().map(|state| &state.condition);
    matches!(condition, Some(Condition::Down { .. } | Condition::Held { by_person: false, .. }))
}

/// True when rows wait that no other gateway can take now.
fn is_alone(status: &GatewayStatus, seen: &Seen) -> bool {
    let ready = seen.counts.iter().filter(|count| count.state == State::Ready);
    ready.filter(|count| serves(&status.gateway, count)).any(|count| {
        !seen.gateways.iter().any(|other| other.word == "open" && serves(&other.gateway, count))
    })
}

fn of_gate(status: &GatewayStatus, seen: &Seen) -> Option<Finding> {
    let gateway = &status.gateway;
    let listed = seen.gates.iter().find(|gate| gate.name == gateway.gate);
    let (reason, cure) = match listed {
        None => ("it is not there".to_owned(), "gatepost gate list".to_owned()),
        Some(gate) => {
            (gate.features.clone().err()?, format!("gatepost gate test gate/{}", gateway.gate))
        }
    };
    gateway.active.then(|| {
        let gate = &gateway.gate;
        let text = format!("gate/{gate} of gateway {} can't be used: {reason}", gateway.id);
        critical("gate_broken", text, cure)
    })
}

fn never_tested(status: &GatewayStatus, seen: &Seen) -> Option<Finding> {
    let id = status.gateway.id;
    let known = seen.tested.contains(&id) || status.sent_in_10_min > 0 || !status.gateway.active;
    (!known).then(|| {
        warning(
            "gateway_untested",
            format!("gateway {id} {} was never tested", status.gateway.name),
            format!("gatepost gateway test {id}"),
        )
    })
}

/// The urgent task that waits longest of those that could go out.
fn urgent_late(seen: &Seen, config: &Config) -> Option<Finding> {
    let could_go = |(module, urgent): &&(String, Urgent)| {
        let is_its = |count: &&Count| {
            count.state == State::Ready && count.module == *module && count.route == urgent.route
        };
        let count = seen.counts.iter().find(is_its);
        count.is_some_and(|count| {
            could_go_out(count, seen) && no_gateway(count, seen, config).is_none()
        })
    };
    let late = seen.urgent.iter().filter(could_go).min_by_key(|(_, urgent)| urgent.ready);
    let (module, urgent) = late.filter(|_| seen.paused.is_none())?;
    let age = seen.now.since(urgent.ready);
    (age > URGENT_MS).then(|| {
        let text = format!("an urgent task of {module} waits for {}", distance(age));
        warning("urgent_late", text, format!("gatepost why {}", urgent.task))
    })
}

fn too_old(seen: &Seen, config: &Config) -> Option<Finding> {
    let oldest = seen.modules.iter().filter_map(|module| module.oldest_ready).min()?;
    let age: i64 = seen.now.since(oldest);
    let limit = milliseconds(config.status.waiting_warning);
    let cure = seen.oldest.as_ref().map_or_else(
        || "gatepost queue --state ready".to_owned(),
        |row| format!("gatepost why {}", row.id),
    );
    (age > limit && seen.paused.is_none()).then(|| {
        warning("oldest_ready", format!("the oldest ready task waits for {}", distance(age)), cure)
    })
}

fn waits_for_a_person(seen: &Seen, state: State) -> Option<Finding> {
    let counts = seen.counts.iter().filter(|count| count.state == state);
    let tasks: u64 = counts.map(|count| count.tasks).sum();
    let (code, text) = match state {
        State::Asked => (
            "asked",
            format!("{} for a person: nobody knows whether they were sent", tasks_wait(tasks)),
        ),
        _ => (
            "failed",
            if tasks == 1 { "1 task failed".to_owned() } else { format!("{tasks} tasks failed") },
        ),
    };
    (tasks > 0).then(|| warning(code, text, format!("gatepost queue --state {state}")))
}

/// What left the queue unsent because no gate could be asked: a wrong number, a blocked contact, no text.
fn refused(seen: &Seen) -> Option<Finding> {
    let last = seen.refused.first()?;
    let log = &last.row;
    let notice = log.notice.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let contact = log.contact.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
    let count = match seen.refused.len() {
        1 => "1 message was".to_owned(),
        many if many >= REFUSED_ROWS as usize => format!("{many} messages or more were"),
        several => format!("{several} messages were"),
    };
    let text = format!(
        "{count} refused within the hour without asking a gate, the last: task {}{notice}{contact}: {}",
        log.task, log.reason
    );
    Some(warning("refused", text, format!("gatepost why {}", log.task)))
}

/// Findings about files: the key, the database, who may write, descriptions, secrets that lie open.
pub(crate) fn of_files(context: &Context<'_>, gateways: &[GatewayStatus]) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(Vault::load(context.root).err().map(|error| {
        let text = error.to_string();
        let cure = if text.contains("read by others") {
            "chmod 600 etc/secret.key"
        } else if text.contains("missing") {
            "restore etc/secret.key from the backup; if there is none: gatepost init --new-key"
        } else {
            "restore etc/secret.key from the backup; if there is none: mv etc/secret.key etc/secret.key.bad, then gatepost init --new-key"
        };
        critical("secret_key", text, cure)
    }));
    if let Err(error) = refuse_if_writable_by_others(context.root) {
        findings.push(critical("writable", error.to_string(), "gatepost check"));
    }
    findings.extend(open_database(context));
    let (known, wrong) = descriptions(context.root, context.config);
    findings.extend(wrong.into_iter().map(|reason| {
        warning(
            "description_broken",
            format!("a description can't be read: {reason}"),
            "gatepost check",
        )
    }));
    findings.extend(
        crate::handlers::broken(context.root, context.config)
            .into_iter()
            .map(|text| warning("handler_broken", text, "gatepost handler list")),
    );
    findings.extend(crate::plugins::reports::broken(context.root).into_iter().map(
        |(name, standing)| {
            let cure = format!("gatepost plugin load {name}");
            warning("plugin_broken", format!("plugin `{name}` is {standing}"), cure)
        },
    ));
    findings.extend(crate::listening::trouble(context.root, context.config).map(|reason| {
        let text = format!(
            "gatepostd can't listen at `{}`: {reason}; its socket works all the same",
            context.config.api.listen
        );
        warning("api_listen", text, "gatepost config set api.listen ADDRESS:PORT")
    }));
    for status in gateways {
        let names = [
            format!("gateway.{}", status.gateway.module),
            format!("gateway.{}", status.gateway.gate),
        ];
        let forms = names.iter().filter_map(|name| known.metadata(name)).map(Form::read);
        let public = read_xmlparams(&status.gateway.xmlparams).unwrap_or_default();
        for form in forms {
            let open = form.secret_names().into_iter().find(|name| !public.text(name).is_empty());
            findings.extend(open.map(|name| unsealed(status, name)));
        }
    }
    findings
}

fn unsealed(status: &GatewayStatus, field: &str) -> Finding {
    let id = status.gateway.id;
    critical(
        "secret_unsealed",
        format!(
            "the secret `{field}` of gateway {id} {} lies open in the database",
            status.gateway.name
        ),
        format!("gatepost gateway edit {id}"),
    )
}

/// 0660 is for foreign producers of the group; anything for others is too much.
fn open_database(context: &Context<'_>) -> Option<Finding> {
    const OTHERS: u32 = 0o007;
    let name = context.config.database.strip_prefix("sqlite:")?;
    let path = context.root.path(name);
    let mode = path.metadata().ok()?.mode();
    (mode & OTHERS != 0).then(|| {
        critical(
            "database_mode",
            format!("`{}` is open to everybody (mode {:o})", path.display(), mode & 0o777),
            format!("chmod o= {}", path.display()),
        )
    })
}

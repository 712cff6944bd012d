//! The four doors as one product, in eight steps: a gate, event handlers, provisioning, services over ssh, plugins,
//! incoming mail, and the pause. The suite and `cargo xtask demo platform` go through the same steps. The documents'
//! own programs run unchanged where they are present, programs of ours with the same behaviour where they are not.

mod programs;
mod receiver;
mod steps;

use crate::host::{Host, Running, wait_until};
use crate::http_sink::{HttpSink, Reply, Request};
use crate::sshd::Sshd;
use crate::tools::comes_true;
use programs::{GWIN, GWIN_FORM, HANDLERS, SKIP, text_of};
use receiver::Receiver;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Nothing here takes longer, on a busy machine either.
const LONG: Duration = Duration::from_secs(90);

/// One of the eight.
pub struct Step {
    /// What is done, in one line.
    pub title: &'static str,
    act: fn(&mut Scenario) -> String,
}

/// The eight, in their order.
pub const STEPS: [Step; 8] = [
    Step {
        title: "a gateway: its gate tunes the form and checks the connection, then it is saved",
        act: steps::the_gateway_is_saved_after_its_check,
    },
    Step {
        title: "a new user: an event handler runs, a URL is told, the user gets his notice",
        act: steps::a_new_user_runs_handlers_and_gets_his_notice,
    },
    Step {
        title: "an activation that a before handler skips",
        act: steps::an_activation_is_skipped_by_its_handler,
    },
    Step {
        title: "a service: opened, suspended, resumed, closed by shell scripts on its server",
        act: steps::a_service_goes_through_its_life,
    },
    Step {
        title: "plugins: who may go to lunch, and who gets staff notices then",
        act: steps::plugins_decide_on_agents,
    },
    Step {
        title: "incoming mail is counted by user name; a plugin turns names into ids",
        act: steps::incoming_mail_is_counted_by_name_and_kept_by_id,
    },
    Step {
        title: "a middleware forbids the deletion of users until it is unloaded",
        act: steps::a_middleware_forbids_until_it_is_unloaded,
    },
    Step {
        title: "the pause: a DoNothing file holds every task but the forced one",
        act: steps::the_pause_holds_all_but_the_forced,
    },
];

/// The installation the steps are played on, with everything around it. A step that goes wrong panics with the reason.
pub struct Scenario {
    host: Host,
    sms: HttpSink,
    receiver: Receiver,
    /// None where only root could start one: the scripts run on this host then.
    sshd: Option<Sshd>,
    daemon: Option<Running>,
    proxied: String,
    stubs: PathBuf,
}

impl Scenario {
    /// Everything around it is started, `gatepost init` has run on the host.
    pub fn new(host: Host) -> Self {
        let sms =
            HttpSink::start(|_: &Request| Reply::ok("<RESPONSE><status>0</status></RESPONSE>"));
        let stubs = host.path("stubs");
        let proxied = sms.url("");
        let (receiver, sshd) = (Receiver::start(), Sshd::start());
        let scenario = Self { host, sms, receiver, sshd, daemon: None, proxied, stubs };
        scenario.settle_at(9);
        scenario.lay_out();
        scenario
    }

    /// Goes through one step; the steps build on each other. What was seen, in a line.
    pub fn play(&mut self, step: &Step) -> String {
        (step.act)(self)
    }

    /// Ends the daemon gently.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.signal("TERM");
        assert_eq!(daemon.wait(LONG), Some(0), "{}", self.log());
    }

    /// What is around it, in a line.
    pub fn around(&self) -> String {
        let ssh = match &self.sshd {
            Some(sshd) => format!("sshd on port {}", sshd.port),
            None => "no sshd (root starts one): services on this host".to_owned(),
        };
        format!("sms service at {}; events go to {}; {ssh}", self.proxied, self.receiver.name())
    }

    /// Settings under which it is that hour for every program we start.
    fn settle_at(&self, hour: i64) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let ahead = hour - i64::try_from(since.as_secs() / 3_600 % 24).unwrap();
        let settings = format!(
            "[gate]\npath = \"{}:/usr/local/bin:/usr/bin:/bin\"\n\
             [gate.env]\nTZ = \"XXX{}\"\nHTTP_PROXY = \"{proxy}\"\nhttp_proxy = \"{proxy}\"\n\
             [daemon]\ngetmessage_secs = 1\n",
            self.stubs.display(),
            -ahead,
            proxy = self.proxied
        );
        self.host.write("etc/gatepost.toml", settings);
    }

    fn lay_out(&self) {
        let host = &self.host;
        host.program("stubs/smbpasswd", "#!/bin/sh\n(echo \"$@\"; cat) >> var/smbpasswd.log\n");
        for (name, place) in [("samba.pl", "addon/samba.pl"), ("test.py", "addon/test.py")] {
            host.program(place, &text_of(&format!("event-handlers/{name}")));
        }
        host.write("etc/xml/billmgr_mod_samba.xml", HANDLERS);
        host.write("etc/xml/billmgr_mod_test.xml", SKIP);
        host.program("gate/gwin", GWIN);
        host.write("etc/xml/gatepost_mod_gwin.xml", GWIN_FORM);
        // the shipped texts, by sms alone
        host.write(
            "templates/registration/notice.toml",
            "modules = [\"ntsms\"]\nevent = \"clients.create\"\n",
        );
        host.write("templates/ready/en.ntsms.text.ejs", "Your service is ready");
        host.write(
            "templates/ready/notice.toml",
            "modules = [\"ntsms\"]\nevent = \"clients.subscriptions.activate\"\n",
        );
        host.write("templates/tell/en.ntinternal.text.ejs", "Somebody new");
        host.write(
            "templates/tell/notice.toml",
            "modules = [\"ntinternal\"]\nevent = \"clients.create\"\naudience = \"staff\"\n",
        );
    }

    fn start(&mut self) {
        self.daemon = Some(self.host.start("bin/gatepostd", &[]));
        let socket = self.host.path("var/run/api.sock");
        wait_until(LONG, "the daemon takes calls", || UnixStream::connect(&socket).is_ok());
    }

    /// Calls a function as the ancestor's tool does.
    fn call(&self, words: &[&str]) -> String {
        let all = [&["-m", "billmgr"], words].concat();
        self.host.run("sbin/mgrctl", &all).ended(0).stdout
    }

    /// The words of the refusal.
    fn refused(&self, words: &[&str]) -> String {
        let all = [&["-m", "billmgr"], words].concat();
        let ran = self.host.run("sbin/mgrctl", &all);
        assert_ne!(ran.code, Some(0), "{words:?}: {}", ran.stdout);
        ran.stderr
    }

    fn log(&self) -> String {
        self.host.read("var/gatepost.log")
    }

    /// Text messages the service got.
    fn sent(&self) -> usize {
        let requests = self.sms.requests();
        requests.iter().filter(|one| one.body.contains("<operation>SEND</operation>")).count()
    }

    fn deliveries(&self, event: &str) -> String {
        self.host.sql(&format!(
            "SELECT count(*) FROM notifylog JOIN event ON notifylog.notice=event.events_id \
             WHERE module='nthandler' AND outcome='sent' AND notice='{event}'"
        ))
    }

    fn wait_for(&self, what: &str, is_so: impl FnMut() -> bool) {
        let came = comes_true(LONG, is_so);
        assert!(came, "{what}: not so; the log:\n{}", self.log());
    }
}

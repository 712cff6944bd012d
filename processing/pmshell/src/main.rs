//! pmshell - processes services by shell scripts on a server, over ssh
//!
//! SYNOPSIS
//!     pmshell --command features|check_connection|open|suspend|resume|close|setparam
//!
//! The scripts stand in one folder of the server: open.sh, suspend.sh, resume.sh and close.sh; without
//! setparam.sh nobody changes the parameters of a service. They are run as root.
//!
//! FIELDS
//!     transport      ssh (default), or local: this host, as the account Gatepost runs as
//!     ip             address or name of the server
//!     port           default 22
//!     root_password  on: root logs in by the password below; off: by our key, and what
//!                    `gatepost processing key` prints stands in /root/.ssh/authorized_keys
//!     password       of root
//!     path           folder of the scripts, absolute
//!     timeout_secs   a script's time; default 570
//!
//! ARGUMENTS OF THE SCRIPTS
//!     open      --ADDON=value … --PARAM=value … --user=NAME --password=PASSWORD
//!     setparam  --ADDON=value … --PARAM=value … --id=ID --user=NAME
//!     others    --id=ID --user=NAME
//!
//! A script ends with exit code 0 and prints a line that begins with OK (Latin letters). The line of
//! open.sh goes on with what is to be kept: OK --id=ID --name=value … The id is given back later.
//!
//! OUTCOMES
//!     the server is not reached, or does not let us in   later, no attempt spent: nothing has happened
//!     exit code but 0, no OK line; open: OK without id   open: never; the others: later
//!     a script is missing, or (transport local) others
//!     may write it or its folder; a service without id   never
//!     fields that make no sense                          hold
//!     the connection was lost, the time was up, or
//!     SIGTERM came, after the script's line had been
//!     written                                            unknown: a person is asked
//!
//! SIGTERM, SIGINT and SIGHUP end ssh, or the local script with all it has started, and are answered as above.

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

mod command;
mod order;
mod reply;
mod server;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main(include_str!("main.rs"))
}

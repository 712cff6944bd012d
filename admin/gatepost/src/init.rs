//! `gatepost init`: makes an installation. Safe to run again: what is there is left, what is missing is made.

use crate::arguments::Init;
use crate::failure::{Failure, Result, code};
use crate::output;
use crate::sealed;
use crate::session::Session;
use config::{Config, Root, Vault};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

/// Folders that only the owner writes.
const FOLDERS: [&str; 10] = [
    "etc",
    "etc/xml",
    "etc/sql",
    "templates",
    "notify",
    "gate",
    "processing",
    "addon",
    "plugins",
    "share",
];

/// Folders that members of the submit group may write, with their modes: they queue tasks and drop queue files.
/// Set-group-id: what is made inside belongs to the group. Sticky where files are dropped: they are their writer's
/// and ours. `var` itself can't be sticky (decision 0012).
const SHARED: [(&str, u32); 3] = [("var", 0o2770), ("var/notify", 0o3770), ("var/attach", 0o3770)];

/// Locks, notes of hand-overs, wake sockets: nobody's but the owner's. The group may go through `var/run` to
/// the daemon's socket, and see nothing else there. Writers of another uid are noticed by the database file itself.
const OWN: [(&str, u32); 2] = [("var/run", 0o2710), ("var/run/wake", 0o700)];

const SETTINGS: &str = "\
# What differs from the defaults. The defaults, with a comment for each key, stand in share/etc/gatepost.toml;
# `gatepost config list --show-origin` says what is in force and why.
";

/// Makes the installation and says what to do next.
pub(crate) fn run(argument: Option<&Path>, init: &Init) -> Result<ExitCode> {
    let root = place(argument)?;
    if let Some(prefix) = &init.mgr5 {
        // As whoever started us: the owner of var/ may not write there.
        link_prefix(prefix, &root)?;
    }
    if root.path("var").is_dir() {
        config::take_owner(&root)?;
    }
    let age = if root.is_made() && root.path("var").is_dir() { Age::Used } else { Age::New };
    make_folders(&root, init)?;
    make_settings(&root, init)?;
    let config = Config::load(&root)?;
    let order = if init.order == "strict" { store::Order::Strict } else { store::Order::Ageing };
    store::create(&config.database, &root.path("var"), order)?;
    make_key(&root, &config, init)?;
    if let Some(group) = &init.submit_group {
        give_database(&root, &config, group)?;
    }
    if init.demo {
        demo(&root)?;
    }
    next(&root, init, age)
}

/// Whether somebody has made this ROOT before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    New,
    Used,
}

/// Links the ancestor's prefix to ROOT. What stands there already is never touched.
fn link_prefix(prefix: &Path, root: &Root) -> Result<()> {
    if let Ok(there) = fs::read_link(prefix)
        && there == root.folder()
    {
        return Ok(());
    }
    if prefix.symlink_metadata().is_ok() {
        if fs::canonicalize(prefix)
            .is_ok_and(|real| fs::canonicalize(root.folder()).is_ok_and(|own| own == real))
        {
            return Ok(());
        }
        return Err(Failure::new(
            code::CANT_CREATE,
            format!(
                "`{}` is there already and is not this installation; nothing was changed. \
                 Programs that name it keep what they have",
                prefix.display()
            ),
        ));
    }
    std::os::unix::fs::symlink(root.folder(), prefix)
        .map_err(|error| cant("make the link", prefix, &error))
}

/// The folder that becomes ROOT: as everywhere, but the tree this program was installed in counts before it has `etc/`.
fn place(argument: Option<&Path>) -> Result<Root> {
    let root = Root::find(argument)?;
    if root.is_made() || argument.is_some() {
        return Ok(root);
    }
    let program = std::env::current_exe().ok();
    let around = program.as_deref().and_then(Path::parent).and_then(Path::parent);
    match around.filter(|folder| folder.join("share/etc/gatepost.toml").is_file()) {
        Some(folder) if !root.folder().join("share").is_dir() => Ok(Root::at(folder)?),
        _ => Ok(root),
    }
}

fn make_folders(root: &Root, init: &Init) -> Result<()> {
    for folder in FOLDERS {
        make(&root.path(folder), 0o755)?;
    }
    for (folder, wanted) in SHARED {
        let path = root.path(folder);
        let is_new = !path.is_dir();
        make(&path, wanted)?;
        if let Some(group) = &init.submit_group {
            give(&path, group)?;
        }
        if is_new || init.submit_group.is_some() {
            mode(&path, wanted)?;
        }
    }
    for (folder, its_mode) in OWN {
        make(&root.path(folder), its_mode)?;
        if let Some(group) = &init.submit_group {
            give(&root.path(folder), group)?;
        }
        mode(&root.path(folder), its_mode)?;
    }
    Ok(())
}

fn make(path: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| cant("make", path, &error))
}

fn mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| cant("set the mode of", path, &error))
}

fn give(path: &Path, group: &str) -> Result<()> {
    let id = config::group_id(group).ok_or_else(|| {
        Failure::new(
            code::USAGE,
            format!("there is no group `{group}`: `groupadd {group}` makes it"),
        )
    })?;
    std::os::unix::fs::chown(path, None, Some(id))
        .map_err(|error| cant("give to the group", path, &error))
}

/// A new database belongs to the group of its folder; one that was there before the group is given to it, with
/// what the engine keeps beside it.
fn give_database(root: &Root, config: &Config, group: &str) -> Result<()> {
    let database = config.database.trim_start_matches("sqlite:");
    for ending in ["", "-wal", "-shm"] {
        let path = root.path(format!("{database}{ending}"));
        if path.exists() {
            give(&path, group)?;
        }
    }
    Ok(())
}

fn make_settings(root: &Root, init: &Init) -> Result<()> {
    let path = root.path("etc/gatepost.toml");
    if path.exists() {
        return Ok(());
    }
    let mut text = SETTINGS.to_owned();
    if init.order == "strict" {
        text.push_str("\n[queue]\norder = \"strict\"\n");
    }
    fs::write(&path, text).map_err(|error| cant("write", &path, &error))?;
    mode(&path, 0o644)
}

/// A key, where there is none. One that is lost is never replaced unasked: what it sealed opens with no other.
fn make_key(root: &Root, config: &Config, init: &Init) -> Result<()> {
    if Vault::is_made(root) {
        return Ok(Vault::load(root).map(drop)?);
    }
    let mut store = store::open(&config.database, &root.path("var"))?;
    let sealed = store::read(&mut *store, sealed::find)?;
    if sealed.is_empty() {
        return Ok(Vault::create(root).map(drop)?);
    }
    if !init.new_key {
        return Err(Failure::new(code::CONFIG, sealed::refusal(&sealed)));
    }
    Vault::create(root)?;
    Ok(output::print(&sealed::farewell(&sealed))?)
}

/// A project, a user and a gateway that writes mail to a file: enough for a first `gatepost send`.
fn demo(root: &Root) -> Result<()> {
    let mut session = Session::open(Some(root.folder()), None)?;
    if session.ask("project", &[])?.rows().next().is_some() {
        return Ok(());
    }
    let project = [
        ("sok", "ok"),
        ("name", "Example"),
        ("notifyemail", "billing@example.com"),
        ("language", "en"),
    ];
    session.ask("project.edit", &project)?;
    let user = [
        ("sok", "ok"),
        ("quiet", "on"),
        ("project", "Example"),
        ("name", "jane"),
        ("realname", "Jane Doe"),
        ("email", "jane@example.com"),
        ("language", "en"),
    ];
    session.ask("user.edit", &user)?;
    let gateway = [
        ("sok", "ok"),
        ("name", "file"),
        ("gateway_module", "gwfile"),
        ("notify_module", "ntemail"),
        ("project", "Example"),
        ("folder", "var/mail"),
    ];
    session.ask("gateway.edit", &gateway)?;
    Ok(())
}

fn next(root: &Root, init: &Init, age: Age) -> Result<ExitCode> {
    let folder = root.folder().display();
    if age == Age::Used && !init.demo {
        output::print(&format!(
            "{folder} was made before: what was there is left, what was missing is made. `gatepost status` says how it is.\n"
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let steps = if init.demo {
        "bin/gatepost send registration --user jane@example.com
  notify/ntemail --command process
  cat var/mail/*"
    } else {
        "bin/gatepost project add name=NAME notifyemail=ADDRESS
  bin/gatepost gateway add gwsmtp
  bin/gatepost status"
    };
    output::print(&format!("{folder} is ready. Next:\n  cd {folder}\n  {steps}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn cant(operation: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(code::CANT_CREATE, format!("can't {operation} `{}`: {error}", path.display()))
}

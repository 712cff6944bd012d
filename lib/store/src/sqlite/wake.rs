//! Waiting for news (queue 3.9): a datagram from our own producers after their commit, inotify on the folder
//! for programs that know nothing of us.

use crate::{Result, StoreError, Wake, Woken};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, inotify};
use std::fs::{self, Permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// After a write to the WAL was seen it is looked again, in ms: the event comes before the commit is visible,
/// and an fsync may stand between the two.
const LOOKS_MS: [u64; 4] = [1, 8, 40, 200];

/// After a write was told of, further ones are not looked at for so long: the worker's own commits are among
/// them, hundreds a second while it delivers. The kernel keeps one event for all of them.
const QUIET: Duration = Duration::from_millis(40);

/// Wakers of one process.
const SOCKETS_LIMIT: u32 = 64;

/// A socket of its own in the wake folder, removed when it goes.
pub(super) struct Waker {
    socket: UnixDatagram,
    path: PathBuf,
    watch: Option<OwnedFd>,
    wal_name: Vec<u8>,
    /// Looks that are still to come after a write.
    looks: Vec<Instant>,
    /// Until then the watch is not read.
    quiet_until: Instant,
}

impl Waker {
    pub(super) fn new(database: &Path, folder: &Path) -> Result<Self> {
        let folder_of = database.parent().unwrap_or(Path::new("."));
        let mut wal_name = database.file_name().unwrap_or_default().as_bytes().to_vec();
        wal_name.extend_from_slice(b"-wal");
        let (socket, path) = listen(folder).map_err(|error| StoreError::Engine {
            operation: "listen for news",
            reason: format!("`{}`: {error}", folder.display()),
        })?;
        // Without inotify (no watches left) foreign writers are seen by the caller's poll alone.
        let watch = watch(folder_of).ok();
        let quiet_until = Instant::now();
        Ok(Self { socket, path, watch, wal_name, looks: Vec::new(), quiet_until })
    }

    /// Empties the socket; true if there was a datagram.
    fn was_poked(&self) -> bool {
        let mut buffer = [0; 8];
        let mut poked = false;
        while self.socket.recv(&mut buffer).is_ok() {
            poked = true;
        }
        poked
    }

    /// Reads the events; true if one is about the WAL.
    fn wal_was_written(&self) -> bool {
        let Some(watch) = &self.watch else { return false };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(watch, &mut buffer);
        let mut written = false;
        while let Ok(event) = events.next() {
            let overflown = event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
            let is_wal = event.file_name().is_some_and(|name| name.to_bytes() == self.wal_name);
            written |= is_wal || overflown;
        }
        written
    }

    /// Sleeps until something happens, at most until then; the watch may be left out.
    fn sleep_until(&self, until: Instant, watch: Option<&OwnedFd>) {
        let mut waiting = vec![PollFd::new(&self.socket, PollFlags::IN)];
        waiting.extend(watch.map(|watch| PollFd::new(watch, PollFlags::IN)));
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        // A signal ends the sleep early; the caller looks at the clock.
        let _ = poll(&mut waiting, Some(&timeout));
    }

    /// Takes the looks that are due; true if there was one.
    fn is_due(&mut self, now: Instant) -> bool {
        let before = self.looks.len();
        self.looks.retain(|look| *look > now);
        self.looks.len() < before
    }
}

impl Wake for Waker {
    fn wait(&mut self, at_most: Duration) -> Woken {
        let start = Instant::now();
        let end = start.checked_add(at_most).unwrap_or(start + Duration::from_hours(1));
        loop {
            if self.was_poked() {
                return Woken::News;
            }
            let now = Instant::now();
            let is_quiet = now < self.quiet_until;
            if !is_quiet && self.wal_was_written() {
                self.looks = LOOKS_MS.map(|ms| now + Duration::from_millis(ms)).to_vec();
                self.quiet_until = now + QUIET;
                continue;
            }
            if self.is_due(now) {
                return Woken::Stirred;
            }
            if now >= end {
                return Woken::Timeout;
            }
            let look = self.looks.iter().copied().min();
            let loud = is_quiet.then_some(self.quiet_until);
            let until = [look, loud].into_iter().flatten().min().map_or(end, |at| at.min(end));
            self.sleep_until(until, self.watch.as_ref().filter(|_| !is_quiet));
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // Left behind, it would be removed by the next producer.
        let _ = fs::remove_file(&self.path);
    }
}

fn listen(folder: &Path) -> std::io::Result<(UnixDatagram, PathBuf)> {
    fs::create_dir_all(folder)?;
    let (socket, path) = bind(folder)?;
    socket.set_nonblocking(true)?;
    // The submit group may wake us.
    fs::set_permissions(&path, Permissions::from_mode(0o660))?;
    Ok((socket, path))
}

/// The folder under a name that always fits into a socket's address (108 bytes), however deep it lies.
fn short_name(folder: &Path) -> std::io::Result<(OwnedFd, PathBuf)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty())?;
    let name = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    Ok((opened, name))
}

/// Takes the first name with our number that no living socket has.
fn bind(folder: &Path) -> std::io::Result<(UnixDatagram, PathBuf)> {
    let (_opened, short) = short_name(folder)?;
    for count in 0..SOCKETS_LIMIT {
        let name = format!("{}-{count}.sock", std::process::id());
        if UnixDatagram::unbound()?.connect(short.join(&name)).is_err() {
            // Nobody listens: there is none, or its process had our number and is dead.
            let _ = fs::remove_file(folder.join(&name));
            return Ok((UnixDatagram::bind(short.join(&name))?, folder.join(&name)));
        }
    }
    Err(std::io::Error::other("this process listens too often"))
}

fn watch(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let events = inotify::WatchFlags::MODIFY
        | inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::CREATE
        | inotify::WatchFlags::DELETE;
    inotify::add_watch(&watch, folder, events)?;
    Ok(watch)
}

/// A datagram to every worker that listens. Never fails: a full socket is awake already, a dead one is removed.
pub(super) fn wake_all(folder: &Path) {
    let Ok(sockets) = fs::read_dir(folder) else { return };
    let Ok(sender) = UnixDatagram::unbound() else { return };
    let Ok((_opened, short)) = short_name(folder) else { return };
    if sender.set_nonblocking(true).is_err() {
        return;
    }
    for path in sockets.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|extension| extension != "sock") {
            continue;
        }
        let sent = sender.send_to(b"1", short.join(path.file_name().unwrap_or_default()));
        if sent.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            let _ = fs::remove_file(&path);
        }
    }
}

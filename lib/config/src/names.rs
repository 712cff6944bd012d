//! Every environment name Gatepost reads, in one place.

/// ROOT, when no `--root` is given (DESIGN 1).
pub const ROOT: &str = "GATEPOST_ROOT";

/// Before the name of a key: `gate.outgoing_secs` is `GATEPOST_GATE_OUTGOING_SECS`.
pub const KEY_PREFIX: &str = "GATEPOST_";

/// The named point at which a debug build kills itself with SIGKILL (queue 4.4). Ignored by a release build.
pub const KILL_AT: &str = "GATEPOST_KILL_AT";

/// Set for before and after handlers: the functions they stand in, so that none is called again from inside
/// itself.
pub const WITHIN: &str = "GATEPOST_WITHIN";

/// Names with [`KEY_PREFIX`] that are no keys.
pub const NO_KEYS: [&str; 3] = [ROOT, KILL_AT, WITHIN];

/// What is handed on to the programs we start, where we have it ourselves (S3-69). PATH, HOME and
/// USER are not copied but made; every name that begins with [`LOCALE_PREFIX`] is copied too.
pub const HANDED_ON: [&str; 13] = [
    "LANG",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// Not empty: no colours, whatever the terminal can show (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// Names of the locale.
pub const LOCALE_PREFIX: &str = "LC_";

/// Set for every program we start: where programs are looked for.
pub const PATH: &str = "PATH";
/// Set for every program we start: home of the account it runs as.
pub const HOME: &str = "HOME";
/// Set for every program we start: name of the account it runs as.
pub const USER: &str = "USER";

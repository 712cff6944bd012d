//! What one message may use up.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Limits of one message; those of spec/templates.md unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of one template, milliseconds. EJS and Tera (from its first 64 KiB on) watch it themselves;
    /// XSLT can't. 1,000.
    pub cpu_ms: u64,
    /// Memory of an engine for one bundle, bytes. 32 MiB.
    pub memory_bytes: usize,
    /// Bytes of one rendered part. 4 MiB.
    pub output_bytes: usize,
    /// Bytes of JavaScript's stack. 256 KiB.
    pub stack_bytes: usize,
    /// Bytes of bundles and notices kept; past it the renderer is spent. 64 MiB.
    pub kept_bytes: usize,
    /// Templates compiled; past it the renderer is spent, for a failed compile of libxslt leaks a little. 2,000.
    pub compiles: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: 1_000,
            memory_bytes: 32 << 20,
            output_bytes: 4 << 20,
            stack_bytes: 256 << 10,
            kept_bytes: 64 << 20,
            compiles: 2_000,
        }
    }
}

/// Processor time this thread has used.
pub(crate) fn cpu_used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

pub(crate) fn too_long(cpu_ms: u64) -> String {
    format!("the template ran longer than {cpu_ms} ms of processor time")
}

pub(crate) fn too_large(output_bytes: usize) -> String {
    format!("the template wrote more than {output_bytes} bytes")
}

pub(crate) const TOO_MUCH_MEMORY: &str = "the template needs more memory than it may have";

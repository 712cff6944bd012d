//! The calls into the shim, and the two things it keeps alive.
#![expect(unsafe_code, reason = "libxslt is a C library; every call is listed here")]

use std::ffi::{CString, c_char, c_int, c_ulong, c_void};
use std::ptr::{NonNull, null};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use crate::fault::{Error, Said};
use crate::{File, Limits, Parameters};

#[repr(C)]
struct RawFile {
    name: *const c_char,
    text: *const c_char,
    length: usize,
}

#[repr(C)]
struct RawLimits {
    memory_bytes: usize,
    operations: c_ulong,
    template_depth: c_int,
}

#[repr(C)]
struct RawReport {
    refused_memory: c_int,
    line: c_int,
    file: [u8; 256],
    first: [u8; 1024],
    text: [u8; 4096],
    used: usize,
}

#[repr(C)]
struct RawParameters {
    user: *const c_char,
    user_length: usize,
    project: *const c_char,
    project_length: usize,
    lang: *const c_char,
}

unsafe extern "C" {
    fn gp_init();
    fn gp_compile(
        files: *const RawFile,
        count: usize,
        limits: *const RawLimits,
        report: *mut RawReport,
    ) -> *mut c_void;
    fn gp_free_stylesheet(stylesheet: *mut c_void);
    fn gp_parse(
        text: *const c_char,
        length: usize,
        limits: *const RawLimits,
        report: *mut RawReport,
    ) -> *mut c_void;
    fn gp_free_document(document: *mut c_void);
    fn gp_transform(
        stylesheet: *mut c_void,
        document: *mut c_void,
        parameters: *const RawParameters,
        limits: *const RawLimits,
        report: *mut RawReport,
        out: *mut *mut c_char,
        out_length: *mut c_int,
    ) -> c_int;
    fn gp_free_bytes(bytes: *mut c_char);
}

/// A compiled stylesheet with everything it includes.
#[derive(Debug)]
pub struct Stylesheet(NonNull<c_void>);

impl Stylesheet {
    /// Compiles the first file; the others are there for its includes and imports, by name.
    pub fn compile(files: &[File<'_>], limits: &Limits) -> Result<Self, Error> {
        let names: Vec<CString> =
            files.iter().map(|(name, _)| zero_terminated(name)).collect::<Result<_, _>>()?;
        let raw: Vec<RawFile> = files
            .iter()
            .zip(&names)
            .map(|((_, text), name)| RawFile {
                name: name.as_ptr(),
                text: text.as_ptr().cast(),
                length: text.len(),
            })
            .collect();
        if raw.is_empty() {
            return Err(Error::without_place("there is no stylesheet"));
        }
        let _turn = turn();
        let mut report = RawReport::empty();
        // SAFETY: the arrays, names and texts live until the call returns; the shim keeps none of them.
        let made = unsafe { gp_compile(raw.as_ptr(), raw.len(), &limits.raw(), &raw mut *report) };
        NonNull::new(made).map(Self).ok_or_else(|| report.error())
    }

    /// Applies the stylesheet. The text is UTF-8, whatever `xsl:output` asks for.
    pub fn apply(
        &self,
        document: &Document,
        parameters: &Parameters<'_>,
        limits: &Limits,
    ) -> Result<Vec<u8>, Error> {
        let lang = parameters.lang.map(zero_terminated).transpose()?;
        let raw = RawParameters {
            user: parameters.user.map_or(null(), |text| text.as_ptr().cast()),
            user_length: parameters.user.map_or(0, str::len),
            project: parameters.project.map_or(null(), |text| text.as_ptr().cast()),
            project_length: parameters.project.map_or(0, str::len),
            lang: lang.as_ref().map_or(null(), |text| text.as_ptr()),
        };
        let _turn = turn();
        let mut report = RawReport::empty();
        let mut out = std::ptr::null_mut();
        let mut length = 0;
        // SAFETY: both trees are alive and used by this thread alone (they are not Send); the texts outlive the call;
        // `out` and `length` are written before it returns.
        let good = unsafe {
            let (sheet, tree) = (self.0.as_ptr(), document.0.as_ptr());
            gp_transform(
                sheet,
                tree,
                &raw const raw,
                &limits.raw(),
                &raw mut *report,
                &raw mut out,
                &raw mut length,
            )
        };
        if good == 0 {
            return Err(report.error());
        }
        if out.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: the shim returned `length` bytes at `out`, ours to free once.
        let bytes = unsafe {
            let bytes =
                std::slice::from_raw_parts(out.cast::<u8>(), usize::try_from(length).unwrap_or(0))
                    .to_vec();
            gp_free_bytes(out);
            bytes
        };
        Ok(bytes)
    }
}

impl Drop for Stylesheet {
    fn drop(&mut self) {
        let _turn = turn();
        // SAFETY: made by gp_compile, freed once.
        unsafe { gp_free_stylesheet(self.0.as_ptr()) }
    }
}

/// A parsed document. A stylesheet with `xsl:strip-space` strips it in place, so one document serves one stylesheet.
#[derive(Debug)]
pub struct Document(NonNull<c_void>);

impl Document {
    /// Reads UTF-8 text (an encoding in its declaration is ignored). Depth 256, no DOCTYPE.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Error> {
        let _turn = turn();
        let mut report = RawReport::empty();
        // SAFETY: the text lives until the call returns.
        let made =
            unsafe { gp_parse(text.as_ptr().cast(), text.len(), &limits.raw(), &raw mut *report) };
        NonNull::new(made).map(Self).ok_or_else(|| report.error())
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        let _turn = turn();
        // SAFETY: made by gp_parse, freed once.
        unsafe { gp_free_document(self.0.as_ptr()) }
    }
}

/// libxml2's allocator and error handlers are global: one call at a time.
fn turn() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static INIT: Once = Once::new();
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: called once, under the lock, before any other call.
    INIT.call_once(|| unsafe { gp_init() });
    turn
}

fn zero_terminated(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::without_place("a name or language holds a zero byte"))
}

impl Limits {
    fn raw(&self) -> RawLimits {
        RawLimits {
            memory_bytes: self.memory_bytes,
            operations: self.operations,
            template_depth: self.template_depth.into(),
        }
    }
}

impl RawReport {
    fn empty() -> Box<Self> {
        Box::new(Self {
            refused_memory: 0,
            line: 0,
            file: [0; 256],
            first: [0; 1024],
            text: [0; 4096],
            used: 0,
        })
    }

    fn error(&self) -> Error {
        Error::of(&Said {
            refused_memory: self.refused_memory != 0,
            file: text_of(&self.file),
            line: u32::try_from(self.line).unwrap_or(0),
            first: text_of(&self.first),
            text: text_of(&self.text[..self.used.min(self.text.len())]),
        })
    }
}

fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

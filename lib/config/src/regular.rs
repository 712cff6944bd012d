//! Files of ROOT that are read whole: regular files, and nothing else. A pipe or a device in the place of one
//! would be waited for without end; it is refused, and so is a folder. Links are followed.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Nothing we read whole is longer.
const WHOLE_BYTES: u64 = 64 << 20;
/// Most are shorter, and are read at once.
const FIRST_BYTES: usize = 4_096;

/// Opens a regular file to read it, without waiting for anything else.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(refused("it is no regular file, but a folder, a pipe or a device"));
    }
    Ok(file)
}

/// A regular file of at most 64 MiB.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FIRST_BYTES);
    open_regular(path)?.take(WHOLE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > WHOLE_BYTES {
        return Err(refused("it is longer than 64 MiB"));
    }
    Ok(bytes)
}

/// The same as text.
pub fn read_regular_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_regular(path)?).map_err(|_| refused("it is no UTF-8 text"))
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, mkfifoat};
    use std::fs;

    #[test]
    fn only_a_regular_file_is_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::write(place("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", place("link")).unwrap();
        assert_eq!(read_regular_text(&place("file")).unwrap(), "text");
        assert_eq!(read_regular_text(&place("link")).unwrap(), "text");
        mkfifoat(CWD, place("pipe"), Mode::RWXU).unwrap();
        for other in [place("pipe"), folder.path().to_owned(), "/dev/zero".into()] {
            let error = read_regular(&other).unwrap_err();
            assert!(error.to_string().contains("no regular file"), "{error}");
        }
        assert_eq!(read_regular(&place("none")).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(place("file"), [0xff]).unwrap();
        assert!(read_regular_text(&place("file")).unwrap_err().to_string().contains("UTF-8"));
    }
}

//! The connection itself: plain to this machine, TLS to every other.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::trust::client_config;
use crate::{ChannelError, Security, Settings};

/// A connection to a server, with a time limit on every read and write. `TCP_NODELAY` is set: a
/// command must not wait for the answer to the one before.
pub struct Stream {
    line: Line,
    timeout: Duration,
    budget: Option<Budget>,
}

enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// What may still come in: bytes, and time.
struct Budget {
    bytes: u64,
    until: Instant,
}

/// Connects as the settings say. With [`Security::StartTls`] the stream is plain yet: say so to the
/// server and call [`Stream::secure`] before anything else.
pub fn connect(settings: &Settings) -> Result<Stream, ChannelError> {
    let unreached = |source| ChannelError::Unreached {
        host: settings.host.clone(),
        port: settings.port,
        source,
    };
    let addresses: Vec<SocketAddr> =
        (bare(&settings.host), settings.port).to_socket_addrs().map_err(unreached)?.collect();
    if settings.security == Security::None && !addresses.iter().all(|one| is_loopback(one.ip())) {
        return Err(ChannelError::PlainToOthers { host: settings.host.clone() });
    }
    let socket = first_that_answers(&addresses, settings.timeout).map_err(unreached)?;
    prepare(&socket, settings.timeout).map_err(unreached)?;
    let stream = Stream { line: Line::Plain(socket), timeout: settings.timeout, budget: None };
    match settings.security {
        Security::Tls => stream.secure(settings),
        Security::StartTls | Security::None => Ok(stream),
    }
}

fn first_that_answers(addresses: &[SocketAddr], timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn prepare(socket: &TcpStream, timeout: Duration) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))
}

/// An address in brackets is written without them for the resolver.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl Stream {
    /// The same connection under TLS. What the server sent before is not looked at: the caller makes
    /// sure that nothing is left unread of the plain part.
    pub fn secure(self, settings: &Settings) -> Result<Self, ChannelError> {
        let host = &settings.host;
        let tls = |problem: String| ChannelError::Tls { host: host.clone(), problem };
        let Line::Plain(mut socket) = self.line else { return Ok(self) };
        let name = ServerName::try_from(bare(host).to_owned())
            .map_err(|_| tls("the name fits no certificate".to_owned()))?;
        let config = client_config(settings.ca_file.as_deref())?;
        let mut session = ClientConnection::new(Arc::clone(&config), name)
            .map_err(|error| tls(error.to_string()))?;
        let until = Instant::now() + settings.timeout;
        let mut hurried = Hurried { socket: &mut socket, until };
        while session.is_handshaking() {
            session.complete_io(&mut hurried).map_err(|error| handshake_error(host, error))?;
        }
        let line = Line::Tls(Box::new(StreamOwned::new(session, socket)));
        Ok(Self { line, ..self })
    }

    /// True when nobody on the way can read along: TLS, or the other end is this machine.
    pub fn is_private(&self) -> bool {
        match &self.line {
            Line::Tls(_) => true,
            Line::Plain(socket) => {
                socket.peer_addr().is_ok_and(|address| is_loopback(address.ip()))
            }
        }
    }

    /// True under TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self.line, Line::Tls(_))
    }

    /// Our own end's address, for a greeting without a host name.
    pub fn local_ip(&self) -> Option<IpAddr> {
        self.socket().local_addr().ok().map(|address| address.ip().to_canonical())
    }

    /// From now on at most so many bytes are read, and until that moment only; after that a read
    /// fails. A server that trickles bytes without end is cut off so.
    pub fn allow(&mut self, bytes: u64, until: Instant) {
        self.budget = Some(Budget { bytes, until });
    }

    /// Another limit for one read or write (a server may think long about a whole message).
    pub fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if std::mem::replace(&mut self.timeout, timeout) == timeout {
            return Ok(());
        }
        self.socket().set_read_timeout(Some(timeout))
    }

    fn socket(&self) -> &TcpStream {
        match &self.line {
            Line::Plain(socket) => socket,
            Line::Tls(stream) => &stream.sock,
        }
    }
}

/// A socket during a handshake: all reads together have one time limit.
struct Hurried<'a> {
    socket: &'a mut TcpStream,
    until: Instant,
}

impl Read for Hurried<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server takes too long"));
        }
        self.socket.read(buffer).map_err(in_words)
    }
}

impl Write for Hurried<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes).map_err(in_words)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn handshake_error(host: &str, error: io::Error) -> ChannelError {
    let problem = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .map(ToString::to_string);
    match problem {
        Some(problem) => ChannelError::Tls { host: host.to_owned(), problem },
        None => ChannelError::TlsBroken { host: host.to_owned(), source: error },
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut room = buffer.len();
        if let Some(budget) = &self.budget {
            if budget.bytes == 0 {
                return Err(io::Error::other("the server sends more than was allowed"));
            }
            if Instant::now() >= budget.until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the server takes too long"));
            }
            room = room.min(usize::try_from(budget.bytes).unwrap_or(room));
        }
        let buffer = &mut buffer[..room];
        let got = match &mut self.line {
            Line::Plain(socket) => socket.read(buffer),
            Line::Tls(stream) => stream.read(buffer),
        };
        let got = got.map_err(in_words)?;
        if let Some(budget) = &mut self.budget {
            budget.bytes = budget.bytes.saturating_sub(got as u64);
        }
        Ok(got)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.line {
            Line::Plain(socket) => socket.write(bytes),
            Line::Tls(stream) => stream.write(bytes),
        }
        .map_err(in_words)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.line {
            Line::Plain(socket) => socket.flush(),
            Line::Tls(stream) => stream.flush(),
        }
        .map_err(in_words)
    }
}

/// A timeout of a blocking socket comes as "resource temporarily unavailable", which tells nobody.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => {
            io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::Defaults;

    #[test]
    fn a_command_does_not_wait_for_the_acknowledgement_of_the_one_before() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let field = |name: &str| match name {
            "host" => "127.0.0.1".to_owned(),
            "port" => port.clone(),
            "security" => "none".to_owned(),
            _ => String::new(),
        };
        let usual = Defaults { port: 25, tls_port: 465, security: Security::None };
        let stream = connect(&Settings::read(&field, usual).unwrap()).unwrap();
        assert!(stream.socket().nodelay().unwrap());
    }
}

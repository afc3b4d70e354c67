//! A client that writes and reads the bytes of HTTP itself, so that it costs the machine little beside the server that it asks.

#![allow(dead_code, reason = "each example uses its part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection that stays open; it is made anew where the server has closed it.
pub struct Line {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

/// The status and the body of an answer.
pub type Answer = (u16, Vec<u8>);

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

impl Line {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// A connection of its own.
    pub fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// What is answered to a JSON body; `None` where nothing whole comes back.
    pub fn post(&mut self, path: &str, body: &str) -> Option<Answer> {
        let whole = request(path, body);
        // A connection that was kept may have been closed meanwhile, which shows only now.
        for _ in 0..2 {
            let kept = self.stream.take();
            let fresh = kept.is_none();
            let mut stream = kept.or_else(|| Self::connect(self.address).ok())?;
            let answer = stream.write_all(whole.as_bytes()).ok().and_then(|()| read_answer(&mut stream));
            if answer.is_some() {
                self.stream = Some(stream);
                return answer;
            }
            if fresh {
                return None;
            }
        }
        None
    }
}

/// The bytes of a request with a JSON body.
pub fn request(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What there is to be read. A process that is stopped and goes on finds a read with a timeout interrupted, which says nothing of the
/// server.
pub fn read_some(stream: &mut TcpStream, into: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match stream.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The next answer on a connection, whose length its head must say.
pub fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 65_536]);
    let mut body: Option<(usize, usize)> = None;
    loop {
        if let Some((start, length)) = body
            && bytes.len() >= start + length
        {
            let status = std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()?;
            return Some((status, bytes[start..start + length].to_vec()));
        }
        let read = read_some(stream, &mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        if body.is_none()
            && let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&bytes[..end]).ok()?;
            let length: usize = head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
            })?;
            body = Some((end + 4, length));
        }
    }
}

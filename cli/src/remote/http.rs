//! A request to a scheduler, and its answer: HTTP/1.1, one connection each. The peer is our own gateway, so this knows no
//! more of HTTP than that speaks.

use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the peer may be silent. The gateway itself gives a command up after 60 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
/// How long an answer may be.
const BODY_BYTES_MAX: u64 = 256 << 20;
/// How long its head may be.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Path and query.
    pub(crate) path: &'a str,
    /// The token.
    pub(crate) token: &'a str,
    /// JSON to be posted; without it this only looks.
    pub(crate) body: Option<&'a str>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// The status.
    pub(crate) status: u16,
    /// JSON, as a rule.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Nothing was sent.
    #[error("cannot reach the scheduler at {server}: {source}")]
    Connect { server: String, source: io::Error },
    /// It was sent, and nobody knows what became of it.
    #[error("the scheduler at {server} did not answer: {source}")]
    Lost { server: String, source: io::Error },
}

/// Asks a scheduler.
pub(crate) fn send(server: &str, request: Request<'_>) -> Result<Response, HttpError> {
    let mut stream = connect(server).map_err(|source| HttpError::Connect {
        server: server.to_owned(),
        source,
    })?;
    let host = authority(server).unwrap_or_default();
    exchange(&mut stream, host, request).map_err(|source| HttpError::Lost {
        server: server.to_owned(),
        source,
    })
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Host and port of an address.
fn authority(server: &str) -> Option<&str> {
    server.strip_prefix("http://")?.split('/').next()
}

fn connect(server: &str) -> io::Result<TcpStream> {
    let host = authority(server)
        .ok_or_else(|| invalid("only `http://host:port` is spoken; end TLS before it"))?;
    // `[::1]` has colons of its own.
    let named = host.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let address = if named {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut last = invalid("its name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ANSWER_WITHIN))?;
                stream.set_write_timeout(Some(ANSWER_WITHIN))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(stream: &mut TcpStream, host: &str, request: Request<'_>) -> io::Result<Response> {
    let Request { path, token, body } = request;
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\
         Connection: close\r\n"
    );
    if let Some(body) = body {
        head.push_str("Content-Type: application/json\r\n");
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    // A peer that refuses early closes while we still write; what it says about that is read all the same.
    let written = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.unwrap_or_default().as_bytes()));
    let answered = answer(&mut BufReader::new(stream));
    match (written, answered) {
        (_, Ok(response)) => Ok(response),
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
    }
}

/// Reads an answer.
fn answer(from: &mut impl BufRead) -> io::Result<Response> {
    let mut left = HEAD_BYTES_MAX;
    let status = loop {
        let status = status(&line(from, &mut left)?)?;
        if status >= 200 {
            break status;
        }
        // `100 Continue` and its like are no answers yet.
        while !line(from, &mut left)?.is_empty() {}
    };
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = line(from, &mut left)?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(invalid("a header without a colon"));
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let bytes: u64 = value
                .parse()
                .map_err(|_| invalid("a length that is none"))?;
            length = Some(bytes);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    let body = match (status, chunked, length) {
        (204 | 304, ..) => Vec::new(),
        (_, true, _) => chunks(from, &mut left)?,
        (_, false, Some(bytes)) => exactly(from, bytes)?,
        (_, false, None) => {
            let mut body = Vec::new();
            from.take(BODY_BYTES_MAX).read_to_end(&mut body)?;
            body
        }
    };
    Ok(Response { status, body })
}

fn status(line: &str) -> io::Result<u16> {
    let code = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1));
    code.and_then(|code| code.parse().ok())
        .ok_or_else(|| invalid("this is no HTTP/1.1"))
}

fn line(from: &mut impl BufRead, left: &mut u64) -> io::Result<String> {
    let mut line = Vec::new();
    let read = from.take(*left).read_until(b'\n', &mut line)?;
    *left = left.saturating_sub(read as u64);
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8(line).map_err(|_| invalid("a header that is no text"))?;
    Ok(text.trim_end_matches('\r').to_owned())
}

fn exactly(from: &mut impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    if bytes > BODY_BYTES_MAX {
        return Err(invalid("the answer is too long"));
    }
    let mut body = Vec::new();
    let read = from.take(bytes).read_to_end(&mut body)?;
    if (read as u64) < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

fn chunks(from: &mut impl BufRead, left: &mut u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(from, left)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk without a size"))?;
        if size == 0 {
            while !line(from, left)?.is_empty() {}
            return Ok(body);
        }
        if body.len() as u64 + size > BODY_BYTES_MAX {
            return Err(invalid("the answer is too long"));
        }
        body.extend(exactly(from, size)?);
        line(from, left)?;
        *left = HEAD_BYTES_MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Response> {
        answer(&mut text.as_bytes())
    }

    #[test]
    fn bodies_of_every_kind_are_read() {
        let response = |status, body: &str| Response {
            status,
            body: body.into(),
        };
        let sized = read("HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\n{}rest");
        assert_eq!(sized.unwrap(), response(200, "{}"));
        let chunked = "HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(chunked).unwrap(), response(409, "abcde"));
        assert_eq!(
            read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end").unwrap(),
            response(200, "to the end")
        );
        let none = read("HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(none.unwrap(), response(204, ""));
    }

    #[test]
    fn what_is_cut_off_or_no_http_is_an_error() {
        for text in [
            "",
            "HTTP/1.1 200",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100_000));
        assert!(read(&endless).is_err());
    }
}

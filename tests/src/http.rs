//! Just enough HTTP to ask a scheduler for something.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A paused process takes connections and never answers.
const WITHIN: Duration = Duration::from_secs(2);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Asks. None if nobody answers.
pub async fn ask(to: SocketAddr, what: &str, token: &str, body: Option<&str>) -> Option<Answer> {
    timeout(WITHIN, asked(to, what, token, body)).await.ok()?
}

async fn asked(to: SocketAddr, what: &str, token: &str, body: Option<&str>) -> Option<Answer> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    let body = body.unwrap_or_default();
    let request = format!(
        "{what} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

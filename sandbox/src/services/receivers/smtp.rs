//! A mail server that takes everything and delivers nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::faults::FaultKind;
use crate::journal::Entry;
use crate::services::Service;
use crate::state::State;

/// A message of more than this is refused.
const LIMIT: usize = 4 << 20;
/// A line of a command is far below this.
const LINE: u64 = 4_096;
/// Whoever says nothing for so long is let go.
const SILENCE: Duration = Duration::from_secs(60);
/// Conversations at once.
const CONNECTIONS: usize = 64;

/// Takes mail until `stop` says so.
pub(crate) async fn serve(
    listener: TcpListener,
    state: Arc<State>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let stopped = stop.wait_for(|stop| *stop);
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted,
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            if let Err(error) = talk(stream, &state).await {
                tracing::debug!("a conversation about mail ended: {error}");
            }
            drop(place);
        });
    }
}

/// What was said so far about one message.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

async fn talk(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sandbox ESMTP\r\n").await?;
    let mut envelope = Envelope::default();
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut stream).take(LINE);
        let read = tokio::time::timeout(SILENCE, limited.read_until(b'\n', &mut line)).await;
        if !matches!(read, Ok(Ok(1..))) {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        let upper = line.to_ascii_uppercase();
        let answer = match upper.split([' ', ':']).next().unwrap_or("") {
            "EHLO" => "250-sandbox\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 4194304",
            "HELO" | "NOOP" => "250 OK",
            "AUTH" => "235 Authentication successful",
            "RSET" => {
                envelope = Envelope::default();
                "250 OK"
            }
            "MAIL" if upper.starts_with("MAIL FROM:") => {
                envelope = Envelope {
                    from: address(line),
                    to: Vec::new(),
                };
                "250 OK"
            }
            "RCPT" if envelope.from.is_none() => "503 MAIL first",
            "RCPT" => match address(line).filter(|address| !address.is_empty()) {
                Some(address) => {
                    envelope.to.push(address);
                    "250 OK"
                }
                None => "501 no address",
            },
            "DATA" if envelope.to.is_empty() => "503 RCPT first",
            "DATA" => {
                stream
                    .write_all(b"354 End with <CR><LF>.<CR><LF>\r\n")
                    .await?;
                match take(&mut stream, state, std::mem::take(&mut envelope)).await? {
                    Some(answer) => answer,
                    None => return Ok(()),
                }
            }
            "QUIT" => {
                stream.write_all(b"221 Bye\r\n").await?;
                return Ok(());
            }
            _ => "500 not understood",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

/// What is between angle brackets.
fn address(line: &str) -> Option<String> {
    let (_, after) = line.split_once('<')?;
    after.split_once('>').map(|(address, _)| address.to_owned())
}

/// Reads a message, keeps it and gives the answer; none if a fault takes the answer away.
async fn take(
    stream: &mut BufReader<TcpStream>,
    state: &State,
    envelope: Envelope,
) -> std::io::Result<Option<&'static str>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        let mut limited = stream.take(LIMIT as u64);
        let read = tokio::time::timeout(SILENCE, limited.read_until(b'\n', &mut line)).await;
        if !matches!(read, Ok(Ok(1..))) {
            return Ok(None);
        }
        match line.as_slice() {
            b".\r\n" | b".\n" => break,
            [b'.', rest @ ..] => message.extend_from_slice(rest),
            line => message.extend_from_slice(line),
        }
        if message.len() > LIMIT {
            return Ok(Some("552 too big"));
        }
    }
    let faults = state.faults.of_request(Service::Receivers, "smtp.data");
    let fault = faults.first().map(FaultKind::name);
    let (done, said) = match faults.first() {
        Some(FaultKind::LostBefore) => (false, None),
        Some(FaultKind::LostAfter) => (true, None),
        Some(FaultKind::Latency { ms }) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            (true, Some("250 OK"))
        }
        Some(_) => (false, Some("451 a fault of the sandbox: try again later")),
        None => (true, Some("250 OK")),
    };
    let mut effects = Vec::new();
    if done {
        let text = String::from_utf8_lossy(&message);
        let subject = text
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix("Subject: "));
        let body = json!({ "from": envelope.from, "to": envelope.to, "message": text });
        let subject = subject.unwrap_or("").to_owned();
        let number = state.receivers.keep(
            state.now(),
            "mail",
            &envelope.to.join(", "),
            (subject, body),
        )?;
        effects.push(format!("mail {}: message {number}", envelope.to.join(", ")));
    }
    state.journal.note(Entry {
        number: 0,
        at: state.now(),
        service: Service::Receivers,
        method: "smtp.data".into(),
        request: format!("DATA for {}", envelope.to.join(", ")),
        status: said.map(|said| if said.starts_with('2') { 250 } else { 451 }),
        effects,
        fault,
    });
    Ok(said)
}

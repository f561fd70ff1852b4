//! Logs in `gs://`: the real client, against a server that answers as Cloud Storage does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tidemill_core::operator::Level;
use tidemill_logs::{LogKeeper, Search, Start};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::keeping::{all, chunks, expected, keep_all, page};
use crate::page::place;

/// What lies in the bucket: name, generation, bytes.
type Objects = Arc<Mutex<BTreeMap<String, (u64, Vec<u8>)>>>;

struct Asked {
    method: String,
    /// Without the bucket; nothing for the bucket itself.
    object: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(status: &'static str) -> Self {
        Self {
            status,
            headers: String::new(),
            body: Vec::new(),
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Asked> {
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = format!("http://server{}", words.next().unwrap_or_default());
    let url = url::Url::parse(&target).map_err(io::Error::other)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    // Names in paths are escaped as those of a form, but for the plus sign.
    let path = url.path().trim_start_matches("/bucket");
    let path = format!("path={}", path.trim_start_matches('/').replace('+', "%2B"));
    let object = url::form_urlencoded::parse(path.as_bytes()).next();
    Ok(Asked {
        method,
        object: object
            .map(|(_, path)| path.into_owned())
            .unwrap_or_default(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body,
    })
}

fn answer(objects: &Objects, asked: Asked) -> Answer {
    let mut objects = objects.lock().expect("it works");
    if asked.object.is_empty() {
        let prefix = asked.query.get("prefix").cloned().unwrap_or_default();
        let mut xml = "<ListBucketResult>".to_owned();
        for (name, (generation, bytes)) in objects.iter().filter(|at| at.0.starts_with(&prefix)) {
            let _ = write!(
                xml,
                "<Contents><Key>{name}</Key><Size>{}</Size><ETag>\"{generation}\"</ETag>\
                 <LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>",
                bytes.len()
            );
        }
        xml.push_str("</ListBucketResult>");
        return Answer {
            body: xml.into_bytes(),
            ..Answer::of("200 OK")
        };
    }
    let found = objects.get(&asked.object).cloned();
    let headers = |generation: u64| {
        format!(
            "etag: \"{generation}\"\r\nx-goog-generation: {generation}\r\nlast-modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n"
        )
    };
    match (asked.method.as_str(), found) {
        ("PUT", found) => {
            let now = found.map_or(0, |found| found.0);
            let wanted = asked.headers.get("x-goog-if-generation-match");
            if wanted.is_some_and(|wanted| *wanted != now.to_string()) {
                return Answer::of("412 Precondition Failed");
            }
            objects.insert(asked.object, (now + 1, asked.body));
            Answer {
                headers: headers(now + 1),
                ..Answer::of("200 OK")
            }
        }
        ("GET", Some((generation, bytes))) => {
            let range = asked.headers.get("range");
            let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
            let Some((from, to)) = range else {
                return Answer {
                    headers: headers(generation),
                    body: bytes,
                    ..Answer::of("200 OK")
                };
            };
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let (from, to, all) = (number(from), number(to).min(bytes.len() - 1), bytes.len());
            Answer {
                headers: headers(generation)
                    + &format!("content-range: bytes {from}-{to}/{all}\r\n"),
                body: bytes[from..=to].to_vec(),
                ..Answer::of("206 Partial Content")
            }
        }
        ("DELETE", Some(_)) => {
            objects.remove(&asked.object);
            Answer::of("204 No Content")
        }
        _ => Answer::of("404 Not Found"),
    }
}

async fn talk(stream: TcpStream, objects: Objects) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let asked = read(&mut stream).await?;
    let Answer {
        status,
        headers,
        body,
    } = answer(&objects, asked);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

/// A bucket, and what opens it.
async fn bucket() -> (Objects, impl Fn() -> LogKeeper) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it works");
    let address = listener.local_addr().expect("it works");
    let objects = Objects::default();
    let served = Arc::clone(&objects);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, Arc::clone(&served)));
        }
    });
    let account = json!({
        "private_key": "", "private_key_id": "", "client_email": "",
        "gcs_base_url": format!("http://{address}"), "disable_oauth": true,
    });
    let key = "google_service_account_key".to_owned();
    let open = move || {
        let options = [(key.clone(), account.to_string())];
        LogKeeper::open("gs://bucket/logs/of/us", options).expect("it works")
    };
    (objects, open)
}

#[tokio::test]
async fn a_log_in_a_bucket_of_google_is_kept_read_searched_and_deleted() {
    let (objects, open) = bucket().await;
    let keeper = open();
    let chunks = chunks(1, 200);
    let (first, rest) = chunks.split_at(19);
    keep_all(&keeper, first).await;
    // Another process reads, while it is on and after its end.
    let other = open();
    assert_eq!(all(&other).await, expected(190));
    let mut tail = other.tail(&place(1), 188);
    let lines = tail.next().await.expect("it works").expect("lines");
    assert_eq!(lines.len(), 2);
    keep_all(&keeper, rest).await;
    keeper.finish(&place(1)).await.expect("it works");
    let lines = tail.next().await.expect("it works").expect("lines");
    assert_eq!(lines.len(), 10);
    assert_eq!(tail.next().await.expect("it works"), None);
    assert_eq!(all(&other).await, expected(200));
    let trouble = page(&other, Start::Trouble, 5, Level::Info).await;
    assert!(trouble.lines.iter().any(|line| line.number == 42));
    let search = Search {
        text: "line 15".to_owned(),
        level: Level::Info,
        after: 0,
        hits: 100,
    };
    let found = other.search(&place(1), search).await.expect("it works");
    let numbers: Vec<u64> = found.lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [vec![15], (150..=159).collect()].concat());
    // One object of lines, and one that says what is in it.
    let names: Vec<String> = objects.lock().expect("it works").keys().cloned().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("logs/of/us/orders/"))
    );
    let run = place(1).run;
    keeper
        .delete_run("orders", &format!("{run}.1"))
        .await
        .expect("it works");
    assert!(objects.lock().expect("it works").is_empty());
}

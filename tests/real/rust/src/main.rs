//! Drives a sandbox with Google's client of Cloud Storage and with `gcp-bigquery-client`.
//!
//! usage: `real-clients http://127.0.0.1:PORT`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gcp_bigquery_client::auth::Authenticator;
use gcp_bigquery_client::error::BQError;
use gcp_bigquery_client::model::dataset::Dataset;
use gcp_bigquery_client::model::job::Job;
use gcp_bigquery_client::model::job_configuration::JobConfiguration;
use gcp_bigquery_client::model::job_configuration_load::JobConfigurationLoad;
use gcp_bigquery_client::model::job_reference::JobReference;
use gcp_bigquery_client::model::query_request::QueryRequest;
use gcp_bigquery_client::model::table_reference::TableReference;
use gcp_bigquery_client::{Client, client_builder::ClientBuilder};
use google_cloud_auth::credentials::anonymous::Builder as Anonymous;
use google_cloud_storage::client::Storage;
use google_cloud_storage::model_ext::ReadRange;

type Tried<T = ()> = Result<T, Box<dyn Error>>;

fn check(what: &str, good: bool) -> Tried {
    println!("{} {what}", if good { "ok  " } else { "FAIL" });
    if good { Ok(()) } else { Err(what.into()) }
}

#[tokio::main]
async fn main() -> Tried {
    let address = std::env::args()
        .nth(1)
        .ok_or("give the address of a sandbox")?;
    let address = address.trim_end_matches('/');
    let unique = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let bucket = format!("rust-{unique}");
    storage(address, &bucket).await?;
    bigquery(address, &bucket, &format!("rust_{unique}")).await
}

/// Writes at once and in parts, a condition that does not hold, and reads.
async fn storage(address: &str, bucket: &str) -> Tried {
    make_bucket(address, bucket)?;
    let client = Storage::builder()
        .with_endpoint(address)
        .with_credentials(Anonymous::new().build())
        .build()
        .await?;
    let bucket = format!("projects/_/buckets/{bucket}");
    let written = client
        .write_object(&bucket, "a.json", "{\"n\": 1}\n{\"n\": 2}\n")
        .set_if_generation_match(0_i64)
        .send_buffered()
        .await?;
    check("an object is written once", written.size == 18)?;
    let again = client
        .write_object(&bucket, "a.json", "other")
        .set_if_generation_match(0_i64)
        .send_buffered()
        .await;
    let status = again.err().and_then(|error| error.http_status_code());
    check("and not twice: 412", status == Some(412))?;

    let large: Bytes = (0..20_u32 << 20)
        .map(|n| (n % 251) as u8)
        .collect::<Vec<_>>()
        .into();
    client
        .write_object(&bucket, "large.bin", large.clone())
        .with_resumable_upload_threshold(1_usize << 20)
        .send_buffered()
        .await?;
    let mut read = Vec::new();
    let mut reader = client.read_object(&bucket, "large.bin").send().await?;
    while let Some(part) = reader.next().await.transpose()? {
        read.extend_from_slice(&part);
    }
    check("20 MiB in parts come back", read == large)?;
    let mut part = Vec::new();
    let mut reader = client
        .read_object(&bucket, "large.bin")
        .set_read_range(ReadRange::segment(1000, 100))
        .send()
        .await?;
    while let Some(bytes) = reader.next().await.transpose()? {
        part.extend_from_slice(&bytes);
    }
    check("a part of it", part == large[1000..1100])
}

/// The client makes buckets over gRPC alone, which the sandbox does not speak.
fn make_bucket(address: &str, bucket: &str) -> Tried {
    use std::io::{Read, Write};
    let host = address.trim_start_matches("http://");
    let body = format!("{{\"name\": \"{bucket}\"}}");
    let mut stream = std::net::TcpStream::connect(host)?;
    write!(
        stream,
        "POST /storage/v1/b?project=p HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    check("a bucket", reply.starts_with("HTTP/1.1 200"))
}

#[derive(Clone)]
struct Token;

#[async_trait::async_trait]
impl Authenticator for Token {
    async fn access_token(&self) -> Result<String, BQError> {
        Ok("sandbox".to_owned())
    }
}

/// A load, its identifier given again, queries, and what they refuse.
async fn bigquery(address: &str, bucket: &str, dataset: &str) -> Tried {
    let client = ClientBuilder::new()
        .with_v2_base_url(format!("{address}/bigquery/v2"))
        .build_from_authenticator(Arc::new(Token))
        .await?;
    let made = Dataset::new("proj", dataset).location("EU");
    client.dataset().create(made).await?;
    let id = format!("load_{dataset}");
    let load = || load_of(&id, bucket, dataset);
    client.job().insert("proj", load()).await?;
    let done = ended(&client, &id).await?;
    let rows = done
        .statistics
        .and_then(|all| all.load)
        .and_then(|load| load.output_rows);
    check("a load", rows.as_deref() == Some("2"))?;
    let again = client.job().insert("proj", load()).await;
    let refused =
        matches!(&again, Err(BQError::ResponseError { error }) if error.error.code == 409);
    check("its identifier is given once: 409", refused)?;

    let text = format!("SELECT SUM(n) AS total FROM `{dataset}.t`");
    let request = || QueryRequest {
        location: Some("EU".to_owned()),
        ..QueryRequest::new(text.as_str())
    };
    let found = client.job().query("proj", request()).await?;
    let cell = found
        .rows
        .and_then(|rows| rows.into_iter().next()?.columns?.into_iter().next()?.value);
    check(
        "a query",
        cell.as_ref().and_then(|value| value.as_str()) == Some("3"),
    )?;
    let dry = QueryRequest {
        dry_run: Some(true),
        ..request()
    };
    let bytes = client.job().query("proj", dry).await?.total_bytes_processed;
    check(
        "a dry run says what it would read",
        bytes.as_deref() == Some("16"),
    )?;
    let wrong = client
        .job()
        .query("proj", QueryRequest::new("SELECT nope"))
        .await;
    let said = matches!(&wrong, Err(BQError::ResponseError { error }) if error.error.message.contains("nope"));
    check("a name that is not there is named", said)
}

fn load_of(id: &str, bucket: &str, dataset: &str) -> Job {
    let load = JobConfigurationLoad {
        source_uris: Some(vec![format!("gs://{bucket}/a.json")]),
        source_format: Some("NEWLINE_DELIMITED_JSON".to_owned()),
        autodetect: Some(true),
        write_disposition: Some("WRITE_APPEND".to_owned()),
        destination_table: Some(TableReference::new("proj", dataset, "t")),
        ..Default::default()
    };
    Job {
        job_reference: Some(JobReference {
            project_id: Some("proj".to_owned()),
            job_id: Some(id.to_owned()),
            location: Some("EU".to_owned()),
        }),
        configuration: Some(JobConfiguration {
            load: Some(load),
            ..Default::default()
        }),
        ..Default::default()
    }
}

async fn ended(client: &Client, id: &str) -> Tried<Job> {
    for _ in 0..600 {
        let job = client.job().get_job("proj", id, Some("EU")).await?;
        let status = job.status.as_ref();
        if let Some(error) = status.and_then(|status| status.error_result.as_ref()) {
            return Err(format!("{id}: {error:?}").into());
        }
        if status.and_then(|status| status.state.as_deref()) == Some("DONE") {
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("{id} did not end").into())
}

//! Datasets, tables and their rows.

use askama::Template;
use serde_json::Value;
use tidemill_warehouse::tables::TableId;

use super::Page;
use super::frame::{Frame, journal_of, link};
use super::inner::segment;
use super::rows::Grid;
use super::shown::{When, bytes, number, pretty};

/// Rows of a page.
const ROWS: u64 = 50;
/// Partitions that are listed.
const PARTITIONS: usize = 200;

struct DatasetLine {
    name: String,
    href: String,
    project: String,
    location: String,
    tables: usize,
    views: usize,
    rows: String,
    bytes: String,
    modified: When,
}

#[derive(Template)]
#[template(path = "datasets.html")]
struct DatasetsPage<'a> {
    frame: &'a Frame,
    datasets: Vec<DatasetLine>,
    address: &'a str,
}

pub(super) async fn datasets(frame: &Frame) -> Page {
    let all = frame.state.bigquery.datasets_seen().into_iter();
    let datasets = all.map(|one| DatasetLine {
        href: link(
            "/sandbox/dataset",
            &[("project", &one.project), ("dataset", &one.name)],
        ),
        name: one.name,
        project: one.project,
        location: one.location,
        tables: one.tables,
        views: one.views,
        rows: number(one.rows),
        bytes: bytes(one.bytes),
        modified: When(one.modified),
    });
    Frame::page(&DatasetsPage {
        frame,
        datasets: datasets.collect(),
        address: &frame.state.public,
    })
}

struct TableLine {
    name: String,
    href: String,
    view: bool,
    cut: String,
    rows: String,
    bytes: String,
    files: String,
    modified: When,
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct DatasetPage<'a> {
    frame: &'a Frame,
    project: &'a str,
    dataset: &'a str,
    tables: Vec<TableLine>,
    facts: Vec<(&'static str, String)>,
    console: String,
    journal: String,
}

/// `?project=…&dataset=…`
pub(super) async fn dataset(frame: &Frame) -> Page {
    let (project, dataset) = (frame.query("project"), frame.query("dataset"));
    let tables = frame.state.bigquery.tables_seen(project, dataset)?;
    let path = format!(
        "/bigquery/v2/projects/{}/datasets/{}",
        segment(project),
        segment(dataset)
    );
    let meta = frame.get(&path, &[]).await?;
    let text = |name: &str| {
        meta.get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let mut facts = vec![
        ("Project", project.to_owned()),
        ("Location", text("location")),
        ("Description", text("description")),
        ("Labels", labels(&meta)),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    let of = [("project", project), ("dataset", dataset)];
    Frame::page(&DatasetPage {
        frame,
        project,
        dataset,
        tables: tables
            .into_iter()
            .map(|one| TableLine {
                href: link("/sandbox/table", &[of[0], of[1], ("table", &one.name)]),
                name: one.name,
                view: one.view,
                cut: one.cut.unwrap_or_default(),
                rows: number(one.rows),
                bytes: bytes(one.bytes),
                files: number(one.files as u64),
                modified: When(one.modified),
            })
            .collect(),
        facts,
        console: link("/sandbox/sql", &of),
        journal: journal_of(dataset),
    })
}

fn labels(meta: &Value) -> String {
    let labels = meta.get("labels").and_then(Value::as_object);
    let pairs = labels.into_iter().flatten();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or("")))
        .collect();
    pairs.join(", ")
}

/// A column, and how deep it is in records.
struct FieldLine {
    depth: usize,
    name: String,
    kind: String,
    mode: String,
    description: String,
}

struct PartitionLine {
    name: String,
    href: String,
    rows: String,
    bytes: String,
    shown: bool,
}

#[derive(Template)]
#[template(path = "table.html")]
struct TablePage<'a> {
    frame: &'a Frame,
    project: &'a str,
    dataset: &'a str,
    table: &'a str,
    partition: &'a str,
    is_view: bool,
    dataset_href: String,
    whole: String,
    facts: Vec<(&'static str, String)>,
    view: Option<String>,
    fields: Vec<FieldLine>,
    partitions: Vec<PartitionLine>,
    partitions_left: usize,
    grid: Grid,
    from: String,
    to: String,
    total: String,
    earlier: Option<String>,
    later: Option<String>,
    console: String,
    journal: String,
    raw: String,
}

/// `?project=…&dataset=…&table=…&partition=…&from=…`
pub(super) async fn table(frame: &Frame) -> Page {
    let (project, dataset, table) = (
        frame.query("project"),
        frame.query("dataset"),
        frame.query("table"),
    );
    let partition = frame.query("partition");
    let path = format!(
        "/bigquery/v2/projects/{}/datasets/{}/tables/{}",
        segment(project),
        segment(dataset),
        segment(table)
    );
    let meta = frame.get(&path, &[]).await?;
    let id = TableId::new(project, dataset, table);
    let (seen, partitions) = frame.state.bigquery.table_seen(&id)?;
    let from: u64 = frame.number("from").unwrap_or(0);
    let (grid, total) = if seen.view {
        (Grid::default(), 0)
    } else {
        rows(frame, &path, partition, &meta, from).await?
    };
    let to = from.saturating_add(grid.rows.len() as u64);
    let mut fields = Vec::new();
    columns(meta.get("schema"), 0, &mut fields);
    let of = [("project", project), ("dataset", dataset), ("table", table)];
    let left = partitions.len().saturating_sub(PARTITIONS);
    // The newest are those that people look for.
    let shown = partitions.iter().rev().take(PARTITIONS);
    let view = meta.pointer("/view/query").and_then(Value::as_str);
    let statement = format!("SELECT * FROM `{project}.{dataset}.{table}` LIMIT 100");
    Frame::page(&TablePage {
        frame,
        project,
        dataset,
        table,
        partition,
        is_view: seen.view,
        dataset_href: link("/sandbox/dataset", &of[..2]),
        whole: link("/sandbox/table", &of),
        facts: facts(&meta, &seen, partitions.len()),
        view: view.map(str::to_owned),
        fields,
        partitions: shown
            .map(|(name, rows, size)| PartitionLine {
                href: link(
                    "/sandbox/table",
                    &[of[0], of[1], of[2], ("partition", name)],
                ),
                rows: number(*rows),
                bytes: bytes(*size),
                shown: name == partition,
                name: name.clone(),
            })
            .collect(),
        partitions_left: left,
        from: number(from.saturating_add(1)),
        to: number(to),
        total: number(total),
        earlier: (from > 0)
            .then(|| frame.here_with(&[("from", &from.saturating_sub(ROWS).to_string())])),
        later: (to < total && to > from).then(|| frame.here_with(&[("from", &to.to_string())])),
        grid,
        console: link(
            "/sandbox/sql",
            &[of[0], of[1], ("text", statement.as_str())],
        ),
        journal: journal_of(&format!("{dataset}.{table}")),
        raw: pretty(&meta),
    })
}

/// A page of rows, and how many there are.
async fn rows(
    frame: &Frame,
    path: &str,
    partition: &str,
    meta: &Value,
    from: u64,
) -> Result<(Grid, u64), crate::call::Refusal> {
    let part = match partition {
        "" => String::new(),
        partition => segment(&format!("${partition}")),
    };
    let query = [
        ("maxResults", ROWS.to_string()),
        ("startIndex", from.to_string()),
        ("formatOptions.useInt64Timestamp", "true".to_owned()),
    ];
    let query = query
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let found = frame.get(&format!("{path}{part}/data"), &query).await?;
    let total = found.get("totalRows").and_then(Value::as_str);
    let total = total.and_then(|total| total.parse().ok()).unwrap_or(0);
    Ok((Grid::of(meta.get("schema"), found.get("rows")), total))
}

fn facts(
    meta: &Value,
    seen: &crate::services::bigquery::seen::TableSeen,
    partitions: usize,
) -> Vec<(&'static str, String)> {
    let text = |name: &str| {
        meta.get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let clustering = meta.pointer("/clustering/fields").and_then(Value::as_array);
    let clustering: Vec<&str> = clustering
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let expires = text("expirationTime").parse().ok();
    let expires = expires.and_then(chrono::DateTime::from_timestamp_millis);
    let mut facts = Vec::new();
    if !seen.view {
        facts.extend([
            ("Rows", number(seen.rows)),
            ("Bytes", bytes(seen.bytes)),
            ("Files", number(seen.files as u64)),
        ]);
    }
    if let Some(cut) = &seen.cut {
        facts.push((
            "Partitions",
            format!("{}, by {cut}", number(partitions as u64)),
        ));
    }
    facts.extend([
        ("Clustered by", clustering.join(", ")),
        (
            "Changed",
            super::object::moment(&seen.modified.to_rfc3339()),
        ),
        (
            "Expires",
            expires.map_or_else(String::new, |at| super::object::moment(&at.to_rfc3339())),
        ),
        ("Description", text("description")),
        ("Labels", labels(meta)),
    ]);
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn columns(schema: Option<&Value>, depth: usize, lines: &mut Vec<FieldLine>) {
    let fields = schema.and_then(|schema| schema.get("fields"));
    for field in fields.and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or("");
        lines.push(FieldLine {
            depth: depth.min(3),
            name: text("name").to_owned(),
            kind: text("type").to_owned(),
            mode: match text("mode") {
                "NULLABLE" => String::new(),
                mode => mode.to_owned(),
            },
            description: text("description").to_owned(),
        });
        columns(Some(field), depth + 1, lines);
    }
}

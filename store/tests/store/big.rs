//! A long history, written by the database itself: so many runs of twenty DAGs, each with forty tasks, an attempt each, and
//! now and then a load and an output. The last twenty runs are on.

/// How many tasks a run has.
pub(crate) const TASKS: u32 = 40;

/// The statements that write so many connections and variables.
pub(crate) fn secrets(postgres: bool, count: u32) -> Vec<String> {
    let numbers = if postgres {
        format!("generate_series(1, {count}) AS r (i)")
    } else {
        format!(
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) AS r"
        )
    };
    vec![
        format!(
            "INSERT INTO connection (name, kind, fields, sealed, edits) \
             SELECT 'name_' || r.i, 'http', '{{}}', 'tm1.k.AAAA', 1 FROM {numbers}"
        ),
        format!(
            "INSERT INTO variable (name, sealed, edits) SELECT 'name_' || r.i, 'tm1.k.AAAA', 1 FROM {numbers}"
        ),
    ]
}

/// The statements that write it, for either database.
#[expect(clippy::too_many_lines, reason = "a table of statements")]
pub(crate) fn statements(postgres: bool, runs: u32) -> Vec<String> {
    let numbers = if postgres {
        |name: &str, from: u32, to: u32| format!("generate_series({from}, {to}) AS {name} (i)")
    } else {
        |name: &str, from: u32, to: u32| {
            format!(
                "(WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) SELECT i FROM n) AS {name}"
            )
        }
    };
    let time = |seconds: &str| {
        if postgres {
            format!("to_timestamp({seconds})")
        } else {
            format!("({seconds}) * 1000000")
        }
    };
    let (yes, no) = if postgres {
        ("true", "false")
    } else {
        ("1", "0")
    };
    let (r, t, d) = (
        numbers("r", 1, runs),
        numbers("t", 0, TASKS - 1),
        numbers("d", 0, 19),
    );
    let on = runs.saturating_sub(20);
    let began = time("1700000000 + r.i * 60");
    let ended = time("1700000000 + r.i * 60 + t.i");
    let last = time(&format!("1700000000 + {runs} / 20 * 3600 - 7200"));
    let start = time("1700000000 + r.i / 20 * 3600");
    vec![
        format!(
            "INSERT INTO dag (id, version, paused, last_start, last_end, last_due, failures_in_row, edits) \
             SELECT 'dag_' || d.i, 'v', {no}, {last}, {last}, {last}, 0, 0 FROM {d}"
        ),
        format!(
            "INSERT INTO run (id, dag, name, kind, state, version, interval_start, interval_end, due_at, created_at, \
             started_at, ended_at, params, paused, priority, edits) \
             SELECT r.i, 'dag_' || (r.i % 20), 'scheduled__' || r.i, 'scheduled', \
             CASE WHEN r.i > {on} THEN 'running' WHEN r.i % 50 = 0 THEN 'failed' ELSE 'success' END, \
             'v', {start}, {start}, {start}, {began}, {began}, {began}, '{{}}', {no}, 0, 0 FROM {r}"
        ),
        format!(
            "INSERT INTO task (run_id, task_no, map_index, name, state, attempt, hand, ended_attempt, number, tries, losses, \
             requeues, epoch, edits, worker, since, queued_at, started_at) \
             SELECT r.i, t.i, -1, 'group.task_' || t.i, CASE WHEN r.i > {on} THEN 'queued' ELSE 'success' END, \
             r.i * {TASKS} + t.i, 0, r.i * {TASKS} + t.i, 1, 1, 0, 0, 0, 2, 'worker-1', {ended}, {began}, {began} \
             FROM {r}, {t} ORDER BY 1, 2"
        ),
        format!(
            "INSERT INTO attempt (id, run_id, task_no, map_index, number, epoch, result, worker, queued_at, started_at, ended_at) \
             SELECT r.i * {TASKS} + t.i, r.i, t.i, -1, 1, 0, 'success', 'worker-1', {began}, {began}, {ended} \
             FROM {r}, {t} ORDER BY 1"
        ),
        format!(
            "INSERT INTO load (attempt, nth, run_id, task_no, map_index, dag, started_at, ended_at, sources, files, bytes_read, \
             rows_read, destination, mode, rows_loaded, rows_rejected, status) \
             SELECT r.i * {TASKS} + t.i, 0, r.i, t.i, -1, 'dag_' || (r.i % 20), {began}, {ended}, '[]', 1, 1, 1, \
             'table_' || (r.i % 100), 'append', 1, 0, CASE WHEN r.i % 100 = 0 THEN 'failed' ELSE 'success' END \
             FROM {r}, {t} WHERE t.i % 10 = 0 ORDER BY 1"
        ),
        format!(
            "INSERT INTO check_result (attempt, nth, run_id, task_no, map_index, dag, of_table, name, checked_at, kind, columns, \
             severity, blocking, status, expected, observed, cause, sample) \
             SELECT r.i * {TASKS} + t.i, 0, r.i, t.i, -1, 'dag_' || (r.i % 20), 'table_' || (r.i % 100), 'unique(a)', {ended}, \
             'unique', '[]', 'error', {yes}, CASE WHEN r.i % 100 = 0 THEN 'failed' ELSE 'passed' END, '', '', '', '[]' \
             FROM {r}, {t} WHERE t.i % 10 = 0 ORDER BY 1"
        ),
        format!(
            "INSERT INTO output (attempt, run_id, task_no, map_index, value, listed) \
             SELECT r.i * {TASKS} + t.i, r.i, t.i, -1, '[1]', {yes} FROM {r}, {t} WHERE t.i % 20 = 0 ORDER BY 1"
        ),
    ]
}

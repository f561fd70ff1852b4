//! Scripts that are killed at any step and run again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tidemill_warehouse::Located;
use tidemill_warehouse::sql::{Diary, Engine, Outcome, Request, SqlError};

use crate::kit::{Kit, noon};

/// Changes its way by what is there before it begins.
const SCRIPT: &str = "
DECLARE n INT64 DEFAULT (SELECT COUNT(*) FROM d.t);
INSERT INTO d.t SELECT 2;
CREATE TEMP TABLE o AS SELECT x FROM d.t;
IF n = 1 THEN
  INSERT INTO d.t SELECT x + 10 FROM o;
ELSE
  DELETE FROM d.t WHERE TRUE;
END IF;
CREATE OR REPLACE TABLE d.u AS SELECT x FROM d.t;
ALTER TABLE d.u ADD COLUMN y INT64;
UPDATE d.u SET y = x * n WHERE TRUE;
FOR r IN (SELECT x FROM d.t ORDER BY x) DO
  INSERT INTO d.u (x, y) VALUES (r.x + 100, @@row_count);
END FOR;
BEGIN
  INSERT INTO d.u (x) SELECT x FROM d.o;
EXCEPTION WHEN ERROR THEN
  CREATE TABLE d.o AS SELECT 1000 AS x;
END;
CREATE SCHEMA e OPTIONS (location = 'EU');
CREATE TABLE e.v AS SELECT 1 AS x;
DROP SCHEMA e CASCADE;
ALTER TABLE d.t RENAME TO w;
DROP TABLE d.w;
";

/// A diary in memory, of a process that is killed at a change: before it is written down, or right after.
#[derive(Debug, Default)]
struct Memory {
    will: HashMap<String, Value>,
    last: String,
    notes: HashMap<usize, Vec<u8>>,
    waiting: Vec<(usize, Vec<u8>)>,
    changes: usize,
    kill: Option<(usize, bool)>,
}

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Memory>>);

impl Diary for Kept {
    fn will(&self, stamp: &str, outcome: &Outcome) -> Result<(), SqlError> {
        let mut memory = self.0.lock().expect("it works");
        memory.changes += 1;
        let killed = Err(SqlError {
            reason: "backendError",
            message: "killed".to_owned(),
        });
        let at = memory.changes;
        if memory.kill == Some((at, false)) {
            return killed;
        }
        for (number, text) in std::mem::take(&mut memory.waiting) {
            memory.notes.insert(number, text);
        }
        memory.will.insert(stamp.to_owned(), outcome.to_note());
        stamp.clone_into(&mut memory.last);
        if memory.kill == Some((at, true)) {
            return killed;
        }
        Ok(())
    }

    fn did(&self, stamp: &str) -> Option<(Outcome, bool)> {
        let memory = self.0.lock().expect("it works");
        let outcome = Outcome::of_note(memory.will.get(stamp)?)?;
        Some((outcome, memory.last != stamp))
    }

    fn note(&self, number: usize, text: Vec<u8>) -> Result<(), SqlError> {
        self.0
            .lock()
            .expect("it works")
            .waiting
            .push((number, text));
        Ok(())
    }

    fn noted(&self, number: usize) -> Option<Vec<u8>> {
        self.0.lock().expect("it works").notes.get(&number).cloned()
    }
}

fn run(kit: &Kit, diary: &Kept, kill: Option<(usize, bool)>) -> Result<Outcome, SqlError> {
    {
        let mut memory = diary.0.lock().expect("it works");
        (memory.changes, memory.kill) = (0, kill);
        memory.waiting.clear();
    }
    let catalog = Arc::new(Located::new(kit.warehouse.clone(), "EU"));
    let engine = Engine::new(catalog, &kit.folder.path().join("spill")).expect("it works");
    let request = Request {
        job: Some("job".to_owned()),
        diary: Some(Arc::new(diary.clone())),
        ..Request::new(SCRIPT, "p", noon())
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it works")
        .block_on(engine.run(&request))
}

fn started() -> Kit {
    let kit = Kit::new();
    kit.query("CREATE TABLE d.t AS SELECT 1 AS x")
        .expect("it works");
    kit
}

#[test]
fn a_script_that_is_killed_anywhere_does_each_statement_once() {
    let rows = |kit: &Kit| kit.rows("SELECT x, y FROM d.u ORDER BY x").0;
    let (kit, diary) = (started(), Kept::default());
    run(&kit, &diary, None).unwrap();
    let changes = diary.0.lock().unwrap().changes;
    assert!(changes >= 16, "{changes}");
    let expected = rows(&kit);
    assert_eq!(
        expected,
        [
            "1,1", "2,2", "11,11", "12,12", "101,4", "102,1", "111,1", "112,1"
        ]
    );
    for at in 1..=changes {
        for announced in [false, true] {
            let (kit, diary) = (started(), Kept::default());
            run(&kit, &diary, Some((at, announced))).unwrap_err();
            let kit = kit.killed();
            let outcome = run(&kit, &diary, None)
                .unwrap_or_else(|error| panic!("killed at {at} {announced}: {error}"));
            assert_eq!(outcome.statement_type, "SCRIPT");
            assert_eq!(rows(&kit), expected, "killed at {at} {announced}");
            kit.query("SELECT x FROM d.t").unwrap_err();
        }
    }
}

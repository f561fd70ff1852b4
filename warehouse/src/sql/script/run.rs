//! Trees to what they do.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::values::{self, coerced, nothing, record, truth};
use super::{Block, Head, Step, What};
use crate::schema::{Field, Kind, Mode};
use crate::sql::engine::Engine;
use crate::sql::error::SqlError;
use crate::sql::piece::{Kind as Of, Piece, place};
use crate::sql::request::{Child, Operation, Outcome, Request};
use crate::sql::scope::{Scope, Variable};

/// What comes after a statement.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    Leave(Option<String>),
    Continue(Option<String>),
    Return,
}

/// A script under way.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: Request,
    pub(super) scope: Scope,
    /// Statements that were run.
    children: Vec<Child>,
    numbered: usize,
    /// What decided so far.
    noted: usize,
    bytes: u64,
    /// The errors that are being handled, the newest at the end.
    errors: Vec<SqlError>,
}

impl<'a> Run<'a> {
    pub(super) fn new(engine: &'a Engine, request: &Request) -> Self {
        let mut scope = Scope::default();
        if let Some(job) = &request.job {
            scope.hidden = Some(values::hidden_dataset(&request.project, job));
        }
        let mut run = Self {
            engine,
            request: request.clone(),
            scope,
            children: Vec::new(),
            numbered: 0,
            noted: 0,
            bytes: 0,
            errors: Vec::new(),
        };
        run.system("project_id", &request.project);
        run.system("time_zone", "UTC");
        run.system("script.job_id", request.job.as_deref().unwrap_or_default());
        run.counted("row_count", None);
        run.counted("script.bytes_processed", Some(0));
        run
    }

    pub(super) async fn script(mut self, block: &Block) -> Result<Outcome, SqlError> {
        let alone = match block.as_slice() {
            [
                Step {
                    what: What::Assert { .. },
                    ..
                },
            ] => "ASSERT",
            _ => "SCRIPT",
        };
        let mut outcome = Outcome::of(alone);
        if self.request.dry_run {
            self.look(block).await;
            return Ok(outcome);
        }
        match self.block(block).await? {
            Flow::Leave(_) | Flow::Continue(_) => {
                return Err(SqlError::invalid(
                    "BREAK and CONTINUE are only allowed inside of a loop body",
                ));
            }
            Flow::Next | Flow::Return => {}
        }
        for child in &mut self.children {
            if let Ok(one) = &mut child.result
                && one.statement_type == "SELECT"
            {
                outcome.schema = one.schema.clone();
                outcome.batches = std::mem::take(&mut one.batches);
            }
        }
        outcome.bytes_processed = self.bytes;
        outcome.children = self.children;
        Ok(outcome)
    }

    /// Looks at the statements of a script; what they name that is not there yet may be made by it.
    fn look<'b>(&'b self, block: &'b Block) -> BoxFuture<'b, ()> {
        async move {
            for step in block {
                match &step.what {
                    What::Plain => {
                        let _ = self
                            .engine
                            .statement(&step.piece, &self.scope, &self.request)
                            .await;
                    }
                    What::If { arms, otherwise } => {
                        for (_, body) in arms {
                            self.look(body).await;
                        }
                        self.look(otherwise).await;
                    }
                    What::Case {
                        arms, otherwise, ..
                    } => {
                        for (_, body) in arms {
                            self.look(body).await;
                        }
                        if let Some(body) = otherwise {
                            self.look(body).await;
                        }
                    }
                    What::Loop { body, .. } => self.look(body).await,
                    What::Begin { body, handler, .. } => {
                        self.look(body).await;
                        if let Some(body) = handler {
                            self.look(body).await;
                        }
                    }
                    _ => {}
                }
            }
        }
        .boxed()
    }

    fn block<'b>(&'b mut self, block: &'b Block) -> BoxFuture<'b, Result<Flow, SqlError>> {
        async move {
            let mut declared = Vec::new();
            let mut flow = Ok(Flow::Next);
            for step in block {
                if let What::Declare { names, .. } = &step.what {
                    declared.extend(names.iter().cloned());
                }
                flow = self
                    .step(step)
                    .await
                    .map_err(|error| placed(error, &step.piece));
                if !matches!(flow, Ok(Flow::Next)) {
                    break;
                }
            }
            for name in declared {
                self.scope.variables.remove(&name);
            }
            flow
        }
        .boxed()
    }

    async fn step(&mut self, step: &Step) -> Result<Flow, SqlError> {
        match &step.what {
            What::Plain => {
                let scope = self.scope.clone();
                self.statement(&step.piece, &scope).await?;
            }
            What::Declare { names, kind, value } => {
                self.declare(names, kind.as_ref(), value.as_ref()).await?;
            }
            What::Set { names, value } => self.set(names, value).await?,
            What::If { arms, otherwise } => {
                for (condition, body) in arms {
                    let found = self.value(condition).await?;
                    if truth(&found, "IF condition")? {
                        return self.block(body).await;
                    }
                }
                return self.block(otherwise).await;
            }
            What::Case {
                value,
                arms,
                otherwise,
            } => return self.case(value, arms, otherwise.as_ref()).await,
            What::Loop { label, head, body } => {
                return self.repeated(label.as_deref(), head, body).await;
            }
            What::Leave(label) => return Ok(Flow::Leave(label.clone())),
            What::Continue(label) => return Ok(Flow::Continue(label.clone())),
            What::Return => return Ok(Flow::Return),
            What::Begin {
                label,
                body,
                handler,
            } => return self.guarded(label.as_deref(), body, handler.as_ref()).await,
            What::Raise(message) => return Err(self.raised(message.as_ref()).await?),
            What::Execute { text, into, using } => self.execute(text, into, using).await?,
            What::Assert { condition, message } => {
                self.asserted(condition, message.as_ref()).await?;
            }
        }
        Ok(Flow::Next)
    }

    async fn declare(
        &mut self,
        names: &[String],
        kind: Option<&(Kind, Mode)>,
        value: Option<&Piece>,
    ) -> Result<(), SqlError> {
        let field = kind.map(|(kind, mode)| Field::new("", kind.clone()).mode(*mode));
        if let Some(field) = &field
            && crate::sql::coerce::unbounded(&field.kind) != field.kind
        {
            return Err(SqlError::unsupported(format!(
                "variables of the type {}",
                field.kind
            )));
        }
        for name in names {
            if self.scope.variables.contains_key(name) {
                return Err(SqlError::invalid(format!(
                    "Variable '{name}' redeclaration"
                )));
            }
        }
        let found = match (field, value) {
            (None, None) => {
                return Err(SqlError::invalid("DECLARE needs a type or a default"));
            }
            (Some(field), None) => nothing(field),
            (None, Some(value)) => self.value(value).await?,
            (Some(field), Some(value)) => {
                let found = self.value_for(value, &field).await?;
                coerced(&found, &field)?
            }
        };
        for name in names {
            self.scope.variables.insert(name.clone(), found.clone());
        }
        Ok(())
    }

    async fn set(&mut self, names: &[String], value: &Piece) -> Result<(), SqlError> {
        match names {
            [name] if name == "@@dataset_id" => {
                let found = self.value(value).await?;
                let text =
                    crate::rows::text_of(found.value.as_ref(), 0, crate::rows::CellText::File);
                self.request.default_dataset = text;
                Ok(())
            }
            [name] if name.starts_with("@@") => Err(SqlError::unsupported(format!("SET {name}"))),
            [name] => {
                let field = self.variable(name)?.field.clone();
                let found = self.value_for(value, &field).await?;
                self.assign(name, found)
            }
            [_, names @ ..] => {
                for name in names {
                    self.variable(name)?;
                }
                let row = self.row(value).await?;
                if row.len() != names.len() {
                    return Err(SqlError::invalid(format!(
                        "SET has {} variables for {} values",
                        names.len(),
                        row.len()
                    )));
                }
                for (name, value) in names.iter().zip(row) {
                    self.assign(name, value)?;
                }
                Ok(())
            }
            [] => Ok(()),
        }
    }

    fn variable(&self, name: &str) -> Result<&Variable, SqlError> {
        self.scope
            .variables
            .get(name)
            .ok_or_else(|| SqlError::invalid(format!("Undeclared variable: {name}")))
    }

    /// Gives a variable a value.
    pub(super) fn assign(&mut self, name: &str, value: Variable) -> Result<(), SqlError> {
        let field = self.variable(name)?.field.clone();
        let value = coerced(&value, &field)?;
        self.scope.variables.insert(name.to_owned(), value);
        Ok(())
    }

    async fn case(
        &mut self,
        value: &Piece,
        arms: &[(Piece, Block)],
        otherwise: Option<&Block>,
    ) -> Result<Flow, SqlError> {
        let name = format!("case${}", self.noted);
        let found = self.value(value).await?;
        self.scope.variables.insert(name.clone(), found);
        let mut chosen = None;
        for (at, (one, _)) in arms.iter().enumerate() {
            let equal = self.value(&one.compared(&name)).await;
            match equal.and_then(|equal| truth(&equal, "CASE")) {
                Ok(false) => {}
                Ok(true) => {
                    chosen = Some(Ok(at));
                    break;
                }
                Err(error) => {
                    chosen = Some(Err(error));
                    break;
                }
            }
        }
        self.scope.variables.remove(&name);
        match (chosen, otherwise) {
            (Some(at), _) => self.block(&arms[at?].1).await,
            (None, Some(body)) => self.block(body).await,
            (None, None) => Ok(Flow::Next),
        }
    }

    async fn repeated(
        &mut self,
        label: Option<&str>,
        head: &Head,
        body: &Block,
    ) -> Result<Flow, SqlError> {
        let rows = match head {
            Head::For(name, query) => {
                if self.scope.variables.contains_key(name) {
                    return Err(SqlError::invalid(format!(
                        "Variable '{name}' redeclaration"
                    )));
                }
                Some(self.looped_over(query).await?)
            }
            _ => None,
        };
        let mut at = 0;
        let flow = loop {
            // Who stops the job gets his turn.
            tokio::task::yield_now().await;
            match (head, &rows) {
                (Head::While(condition), _) => {
                    let found = self.value(condition).await?;
                    if !truth(&found, "WHILE condition")? {
                        break Flow::Next;
                    }
                }
                (Head::For(name, _), Some(rows)) => {
                    let Some(row) = rows.get(at) else {
                        break Flow::Next;
                    };
                    self.scope.variables.insert(name.clone(), row.clone());
                }
                _ => {}
            }
            at += 1;
            let mine = |other: &Option<String>| other.is_none() || other.as_deref() == label;
            match self.block(body).await? {
                Flow::Leave(other) if mine(&other) => break Flow::Next,
                Flow::Continue(other) if mine(&other) => {}
                Flow::Next => {}
                other => break other,
            }
            if let Head::Until(condition) = head {
                let found = self.value(condition).await?;
                if truth(&found, "UNTIL condition")? {
                    break Flow::Next;
                }
            }
        };
        if let Head::For(name, _) = head {
            self.scope.variables.remove(name);
        }
        Ok(flow)
    }

    async fn looped_over(&mut self, query: &Piece) -> Result<Vec<Variable>, SqlError> {
        let outcome = self.decided(&query.unwrapped()).await?;
        let mut rows = Vec::new();
        for batch in &outcome.batches {
            for row in 0..batch.num_rows() {
                rows.push(record(&outcome.schema, batch, row));
            }
        }
        Ok(rows)
    }

    async fn guarded(
        &mut self,
        label: Option<&str>,
        body: &Block,
        handler: Option<&Block>,
    ) -> Result<Flow, SqlError> {
        let before: Vec<String> = self.scope.variables.keys().cloned().collect();
        let flow = match (self.block(body).await, handler) {
            (Err(error), Some(handler)) => {
                // What loops within the block declared is gone.
                self.scope.variables.retain(|name, _| before.contains(name));
                self.errors.push(error);
                self.told();
                let flow = self.block(handler).await;
                self.errors.pop();
                self.told();
                flow?
            }
            (flow, _) => flow?,
        };
        Ok(match flow {
            Flow::Leave(Some(name)) if Some(name.as_str()) == label => Flow::Next,
            other => other,
        })
    }

    /// `@@error.…` of the error that is being handled.
    fn told(&mut self) {
        self.scope
            .system
            .retain(|name, _| !name.starts_with("error."));
        if let Some(error) = self.errors.last() {
            let message = error.message.clone();
            self.system("error.message", &message);
            self.system("error.statement_text", "");
            self.system("error.formatted_stack_trace", "");
        }
    }

    async fn raised(&mut self, message: Option<&Piece>) -> Result<SqlError, SqlError> {
        match (message, self.errors.last()) {
            (Some(message), _) => {
                let found = self.value(message).await?;
                let text =
                    crate::rows::text_of(found.value.as_ref(), 0, crate::rows::CellText::File);
                Ok(SqlError::invalid(text.unwrap_or_default()))
            }
            (None, Some(error)) => Ok(error.clone()),
            (None, None) => Err(SqlError::invalid(
                "Cannot re-raise an existing exception outside of an exception handler",
            )),
        }
    }

    async fn asserted(
        &mut self,
        condition: &Piece,
        message: Option<&Piece>,
    ) -> Result<(), SqlError> {
        let found = self.value(condition).await?;
        if truth(&found, "ASSERT")? {
            return Ok(());
        }
        let told = match message {
            None => String::new(),
            Some(message) => {
                let found = self.value(message).await?;
                let text =
                    crate::rows::text_of(found.value.as_ref(), 0, crate::rows::CellText::File);
                format!(": {}", text.unwrap_or_default())
            }
        };
        Err(SqlError::invalid(format!("Assertion failed{told}")))
    }

    pub(super) fn system(&mut self, name: &str, text: &str) {
        let value: ArrayRef = Arc::new(StringArray::from(vec![text]));
        let field = Field::new("", Kind::String(None));
        self.scope
            .system
            .insert(name.to_owned(), Variable { field, value });
    }

    fn counted(&mut self, name: &str, number: Option<u64>) {
        let number = number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let value: ArrayRef = Arc::new(Int64Array::from(vec![number]));
        let field = Field::new("", Kind::Int64);
        self.scope
            .system
            .insert(name.to_owned(), Variable { field, value });
    }

    /// The number of what decides next.
    pub(super) fn next_note(&mut self) -> usize {
        self.noted += 1;
        self.noted
    }

    /// Counts bytes that were read.
    pub(super) fn read(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.counted("script.bytes_processed", Some(self.bytes));
    }

    /// Runs a statement as a child of the script.
    pub(super) async fn statement(
        &mut self,
        piece: &Piece,
        scope: &Scope,
    ) -> Result<Outcome, SqlError> {
        self.numbered += 1;
        let number = self.numbered;
        let started = self.engine.now(&self.request);
        let mut request = self.request.clone();
        request.job = self
            .request
            .job
            .as_ref()
            .map(|job| format!("{job}_{number}"));
        request.now = started;
        let result = match piece.kind()? {
            Of::Query => self.remembered(piece, scope, &request).await,
            _ => self.changed(piece, scope, &request).await,
        };
        if let Ok(outcome) = &result {
            self.read(outcome.bytes_processed);
            self.counted(
                "row_count",
                outcome.affected.map(|affected| affected.rows()),
            );
            self.named(outcome);
        }
        let child = Child {
            number,
            text: piece.source().to_owned(),
            place: piece.place(),
            result: result.clone(),
            started,
            ended: self.engine.now(&self.request),
        };
        if let Some(diary) = &self.request.diary {
            diary.ran(&child);
        }
        self.children.push(child);
        result
    }

    /// Temporary tables come and go.
    fn named(&mut self, outcome: &Outcome) {
        let Some(target) = &outcome.target else {
            return;
        };
        if self.scope.hidden.as_ref() != Some(&target.table.of()) {
            return;
        }
        let name = target.table.table.to_lowercase();
        match target.operation {
            Operation::Drop => {
                self.scope.temporary.remove(&name);
            }
            _ => {
                self.scope.temporary.insert(name, target.table.clone());
            }
        }
    }
}

/// An error, with the place of the statement if it says none.
fn placed(mut error: SqlError, piece: &Piece) -> SqlError {
    if !error.message.contains(" at [")
        && let Some(first) = piece.tokens().first()
    {
        error.message.push_str(&place(first.span.start));
    }
    error
}

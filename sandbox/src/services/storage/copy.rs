//! New objects out of those that there are: composed, copied, rewritten.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::conditions::Conditions;
use super::disk::{Draft, Storage};
use super::objects::{deleted, made};
use super::record::{Object, Place};
use super::{fields, names};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

/// Cloud Storage's own limit.
const SOURCES: usize = 32;
const MIB: u64 = 1 << 20;
/// Bytes that one request rewrites when it does not say.
const REWRITTEN: u64 = 1 << 30;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compose {
    #[serde(default)]
    source_objects: Vec<Source>,
    #[serde(default)]
    destination: Map<String, Value>,
    #[serde(default)]
    delete_source_objects: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    #[serde(default)]
    generation: Option<Value>,
    #[serde(default)]
    object_preconditions: Map<String, Value>,
}

pub(super) async fn compose(state: Arc<State>, mut call: Call) -> Answer {
    fields::check_call(&call)?;
    let body: Compose = call.json().await?;
    let (place, conditions) = (to(&call), Conditions::of(&call)?);
    names::check_object(&place.name)?;
    if body.source_objects.is_empty() {
        return Err(Refusal::invalid(
            "You must provide at least one source component.",
        ));
    }
    if body.source_objects.len() > SOURCES {
        return Err(Refusal::invalid(format!(
            "The number of source components provided ({}) exceeds the maximum ({SOURCES})",
            body.source_objects.len()
        )));
    }
    let sources = state.storage.sources(&place.bucket, &body.source_objects)?;
    let fields = fields::of_object(&body.destination)?;
    let (mut size, mut crc32c, mut components) = (0, 0, 0);
    for (_, object, _) in &sources {
        let length = usize::try_from(object.size).map_err(|error| Refusal::internal(&error))?;
        crc32c = crc32c::crc32c_combine(crc32c, object.crc32c, length);
        size += object.size;
        components += object.components.unwrap_or(1);
    }
    let scratch = state.storage.scratch();
    let path = scratch.0.clone();
    let (from, files): (Vec<_>, Vec<_>) = sources
        .into_iter()
        .map(|(from, object, file)| ((from, object), file))
        .unzip();
    blocking(move || {
        let mut target = File::create(path)?;
        for mut file in files {
            io::copy(&mut file, &mut target)?;
        }
        Ok(())
    })
    .await?;
    let draft = Draft {
        file: scratch.0.clone(),
        size,
        crc32c,
        md5: None,
        components: Some(components),
        upload: None,
        fields,
    };
    let object = state
        .storage
        .commit(&place, draft, &conditions, state.now())?;
    let mut reply = Reply::json(&object.shown(&place, &state.public)).effect(made(&place, &object));
    if body.delete_source_objects {
        for (from, object) in from.into_iter().filter(|(from, _)| *from != place) {
            let only = Conditions::generation(Some(object.generation));
            // One that was replaced meanwhile is another object, and stays.
            if state
                .storage
                .delete(&from, None, &only, state.now())
                .is_ok()
            {
                reply = reply.effect(deleted(&from, &object));
            }
        }
    }
    Ok(reply)
}

pub(super) async fn copy(state: Arc<State>, mut call: Call) -> Answer {
    fields::check_call(&call)?;
    let body: Map<String, Value> = call.json().await?;
    let (from, place) = (source(&call), to(&call));
    names::check_object(&place.name)?;
    let conditions = Conditions::of(&call)?;
    let wanted = Conditions::of_source(&call)?;
    let generation = call.parsed("sourceGeneration")?;
    state.storage.bucket(&place.bucket)?;
    let (object, mut file) = state.storage.opened(&from, generation)?;
    wanted.allow(Some(&object))?;
    let scratch = state.storage.scratch();
    let path = scratch.0.clone();
    blocking(move || {
        let mut target = File::create(path)?;
        io::copy(&mut file, &mut target).map(drop)
    })
    .await?;
    let draft = same(&object, scratch.0.clone(), fields_for(&object, &body)?);
    let object = state
        .storage
        .commit(&place, draft, &conditions, state.now())?;
    Ok(Reply::json(&object.shown(&place, &state.public)).effect(made(&place, &object)))
}

/// A rewrite that needs more than one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Rewrite {
    from: Place,
    generation: i64,
    to: Place,
    body: Map<String, Value>,
}

pub(super) async fn rewrite(state: Arc<State>, mut call: Call) -> Answer {
    fields::check_call(&call)?;
    let body: Map<String, Value> = call.json().await?;
    let (from, place) = (source(&call), to(&call));
    names::check_object(&place.name)?;
    let conditions = Conditions::of(&call)?;
    let wanted = Conditions::of_source(&call)?;
    let limit = call
        .parsed::<u64>("maxBytesRewrittenPerCall")?
        .unwrap_or(REWRITTEN);
    if limit == 0 || limit % MIB != 0 {
        return Err(Refusal::invalid(format!(
            "maxBytesRewrittenPerCall has to be a multiple of {MIB}, not {limit}"
        )));
    }
    let storage = &state.storage;
    storage.bucket(&place.bucket)?;
    let (object, mut file) = storage.opened(&from, call.parsed("sourceGeneration")?)?;
    wanted.allow(Some(&object))?;
    let asked = Rewrite {
        from,
        generation: object.generation,
        to: place.clone(),
        body,
    };
    let token = storage.rewriting(&state, call.query("rewriteToken"), &asked)?;
    drop(call);
    let path = storage.state("uploads").join(format!("r{token}"));
    let (beside, size) = (path.clone(), object.size);
    let written = blocking(move || {
        let mut target = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside)?;
        // Two requests with one token write the same bytes to the same places.
        let at = target.metadata()?.len();
        target.seek(SeekFrom::Start(at))?;
        file.seek(SeekFrom::Start(at))?;
        let copied = io::copy(&mut file.take(limit), &mut target)?;
        Ok(at + copied)
    })
    .await?;
    let mut shown = json!({
        "kind": "storage#rewriteResponse",
        "objectSize": size.to_string(),
        "totalBytesRewritten": written.to_string(),
        "done": written >= size,
    });
    if written < size {
        shown["rewriteToken"] = json!(token);
        return Ok(Reply::json(&shown));
    }
    let draft = same(&object, path.clone(), fields_for(&object, &asked.body)?);
    let made_object = storage.commit(&place, draft, &conditions, state.now());
    storage
        .rewrites
        .remove(&token)
        .map_err(|error| Refusal::internal(&error))?;
    // It is gone when the object was made.
    let _ = std::fs::remove_file(path);
    let object = made_object?;
    shown["resource"] = object.shown(&place, &state.public);
    Ok(Reply::json(&shown).effect(made(&place, &object)))
}

impl Storage {
    /// The objects that are to be composed, opened.
    fn sources(
        &self,
        bucket: &str,
        sources: &[Source],
    ) -> Result<Vec<(Place, Object, File)>, Refusal> {
        let mut opened = Vec::new();
        for source in sources {
            let from = Place::new(bucket, &source.name);
            let (object, file) = self.opened(&from, number(source.generation.as_ref())?)?;
            let wanted = number(source.object_preconditions.get("ifGenerationMatch"))?;
            Conditions::generation(wanted).allow(Some(&object))?;
            opened.push((from, object, file));
        }
        Ok(opened)
    }

    /// The token of a rewrite: of the one that goes on, or of a new one.
    fn rewriting(
        &self,
        state: &State,
        token: Option<&str>,
        asked: &Rewrite,
    ) -> Result<String, Refusal> {
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            let known = self.rewrites.get(token);
            return if known.as_deref() == Some(asked) {
                Ok(token.to_owned())
            } else {
                Err(Refusal::invalid(
                    "Invalid rewriteToken: it is not of this source, generation, destination and metadata",
                ))
            };
        }
        let token = format!("{:x}", self.next_generation(state.now()));
        self.rewrites
            .put(&token, asked.clone())
            .map_err(|error| Refusal::internal(&error))?;
        Ok(token)
    }
}

fn source(call: &Call) -> Place {
    Place::new(call.part("sourceBucket"), call.part("sourceObject"))
}

fn to(call: &Call) -> Place {
    Place::new(
        call.part("destinationBucket"),
        call.part("destinationObject"),
    )
}

/// What is to be known of a copy: what the request says, or if it says nothing what is known of the source.
fn fields_for(object: &Object, body: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut given = fields::of_object(body)?;
    if given.is_empty() {
        given = object.fields.clone();
        // The class is that of the new bucket, and holds are not copied.
        for name in ["storageClass", "temporaryHold", "eventBasedHold"] {
            given.remove(name);
        }
    }
    Ok(given)
}

fn same(object: &Object, file: PathBuf, fields: Map<String, Value>) -> Draft {
    Draft {
        file,
        size: object.size,
        crc32c: object.crc32c,
        md5: object.md5.clone(),
        components: object.components,
        upload: None,
        fields,
    }
}

/// A generation comes as text or as a number.
fn number(value: Option<&Value>) -> Result<Option<i64>, Refusal> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let number = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number
        .map(Some)
        .ok_or_else(|| Refusal::invalid(format!("Invalid value for a generation: {value}")))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refusal::internal(&error))?
        .map_err(|error| Refusal::internal(&error))
}

//! What clients may set on buckets and objects.

use axum::http::StatusCode;
use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::call::{Call, Refusal};

type Fields = Map<String, Value>;
/// How a request changes fields by its body.
pub(super) type Change = fn(&mut Fields, &Fields) -> Result<(), Refusal>;
type Fits = fn(&Value) -> bool;

/// Texts of an object.
const TEXTS: [&str; 6] = [
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "storageClass",
];
const FLAGS: [&str; 2] = ["eventBasedHold", "temporaryHold"];
/// What an object can have in Cloud Storage and not here.
const NOT_HERE: [&str; 4] = ["contexts", "customerEncryption", "kmsKeyName", "retention"];
const CLASSES: [&str; 7] = [
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
];
/// What a bucket keeps as it is given.
const OF_BUCKET: [(&str, Fits); 13] = [
    ("autoclass", Value::is_object),
    ("billing", Value::is_object),
    ("cors", Value::is_array),
    ("iamConfiguration", Value::is_object),
    ("labels", Value::is_object),
    ("lifecycle", Value::is_object),
    ("location", Value::is_string),
    ("logging", Value::is_object),
    ("rpo", Value::is_string),
    ("softDeletePolicy", Value::is_object),
    ("storageClass", Value::is_string),
    ("versioning", Value::is_object),
    ("website", Value::is_object),
];
const NOT_IN_BUCKETS: [&str; 6] = [
    "customPlacementConfig",
    "defaultEventBasedHold",
    "encryption",
    "ipFilter",
    "objectRetention",
    "retentionPolicy",
];

/// Refuses what a request asks by headers and parameters and the sandbox does not do.
pub(super) fn check_call(call: &Call) -> Result<(), Refusal> {
    let secret = |name: &&axum::http::HeaderName| {
        name.as_str().starts_with("x-goog-encryption-")
            || name.as_str().starts_with("x-goog-copy-source-encryption-")
    };
    if let Some(name) = call.headers.keys().find(secret) {
        return Err(Refusal::unsupported(&format!(
            "keys of customers, in the header {name}"
        )));
    }
    for name in ["kmsKeyName", "destinationKmsKeyName", "filter"] {
        if call.query(name).is_some() {
            return Err(Refusal::unsupported(&format!("the parameter {name}")));
        }
    }
    if call
        .query("softDeleted")
        .is_some_and(|on| on.eq_ignore_ascii_case("true"))
    {
        return Err(Refusal::unsupported("soft deletion"));
    }
    let acl = [
        "predefinedAcl",
        "predefinedDefaultObjectAcl",
        "destinationPredefinedAcl",
    ];
    if acl.iter().any(|name| call.query(name).is_some()) {
        return Err(no_acl());
    }
    Ok(())
}

/// What can be set of an object, out of a body that may hold more.
pub(super) fn of_object(body: &Fields) -> Result<Fields, Refusal> {
    let mut fields = Fields::new();
    patch_object(&mut fields, body)?;
    Ok(fields)
}

/// Changes what `body` names: null takes away, `metadata` is merged.
pub(super) fn patch_object(fields: &mut Fields, body: &Fields) -> Result<(), Refusal> {
    for (name, value) in body {
        let name = name.as_str();
        if value.is_null() {
            if TEXTS.contains(&name)
                || FLAGS.contains(&name)
                || matches!(name, "metadata" | "customTime")
            {
                fields.remove(name);
            }
            continue;
        }
        let good = match name {
            "acl" if value.as_array().is_none_or(|acl| !acl.is_empty()) => return Err(no_acl()),
            name if NOT_HERE.contains(&name) => {
                return Err(Refusal::unsupported(&format!("{name} of an object")));
            }
            "storageClass" => value.as_str().is_some_and(|class| CLASSES.contains(&class)),
            "customTime" => value
                .as_str()
                .is_some_and(|time| DateTime::parse_from_rfc3339(time).is_ok()),
            "metadata" => {
                merge_texts(fields, value)?;
                continue;
            }
            name if TEXTS.contains(&name) => value.is_string(),
            name if FLAGS.contains(&name) => value.is_boolean(),
            _ => continue,
        };
        if !good {
            return Err(wrong(name, value));
        }
        fields.insert(name.to_owned(), value.clone());
    }
    Ok(())
}

fn merge_texts(fields: &mut Fields, value: &Value) -> Result<(), Refusal> {
    let Value::Object(given) = value else {
        return Err(wrong("metadata", value));
    };
    let mut all = match fields.remove("metadata") {
        Some(Value::Object(all)) => all,
        _ => Fields::new(),
    };
    for (key, value) in given {
        match value {
            Value::Null => {
                all.remove(key);
            }
            Value::String(_) => {
                all.insert(key.clone(), value.clone());
            }
            _ => return Err(wrong(&format!("metadata.{key}"), value)),
        }
    }
    if !all.is_empty() {
        fields.insert("metadata".into(), Value::Object(all));
    }
    Ok(())
}

/// What can be set of a bucket, with what a bucket has when nothing is set.
pub(super) fn of_bucket(body: &Fields) -> Result<Fields, Refusal> {
    let mut fields = Fields::new();
    fields.insert("location".into(), json!("US"));
    fields.insert("storageClass".into(), json!("STANDARD"));
    fields.insert(
        "softDeletePolicy".into(),
        json!({ "retentionDurationSeconds": "0" }),
    );
    let uniform = json!({ "enabled": true });
    fields.insert(
        "iamConfiguration".into(),
        json!({ "uniformBucketLevelAccess": uniform, "bucketPolicyOnly": uniform, "publicAccessPrevention": "inherited" }),
    );
    patch_bucket(&mut fields, body)?;
    Ok(fields)
}

/// Changes what `body` names: null takes away, labels are merged.
pub(super) fn patch_bucket(fields: &mut Fields, body: &Fields) -> Result<(), Refusal> {
    for (name, value) in body {
        let name = name.as_str();
        let list = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
        if matches!(name, "acl" | "defaultObjectAcl") && list(value) {
            return Err(no_acl());
        }
        let on = match name {
            "hierarchicalNamespace" | "autoclass" => value["enabled"] == json!(true),
            "softDeletePolicy" => {
                !matches!(&value["retentionDurationSeconds"], Value::Null)
                    && value["retentionDurationSeconds"] != json!("0")
                    && value["retentionDurationSeconds"] != json!(0)
            }
            name => NOT_IN_BUCKETS.contains(&name) && !value.is_null() && *value != json!(false),
        };
        if on {
            return Err(Refusal::unsupported(&format!("{name} of a bucket")));
        }
        let Some((_, fits)) = OF_BUCKET.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        match value {
            Value::Null => {
                fields.remove(name);
            }
            value if !fits(value) => return Err(wrong(name, value)),
            Value::Object(given) if name == "labels" => {
                let labels = fields.entry(name).or_insert_with(|| json!({}));
                for (key, label) in given {
                    if label.is_null() {
                        if let Value::Object(labels) = labels {
                            labels.remove(key);
                        }
                    } else if label.is_string() {
                        labels[key] = label.clone();
                    } else {
                        return Err(wrong(&format!("labels.{key}"), label));
                    }
                }
            }
            Value::String(text) if name == "location" => {
                fields.insert(name.into(), json!(text.to_uppercase()));
            }
            Value::String(class)
                if name == "storageClass" && !CLASSES.contains(&class.as_str()) =>
            {
                return Err(wrong(name, value));
            }
            Value::Object(given) if name == "iamConfiguration" => {
                if given.contains_key("uniformBucketLevelAccess")
                    && given["uniformBucketLevelAccess"]["enabled"] == json!(false)
                {
                    return Err(Refusal::unsupported("access by ACLs"));
                }
                let whole = fields.entry(name).or_insert_with(|| json!({}));
                for (key, given) in given {
                    whole[key] = given.clone();
                }
            }
            value => {
                fields.insert(name.into(), value.clone());
            }
        }
    }
    Ok(())
}

fn no_acl() -> Refusal {
    Refusal::invalid(
        "Cannot use ACL API to update bucket policy when uniform bucket-level access is enabled. The sandbox keeps no ACLs.",
    )
}

fn wrong(name: &str, value: &Value) -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::BAD_REQUEST,
        "invalid",
        format!("Invalid value for {name}: {value}"),
    );
    refusal.location = Some(name.to_owned());
    refusal
}

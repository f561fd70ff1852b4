//! The words of WebDriver that are needed here, and of Chromium's own protocol where WebDriver has none.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::wire::send;

/// The key of an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An element of the page that is shown.
#[derive(Debug, Clone)]
pub(crate) struct Element(String);

impl Element {
    /// Reads one out of an answer.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        value[ELEMENT].as_str().map(|id| Self(id.to_owned()))
    }

    /// As an argument of a script.
    pub(crate) fn value(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }
}

/// A Chromium that is driven.
#[derive(Debug)]
pub(crate) struct Session {
    driver: SocketAddr,
    id: String,
}

impl Session {
    /// Starts a Chromium.
    pub(crate) fn start(driver: SocketAddr, profile: &str) -> Self {
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-breakpad",
            "--disable-crash-reporter",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--lang=en-GB",
            "--window-size=1440,900",
            &format!("--user-data-dir={profile}"),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {
                "args": args,
                "perfLoggingPrefs": {"enableNetwork": true, "enablePage": false},
            },
            "timeouts": {"implicit": 0, "pageLoad": 60_000, "script": 60_000},
        }}});
        let started = call(driver, "POST /session", &wanted);
        let started = started.unwrap_or_else(|why| panic!("Chromium does not start: {why}"));
        let id = started["sessionId"].as_str().expect("a session has an id");
        Self {
            driver,
            id: id.to_owned(),
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        call(
            self.driver,
            &format!("{method} /session/{}{path}", self.id),
            body,
        )
    }

    /// A command that only fails when the browser is gone or was asked for something odd.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, body)
            .unwrap_or_else(|why| panic!("POST {path} {body}: {why}"))
    }

    /// A command that may fail, because the page is not there yet.
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.call("POST", path, body)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        self.call("GET", path, &Value::Null)
    }

    /// Ends what the path names.
    pub(crate) fn delete(&self, path: &str) {
        let _ = self.call("DELETE", path, &Value::Null);
    }

    /// Ends the browser.
    pub(crate) fn quit(&self) {
        self.delete("");
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn chromium(&self, cmd: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": cmd, "params": params}))
    }

    /// Runs a script in the page, and gives what it returns.
    pub(crate) fn run(&self, script: &str, args: &[Value]) -> Result<Value, String> {
        self.try_post("/execute/sync", &json!({"script": script, "args": args}))
    }

    pub(crate) fn click(&self, element: &Element) -> Result<(), String> {
        let path = format!("/element/{}/click", element.0);
        self.try_post(&path, &json!({})).map(drop)
    }

    pub(crate) fn clear(&self, element: &Element) -> Result<(), String> {
        let path = format!("/element/{}/clear", element.0);
        self.try_post(&path, &json!({})).map(drop)
    }

    pub(crate) fn type_into(&self, element: &Element, text: &str) -> Result<(), String> {
        let path = format!("/element/{}/value", element.0);
        self.try_post(&path, &json!({ "text": text })).map(drop)
    }

    /// What was said since this was asked last.
    pub(crate) fn log(&self, kind: &str) -> Vec<Value> {
        let said = self.post("/se/log", &json!({ "type": kind }));
        said.as_array().cloned().unwrap_or_default()
    }
}

fn call(driver: SocketAddr, what: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = send(driver, what, &[], &body).map_err(|error| error.to_string())?;
    let mut said: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    let value = said["value"].take();
    if answer.status == 200 {
        return Ok(value);
    }
    let part = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let message = part("message");
    let first = message.lines().next().unwrap_or_default();
    Err(format!("{}: {first}", part("error")))
}

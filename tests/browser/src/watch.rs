//! What a page must not do while a person uses it: complain in the console, break its own policy, ask another host.

use serde_json::Value;

/// What is wrong in what the console says. `expected` are parts of messages that a story brings about on purpose.
pub(crate) fn complaints(said: &[Value], expected: &[String]) -> Vec<String> {
    let bad = said.iter().filter(|entry| {
        let level = entry["level"].as_str().unwrap_or_default();
        level == "SEVERE" || entry["source"] == "security" || entry["source"] == "violation"
    });
    let words = bad.filter_map(|entry| entry["message"].as_str());
    let words = words.filter(|words| !expected.iter().any(|part| words.contains(part.as_str())));
    words
        .map(|words| format!("the console says: {words}"))
        .collect()
}

/// Requests that went elsewhere than to `origin`.
pub(crate) fn strangers(network: &[Value], origin: &str) -> Vec<String> {
    let mut strangers = Vec::new();
    for entry in network {
        let text = entry["message"].as_str().unwrap_or_default();
        let Ok(event) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        let event = &event["message"];
        if event["method"] != "Network.requestWillBeSent" {
            continue;
        }
        let url = event["params"]["request"]["url"]
            .as_str()
            .unwrap_or_default();
        let own = url
            .strip_prefix(origin)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !own
            && !url.starts_with("data:")
            && !url.starts_with("blob:")
            && !url.starts_with("about:")
        {
            strangers.push(format!("a page asked another host: {url}"));
        }
    }
    strangers
}

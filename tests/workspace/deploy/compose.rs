//! The compose file.

use serde_json::{Map, Value};

use super::{COMMANDS, PORT, folder, items, seconds, text, yaml};

fn file() -> Value {
    let mut documents = yaml(&folder().join("compose.yaml"));
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn services(file: &Value) -> &Map<String, Value> {
    file["services"].as_object().expect("services")
}

#[test]
fn services_name_what_is_there() {
    let file = file();
    let services = services(&file);
    for (name, service) in services {
        for (kind, all) in [
            ("secrets", &service["secrets"]),
            ("networks", &service["networks"]),
        ] {
            for used in items(all) {
                let there = file[kind].get(text(used));
                assert!(there.is_some(), "{name}: {used} is none of the {kind}");
            }
        }
        for volume in items(&service["volumes"]) {
            let (volume, _) = text(volume).split_once(':').expect("name:place");
            assert!(file["volumes"].get(volume).is_some(), "{name}: {volume}");
        }
        let after = match &service["depends_on"] {
            Value::Object(after) => after.keys().map(String::as_str).collect(),
            list => items(list).iter().map(text).collect::<Vec<_>>(),
        };
        for other in after {
            assert!(services.contains_key(other), "{name} waits for {other}");
        }
        if service["image"] == "tidemill:0.1.0" {
            let command = text(&service["command"][0]);
            assert!(COMMANDS.contains(&command), "{name}: {command}");
        }
    }
}

#[test]
fn services_have_no_rights_and_limits() {
    let file = file();
    for (name, service) in services(&file) {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        let options = items(&service["security_opt"]);
        assert!(options.contains(&"no-new-privileges:true".into()), "{name}");
        let memory = &service["deploy"]["resources"]["limits"]["memory"];
        assert!(memory.is_string(), "{name} has no limit of memory");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        let secrets = items(&service["secrets"]);
        let variables = service["environment"].as_object().into_iter().flatten();
        for (variable, value) in variables {
            let file = text(value).strip_prefix("/run/secrets/");
            let missing = file.is_some_and(|file| !secrets.contains(&file.into()));
            assert!(
                !missing,
                "{name}: {variable} names no secret of the service"
            );
        }
    }
}

#[test]
fn two_schedulers_and_workers_that_know_both() {
    let file = file();
    let services = services(&file);
    let schedulers: Vec<&String> = services
        .iter()
        .filter(|(_, service)| service["command"][0] == "scheduler")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(schedulers.len(), 2);
    for name in &schedulers {
        let service = &services[*name];
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
        let ports = items(&service["ports"]).iter().map(text);
        assert!(
            ports
                .clone()
                .all(|port| port.starts_with("127.0.0.1:") && port.ends_with(&format!(":{PORT}"))),
            "{name}: {:?}",
            ports.collect::<Vec<_>>()
        );
        let logs = text(&service["volumes"][0]);
        assert!(logs.starts_with("logs:"), "{name} does not share its logs");
    }
    let worker = &services["worker"];
    let all: Vec<String> = schedulers
        .iter()
        .map(|name| format!("http://{name}:{PORT}"))
        .collect();
    assert_eq!(worker["environment"]["TIDEMILL_SERVER"], all.join(","));
    assert_eq!(worker["deploy"]["replicas"], 3);
    let grace = seconds(text(&worker["environment"]["TIDEMILL_GRACE"]));
    assert!(seconds(text(&worker["stop_grace_period"])) > grace);
    let reaches = items(&worker["networks"]);
    assert!(
        !reaches.contains(&"database".into()),
        "a worker needs no database"
    );
}

#[test]
fn the_web_reads_the_database_and_asks_every_scheduler() {
    let file = file();
    let services = services(&file);
    let web = &services["web"];
    assert_eq!(web["command"][0], "web");
    let asks = &web["environment"]["TIDEMILL_SERVER"];
    assert_eq!(*asks, services["worker"]["environment"]["TIDEMILL_SERVER"]);
    assert!(items(&web["networks"]).contains(&"database".into()));
    assert!(web["healthcheck"]["test"].is_array());
    // Browsers are told the address that is published, and it is this machine's alone.
    let (outside, inside) = text(&web["ports"][0]).rsplit_once(':').expect("a port");
    assert!(outside.starts_with("127.0.0.1:"), "{outside}");
    let url = text(&web["environment"]["TIDEMILL_WEB_URL"]);
    assert_eq!(url, format!("http://{outside}"));
    let listen = text(&web["environment"]["TIDEMILL_WEB_LISTEN"]);
    assert!(listen.ends_with(&format!(":{inside}")), "{listen}");
    let taken = services
        .values()
        .flat_map(|service| items(&service["ports"]));
    let taken = taken.filter(|port| text(port).starts_with(outside));
    assert_eq!(taken.count(), 1, "{outside} is published twice");
}

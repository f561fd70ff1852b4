//! The manifests.

use std::path::PathBuf;

use serde_json::Value;

use super::{COMMANDS, PORT, UID, WEB_PORT, files, folder, items, seconds, text, yaml};

fn manifests() -> Vec<(PathBuf, Value)> {
    let all = files(&folder().join("kubernetes")).into_iter();
    all.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .flat_map(|path| {
            let documents = yaml(&path).into_iter();
            documents
                .map(|document| (path.clone(), document))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    let all = manifests().into_iter().map(|(_, manifest)| manifest);
    let found: Vec<Value> = all.filter(|manifest| manifest["kind"] == kind).collect();
    assert!(!found.is_empty(), "no {kind}");
    found
}

/// The one of a kind with a name.
fn named(kind: &str, name: &str) -> Value {
    let mut all = of_kind(kind).into_iter();
    let found = all.find(|manifest| manifest["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// What makes pods.
fn workloads() -> Vec<Value> {
    [of_kind("StatefulSet"), of_kind("Deployment")].concat()
}

/// Whether a selector takes the pods of a workload.
fn selects(selector: &Value, workload: &Value) -> bool {
    let labels = &workload["spec"]["template"]["metadata"]["labels"];
    let wanted = selector.as_object().expect("labels");
    !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
}

fn variable<'a>(container: &'a Value, name: &str) -> &'a str {
    let mut all = items(&container["env"]).iter();
    all.find(|variable| variable["name"] == name)
        .map_or("", |variable| text(&variable["value"]))
}

#[test]
fn every_manifest_says_what_it_is_and_every_file_is_used() {
    for (path, manifest) in manifests() {
        let shown = path.display();
        for field in [
            &manifest["apiVersion"],
            &manifest["kind"],
            &manifest["metadata"]["name"],
        ] {
            assert!(field.is_string(), "{shown}: {manifest}");
        }
        if manifest["kind"] != "Kustomization" {
            continue;
        }
        let here = path.parent().expect("a folder");
        let resources = items(&manifest["resources"]);
        for resource in resources {
            assert!(here.join(text(resource)).exists(), "{shown}: {resource}");
        }
        for file in files(here) {
            let name = file.file_name().expect("a name").to_string_lossy();
            let aside = ["kustomization.yaml", "secret.example.yaml"].contains(&&*name);
            assert!(
                aside || resources.contains(&(*name).into()),
                "{shown} leaves {name} out"
            );
        }
    }
}

#[test]
fn containers_have_no_rights_and_say_what_they_need() {
    for workload in workloads() {
        let name = &workload["metadata"]["name"];
        let pod = &workload["spec"]["template"]["spec"];
        assert!(
            selects(&workload["spec"]["selector"]["matchLabels"], &workload),
            "{name}"
        );
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["runAsUser"], UID, "{name}");
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        // A Service named tidemill-… would become variables that look like settings.
        assert_eq!(pod["enableServiceLinks"], false, "{name}");
        for container in items(&pod["containers"]) {
            let context = &container["securityContext"];
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(
                context["capabilities"]["drop"],
                serde_json::json!(["ALL"]),
                "{name}"
            );
            let resources = &container["resources"];
            assert!(resources["requests"]["cpu"].is_string(), "{name}");
            assert!(resources["requests"]["memory"].is_string(), "{name}");
            assert!(resources["limits"]["memory"].is_string(), "{name}");
            assert!(COMMANDS.contains(&text(&container["args"][0])), "{name}");
            let volumes = items(&pod["volumes"]);
            for mount in items(&container["volumeMounts"]) {
                let there = volumes.iter().any(|volume| volume["name"] == mount["name"]);
                assert!(there, "{name}: {}", mount["name"]);
            }
        }
    }
}

#[test]
fn who_listens_is_asked_whether_it_lives_and_a_scheduler_not_whether_it_leads() {
    let mut listening = Vec::new();
    for workload in workloads() {
        for container in items(&workload["spec"]["template"]["spec"]["containers"]) {
            for port in items(&container["ports"]) {
                let name = text(&port["name"]);
                let (number, listen, alive, ready) = match name {
                    "gateway" => (PORT, "TIDEMILL_LISTEN", "/health", "/health"),
                    // Without the database it can show nothing.
                    "web" => (WEB_PORT, "TIDEMILL_WEB_LISTEN", "/healthz", "/readyz"),
                    other => panic!("who listens on `{other}`?"),
                };
                listening.push(name.to_owned());
                assert_eq!(port["containerPort"], number);
                for (probe, path) in [
                    ("startupProbe", alive),
                    ("readinessProbe", ready),
                    ("livenessProbe", alive),
                ] {
                    let get = &container[probe]["httpGet"];
                    assert_eq!(get["path"], path, "{probe}");
                    assert_eq!(get["port"], port["name"], "{probe}");
                }
                let listen = variable(container, listen);
                assert!(listen.ends_with(&format!(":{number}")), "{listen}");
            }
        }
    }
    assert_eq!(listening, ["gateway", "web"]);
}

#[test]
fn services_lead_to_ports_of_pods_that_there_are() {
    let services = of_kind("Service");
    for service in &services {
        let all = workloads();
        let behind = all
            .iter()
            .find(|it| selects(&service["spec"]["selector"], it));
        let behind = behind.unwrap_or_else(|| panic!("nobody is behind {service}"));
        let container = &behind["spec"]["template"]["spec"]["containers"][0];
        for port in items(&service["spec"]["ports"]) {
            let mut ports = items(&container["ports"]).iter();
            assert!(ports.any(|it| it["name"] == port["targetPort"]), "{port}");
        }
    }
    assert_eq!(services.len(), 2, "the schedulers' names, the web");
}

#[test]
fn the_web_asks_every_scheduler_and_does_not_have_the_keys() {
    let pod = |name| named("Deployment", name)["spec"]["template"]["spec"].clone();
    let (web, worker) = (pod("tidemill-web"), pod("tidemill-worker"));
    let server = |pod: &Value| variable(&pod["containers"][0], "TIDEMILL_SERVER").to_owned();
    assert_eq!(server(&web), server(&worker));
    let has = |key: &str| {
        let mut secrets = items(&web["volumes"][0]["secret"]["items"]).iter();
        secrets.any(|item| item["key"] == key)
    };
    assert!(has("token") && has("scheduler.toml") && !has("keys"));
    let url = variable(&web["containers"][0], "TIDEMILL_WEB_URL");
    assert!(url.starts_with("https://"), "{url}");
    let service = named("Service", "tidemill-web");
    assert_eq!(service["spec"]["ports"][0]["port"], WEB_PORT);
}

#[test]
fn workers_know_every_scheduler_and_have_time_to_end() {
    let scheduler = of_kind("StatefulSet").remove(0);
    let service = named("Service", "tidemill-scheduler");
    assert!(selects(&service["spec"]["selector"], &scheduler));
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
    assert_eq!(service["spec"]["ports"][0]["port"], PORT);
    assert_eq!(
        scheduler["spec"]["serviceName"],
        service["metadata"]["name"]
    );
    let name = text(&scheduler["metadata"]["name"]);
    let replicas = scheduler["spec"]["replicas"].as_u64().expect("a number");
    let all: Vec<String> = (0..replicas)
        .map(|nth| {
            format!(
                "http://{name}-{nth}.{}:{PORT}",
                text(&service["metadata"]["name"])
            )
        })
        .collect();
    let worker = named("Deployment", "tidemill-worker");
    let pod = &worker["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(variable(container, "TIDEMILL_SERVER"), all.join(","));
    let grace = seconds(variable(container, "TIDEMILL_GRACE"));
    assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(grace));
    assert!(container["lifecycle"].is_null(), "SIGTERM is the drain");
}

#[test]
fn budgets_and_policies_are_about_pods_that_there_are() {
    let workloads = workloads();
    let budgets = of_kind("PodDisruptionBudget");
    for workload in &workloads {
        let budgets = budgets.iter();
        let mine = budgets.filter(|it| selects(&it["spec"]["selector"]["matchLabels"], workload));
        assert_eq!(mine.count(), 1, "{}", workload["metadata"]["name"]);
    }
    for policy in of_kind("NetworkPolicy") {
        let pods = &policy["spec"]["podSelector"]["matchLabels"];
        let named = pods.is_null() || workloads.iter().any(|it| selects(pods, it));
        assert!(named, "{}", policy["metadata"]["name"]);
    }
}

#[test]
fn autoscalers_scale_the_workers_and_ask_every_scheduler() {
    let worker = named("Deployment", "tidemill-worker");
    let object = of_kind("ScaledObject").remove(0);
    for scaler in [&of_kind("HorizontalPodAutoscaler")[0], &object] {
        assert_eq!(
            scaler["spec"]["scaleTargetRef"]["name"],
            worker["metadata"]["name"]
        );
    }
    let container = &worker["spec"]["template"]["spec"]["containers"][0];
    let slots: f64 = variable(container, "TIDEMILL_SLOTS")
        .parse()
        .expect("a number");
    let server = variable(container, "TIDEMILL_SERVER");
    let triggers = items(&object["spec"]["triggers"]);
    assert_eq!(triggers.len(), server.split(',').count());
    for (trigger, server) in triggers.iter().zip(server.split(',')) {
        let metadata = &trigger["metadata"];
        let host = server.trim_end_matches(&format!(":{PORT}"));
        let url = format!("{host}.tidemill.svc:{PORT}/api/v1/queues/default");
        assert_eq!(metadata["url"], url);
        assert_eq!(metadata["valueLocation"], "load");
        let target: f64 = text(&metadata["targetValue"]).parse().expect("a number");
        assert!(
            target < slots,
            "a worker would be full before there is another"
        );
    }
}

#[test]
fn pods_take_from_the_secret_what_the_example_has() {
    let example = of_kind("Secret").remove(0);
    for workload in workloads() {
        for volume in items(&workload["spec"]["template"]["spec"]["volumes"]) {
            for item in items(&volume["secret"]["items"]) {
                assert_eq!(volume["secret"]["secretName"], example["metadata"]["name"]);
                let there = example["stringData"].get(text(&item["key"]));
                assert!(there.is_some(), "{}", item["key"]);
            }
        }
    }
}

//! What the palette offers.

use serde_json::Value;

use crate::kit::{Kit, run_path};

/// What is offered: kind, label and where it leads.
async fn offers(kit: &Kit, who: &str, query: &str) -> Vec<(String, String, String)> {
    // Paths are encoded once more, as browsers do it.
    let answer = kit
        .get(who, &format!("/find?{}", query.replace('%', "%25")))
        .await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    let found: Value = serde_json::from_str(&answer.body).expect("it works");
    let text = |offer: &Value, name: &str| offer[name].as_str().expect("it works").to_owned();
    let offers = found["offers"].as_array().expect("it works").iter();
    offers
        .map(|offer| {
            (
                text(offer, "kind"),
                text(offer, "label"),
                text(offer, "href"),
            )
        })
        .collect()
}

fn has(offers: &[(String, String, String)], kind: &str, label: &str) -> bool {
    offers
        .iter()
        .any(|offer| offer.0 == kind && offer.1 == label)
}

#[tokio::test]
async fn a_dag_is_found_by_some_of_its_letters_and_can_be_triggered() {
    let kit = Kit::new().await;
    let found = offers(&kit, "operator", "q=opd").await;
    let dag = ("DAG", "open_dag", "/dags/open_dag");
    assert_eq!(
        found[0],
        (dag.0.to_owned(), dag.1.to_owned(), dag.2.to_owned())
    );
    let found = offers(&kit, "operator", "q=trig+open").await;
    assert_eq!(found[0].2, "/dags/open_dag/trigger");
    // Whoever only looks is offered nothing that they may not do.
    let found = offers(&kit, "viewer", "q=trig+open").await;
    assert!(found.iter().all(|offer| offer.0 != "Action"), "{found:?}");
}

#[tokio::test]
async fn what_can_be_done_here_comes_before_anything_is_typed() {
    let kit = Kit::new().await;
    let found = offers(&kit, "operator", "at=/dags/open_dag").await;
    assert!(has(&found, "Action", "Pause open_dag"), "{found:?}");
    assert!(has(&found, "Page", "Runs"), "{found:?}");
    let run = run_path("open_dag", 1);
    let found = offers(&kit, "operator", &format!("at={run}")).await;
    let retry = found.iter().find(|offer| offer.1 == "Retry what failed");
    assert_eq!(retry.expect("it works").2, format!("{run}/do/retry"));
    let found = offers(&kit, "operator", &format!("at={run}/tasks/load.sales")).await;
    assert!(has(&found, "Action", "Retry load.sales"), "{found:?}");
}

#[tokio::test]
async fn tasks_and_runs_of_what_is_open_are_found() {
    let kit = Kit::new().await;
    let run = run_path("open_dag", 1);
    let found = offers(&kit, "viewer", &format!("q=lsal&at={run}")).await;
    assert_eq!(found[0].2, format!("{run}/tasks/load.sales"));
    let found = offers(&kit, "viewer", "q=run_2").await;
    assert_eq!(found[0].0, "Run");
    assert_eq!(found[0].2, run_path("open_dag", 2));
}

#[tokio::test]
async fn nothing_is_offered_of_what_somebody_may_not_see() {
    let kit = Kit::new().await;
    for query in [
        "q=secret".to_owned(),
        "q=run_4".to_owned(),
        "q=load&at=/dags/secret_dag".to_owned(),
        format!("q=load&at={}", run_path("secret_dag", 4)),
        "at=/dags/secret_dag".to_owned(),
    ] {
        let found = offers(&kit, "limited", &query).await;
        let leaks = |offer: &(String, String, String)| {
            offer.1.contains("secret") || offer.2.contains("secret")
        };
        assert!(!found.iter().any(leaks), "{query}: {found:?}");
    }
    let strange = format!("q={}&at=/dags/%2F%2F&at2=", "a".repeat(3_000));
    assert!(offers(&kit, "viewer", &strange).await.is_empty());
}

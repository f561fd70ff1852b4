//! Variables and connections: what is secret comes in and does not go out.

use axum::http::{Method, StatusCode};
use tidemill_web::DoorError;

use crate::kit::{Kit, SECRET};

#[tokio::test]
async fn a_value_is_shown_to_who_asks_and_the_log_says_so() {
    let kit = Kit::new().await;
    for page in ["/variables", "/variables/region"] {
        assert!(
            !kit.get("admin", page).await.body.contains(SECRET),
            "{page}"
        );
    }
    let shown = kit.post("admin", "/variables/region/reveal", "").await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.body.contains(SECRET) && !shown.body.contains("<script>alert"));
    assert_eq!(shown.header("cache-control"), "no-store");
    let revealed = kit.door.sealed.revealed.lock().unwrap().clone();
    assert_eq!(revealed, ["admin asked for region"]);
    for who in ["viewer", "operator", "limited"] {
        let refused = kit.post(who, "/variables/region/reveal", "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{who}");
    }
}

#[tokio::test]
async fn a_variable_is_set_as_it_was_seen() {
    let kit = Kit::new().await;
    let form = "value=a%0D%0Ab&note=for+all&seen=3";
    let done = kit.post("admin", "/variables/region", form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    {
        let set = kit.door.sealed.variables.lock().unwrap();
        let (name, body) = &set[0];
        assert_eq!((name.as_str(), body.by.as_str()), ("region", "admin"));
        assert_eq!((body.value.as_str(), body.seen), ("a\nb", Some(3)));
    }
    let blind = kit.post("admin", "/variables/region", "value=x").await;
    assert_eq!(blind.status, StatusCode::UNPROCESSABLE_ENTITY);
    let new = kit.post("admin", "/variables", "name=new&value=x").await;
    assert_eq!(new.status, StatusCode::SEE_OTHER);
    let seen = kit
        .door
        .sealed
        .variables
        .lock()
        .unwrap()
        .last()
        .unwrap()
        .1
        .seen;
    assert_eq!(seen, Some(0), "one that is there is not changed");
    let name = kit.post("admin", "/variables", "name=a%2Fb&value=x").await;
    assert_eq!(name.status, StatusCode::UNPROCESSABLE_ENTITY);
    let stale = DoorError::Stale("ann set it a minute ago".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(stale);
    let late = kit
        .post(
            "admin",
            "/variables/region",
            &format!("value={SECRET}&seen=2"),
        )
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("ann set it a minute ago") && !late.body.contains(SECRET));
}

#[tokio::test]
async fn an_empty_secret_is_kept_and_a_ticked_one_goes() {
    let kit = Kit::new().await;
    let page = kit.get("admin", "/connections/crm").await.body;
    assert!(
        page.contains("leave empty to keep") && page.contains("value=\"password\""),
        "{page}"
    );
    let form = "seen=3&kind=http&fn.0=host&fv.0=crm.example&fn.1=login&fv.1=&sn.0=password&sv.0=&sn.1=token&sv.1=t0ken";
    let done = kit.post("admin", "/connections/crm", form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    {
        let set = kit.door.sealed.connections.lock().unwrap();
        let body = &set[0].1;
        assert_eq!(
            (body.kind.as_str(), body.seen, body.replace),
            ("http", Some(3), false)
        );
        let fields: Vec<_> = body.fields.iter().collect();
        assert_eq!(fields, [(&"host".to_owned(), &"crm.example".to_owned())]);
        let secrets: Vec<_> = body.secrets.iter().collect();
        assert_eq!(secrets, [(&"token".to_owned(), &Some("t0ken".to_owned()))]);
    }
    let form = "seen=3&kind=http&sn.0=password&sv.0=&sx.0=1";
    kit.post("admin", "/connections/crm", form).await;
    let set = kit.door.sealed.connections.lock().unwrap();
    assert_eq!(set[1].1.secrets.get("password"), Some(&None));
}

#[tokio::test]
async fn a_form_that_was_refused_comes_back_without_its_secrets() {
    let kit = Kit::new().await;
    let wrong = DoorError::Invalid("`token` is a field and a secret".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(wrong);
    let form =
        format!("name=new&seen=3&kind=http&fn.0=host&fv.0=typed.example&sn.0=token&sv.0={SECRET}");
    for path in ["/connections", "/connections/crm"] {
        let back = kit.post("admin", path, &form).await;
        assert_eq!(back.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(
            back.body.contains("typed.example") && back.body.contains("token"),
            "{path}"
        );
        assert!(!back.body.contains(SECRET), "{path}");
    }
}

#[tokio::test]
async fn what_goes_is_asked_about_first() {
    let kit = Kit::new().await;
    for (page, says) in [
        ("/variables/region/remove", "Nobody can bring it back"),
        ("/connections/crm/remove", "No DAG says that it uses it"),
    ] {
        let sure = kit.get("admin", page).await.body;
        assert!(
            sure.contains(says) && sure.contains("name=\"seen\" value=\"3\""),
            "{sure}"
        );
        let done = kit.post("admin", page, "seen=3").await;
        assert_eq!(done.status, StatusCode::SEE_OTHER);
        assert_eq!(kit.door.asked.lock().unwrap().last().unwrap().seen, Some(3));
    }
}

#[tokio::test]
async fn programs_set_what_is_sealed_and_get_no_secret_back() {
    let kit = Kit::new().await;
    let listed = kit.look("admin", "/api/v1/connections").await;
    assert_eq!(listed["items"][0]["name"], "crm");
    assert_eq!(listed["items"][0]["secrets"][0], "password");
    assert!(!listed.to_string().contains(SECRET), "{listed}");
    let one = kit.look("admin", "/api/v1/variables/region").await;
    assert!(one.get("value").is_none(), "{one}");

    let put = (Method::PUT, "/api/v1/variables/region");
    let body = "{\"value\": \"eu\"}";
    let set = kit
        .sent("admin", put.clone(), &[("if-match", "\"3\"")], body)
        .await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let put_connection = (Method::PUT, "/api/v1/connections/crm");
    let body =
        "{\"kind\": \"http\", \"fields\": {\"host\": \"h\"}, \"secrets\": {\"password\": \"p\"}}";
    let set = kit.json("admin", put_connection, body).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let refused = kit.json("operator", put, "{\"value\": \"us\"}").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let path = "/api/v1/variables/region/reveal";
    let value = kit.json("admin", (Method::POST, path), "").await;
    assert_eq!(value.status, StatusCode::OK, "{}", value.body);
    assert!(value.body.contains(SECRET), "{}", value.body);
    let none = kit
        .json("admin", (Method::GET, "/api/v1/variables/none"), "")
        .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

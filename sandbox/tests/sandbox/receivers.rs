//! What receivers take and refuse.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::kit::{Kit, json as body_of};

async fn received(kit: &Kit) -> Vec<Value> {
    body_of(kit.get("/sandbox/received").await).await["messages"]
        .as_array()
        .expect("it works")
        .clone()
}

#[tokio::test]
async fn each_channel_takes_its_own_shape() {
    let kit = Kit::new().await;
    let card = json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive",
        "content": { "type": "AdaptiveCard", "body": [{ "type": "TextBlock", "text": "load failed" }] } }] });
    let event = json!({ "routing_key": "k".repeat(32), "event_action": "trigger", "dedup_key": "orders/load",
        "payload": { "summary": "load failed", "source": "tidemill", "severity": "critical" } });
    let sent = [
        (
            "/services/T1/B1/secret",
            json!({ "text": "load failed" }),
            200,
            "slack",
        ),
        (
            "/v1/spaces/AAA/messages?key=k&token=t",
            json!({ "text": "load failed" }),
            200,
            "google_chat",
        ),
        (
            "/bot123:abc/sendMessage",
            json!({ "chat_id": -100, "text": "load failed" }),
            200,
            "telegram",
        ),
        ("/workflows/1/triggers", card, 202, "teams"),
        ("/v2/enqueue", event, 202, "pagerduty"),
        (
            "/hooks/ops",
            json!({ "text": "load failed" }),
            200,
            "webhook",
        ),
    ];
    for (path, body, status, _) in &sent {
        assert_eq!(kit.post(path, body).await.status(), *status, "{path}");
    }
    let channels: Vec<_> = received(&kit)
        .await
        .iter()
        .map(|one| (one["channel"].clone(), one["text"].clone()))
        .collect();
    let wanted: Vec<_> = sent
        .iter()
        .map(|(_, _, _, channel)| (json!(channel), json!("load failed")))
        .collect();
    assert_eq!(channels, wanted);
}

#[tokio::test]
async fn what_the_real_one_would_refuse_is_refused() {
    let kit = Kit::new().await;
    let trigger = json!({ "routing_key": "k".repeat(32), "event_action": "trigger", "payload": { "summary": "x", "source": "y", "severity": "fatal" } });
    for (path, body, status, word) in [
        ("/services/T1/B1/secret", json!({}), 400, "no_text"),
        ("/services/T1/B1/secret", json!([]), 400, "invalid_payload"),
        ("/v1/spaces/AAA/messages", json!({}), 400, "empty"),
        (
            "/bot123:abc/sendMessage",
            json!({ "chat_id": 1, "text": "x".repeat(4_097) }),
            400,
            "too long",
        ),
        (
            "/bot123/sendMessage",
            json!({ "chat_id": 1, "text": "x" }),
            404,
            "Not Found",
        ),
        ("/workflows/1", json!({}), 400, "required"),
        (
            "/v2/enqueue",
            json!({ "routing_key": "short" }),
            400,
            "routing_key",
        ),
        ("/v2/enqueue", trigger, 400, "severity"),
    ] {
        let reply = kit.post(path, &body).await;
        assert_eq!(reply.status(), status, "{path}");
        let text = reply.text().await.unwrap();
        assert!(text.contains(word), "{path}: {text}");
    }
    assert!(received(&kit).await.is_empty());
}

#[tokio::test]
async fn a_mail_is_kept_and_a_fault_makes_it_come_twice() {
    let kit = Kit::new().await;
    kit.fault(
        &json!({ "service": "receivers", "method": "smtp.data", "count": 1, "kind": "lost_after" }),
    )
    .await;
    for expected in [None, Some("250 OK")] {
        let mut stream = BufReader::new(TcpStream::connect(kit.mail).await.unwrap());
        let mut said = String::new();
        stream.read_line(&mut said).await.unwrap();
        for line in ["HELO me", "MAIL FROM:<a@x>", "RCPT TO:<oncall@x>", "DATA"] {
            stream
                .write_all(format!("{line}\r\n").as_bytes())
                .await
                .unwrap();
            said.clear();
            stream.read_line(&mut said).await.unwrap();
            assert!(
                said.starts_with('2') || said.starts_with('3'),
                "{line}: {said}"
            );
        }
        stream
            .write_all(b"Subject: load failed\r\n\r\n..dots\r\n.\r\n")
            .await
            .unwrap();
        said.clear();
        let read = stream.read_line(&mut said).await.unwrap_or(0);
        assert_eq!((read > 0).then(|| said.trim()), expected);
    }
    let mails = received(&kit).await;
    assert_eq!(mails.len(), 2);
    assert_eq!(
        (&mails[0]["text"], &mails[0]["to"]),
        (&json!("load failed"), &json!("oncall@x"))
    );
    assert!(
        mails[0]["body"]["message"]
            .as_str()
            .unwrap()
            .ends_with("\r\n.dots\r\n")
    );
}

//! A worker's connection over a WebSocket: JSON lists of messages, one a frame.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tidemill_core::wire::{FromWorker, ToWorker};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::warn;

use super::{Gate, attend, local};

/// A worker that takes nothing off the network for so long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(30);

/// How many messages go into one frame at the most.
const FRAME_MESSAGES_MAX: usize = 4_096;

/// Looks after a worker's socket until either side ends it.
pub(super) async fn carry(gate: Gate, socket: WebSocket) {
    let (link, (say, hear)) = local();
    let (sink, stream) = socket.split();
    let attending = tokio::spawn(attend(gate, link));
    let writing = tokio::spawn(write(sink, hear));
    read(stream, say).await;
    // `say` is dropped: the session sees the end, and lets go of the other direction.
    let _ = attending.await;
    let _ = writing.await;
}

async fn read(mut stream: SplitStream<WebSocket>, say: mpsc::Sender<Vec<FromWorker>>) {
    loop {
        let frame = tokio::select! {
            frame = stream.next() => frame,
            // The session is over: this scheduler no longer leads, or the worker is here over another connection.
            () = say.closed() => return,
        };
        let Some(Ok(frame)) = frame else { return };
        let read = match &frame {
            Message::Text(text) => serde_json::from_str(text.as_str()),
            Message::Binary(bytes) => serde_json::from_slice(bytes),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        match read {
            Ok(messages) => {
                if say.send(messages).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                warn!("a worker sent what is no message: {error}");
                return;
            }
        }
    }
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut hear: mpsc::UnboundedReceiver<Vec<ToWorker>>,
) {
    let mut lists = Vec::new();
    while hear.recv_many(&mut lists, FRAME_MESSAGES_MAX).await > 0 {
        let messages: Vec<ToWorker> = lists.drain(..).flatten().collect();
        let text = match serde_json::to_string(&messages) {
            Ok(text) => text,
            Err(error) => {
                warn!("a message cannot be written: {error}");
                continue;
            }
        };
        let sent = timeout(SEND_WITHIN, sink.send(Message::Text(text.into()))).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
    let _ = timeout(SEND_WITHIN, sink.send(Message::Close(None))).await;
}

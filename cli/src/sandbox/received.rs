//! `sandbox received`: what people would have got.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::ask::Asked;
use super::{moment, on_one_line, plain, text, word};
use crate::config::flags::OfSandboxCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;

/// Where messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ChannelName {
    /// Slack.
    Slack,
    /// Google Chat.
    GoogleChat,
    /// Telegram.
    Telegram,
    /// Microsoft Teams.
    Teams,
    /// `PagerDuty`.
    Pagerduty,
    /// Any webhook.
    Webhook,
    /// Mail.
    Mail,
}

#[derive(Debug, Args)]
pub(crate) struct ReceivedArgs {
    /// Only this channel.
    #[arg(long, value_enum)]
    channel: Option<ChannelName>,
    /// Only what came after the message with this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// Print JSON, with all that was sent.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfSandboxCommand>,
}

pub(super) fn run(args: &ReceivedArgs, environment: &Environment) -> Result<Output, Output> {
    let asked = Asked::open(&args.settings, environment)?;
    let mut query = vec![("after", args.after.to_string())];
    if let Some(channel) = args.channel {
        query.push(("channel", word(channel)));
    }
    let found = asked.get("/sandbox/received", &query)?;
    if args.json {
        return Ok(Output::data(format!("{found:#}\n")));
    }
    let messages = found.get("messages").and_then(Value::as_array);
    let shown: Vec<String> = messages.into_iter().flatten().map(in_words).collect();
    if shown.is_empty() {
        return Ok(Output::default().talk("nothing came"));
    }
    Ok(Output::data(shown.join("\n")))
}

/// When, through what and to whom, and the text below.
fn in_words(message: &Value) -> String {
    let mut shown = format!(
        "{} {} to {}\n",
        moment(message),
        on_one_line(text(message, "channel")),
        on_one_line(text(message, "to")),
    );
    for line in plain(text(message, "text")).lines() {
        shown.push_str(&format!("    {line}\n"));
    }
    shown
}

//! `doctor`: what is in force, what is within reach, and what will go wrong before it does.

mod database;
mod gateway;
mod machine;

use clap::Args;
use serde_json::json;

use crate::config::flags::Every;
use crate::config::{Environment, Flags, Loaded, as_text, settings_json};
use crate::door;
use crate::google_secrets::client;
use crate::output::{INVALID, OK, Output, Style, UNREACHABLE};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<Every>,
}

/// How it is with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// As it should be.
    Fine,
    /// Worth a look.
    Odd,
    /// Wrong.
    Bad,
    /// Cannot be reached.
    Away,
}

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Odd => "look",
            Self::Bad => "bad",
            Self::Away => "away",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Fine | Self::Odd => OK,
            Self::Bad => INVALID,
            Self::Away => UNREACHABLE,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) mark: Mark,
    pub(crate) what: &'static str,
    pub(crate) says: String,
}

/// What was looked at, in order.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    fn add(&mut self, mark: Mark, what: &'static str, says: impl Into<String>) {
        let says = says.into();
        self.0.push(Finding { mark, what, says });
    }
}

/// Looks at everything.
pub(crate) fn run(args: &DoctorArgs, environment: &Environment, style: Style) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    door::run(async {
        let found = look(&loaded).await;
        if args.json {
            as_json(&loaded, &found)
        } else {
            as_lines(&loaded, &found, style)
        }
    })
}

/// Looks at everything that these settings name.
pub(crate) async fn look(loaded: &Loaded) -> Findings {
    let mut found = Findings::default();
    for warning in &loaded.warnings {
        found.add(Mark::Odd, "settings", warning.clone());
    }
    machine::data_folder(loaded, &mut found);
    let keys = machine::keys(loaded, &mut found);
    database::look(loaded, keys.as_ref(), &mut found).await;
    machine::token(loaded, &mut found);
    gateway::tls(loaded, &mut found);
    gateway::look(loaded, &mut found).await;
    match client() {
        Ok(client) => machine::secret_manager(loaded, &client, &mut found).await,
        Err(why) => found.add(Mark::Bad, "network", why),
    }
    found
}

fn as_json(loaded: &Loaded, found: &Findings) -> Output {
    let findings: Vec<_> = found
        .0
        .iter()
        .map(|one| json!({ "what": one.what, "mark": one.mark.word(), "says": one.says }))
        .collect();
    let all = json!({ "settings": settings_json(loaded), "findings": findings });
    let text = serde_json::to_string_pretty(&all).unwrap_or_default() + "\n";
    Output::data(text).code(code(found))
}

fn as_lines(loaded: &Loaded, found: &Findings, style: Style) -> Output {
    let mut text = as_text(loaded) + "\n";
    let width = found.0.iter().map(|one| one.what.len()).max().unwrap_or(0);
    for Finding { mark, what, says } in &found.0 {
        let word = format!("{:4}", mark.word());
        let word = match mark {
            Mark::Fine => style.green(word),
            Mark::Odd => style.yellow(word),
            Mark::Bad | Mark::Away => style.red(word),
        };
        text.push_str(&format!("{word}  {what:width$}  {says}\n"));
    }
    Output::data(text).code(code(found))
}

fn code(found: &Findings) -> u8 {
    let marks = found.0.iter().map(|one| one.mark);
    marks.max().unwrap_or(Mark::Fine).code()
}

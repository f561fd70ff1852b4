//! What a machine knows of credentials: the variables that Google's own programs read.

use std::ffi::OsString;
use std::path::PathBuf;

use tidemill_operators::http::Machine;

use crate::config::Environment;

/// The variables that matter. A task's own process does not inherit them, and commands that tasks run see none of them; so
/// they are told to the process of a task on its command line. They are names of files and places, and no secrets.
const VARIABLES: [&str; 4] = [
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GCE_METADATA_HOST",
    "CLOUDSDK_CONFIG",
];

/// What this machine knows.
pub(crate) fn of(environment: &Environment) -> Machine {
    let variable = |name: &str| environment.variable(name);
    let file = |name: &str| variable(name).map(PathBuf::from);
    let home = || file("HOME").map(|home| home.join(".config/gcloud"));
    let gcloud = file("CLOUDSDK_CONFIG").or_else(home);
    Machine {
        key_file: file("GOOGLE_APPLICATION_CREDENTIALS"),
        gcloud_file: gcloud.map(|folder| folder.join("application_default_credentials.json")),
        metadata_host: variable("GCE_METADATA_HOST").map(str::to_owned),
        project: variable("GOOGLE_CLOUD_PROJECT").map(str::to_owned),
    }
}

/// What the process of a task is told of it.
pub(super) fn told(environment: &Environment) -> impl Iterator<Item = String> {
    VARIABLES.into_iter().filter_map(|name| {
        let value = environment.variable(name)?;
        Some(format!("{name}={value}"))
    })
}

/// The environment of the process of a task, with what it was told.
pub(super) fn heard(
    environment: &Environment,
    told: impl Iterator<Item = OsString>,
) -> Environment {
    let told = told.filter_map(|text| {
        let text = text.into_string().ok()?;
        let (name, value) = text.split_once('=')?;
        VARIABLES
            .contains(&name)
            .then(|| (name.to_owned(), value.to_owned()))
    });
    environment.clone().with(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_of_its_own_process_knows_the_same_machine() {
        let variables = [
            ("GOOGLE_APPLICATION_CREDENTIALS", "/keys/a=b.json"),
            ("GOOGLE_CLOUD_PROJECT", "shop"),
            ("HOME", "/home/etl"),
            ("PATH", "/bin"),
        ];
        let worker = Environment::new(variables, "");
        let told: Vec<OsString> = told(&worker).map(Into::into).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        let inherited = Environment::new([("HOME", "/home/etl")], "");
        let child = heard(&inherited, told.into_iter());
        assert_eq!(of(&child), of(&worker));
        assert_eq!(of(&worker).project.as_deref(), Some("shop"));
        let login = "/home/etl/.config/gcloud/application_default_credentials.json";
        assert_eq!(of(&worker).gcloud_file, Some(PathBuf::from(login)));
    }
}

//! Where stories are told: one site and one driver for all of them, and as many browsers as stories run at once.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::browser::Browser;
use crate::keep::Kept;
use crate::session::Session;
use crate::site::Site;

/// A site, a driver, and browsers that nobody uses at the moment.
#[derive(Debug)]
pub struct Stage {
    driver: Kept,
    address: SocketAddr,
    site: Site,
    idle: Mutex<Vec<Session>>,
    profiles: AtomicUsize,
}

impl Stage {
    /// Starts a driver in front of this site.
    ///
    /// # Panics
    /// Without `chromedriver`: Debian's packages `chromium` and `chromium-driver` have all that is needed.
    #[must_use]
    pub fn start(program: &Path, site: Site) -> Self {
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--allowed-ips=127.0.0.1"]);
        let mut driver = Kept::start(program, &command);
        let port = driver.says(
            "chromedriver to be ready (apt-get install chromium chromium-driver)",
            |said| {
                let (_, rest) = said.split_once("started successfully on port ")?;
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                rest[digits.len()..].starts_with('.').then_some(())?;
                digits.parse::<u16>().ok()
            },
        );
        Self {
            driver,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            site,
            idle: Mutex::default(),
            profiles: AtomicUsize::new(0),
        }
    }

    fn session(&self) -> Session {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = idle.pop() {
            return session;
        }
        drop(idle);
        let nth = self.profiles.fetch_add(1, Ordering::Relaxed);
        let profile = self.driver.folder().join(format!("profile-{nth}"));
        Session::start(self.address, &profile.display().to_string())
    }

    /// Tells a story in a browser of its own, and looks whether its pages did what they must not do. When it fails, what was
    /// seen last is written to `target/tests`.
    ///
    /// # Panics
    /// When the story does, or a page complains.
    pub fn tell(&self, name: &str, tell: impl FnOnce(&Browser<'_>)) {
        self.tell_of(&self.site, name, tell);
    }

    /// The same of another site.
    fn tell_of(&self, site: &Site, name: &str, tell: impl FnOnce(&Browser<'_>)) {
        let session = self.session();
        let browser = Browser::new(&session, site);
        let told = catch_unwind(AssertUnwindSafe(|| {
            tell(&browser);
            let misdeeds = browser.misdeeds();
            assert!(misdeeds.is_empty(), "{}", misdeeds.join("\n"));
        }));
        if let Err(panic) = told {
            let folder = written_to();
            // A browser that is gone shows nothing more, and that is not what failed.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                browser.write_down(&folder, name);
                say(&browser.misdeeds().join("\n"));
            }));
            say(&site.tail());
            say(&format!("seen last: {}/{name}.png", folder.display()));
            session.quit();
            resume_unwind(panic);
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(session);
    }
}

fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

fn written_to() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tests")
}

fn shared(program: &str) -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    let program = Path::new(program);
    STAGE.get_or_init(|| Stage::start(program, Site::start(program)))
}

/// The name of the running test, for files.
fn own_name() -> String {
    let thread = std::thread::current();
    thread.name().unwrap_or("story").replace("::", ".")
}

/// Tells the story that the running test is named for, on the stage that all tests of the process share.
///
/// # Panics
/// See [`Stage::tell`].
pub fn story(program: &str, tell: impl FnOnce(&Browser<'_>)) {
    shared(program).tell(&own_name(), tell);
}

/// The same on a site of its own, where people sign in with a password; the story gets the first admin's.
///
/// # Panics
/// See [`Stage::tell`].
pub fn story_of_people(program: &str, tell: impl FnOnce(&Browser<'_>, &str)) {
    let (site, password) = Site::of_people(Path::new(program));
    shared(program).tell_of(&site, &own_name(), |browser| tell(browser, &password));
}

//! What a person does in a browser. Whatever is looked for is waited for.

use std::cell::RefCell;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::session::{Element, Session};
use crate::site::Site;
use crate::wait::until;
use crate::watch::{complaints, strangers};

const FIND: &str = include_str!("find.js");
const BASICS: &str = include_str!("basics.js");

/// A browser in front of the site, for one story at a time.
#[derive(Debug)]
pub struct Browser<'a> {
    pub(crate) session: &'a Session,
    site: &'a Site,
    expected: RefCell<Vec<String>>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(session: &'a Session, site: &'a Site) -> Self {
        let browser = Self {
            session,
            site,
            expected: RefCell::default(),
        };
        browser.forget();
        browser
    }

    /// Nothing is left of the story before, not even an open tab.
    fn forget(&self) {
        let session = self.session;
        session.post("/url", &json!({"url": "about:blank"}));
        let tabs = session.get("/window/handles").unwrap_or_default();
        for tab in tabs.as_array().into_iter().flatten().skip(1) {
            session.post("/window", &json!({ "handle": tab }));
            session.delete("/window");
        }
        if let Some(first) = tabs.get(0) {
            session.post("/window", &json!({ "handle": first }));
        }
        session.chromium("Network.clearBrowserCookies", json!({}));
        let origin = json!({"origin": self.site.url(""), "storageTypes": "all"});
        session.chromium("Storage.clearDataForOrigin", origin);
        session.chromium("Emulation.clearDeviceMetricsOverride", json!({}));
        session.chromium(
            "Emulation.setFocusEmulationEnabled",
            json!({"enabled": true}),
        );
        self.set_theme("light");
        self.set_scripts(true);
        session.log("browser");
        session.log("performance");
    }

    /// The site.
    #[must_use]
    pub const fn site(&self) -> &Site {
        self.site
    }

    /// Is signed in from now on, without the link.
    pub fn sign_in(&self) {
        let (name, secret) = self.site.cookie();
        let cookie = json!({
            "name": name, "value": secret, "url": self.site.url("/"), "httpOnly": true, "sameSite": "Strict",
        });
        self.session.chromium("Network.setCookie", cookie);
    }

    /// What the system prefers: `light` or `dark`.
    pub fn set_theme(&self, theme: &str) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.session.chromium(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// Whether pages may run scripts.
    pub fn set_scripts(&self, on: bool) {
        self.session.chromium(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": !on }),
        );
    }

    /// A screen of another size; a narrow one is a phone's.
    pub fn set_screen(&self, width: u32, height: u32) {
        let phone = width < 600;
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone,
        });
        self.session
            .chromium("Emulation.setDeviceMetricsOverride", screen);
    }

    /// A message of the console that the story brings about, such as the status of an answer.
    pub fn expect(&self, words: &str) {
        self.expected.borrow_mut().push(words.to_owned());
    }

    /// Goes to a page of the site.
    pub fn open(&self, path: &str) {
        self.session
            .post("/url", &json!({"url": self.site.url(path)}));
    }

    /// Reads the page again.
    pub fn reload(&self) {
        self.session.post("/refresh", &json!({}));
    }

    /// Path and query of the page.
    #[must_use]
    pub fn path(&self) -> String {
        let url = self.session.get("/url").unwrap_or_default();
        let url = url.as_str().unwrap_or_default();
        url.strip_prefix(&self.site.url(""))
            .unwrap_or(url)
            .to_owned()
    }

    /// Waits until it is at a page whose address has this part.
    pub fn arrives(&self, part: &str) {
        until(&format!("a page at `{part}`"), || {
            self.path().contains(part).then_some(())
        });
    }

    /// Runs a script in the page.
    ///
    /// # Panics
    /// When it throws.
    pub fn eval(&self, script: &str) -> Value {
        let ran = self.session.run(script, &[]);
        ran.unwrap_or_else(|why| panic!("{script}: {why}"))
    }

    /// Waits until a script returns something that is true.
    pub fn holds(&self, what: &str, script: &str) {
        until(what, || {
            let ran = self.session.run(script, &[]).ok()?;
            (ran == true).then_some(())
        });
    }

    /// The words in the first element of this selector; none if there is none.
    #[must_use]
    pub fn words(&self, selector: &str) -> Option<String> {
        let script = "const found = document.querySelector(arguments[0]); \
            return found && (found.innerText ?? found.textContent).replace(/\\s+/g, ' ').trim()";
        let words = self.session.run(script, &[json!(selector)]).ok()?;
        words.as_str().map(ToOwned::to_owned)
    }

    /// The words in each element of this selector.
    #[must_use]
    pub fn each(&self, selector: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText.replace(/\\s+/g, ' ').trim())";
        let found = self.session.run(script, &[json!(selector)]);
        let found = found.unwrap_or_default();
        let words = found.as_array().into_iter().flatten();
        words
            .filter_map(Value::as_str)
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Waits until the elements of this selector have these words, each all of its own.
    pub fn lists(&self, selector: &str, words: &[&str]) {
        until(
            &format!("{words:?} in `{selector}` of {}", self.path()),
            || (self.each(selector) == words).then_some(()),
        );
    }

    /// Waits until there are so many elements of this selector.
    pub fn counts(&self, selector: &str, count: usize) {
        until(
            &format!("{count} of `{selector}` on {}", self.path()),
            || (self.each(selector).len() == count).then_some(()),
        );
    }

    /// Waits until the first element of this selector has these words in it, and gives all of its words.
    pub fn sees(&self, selector: &str, words: &str) -> String {
        until(
            &format!("`{words}` in `{selector}` of {}", self.path()),
            || self.words(selector).filter(|all| all.contains(words)),
        )
    }

    /// Waits until this is nowhere on the page.
    pub fn misses(&self, selector: &str) {
        until(&format!("no `{selector}` on the page"), || {
            self.words(selector).is_none().then_some(())
        });
    }

    fn find(&self, kind: &str, words: &str) -> Option<Element> {
        let found = self.session.run(FIND, &[json!(kind), json!(words)]).ok()?;
        Element::of(&found)
    }

    /// Clicks on the link or button with these words.
    pub fn press(&self, words: &str) {
        until(&format!("`{words}` to press on {}", self.path()), || {
            self.hit(&self.find("control", words)?)
        });
    }

    /// Scrolls to something, so that no bar lies over it, and clicks on it.
    fn hit(&self, element: &Element) -> Option<()> {
        let scroll = "arguments[0].scrollIntoView({ block: 'center' })";
        self.session.run(scroll, &[element.value()]).ok()?;
        self.session.click(element).ok()
    }

    /// Whether there is a link or button with these words.
    #[must_use]
    pub fn offers(&self, words: &str) -> bool {
        self.find("control", words).is_some()
    }

    /// Clicks on the first element of this selector.
    pub fn click(&self, selector: &str) {
        until(&format!("`{selector}` to click on {}", self.path()), || {
            self.hit(&self.first(selector)?)
        });
    }

    fn first(&self, selector: &str) -> Option<Element> {
        let by = json!({"using": "css selector", "value": selector});
        let found = self.session.try_post("/element", &by).ok()?;
        Element::of(&found)
    }

    /// Writes a text into the field with this label, over what is there.
    pub fn fill(&self, label: &str, text: &str) {
        until(&format!("the field `{label}` on {}", self.path()), || {
            let field = self.find("field", label)?;
            self.session.clear(&field).ok()?;
            self.session.type_into(&field, text).ok()
        });
    }

    /// What is in the field with this label.
    #[must_use]
    pub fn filled(&self, label: &str) -> String {
        let field = until(&format!("the field `{label}`"), || {
            self.find("field", label)
        });
        let value = self
            .session
            .run("return arguments[0].value", &[field.value()]);
        value
            .unwrap_or_default()
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Picks one of the choices of the field with this label.
    pub fn pick(&self, label: &str, choice: &str) {
        let option = "return [...arguments[0].options].find((one) => one.text.trim() === arguments[1]) ?? null";
        until(
            &format!("`{choice}` in `{label}` on {}", self.path()),
            || {
                let field = self.find("field", label)?;
                let found = self
                    .session
                    .run(option, &[field.value(), json!(choice)])
                    .ok()?;
                self.session.click(&Element::of(&found)?).ok()
            },
        );
    }

    /// Presses keys, one after the other. [`key`] has those that are no characters.
    pub fn keys(&self, keys: &[&str]) {
        let mut actions = Vec::new();
        for key in keys {
            actions.push(json!({"type": "keyDown", "value": key}));
            actions.push(json!({"type": "keyUp", "value": key}));
        }
        let actions = json!([{"type": "key", "id": "keys", "actions": actions}]);
        self.session
            .post("/actions", &json!({ "actions": actions }));
    }

    /// Does something in another tab, and comes back to this one, which knows nothing of it.
    pub fn in_another_tab(&self, what: impl FnOnce(&Self)) {
        let here = self.session.get("/window").expect("there is a tab");
        let other = self.session.post("/window/new", &json!({"type": "tab"}));
        self.session
            .post("/window", &json!({"handle": other["handle"]}));
        what(self);
        self.session.delete("/window");
        self.session.post("/window", &json!({ "handle": here }));
    }

    /// Marks the page that is open, to know it again.
    pub fn mark(&self) {
        self.eval("window.isMarked = true");
    }

    /// Whether it is still the page that was marked: nothing has loaded another one.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.eval("return window.isMarked === true") == true
    }

    /// How much wider than the screen the page is.
    #[must_use]
    pub fn overhang(&self) -> i64 {
        let script = "return Math.max(0, document.scrollingElement.scrollWidth - innerWidth)";
        self.eval(script).as_i64().unwrap_or(i64::MAX)
    }

    /// What is missing for people who use no mouse, hear the page, or see it badly.
    #[must_use]
    pub fn barriers(&self) -> Vec<String> {
        let found = self.eval(BASICS);
        let found = found.as_array().expect("a list of barriers");
        found
            .iter()
            .map(|one| one.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The picture of what is seen, as a PNG.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn picture(&self) -> Vec<u8> {
        let shot = self.session.get("/screenshot").expect("there is a picture");
        let bytes = BASE64.decode(shot.as_str().unwrap_or_default());
        bytes.expect("it is base64")
    }

    /// Writes down what is seen, for whoever looks into a failure.
    pub(crate) fn write_down(&self, folder: &Path, name: &str) {
        let _ = std::fs::create_dir_all(folder);
        let shot = self.session.get("/screenshot").unwrap_or_default();
        if let Ok(picture) = BASE64.decode(shot.as_str().unwrap_or_default()) {
            let _ = std::fs::write(folder.join(format!("{name}.png")), picture);
        }
        let source = self.session.get("/source").unwrap_or_default();
        let source = format!(
            "<!-- {} -->\n{}",
            self.path(),
            source.as_str().unwrap_or_default()
        );
        let _ = std::fs::write(folder.join(format!("{name}.html")), source);
    }

    /// What the pages did that they must not do.
    pub(crate) fn misdeeds(&self) -> Vec<String> {
        let mut misdeeds = complaints(&self.session.log("browser"), &self.expected.borrow());
        misdeeds.extend(strangers(
            &self.session.log("performance"),
            &self.site.url(""),
        ));
        misdeeds
    }
}

/// Keys that are no characters, as WebDriver names them.
pub mod key {
    /// Tab.
    pub const TAB: &str = "\u{e004}";
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
    /// Escape.
    pub const ESCAPE: &str = "\u{e00c}";
    /// End.
    pub const END: &str = "\u{e010}";
    /// Home.
    pub const HOME: &str = "\u{e011}";
    /// The arrow to the left.
    pub const LEFT: &str = "\u{e012}";
    /// The arrow up.
    pub const UP: &str = "\u{e013}";
    /// The arrow to the right.
    pub const RIGHT: &str = "\u{e014}";
    /// The arrow down.
    pub const DOWN: &str = "\u{e015}";
}

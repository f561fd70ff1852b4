//! Coming in and going.

use tidemill_browser::story_of_people;

use crate::{signed_in, stranger};

#[test]
fn the_link_on_the_terminal_signs_in_once() {
    stranger(|browser| {
        browser.expect("status of 401");
        browser.open("/dags");
        browser.sees(
            "main",
            "The terminal where Tidemill was started shows a link",
        );
        browser.site().with_link(|link| {
            browser.open(link);
            browser.sees("footer", "ada, admin");
        });
        browser.open("/dags");
        browser.sees("h1", "DAGs");
        browser.press("Sign out");
        browser.sees("main", "You are not signed in");
    });
}

#[test]
fn a_link_that_was_used_signs_nobody_in() {
    stranger(|browser| {
        browser.expect("status of 401");
        let used = browser.site().with_link(|link| {
            browser.open(link);
            link.to_owned()
        });
        browser.press("Sign out");
        browser.open(&used);
        browser.sees("main", "You are not signed in");
        browser.open("/");
        browser.sees("main", "You are not signed in");
    });
}

#[test]
fn who_is_signed_in_finds_every_section_from_home() {
    signed_in(|browser| {
        browser.open("/");
        for section in ["DAGs", "Runs", "Workers", "Home"] {
            browser.press(section);
            browser.sees("nav [aria-current=page]", section);
        }
    });
}

#[test]
fn the_first_admin_signs_in_with_a_password_and_chooses_another() {
    const NEW: &str = "correct horse battery";
    story_of_people(env!("CARGO_BIN_EXE_browser"), |browser, password| {
        browser.expect("status of 401");
        browser.open("/dags");
        browser.arrives("/sign-in");
        browser.fill("Name", "admin");
        browser.fill("Password", "something else");
        browser.press("Sign in");
        browser.sees("[role=alert]", "do not belong together");
        browser.fill("Password", password);
        browser.press("Sign in");
        browser.sees("[role=alert]", "Change your password first");
        browser.fill("Present password", password);
        browser.fill("New password", NEW);
        browser.fill("The same again", NEW);
        browser.press("Change it");
        browser.sees("footer", "admin");
        browser.open("/dags");
        browser.sees("h1", "DAGs");
        browser.press("Sign out");
        browser.open("/");
        browser.fill("Name", "admin");
        browser.fill("Password", NEW);
        browser.press("Sign in");
        browser.sees("main", "Needs a person");
    });
}

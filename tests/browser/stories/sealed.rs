//! Variables and connections: what is secret is written down once and never comes back by itself.

use crate::signed_in;

const VALUE: &str = "a value that nobody is to see";
const PASSWORD: &str = "a password that nobody is to see";

#[test]
fn a_variable_is_made_shown_to_who_asks_changed_and_removed() {
    signed_in(|browser| {
        browser.open("/variables");
        browser.fill("Name", "region_of_story");
        browser.fill("Value", VALUE);
        browser.fill("What it is for (optional)", "for the story");
        browser.press("Make it");
        browser.sees("main", "region_of_story");
        browser.open("/variables");
        browser.sees(".list", "for the story");
        assert!(!browser.site().page("/variables").contains(VALUE));
        browser.press("region_of_story");
        browser.sees(".facts", "hidden");
        browser.press("Show its value");
        browser.sees(".facts", "the audit log says that you asked");
        assert_eq!(browser.filled("Value"), VALUE);
        browser.fill("Value", "another one");
        browser.press("Keep it");
        browser.sees(".said", "");
        browser.open("/variables/region_of_story");
        browser.press("Remove");
        browser.sees("h1", "region_of_story");
        browser.press("Remove the variable region_of_story");
        browser.sees(".said", "");
        assert!(
            !browser
                .site()
                .page("/variables")
                .contains("region_of_story")
        );
    });
}

#[test]
fn a_connection_is_made_changed_and_removed_and_its_secret_never_comes_back() {
    signed_in(|browser| {
        browser.open("/connections");
        if !browser.offers("Make it") {
            browser.press("A new connection");
        }
        browser.fill("Name", "crm_of_story");
        browser.fill("Kind", "http");
        browser.fill("Name of field 1", "host");
        browser.fill("Value of field 1", "crm.example.org");
        browser.fill("Name of secret 1", "password");
        browser.fill("Value of secret 1", PASSWORD);
        browser.press("Make it");
        browser.sees("main", "crm_of_story");
        browser.open("/connections/crm_of_story");
        browser.sees("h1", "crm_of_story");
        assert_eq!(browser.filled("Value of field 1"), "crm.example.org");
        assert_eq!(browser.filled("Value of secret 1"), "");
        for page in ["/connections", "/connections/crm_of_story"] {
            assert!(!browser.site().page(page).contains(PASSWORD), "{page}");
        }
        browser.fill("Value of field 1", "crm2.example.org");
        browser.press("Keep it");
        browser.sees(".said", "");
        browser.open("/connections");
        browser.sees(".list", "crm2.example.org");
        browser.open("/connections/crm_of_story");
        browser.press("Remove");
        browser.sees("h1", "crm_of_story");
        browser.press("Remove the connection crm_of_story");
        browser.sees(".said", "");
        assert!(!browser.site().page("/connections").contains("crm_of_story"));
    });
}

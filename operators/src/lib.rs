//! What tasks can do on other systems: one file a system.

//! Runs attempts: sessions with the scheduler, slots, waits, isolation.

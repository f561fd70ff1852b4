//! The logs of attempts: masked and cut into chunks by workers, kept and read back beside the scheduler.

//! What people and CI systems rely on from the command line and the testing kit.

mod access;
mod commands;
mod config;
mod connections;
mod database;
mod project;
mod reports;
mod running;
mod running_api;
mod running_fleet;
mod running_logs;
mod running_monitor;
mod running_sandbox;
mod running_stuck;
mod running_web;
mod scaffold;
mod terminal;
mod testing_kit;
mod testing_kit_dag;
mod tls;

//! The program as its users meet it: arguments in; exit status, messages and files out.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

mod bad_features;
mod bad_model;
mod bad_output;
mod bad_package;
mod bad_settings;
mod bench;
mod doctor;
mod interrupt;
mod render;
mod support;
mod tools;

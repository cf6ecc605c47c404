//! `engine-cli`: render, benchmark and inspect talking-head avatars.

fn main() {}

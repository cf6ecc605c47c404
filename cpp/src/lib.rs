//! The C++ host library: a crate of its own so that hosts link one artefact.
//!
//! It exports nothing yet.

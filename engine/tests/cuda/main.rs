//! The device's side over a driver that works on host memory: bytes, order, times, faults.
//!
//! What a real driver leaves undefined (freeing memory that is in use, using it afterwards) makes
//! that driver abort, so every test here is one of lifetimes too.

mod devices;
mod faults;
mod lanes;
mod support;

//! Calls that fail, and a device that is lost.

use std::sync::Arc;

use crate::rig::{Told, open, stand_ins, ways};
use crate::support::gpu::{any_call_may_fail, chain, expected, render};
use crate::support::package;

#[test]
fn any_call_may_fail_and_nothing_is_lost() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    let expected = expected(folder.path(), 14);
    for wanted in ways(flavours) {
        let flavour = format!("{:?}, compositor {}", wanted.flavour, wanted.compositor);
        let told = Arc::<Told>::default();
        let run = || render(folder.path(), wanted, || open(wanted, &told), 14);
        any_call_may_fail(&control, &flavour, &expected, run, |_| ());
    }
}

#[test]
fn a_device_that_is_lost_in_the_middle_ends_the_run() {
    let (control, flavours) = stand_ins();
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), 3);
    for wanted in ways(flavours) {
        let flavour = format!("{:?}, compositor {}", wanted.flavour, wanted.compositor);
        for call in ["cuEventSynchronize", "cuMemcpyHtoDAsync_v2", "cuGraphLaunch"] {
            control.reset();
            let told = Arc::<Told>::default();
            let result = render(
                folder.path(),
                wanted,
                || {
                    let backend = open(wanted, &told)?;
                    // All calls from now on: 700 is an illegal address, which a device keeps.
                    control.fail(call, 0, 700);
                    Ok(backend)
                },
                40,
            );
            let error = format!("{:#}", chain(&result.unwrap_err()));
            assert!(error.contains("CUDA_ERROR_ILLEGAL_ADDRESS"), "{flavour}, {call}: {error}");
            assert_eq!(control.census(), Vec::<String>::new(), "{flavour}, {call}");
        }
    }
}

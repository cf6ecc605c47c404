//! What steers the stand-ins, by way of driver calls that need no device.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]
#![expect(unsafe_code, reason = "the driver's functions are called by name")]

use std::ffi::{c_int, c_uint};
use std::process::{Command, Output};

use engine_doubles::{cuda, cuda_dir};
use libloading::os::unix::Library;

/// The driver as a program finds it that asks for it by name.
struct Driver {
    library: Library,
}

impl Driver {
    fn open() -> Self {
        // SAFETY: the stand-in's initialisers only read the environment.
        Self { library: unsafe { Library::new("libcuda.so") }.unwrap() }
    }

    fn init(&self) -> c_int {
        // SAFETY: this is how cuInit is declared.
        unsafe {
            let function = self.library.get::<unsafe extern "C" fn(c_uint) -> c_int>(b"cuInit");
            function.unwrap()(0)
        }
    }

    fn count(&self) -> c_int {
        let mut count = 0;
        // SAFETY: this is how cuDeviceGetCount is declared.
        unsafe {
            let function =
                self.library.get::<unsafe extern "C" fn(*mut c_int) -> c_int>(b"cuDeviceGetCount");
            function.unwrap()(&mut count)
        }
    }
}

fn child(test: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("DOUBLES_TEST_CHILD", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn is_child() -> bool {
    std::env::var_os("DOUBLES_TEST_CHILD").is_some()
}

#[test]
fn the_nth_call_fails_once_and_all_calls_until_the_reset() {
    let control = cuda().exclusive();
    let driver = Driver::open();
    control.fail("cuInit", 2, 999);
    assert_eq!([driver.init(), driver.init(), driver.init()], [0, 999, 0]);
    control.fail("*", 2, 100);
    assert_eq!([driver.init(), driver.count(), driver.init()], [0, 100, 0]);
    control.fail("cuInit", 0, 719);
    assert_eq!([driver.init(), driver.init(), driver.count()], [719, 719, 0]);
    assert_eq!((control.calls("cuInit"), control.calls("*")), (7, 9));
    assert_eq!(control.calls("cuCtxSynchronize"), 0);
    control.reset();
    assert_eq!((driver.init(), control.calls("*")), (0, 1));
}

#[test]
fn a_program_that_is_not_changed_gets_its_faults_from_the_environment() {
    const TEST: &str = "a_program_that_is_not_changed_gets_its_faults_from_the_environment";
    if is_child() {
        // Nothing was loaded by path here: the loader found it.
        let driver = Driver::open();
        println!("{} {} {}", driver.init(), driver.count(), driver.count());
        return;
    }
    let path = cuda_dir().to_str().unwrap();
    let faults = "cuInit=1:803,cuDeviceGetCount=2";
    let output = child(TEST, &[("LD_LIBRARY_PATH", path), ("ENGINE_DOUBLES_FAIL", faults)]);
    let text = String::from_utf8_lossy(&output.stdout);
    // Not started, the driver says so.
    assert!(text.lines().any(|line| line == "803 3 1"), "{output:?}");

    let output = child(TEST, &[("LD_LIBRARY_PATH", path), ("ENGINE_DOUBLES_FAIL", "cuInit")]);
    let text = String::from_utf8_lossy(&output.stderr);
    let expected = "engine-doubles: ENGINE_DOUBLES_FAIL: \"cuInit\" is not name=nth[:code]";
    assert!(text.lines().any(|line| line == expected), "{output:?}");
}

//! Faults, the log, counts and gates, shared by all stand-ins of a process.

use std::ffi::{CString, c_char, c_int, c_long, c_uint, c_ulong};
use std::ops::Deref;
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

/// Loads a library for the rest of the process, visible to everything that is loaded later.
pub(crate) fn load(path: &Path) -> Library {
    // SAFETY: the library was built with this crate; its initialisers only read the environment.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
    library.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

type Text = unsafe extern "C" fn(*mut c_char, usize) -> usize;

/// Steers every stand-in of this process.
#[derive(Debug)]
pub struct Control {
    fail: unsafe extern "C" fn(*const c_char, c_uint, c_int),
    calls: unsafe extern "C" fn(*const c_char) -> c_ulong,
    events: Text,
    count: unsafe extern "C" fn(*const c_char) -> c_long,
    census: Text,
    hold: unsafe extern "C" fn(*const c_char),
    release: unsafe extern "C" fn(*const c_char),
    wait_running: unsafe extern "C" fn(*const c_char, c_int),
    reset: unsafe extern "C" fn(),
}

/// The control of this process, loaded at the first call.
pub fn control() -> &'static Control {
    static CONTROL: OnceLock<Control> = OnceLock::new();
    CONTROL.get_or_init(Control::load)
}

/// The whole process's stand-ins for one test: others wait for their turn.
#[derive(Debug)]
pub struct Exclusive {
    control: &'static Control,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Exclusive {
    type Target = Control;
    fn deref(&self) -> &Control {
        self.control
    }
}

impl Control {
    fn load() -> Self {
        let library = load(&super::cuda_dir().join("libengine_doubles.so"));
        macro_rules! symbol {
            ($name:literal) => {{
                // SAFETY: the field that takes the pointer has the type that control.h declares.
                let found = unsafe { library.get($name.as_bytes()) };
                *found.unwrap_or_else(|error| panic!("{}: {error}", $name))
            }};
        }
        let control = Self {
            fail: symbol!("double_fail"),
            calls: symbol!("double_calls"),
            events: symbol!("double_events"),
            count: symbol!("double_count"),
            census: symbol!("double_census"),
            hold: symbol!("double_hold"),
            release: symbol!("double_release"),
            wait_running: symbol!("double_wait_running"),
            reset: symbol!("double_reset"),
        };
        // The function pointers stay valid because the library is never unloaded.
        std::mem::forget(library);
        control
    }

    /// Waits until no other test has the stand-ins, then resets them.
    pub fn exclusive(&'static self) -> Exclusive {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        self.reset();
        Exclusive { control: self, _turn: turn }
    }

    /// The `nth` call of `function` from now, counted from 1, fails with `code`; 0 means every call
    /// from now on. `"*"` stands for all functions together.
    pub fn fail(&self, function: &str, nth: u32, code: i32) {
        // SAFETY: the name is a C string that outlives the call.
        unsafe { (self.fail)(c_string(function).as_ptr(), nth, code) }
    }

    /// How often `function` was called since the last reset; `"*"` for all functions together.
    pub fn calls(&self, function: &str) -> u64 {
        // SAFETY: the name is a C string that outlives the call.
        unsafe { (self.calls)(c_string(function).as_ptr()) }
    }

    /// The log: what the stand-ins did, in order.
    pub fn events(&self) -> Vec<String> {
        lines(self.events)
    }

    /// Live objects of one kind, such as `"pinned"` or `"stream"`.
    pub fn count(&self, kind: &str) -> i64 {
        // SAFETY: the name is a C string that outlives the call.
        unsafe { (self.count)(c_string(kind).as_ptr()) }
    }

    /// Live objects of all kinds.
    pub fn total(&self) -> i64 {
        // SAFETY: a null name is what control.h documents for all kinds.
        unsafe { (self.count)(ptr::null()) }
    }

    /// The kinds of which objects live, each `"kind count"`. Empty when nothing leaked.
    pub fn census(&self) -> Vec<String> {
        lines(self.census)
    }

    /// Operations of this kind (`"upload"`, `"download"`, `"host"`) wait when they begin.
    pub fn hold(&self, operation: &str) {
        // SAFETY: the name is a C string that outlives the call.
        unsafe { (self.hold)(c_string(operation).as_ptr()) }
    }

    /// Lets operations of this kind go on.
    pub fn release(&self, operation: &str) {
        // SAFETY: the name is a C string that outlives the call.
        unsafe { (self.release)(c_string(operation).as_ptr()) }
    }

    /// Waits until `n` operations of this kind have begun and not ended. Aborts after 60 s.
    pub fn wait_running(&self, operation: &str, n: i32) {
        // SAFETY: the name is a C string that outlives the call.
        unsafe { (self.wait_running)(c_string(operation).as_ptr(), n) }
    }

    /// Forgets faults, log, counts and numbers; releases all gates.
    pub fn reset(&self) {
        // SAFETY: the function takes nothing and locks what it touches.
        unsafe { (self.reset)() }
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| panic!("{text:?} holds a NUL"))
}

fn lines(text: Text) -> Vec<String> {
    let mut buffer: Vec<u8> = Vec::new();
    loop {
        // SAFETY: at most `buffer.len()` bytes are written.
        let len = unsafe { text(buffer.as_mut_ptr().cast(), buffer.len()) };
        if len < buffer.len() {
            let text = String::from_utf8_lossy(&buffer[..len]);
            return text.lines().map(str::to_owned).collect();
        }
        // Others may append meanwhile.
        buffer.resize(len + 256, 0);
    }
}

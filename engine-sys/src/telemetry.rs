//! ONNX Runtime's telemetry.

/// What ONNX Runtime looks for before it writes a device's number to the user's cache folder and
/// reports to its maker.
const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Switches ONNX Runtime's telemetry off for the rest of the process, unless the user has set
/// `ORT_DISABLE_TELEMETRY` to something. To be called at the beginning of `main`: it does nothing
/// once there are other threads, since they may be reading the environment.
///
/// Returns whether the variable is set now.
pub fn switch_telemetry_off() -> bool {
    if std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    if alone {
        // SAFETY: this is the only thread of the process, so nobody reads or writes the environment
        // at the same time.
        unsafe { std::env::set_var(VARIABLE, "1") }
    }
    alone
}

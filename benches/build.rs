//! Compiles the C++ side of the benchmark `callback`.

fn main() {
    for folder in ["cpp", "../cpp/include"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .include("../cpp/include")
        .file("cpp/callback.cpp")
        .compile("bench_callback");
}

//! librdkafka and libpg_query each carry xxHash's C code. The linker is told to take the first of two equal
//! definitions: the functions that both have (XXH32, XXH64) give the same hashes and have states of the same layout in
//! both versions, and XXH3 is libpg_query's alone.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if matches!(os.as_str(), "linux" | "freebsd") {
        println!("cargo:rustc-link-arg=-Wl,--allow-multiple-definition");
    }
}

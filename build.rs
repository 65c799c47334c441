//! librdkafka and PostgreSQL's parser each bring their own copy of xxHash under its plain names. The functions of one name are
//! the same in both, so the linker may take either.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg=-Wl,-z,muldefs");
}

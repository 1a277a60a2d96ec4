//! The release binary embeds the built site and the migrations: build again when they change.

fn main() -> std::io::Result<()> {
    // A path that does not exist would make cargo build again every time.
    std::fs::create_dir_all("target/site")?;
    println!("cargo::rerun-if-changed=target/site");
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

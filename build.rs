//! Packs what the component serves as it is: the dashboard's files and the description of the API.
//!
//! Compressed they take a quarter of the room in the component, and go to browsers as they are.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

const DASHBOARD: &str = "src/dashboard";
const OPENAPI: &str = "docs/openapi.json";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut files = vec![PathBuf::from(OPENAPI)];
    for entry in fs::read_dir(DASHBOARD)? {
        files.push(entry?.path());
    }
    files.sort();
    let mut table = "&[\n".to_owned();
    for file in &files {
        table += &pack(file, &out)?;
    }
    fs::write(out.join("assets.rs"), table + "]\n")?;
    for watched in [DASHBOARD, OPENAPI, "build.rs"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    Ok(())
}

/// Compresses a file; its row of the table of assets.
fn pack(file: &Path, out: &Path) -> io::Result<String> {
    let name = file.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let (route, media_type) = match (name, extension) {
        ("index.html", _) => ("/".to_owned(), "text/html; charset=utf-8"),
        ("openapi.json", _) => ("/openapi.json".to_owned(), "application/json"),
        (_, "js") => (format!("/assets/{name}"), "text/javascript; charset=utf-8"),
        (_, "css") => (format!("/assets/{name}"), "text/css; charset=utf-8"),
        (_, "svg") => (format!("/assets/{name}"), "image/svg+xml"),
        _ => return Err(io::Error::other(format!("no media type is known for {}", file.display()))),
    };
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&fs::read(file)?)?;
    let target = out.join(format!("{name}.gz"));
    fs::write(&target, packed.finish()?)?;
    // Rust's own quotes: a path may hold any character.
    let target = format!("{:?}", target.display().to_string());
    Ok(format!(
        "    Asset {{ route: {route:?}, media_type: {media_type:?}, gzip: include_bytes!({target}) }},\n"
    ))
}

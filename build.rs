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
    collect(Path::new(DASHBOARD), &mut files)?;
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

/// Every file of a folder and its folders.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// Compresses a file; its row of the table of assets.
fn pack(file: &Path, out: &Path) -> io::Result<String> {
    let below = file.strip_prefix(DASHBOARD).unwrap_or(file).display();
    let name = file.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let (route, media_type) = match (name, extension) {
        ("index.html", _) => ("/".to_owned(), "text/html; charset=utf-8"),
        ("openapi.json", _) => ("/openapi.json".to_owned(), "application/json"),
        (_, "js") => (format!("/assets/{below}"), "text/javascript; charset=utf-8"),
        (_, "css") => (format!("/assets/{below}"), "text/css; charset=utf-8"),
        (_, "svg") => (format!("/assets/{below}"), "image/svg+xml"),
        _ => return Err(io::Error::other(format!("no media type is known for {}", file.display()))),
    };
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&fs::read(file)?)?;
    let target =
        out.join(format!("{}.gz", file.display().to_string().replace(std::path::MAIN_SEPARATOR, "_")));
    fs::write(&target, packed.finish()?)?;
    // Rust's own quotes: a path may hold any character.
    let target = format!("{:?}", target.display().to_string());
    Ok(format!(
        "    Asset {{ route: {route:?}, media_type: {media_type:?}, gzip: include_bytes!({target}) }},\n"
    ))
}

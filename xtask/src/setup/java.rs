//! Finds the Java that the Firestore emulator runs on.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// The oldest Java that the emulator runs on.
const JAVA_VERSION_MIN: u32 = 11;

const HOW_TO_GET_IT: &str = "install a Java runtime of version 11 or later (Debian, Ubuntu: \
     `apt-get install default-jre-headless`; macOS: `brew install openjdk`) and put `java` on the PATH";

/// Describes the installed Java, or says how to get one.
pub fn find() -> Result<String> {
    // Like the emulator's own start script, this takes the one on the PATH.
    let output = Command::new("java").arg("-version").output().context(HOW_TO_GET_IT)?;
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().next().unwrap_or_default();
    match major_version(first) {
        Some(major) if major >= JAVA_VERSION_MIN => Ok(format!("version {major}")),
        Some(major) => bail!("version {major} is too old: {HOW_TO_GET_IT}"),
        None => bail!("`java -version` answers `{first}`: {HOW_TO_GET_IT}"),
    }
}

/// Reads `openjdk version "17.0.15" 2025-04-15` and the older `java version "1.8.0_402"`.
fn major_version(line: &str) -> Option<u32> {
    let version = line.split('"').nth(1)?;
    let mut parts = version.split(['.', '-', '_', '+']);
    let first = parts.next()?.parse().ok()?;
    if first == 1 { parts.next()?.parse().ok() } else { Some(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_java_versions_are_read() {
        assert_eq!(major_version(r#"openjdk version "17.0.15" 2025-04-15"#), Some(17));
        assert_eq!(major_version(r#"openjdk version "21" 2023-09-19"#), Some(21));
        assert_eq!(major_version(r#"java version "1.8.0_402""#), Some(8));
        assert_eq!(major_version(r#"openjdk version "26-ea" 2026-03-17"#), Some(26));
        assert_eq!(major_version("Error: no Java"), None);
    }
}

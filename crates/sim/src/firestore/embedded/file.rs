//! The file that keeps the data of an embedded Firestore.

use std::fs::{self, File, TryLockError};
use std::io::{BufReader, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};

use crate::firestore::memory::{Snapshot, Store, Strictness};

/// A file that belongs to this process as long as it is open here.
#[derive(Debug)]
pub(super) struct DataFile {
    path: PathBuf,
    /// Beside the data, because each save replaces the file itself.
    lock: PathBuf,
    _locked: File,
    saved: AtomicU64,
}

impl DataFile {
    /// Takes the file and reads it; a new one is empty.
    pub(super) fn open(path: PathBuf, strictness: Strictness) -> Result<(Self, Store)> {
        let lock = beside(&path, "lock");
        let locked = File::create(&lock).with_context(|| {
            format!("cannot keep data in {}: cannot write {}", path.display(), lock.display())
        })?;
        match locked.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{} is in use by another process: stop it, or name another file", path.display())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock.display()));
            }
        }
        let store = read(&path, strictness)?;
        let saved = AtomicU64::new(store.revision());
        Ok((Self { path, lock, _locked: locked, saved }, store))
    }

    /// Whether it lacks changes.
    pub(super) fn needs(&self, revision: u64) -> bool {
        self.saved.load(Ordering::Relaxed) != revision || !self.path.exists()
    }

    /// Replaces the file in one step: whenever this process ends, the file is whole.
    pub(super) fn save(&self, revision: u64, snapshot: &Snapshot) -> Result<()> {
        let new = beside(&self.path, "new");
        let write = || {
            let file = File::create(&new)?;
            snapshot.write(BufWriter::new(&file))?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        };
        write().with_context(|| format!("cannot save the data to {}", self.path.display()))?;
        self.saved.store(revision, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        // What is left behind is empty and does no harm.
        let _gone = fs::remove_file(&self.lock);
    }
}

fn read(path: &Path, strictness: Strictness) -> Result<Store> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Store::new(strictness)),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    Store::restore(strictness, BufReader::new(file)).map_err(|problem| {
        anyhow::anyhow!(
            "cannot read the data in {}: {problem}. Move the file away to start with an empty database, or name another one",
            path.display()
        )
    })
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

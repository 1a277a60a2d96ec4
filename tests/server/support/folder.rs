use std::{env, fs, os::unix::fs::PermissionsExt, path::Path};
use tempfile::TempDir;

/// A folder that goes with its holder. PostgreSQL's own user may pass it, since PostgreSQL refuses root.
pub struct Folder(TempDir);

impl Folder {
    /// Below `STREAMGAUGE_TEST_DIR`, whose maker stops whatever a killed run left in it; else below /var/tmp.
    pub fn new(name: &str) -> Folder {
        let below = env::var("STREAMGAUGE_TEST_DIR").unwrap_or_else(|_| "/var/tmp".into());
        let made = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(below).expect("a folder");
        fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).expect("a passable folder");
        Folder(made)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

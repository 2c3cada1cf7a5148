//! Puts files into place so that nothing that a person wrote is lost. What this program writes ends with a line that holds the
//! digest of what stands above it: while that is right, nobody has touched the file, whatever release wrote it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What the last line begins with; a comment in units, crontabs, shell and Python.
pub(super) const MARK: &str = "# Written by peering-manager install-units. Changes are kept. sha256 ";

/// What is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Found {
    /// No file.
    Nothing,
    /// The very same.
    Same,
    /// A file as this or another release wrote it, or as it ships.
    Ours,
    /// Something that a person wrote or changed, or no file at all.
    Theirs,
}

/// A file for the host.
#[derive(Debug)]
pub(crate) struct Placed {
    /// Where it goes, below the root.
    pub(crate) path: PathBuf,
    text: String,
    shipped: &'static str,
    mode: u32,
    links_give_way: bool,
}

impl Placed {
    /// `shipped` is the text as it lies in `contrib/`, from where people copy it by hand.
    pub(crate) fn new(path: PathBuf, text: &str, shipped: &'static str, mode: u32) -> Self {
        Self { path, text: format!("{text}{MARK}{}\n", digest(text)), shipped, mode, links_give_way: false }
    }

    /// The same where a link stands that leads nowhere: it is nothing that a person would miss.
    pub(super) fn instead_of_links(self) -> Self {
        Self { links_give_way: true, ..self }
    }

    /// All that it will hold.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What is there now.
    ///
    /// # Errors
    /// When that cannot be read.
    pub(crate) fn look(&self, root: &Path) -> io::Result<Found> {
        let path = super::below(root, &self.path);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
            Ok(metadata) if metadata.is_symlink() && self.links_give_way => return Ok(Found::Nothing),
            // Such as a link to /dev/null, which masks a unit.
            Ok(metadata) if !metadata.is_file() => return Ok(Found::Theirs),
            Ok(_) => {}
        }
        let Ok(there) = String::from_utf8(fs::read(&path)?) else { return Ok(Found::Theirs) };
        Ok(if there == self.text {
            Found::Same
        } else if there == self.shipped || is_untouched(&there) {
            Found::Ours
        } else {
            Found::Theirs
        })
    }

    /// Writes it, in one step. What a person wrote is kept beside it, under the first free name of `.old`, `.old.2` …
    ///
    /// # Errors
    /// When that cannot be done.
    pub(crate) fn write(&self, root: &Path, found: Found) -> io::Result<()> {
        let path = super::below(root, &self.path);
        let directory = path.parent().unwrap_or(root);
        fs::create_dir_all(directory)?;
        if found == Found::Theirs {
            fs::rename(&path, free(&path))?;
        }
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        io::Write::write_all(&mut file, self.text.as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(self.mode))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    }
}

/// Where a file is kept that gives way: never where there is one already.
fn free(path: &Path) -> PathBuf {
    let beside = |ending: &str| {
        let mut name = path.to_path_buf().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    let names =
        std::iter::once(beside(".old")).chain((2_u32..).map(|count| beside(&format!(".old.{count}"))));
    let mut free = names.skip_while(|name| fs::symlink_metadata(name).is_ok());
    free.next().unwrap_or_else(|| beside(".old"))
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::new(), |mut hex, octet| {
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}

fn is_untouched(text: &str) -> bool {
    text.rsplit_once(MARK).is_some_and(|(above, sum)| sum.trim_end() == digest(above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_told_from_what_this_program_wrote() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("etc/unit");
        let file = |text: &str| Placed::new("/etc/unit".into(), text, "as shipped\n", 0o644);
        let old = file("of an older release\n");
        assert_eq!(old.look(root.path()).unwrap(), Found::Nothing);
        old.write(root.path(), Found::Nothing).unwrap();
        assert_eq!(old.look(root.path()).unwrap(), Found::Same);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        let new = file("of this release\n");
        assert_eq!(new.look(root.path()).unwrap(), Found::Ours);
        fs::write(&path, "as shipped\n").unwrap();
        assert_eq!(new.look(root.path()).unwrap(), Found::Ours);
        for changed in [old.text().replace("older", "odd"), format!("{}more\n", old.text()), String::new()] {
            fs::write(&path, &changed).unwrap();
            assert_eq!(new.look(root.path()).unwrap(), Found::Theirs, "{changed}");
        }
        fs::write(&path, "mine\n").unwrap();
        new.write(root.path(), Found::Theirs).unwrap();
        assert_eq!(new.look(root.path()).unwrap(), Found::Same);
        assert_eq!(fs::read_to_string(root.path().join("etc/unit.old")).unwrap(), "mine\n");
        fs::write(&path, "mine again\n").unwrap();
        new.write(root.path(), Found::Theirs).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("etc/unit.old")).unwrap(), "mine\n");
        assert_eq!(fs::read_to_string(root.path().join("etc/unit.old.2")).unwrap(), "mine again\n");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert_eq!(new.look(root.path()).unwrap(), Found::Theirs);
    }
}

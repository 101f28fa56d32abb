//! The token that every client needs, kept over restarts.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use blake3::Hash;
use forebear::{Error, Result};

/// The token, and what stands for it in a cookie.
///
/// Cookies are of a host and all of its ports: another server on this machine may be sent ours.
/// So the cookie's value is derived from the token, and is taken as a cookie alone.
pub(crate) struct Token {
    text: String,
    digest: Hash,
    cookie: String,
    cookie_digest: Hash,
}

impl Token {
    /// The one that is kept in a file, which is made if it is missing, for its owner alone.
    pub(crate) fn kept_in(path: &Path) -> Result<Self> {
        match read(path) {
            Ok(text) => Self::checked(text, path),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = make(path).or_else(|error| match error.kind() {
                    // Another server made it in between.
                    ErrorKind::AlreadyExists => read(path),
                    _ => Err(error),
                });
                let text = made.map_err(|error| Error::io("make the token", path, error))?;
                Self::checked(text, path)
            }
            Err(error) => Err(Error::io("read the token", path, error)),
        }
    }

    fn checked(text: String, path: &Path) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.len() < LEAST_CHARACTERS || !text.bytes().all(fits) {
            return Err(Error::invalid(format!(
                "expected a token of at least {LEAST_CHARACTERS} letters, digits, - and _ in {}, \
                 found something else; remove the file, and a new one is made",
                path.display()
            )));
        }
        let cookie = blake3::Hasher::new_derive_key(COOKIE_DOMAIN)
            .update(text.as_bytes())
            .finalize()
            .to_hex()
            .to_string();
        let (digest, cookie_digest) = (digest_of(&text), digest_of(&cookie));
        Ok(Self { text, digest, cookie, cookie_digest })
    }

    /// The token itself.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands for it in a cookie.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Whether this is it. Takes as long whatever it is: digests compare in constant time.
    pub(crate) fn is(&self, offered: &str) -> bool {
        digest_of(offered) == self.digest
    }

    /// Whether this is the cookie's value.
    pub(crate) fn is_cookie(&self, offered: &str) -> bool {
        digest_of(offered) == self.cookie_digest
    }
}

fn digest_of(text: &str) -> Hash {
    blake3::hash(text.as_bytes())
}

fn read(path: &Path) -> io::Result<String> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = File::open(path)?;
    let mut text = String::new();
    restrict(&file)?;
    file.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

fn make(path: &Path) -> io::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let text = random.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(text)
}

/// Takes the right to read it from everybody else, where a copy of the folder gave it.
fn restrict(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = file.metadata()?.permissions();
        if permissions.mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Fewer could be guessed.
const LEAST_CHARACTERS: usize = 32;
/// No token is longer.
const MOST_BYTES: u64 = 4096;
/// Keeps the cookie's value apart from all else that follows from the token.
const COOKIE_DOMAIN: &str = "forebear serve cookie v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let first = Token::kept_in(&path).expect("it is made");
        assert_eq!(first.text().len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = || fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
            Token::kept_in(&path).expect("it is read");
            assert_eq!(mode(), 0o600);
        }
        let second = Token::kept_in(&path).expect("it is read");
        assert!(second.is(first.text()) && second.is_cookie(first.cookie()));
        assert!(!second.is(first.cookie()) && !second.is_cookie(first.text()));
        assert!(!second.is("") && !second.is(&first.text()[1..]));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        for text in ["", "short", &"with space ".repeat(9)] {
            fs::write(&path, text).expect("written");
            assert!(Token::kept_in(&path).is_err_and(|error| error.is_invalid()), "{text:?}");
        }
    }
}

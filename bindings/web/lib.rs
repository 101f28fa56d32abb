//! The page of forebear's server as it is built: `dist`, within the program.
//!
//! The sources lie beside this file and are of TypeScript; `npm run build` makes `dist` of them,
//! and the list of what is in it. Both are committed, so that a build of the program needs no
//! Node.

#![warn(missing_docs)]

mod files;

/// A file that the page is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// Where it is served, from `/` on.
    pub path: &'static str,
    /// What it is, as `Content-Type` has it.
    pub media_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
    /// A digest of that, in quotes, as `ETag` has it.
    pub etag: &'static str,
}

impl File {
    /// Whether its path tells its content, so that it can be kept for ever.
    ///
    /// ```
    /// let script = forebear_web::FILES.iter().find(|file| file.path.ends_with(".js"));
    /// assert!(script.expect("the page has a script").is_immutable());
    /// assert!(!forebear_web::file("/").expect("the page itself").is_immutable());
    /// ```
    pub fn is_immutable(&self) -> bool {
        self.path.starts_with("/assets/")
    }
}

/// The file that is served at a path: one of the page's own, or for a path that is a view of the
/// page, such as `/sessions` and `/s/ID`, the page itself, which finds out what to show.
///
/// ```
/// let page = forebear_web::file("/e/3f2a").expect("a view");
/// assert_eq!(page.media_type, "text/html; charset=utf-8");
/// assert_eq!(forebear_web::file("/favicon.svg").map(|file| file.media_type), Some("image/svg+xml"));
/// assert!(forebear_web::file("/api/events").is_none());
/// assert!(forebear_web::file("/../Cargo.toml").is_none());
/// ```
pub fn file(path: &str) -> Option<&'static File> {
    let path = if is_view(path) { PAGE } else { path };
    FILES.iter().find(|file| file.path == path)
}

fn is_view(path: &str) -> bool {
    let mut names = path.strip_prefix('/').unwrap_or_default().split('/');
    match (names.next(), names.next(), names.next()) {
        (Some(view), None, None) => VIEWS.contains(&view),
        // An id: what is in it is the page's business.
        (Some("s" | "e"), Some(id), None) => !id.is_empty(),
        _ => false,
    }
}

pub use files::FILES;

const PAGE: &str = "/index.html";
/// Views by their names in the path; none is that of the first.
const VIEWS: [&str; 8] = ["", "sessions", "why", "errors", "search", "live", "waves", "store"];

//! SQLite, loaded when a table asks for it, so that no program depends on it.
//!
//! Only reading: a file is opened, a query is run, the first column of each row is what it says.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::transmute_copy;
use std::path::Path;
use std::ptr::null_mut;

const LIBRARY: &CStr = c"libsqlite3.so.0";
const OK: c_int = 0;
const ROW: c_int = 100;
const DONE: c_int = 101;
const OPEN_READONLY: c_int = 1;
/// How long to wait for a writer, in milliseconds.
const PATIENCE: c_int = 10_000;

/// What went wrong, in the library's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// The library's functions; it stays loaded for good.
#[derive(Clone, Copy)]
struct Library {
    open: unsafe extern "C" fn(*const c_char, *mut *mut c_void, c_int, *const c_char) -> c_int,
    close: unsafe extern "C" fn(*mut c_void) -> c_int,
    busy_timeout: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    errmsg: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    prepare: unsafe extern "C" fn(*mut c_void, *const c_char, c_int, *mut *mut c_void, *mut *const c_char) -> c_int,
    step: unsafe extern "C" fn(*mut c_void) -> c_int,
    column_text: unsafe extern "C" fn(*mut c_void, c_int) -> *const c_char,
    finalize: unsafe extern "C" fn(*mut c_void) -> c_int,
}

impl Library {
    fn load() -> Result<Self, Error> {
        // SAFETY: the name ends with NUL; loading a library runs only its own set-up.
        let library = unsafe { libc::dlopen(LIBRARY.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(Error(format!("{} is not installed", LIBRARY.to_string_lossy())));
        }
        let find = |name: &CStr| -> Result<*mut c_void, Error> {
            // SAFETY: a loaded library, and a name that ends with NUL.
            let function = unsafe { libc::dlsym(library, name.as_ptr()) };
            let missing = || Error(format!("{} is missing", name.to_string_lossy()));
            if function.is_null() { Err(missing()) } else { Ok(function) }
        };
        Ok(Self {
            // SAFETY: this and the next are functions with the types that SQLite documents, stable since version 3.5.
            open: unsafe { transmute_copy(&find(c"sqlite3_open_v2")?) },
            // SAFETY: as above.
            close: unsafe { transmute_copy(&find(c"sqlite3_close_v2")?) },
            // SAFETY: as above.
            busy_timeout: unsafe { transmute_copy(&find(c"sqlite3_busy_timeout")?) },
            // SAFETY: as above.
            errmsg: unsafe { transmute_copy(&find(c"sqlite3_errmsg")?) },
            // SAFETY: as above.
            prepare: unsafe { transmute_copy(&find(c"sqlite3_prepare_v2")?) },
            // SAFETY: as above.
            step: unsafe { transmute_copy(&find(c"sqlite3_step")?) },
            // SAFETY: as above.
            column_text: unsafe { transmute_copy(&find(c"sqlite3_column_text")?) },
            // SAFETY: as above.
            finalize: unsafe { transmute_copy(&find(c"sqlite3_finalize")?) },
        })
    }
}

/// An open file.
pub struct Database {
    library: Library,
    handle: *mut c_void,
}

// SAFETY: SQLite's connections may move between threads; methods take `&mut self`, so that they are used by one at a time.
unsafe impl Send for Database {}

impl Database {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// When SQLite is not installed, or the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        use std::os::unix::ffi::OsStrExt;
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Error("bad file name".to_owned()))?;
        let library = Library::load()?;
        let mut handle = null_mut();
        // SAFETY: the path ends with NUL; the handle is stored at the place given.
        let code = unsafe { (library.open)(path.as_ptr(), &raw mut handle, OPEN_READONLY, std::ptr::null()) };
        // Even a failed open may leave a handle, which knows the reason.
        let database = Self { library, handle };
        if code != OK {
            return Err(database.error());
        }
        // SAFETY: an open handle.
        unsafe { (library.busy_timeout)(handle, PATIENCE) };
        Ok(database)
    }

    fn error(&self) -> Error {
        if self.handle.is_null() {
            return Error("out of memory".to_owned());
        }
        // SAFETY: a handle, which keeps its message until the next call.
        let text = unsafe { (self.library.errmsg)(self.handle) };
        if text.is_null() {
            return Error("unknown error".to_owned());
        }
        // SAFETY: the message ends with NUL.
        let text = unsafe { CStr::from_ptr(text) };
        Error(text.to_string_lossy().into_owned())
    }

    /// The first column of every row that a query finds, up to its first zero byte; NULL is left out. At most `limit` rows.
    ///
    /// # Errors
    ///
    /// When the query is wrong, or the file cannot be read.
    pub fn query(&mut self, query: &str, limit: usize) -> Result<Vec<Vec<u8>>, Error> {
        let query = CString::new(query).map_err(|_| Error("null byte in query".to_owned()))?;
        let mut handle = null_mut();
        // SAFETY: an open handle, a query that ends with NUL (-1), a place for the statement.
        let code = unsafe { (self.library.prepare)(self.handle, query.as_ptr(), -1, &raw mut handle, null_mut()) };
        if code != OK {
            return Err(self.error());
        }
        let statement = Statement { library: self.library, handle };
        let mut rows = Vec::new();
        while rows.len() < limit {
            match statement.step() {
                ROW => rows.extend(statement.first_column()),
                DONE => break,
                _ => return Err(self.error()),
            }
        }
        Ok(rows)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: closed once; null is allowed.
        unsafe { (self.library.close)(self.handle) };
    }
}

struct Statement {
    library: Library,
    handle: *mut c_void,
}

impl Statement {
    fn step(&self) -> c_int {
        // SAFETY: a prepared statement; an empty query has none, which SQLite reports as misuse.
        unsafe { (self.library.step)(self.handle) }
    }

    fn first_column(&self) -> Option<Vec<u8>> {
        // SAFETY: the statement is at a row.
        let text = unsafe { (self.library.column_text)(self.handle, 0) };
        if text.is_null() {
            return None;
        }
        // SAFETY: the text ends with NUL, and stays until the next step.
        Some(unsafe { CStr::from_ptr(text.cast()) }.to_bytes().to_vec())
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: finalized once; null is allowed.
        unsafe { (self.library.finalize)(self.handle) };
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

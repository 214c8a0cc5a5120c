//! The calls to the library, each made safe by what its wrapper owns.

use std::ffi::{CStr, CString, c_int};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use lmdb_master_sys as sys;

use super::{Access, Entries, Error};

/// The library's limit on keys.
pub(super) const MAX_KEY: usize = 511;

/// The environment's address; closed when the last user is gone.
#[derive(Debug)]
struct Handle(*mut sys::MDB_env);

// SAFETY: without thread-local readers an environment may be used from any thread.
unsafe impl Send for Handle {}
// SAFETY: as above; calls that must not overlap need `&mut Env`.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by mdb_env_create(), closed once, after every transaction that shares it.
        unsafe { sys::mdb_env_close(self.0) };
    }
}

/// An open environment with its one database.
#[derive(Debug)]
pub(super) struct Env {
    handle: Arc<Handle>,
    database: sys::MDB_dbi,
    file: RawFd,
}

fn check(code: c_int) -> Result<(), Error> {
    match code {
        0 => Ok(()),
        sys::MDB_MAP_FULL => Err(Error::MapFull),
        code if code > 0 => Err(Error::Io(io::Error::from_raw_os_error(code))),
        code => {
            // SAFETY: the library answers any code with a static text.
            let text = unsafe { sys::mdb_strerror(code) };
            // SAFETY: that text ends with NUL and is never freed.
            let text = unsafe { CStr::from_ptr(text) };
            Err(Error::Library(text.to_string_lossy().into_owned()))
        }
    }
}

impl Env {
    pub(super) fn open(path: &Path, access: Access, map_size: usize) -> Result<Self, Error> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
        let mut env = null_mut();
        // SAFETY: the library stores a new environment at the place given.
        check(unsafe { sys::mdb_env_create(&raw mut env) })?;
        let handle = Arc::new(Handle(env));
        // SAFETY: a fresh environment that is not open yet.
        check(unsafe { sys::mdb_env_set_mapsize(env, map_size) })?;
        let (flags, mode) = match access {
            Access::Read => (sys::MDB_RDONLY, 0),
            Access::Write { mode } => (0, mode),
        };
        let flags = flags | sys::MDB_NOSUBDIR | sys::MDB_NOLOCK | sys::MDB_NOTLS;
        // SAFETY: a fresh environment, and a path that ends with NUL.
        check(unsafe { sys::mdb_env_open(env, path.as_ptr(), flags, mode) })?;
        let mut file = -1;
        // SAFETY: the environment is open; the descriptor is stored at the place given.
        check(unsafe { sys::mdb_env_get_fd(env, &raw mut file) })?;
        let mut env = Self { handle, database: 0, file };
        let txn = env.begin_read()?;
        let mut database = 0;
        // SAFETY: a live transaction; null names the main database; its handle is stored at the place given.
        check(unsafe { sys::mdb_dbi_open(txn.txn, null(), 0, &raw mut database) })?;
        drop(txn);
        env.database = database;
        Ok(env)
    }

    pub(super) fn file(&self) -> RawFd {
        self.file
    }

    pub(super) fn map_size(&self) -> Result<usize, Error> {
        Ok(self.info()?.me_mapsize)
    }

    /// How much of the map pages take that are or were in use.
    pub(super) fn taken(&self) -> Result<usize, Error> {
        let mut stat = std::mem::MaybeUninit::uninit();
        // SAFETY: the environment is open, and the library fills the structure.
        check(unsafe { sys::mdb_env_stat(self.handle.0, stat.as_mut_ptr()) })?;
        // SAFETY: filled, as the call succeeded.
        let stat: sys::MDB_stat = unsafe { stat.assume_init() };
        let page = usize::try_from(stat.ms_psize).unwrap_or(usize::MAX);
        Ok(self.info()?.me_last_pgno.saturating_add(1).saturating_mul(page))
    }

    fn info(&self) -> Result<sys::MDB_envinfo, Error> {
        let mut info = std::mem::MaybeUninit::uninit();
        // SAFETY: the environment is open, and the library fills the structure.
        check(unsafe { sys::mdb_env_info(self.handle.0, info.as_mut_ptr()) })?;
        // SAFETY: filled, as the call succeeded.
        Ok(unsafe { info.assume_init() })
    }

    /// Changes the map; 0 takes the size that another process has set.
    pub(super) fn resize(&mut self, size: usize) -> Result<(), Error> {
        // SAFETY: the environment is open, and `&mut self` means that no transaction of ours is: they all end
        // within a call, or belong to the database that calls this after ending them.
        check(unsafe { sys::mdb_env_set_mapsize(self.handle.0, size) })
    }

    pub(super) fn begin_read(&mut self) -> Result<Txn, Error> {
        self.begin(sys::MDB_RDONLY)
    }

    pub(super) fn begin_write(&mut self) -> Result<Txn, Error> {
        self.begin(0)
    }

    fn begin(&mut self, flags: u32) -> Result<Txn, Error> {
        let mut txn = null_mut();
        // SAFETY: the environment is open; the transaction is stored at the place given.
        let mut code = unsafe { sys::mdb_txn_begin(self.handle.0, null_mut(), flags, &raw mut txn) };
        if code == sys::MDB_MAP_RESIZED {
            self.resize(0)?;
            // SAFETY: as above.
            code = unsafe { sys::mdb_txn_begin(self.handle.0, null_mut(), flags, &raw mut txn) };
        }
        check(code)?;
        Ok(Txn { txn, database: self.database, _env: Arc::clone(&self.handle) })
    }
}

/// A transaction; what is not committed is forgotten.
#[derive(Debug)]
pub(super) struct Txn {
    txn: *mut sys::MDB_txn,
    database: sys::MDB_dbi,
    _env: Arc<Handle>,
}

// SAFETY: transactions are not tied to a thread (MDB_NOTLS, MDB_NOLOCK).
unsafe impl Send for Txn {}

/// What to do about an entry that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Keep,
    Replace,
    /// The caller knows that the key follows all others.
    Append,
}

fn val(bytes: &[u8]) -> sys::MDB_val {
    sys::MDB_val { mv_size: bytes.len(), mv_data: bytes.as_ptr().cast_mut().cast() }
}

fn empty() -> sys::MDB_val {
    sys::MDB_val { mv_size: 0, mv_data: null_mut() }
}

impl Txn {
    /// The bytes that the library points at; they stay as they are until the transaction ends or writes.
    fn bytes(&self, val: sys::MDB_val) -> &[u8] {
        if val.mv_size == 0 {
            return &[];
        }
        // SAFETY: the library returns memory of the map or of the transaction; writing needs `&mut self`.
        unsafe { std::slice::from_raw_parts(val.mv_data.cast(), val.mv_size) }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        let (mut key, mut value) = (val(key), empty());
        // SAFETY: a live transaction; the key is only read; the value is stored at the place given.
        match unsafe { sys::mdb_get(self.txn, self.database, &raw mut key, &raw mut value) } {
            sys::MDB_NOTFOUND => Ok(None),
            code => check(code).map(|()| Some(self.bytes(value))),
        }
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8], put: Put) -> Result<bool, Error> {
        let flags = match put {
            Put::Keep => sys::MDB_NOOVERWRITE,
            Put::Replace => 0,
            Put::Append => sys::MDB_APPEND,
        };
        let (mut key, mut value) = (val(key), val(value));
        // SAFETY: a live write transaction; key and value are only read.
        match unsafe { sys::mdb_put(self.txn, self.database, &raw mut key, &raw mut value, flags) } {
            sys::MDB_KEYEXIST => Ok(false),
            code => check(code).map(|()| true),
        }
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        let mut key = val(key);
        // SAFETY: a live write transaction; the key is only read; no value is given, as allowed.
        match unsafe { sys::mdb_del(self.txn, self.database, &raw mut key, null_mut()) } {
            sys::MDB_NOTFOUND => Ok(false),
            code => check(code).map(|()| true),
        }
    }

    pub(super) fn clear(&mut self) -> Result<(), Error> {
        // SAFETY: a live write transaction; 0 empties the database and keeps its handle.
        check(unsafe { sys::mdb_drop(self.txn, self.database, 0) })
    }

    pub(super) fn entries(&self, after: Option<&[u8]>, count: usize) -> Result<Entries, Error> {
        let cursor = Cursor::open(self)?;
        let mut entries = Vec::new();
        let mut next = match after.filter(|key| !key.is_empty()) {
            None => cursor.go(sys::MDB_FIRST, &[])?,
            Some(after) => match cursor.go(sys::MDB_SET_RANGE, after)? {
                Some((key, _)) if key == after => cursor.go(sys::MDB_NEXT, &[])?,
                next => next,
            },
        };
        while let Some((key, value)) = next.filter(|_| entries.len() < count) {
            entries.push((key.to_vec(), value.to_vec()));
            next = cursor.go(sys::MDB_NEXT, &[])?;
        }
        Ok(entries)
    }

    pub(super) fn commit(mut self) -> Result<(), Error> {
        // Committing frees the transaction, so it must not be aborted too.
        let txn = std::mem::replace(&mut self.txn, null_mut());
        // SAFETY: a live transaction, which is not used again.
        check(unsafe { sys::mdb_txn_commit(txn) })
    }
}

impl Drop for Txn {
    fn drop(&mut self) {
        if !self.txn.is_null() {
            // SAFETY: a live transaction, which is not used again.
            unsafe { sys::mdb_txn_abort(self.txn) };
        }
    }
}

/// A key and its value, in the memory of the map.
type Pair<'a> = (&'a [u8], &'a [u8]);

struct Cursor<'a> {
    cursor: *mut sys::MDB_cursor,
    txn: &'a Txn,
}

impl<'a> Cursor<'a> {
    fn open(txn: &'a Txn) -> Result<Self, Error> {
        let mut cursor = null_mut();
        // SAFETY: a live transaction; the cursor is stored at the place given.
        check(unsafe { sys::mdb_cursor_open(txn.txn, txn.database, &raw mut cursor) })?;
        Ok(Self { cursor, txn })
    }

    fn go(&self, operation: sys::MDB_cursor_op, key: &[u8]) -> Result<Option<Pair<'a>>, Error> {
        let (mut key, mut value) = (val(key), empty());
        // SAFETY: a live cursor; key and value are set to memory that the transaction keeps.
        match unsafe { sys::mdb_cursor_get(self.cursor, &raw mut key, &raw mut value, operation) } {
            sys::MDB_NOTFOUND => Ok(None),
            code => check(code).map(|()| Some((self.txn.bytes(key), self.txn.bytes(value)))),
        }
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        // SAFETY: a live cursor of a transaction that has not ended.
        unsafe { sys::mdb_cursor_close(self.cursor) };
    }
}

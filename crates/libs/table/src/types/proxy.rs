//! `proxy:type:name`: a table that proxymap(8) opens for us, outside the jail and once for all.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use ipc::Caller;
use ipc::proxymap::{Action, Folding as Asked, Proxymap, Reply, Request};

use crate::blocking::{Inside, block_apart};
use crate::environment::{Folding, Trust};
use crate::store::{Entry, Purpose, Put, Store};
use crate::{Answer, Environment, Error, Keys, Lookup, Owner, Table, types};

use super::unix::Accounts;

struct Proxy {
    table: String,
    /// Answers of a table of the system's users or groups.
    accounts: Option<Accounts>,
    folding: Asked,
    keys: Keys,
    path: PathBuf,
    ipc_timeout: Duration,
    environment: Environment,
}

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("proxy:{name}");
    if environment.trust == Trust::Paranoid {
        let reason = format!("{spec} map is not allowed for security sensitive data");
        return Err(Error::config(spec, reason));
    }
    Ok(Box::new(proxy(name, &environment.proxymap_service_name, environment)))
}

fn proxy(name: &str, service: &str, environment: &Environment) -> Proxy {
    let kind = name.split_once(':').and_then(|(kind, _)| types::find(kind));
    Proxy {
        table: name.to_owned(),
        accounts: name.starts_with("unix:").then(Accounts::default),
        folding: match environment.folding {
            Folding::Fixed => Asked::Fixed,
            Folding::None => Asked::None,
        },
        keys: kind.map_or(Keys::Fixed, |kind| kind.keys),
        path: environment.queue_directory.join("private").join(service),
        ipc_timeout: environment.ipc_timeout,
        environment: environment.clone(),
    }
}

impl Proxy {
    fn caller(&self) -> Caller<Proxymap> {
        self.environment.proxies.caller(&self.path, self.ipc_timeout)
    }

    fn trouble(&self, what: &str) -> Error {
        Error::temporary(format!("proxy:{}", self.table), what)
    }

    async fn ask(&self, action: Action) -> Result<Reply, Error> {
        Inside.await;
        let request = Request { table: self.table.clone(), folding: self.folding, action };
        match self.caller().call(request).await {
            Ok(Reply::Denied) => {
                tracing::warn!("{} service is not configured for table \"{}\"", self.path.display(), self.table);
                let table = format!("proxy:{}", self.table);
                Err(Error::config(table, "table is not approved for proxymap access"))
            }
            Ok(Reply::Retry) => Err(self.trouble("proxymap service reports a temporary error")),
            Ok(Reply::Config) => {
                let table = format!("proxy:{}", self.table);
                Err(Error::config(table, "proxymap service reports a configuration error"))
            }
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.trouble(&error.to_string())),
        }
    }

    /// Asks from a program that may have no runtime.
    fn wait(&self, action: Action) -> Result<Reply, Error> {
        block_apart(&self.table, self.ask(action))
    }

    async fn find(&self, key: Vec<u8>) -> Answer {
        match self.ask(Action::Lookup(Bytes::from(key))).await? {
            Reply::Found(value) => Ok(Some(value.to_vec())),
            Reply::NotFound => Ok(None),
            Reply::Done { .. } | Reply::Entry(..) | Reply::Retry | Reply::Config | Reply::Denied => {
                Err(self.trouble("malformed answer of the proxymap service"))
            }
        }
    }

    /// Asks for `user@domain` and at once for `user`, which is asked next: two questions for the trouble of one. Looking up
    /// users by address costs a wait of two processes for each key else.
    async fn find_account(&self, accounts: &Accounts, key: &[u8]) -> Answer {
        let find = async |key: &[u8]| {
            let answer = self.find(key.to_vec()).await?;
            accounts.keep(key, &answer);
            Ok(answer)
        };
        match memchr::memrchr(b'@', key).and_then(|at| key.get(..at)).filter(|user| !user.is_empty()) {
            // What goes wrong with the second is told when it is asked for.
            Some(user) if accounts.find(user).is_none() => tokio::join!(find(key), find(user)).0,
            _ => find(key).await,
        }
    }
}

impl Table for Proxy {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let Some(accounts) = &self.accounts else {
            return Lookup::Later(Box::pin(self.find(key.to_vec())));
        };
        if let Some(answer) = accounts.find(key) {
            return Lookup::Now(Ok(answer));
        }
        let key = key.to_vec();
        Lookup::Later(Box::pin(async move { self.find_account(accounts, &key).await }))
    }

    fn keys(&self) -> Keys {
        self.keys
    }

    fn owner(&self) -> Owner {
        Owner::Unknown
    }
}

/// Changing and listing through proxywrite, in programs without a runtime.
struct Remote {
    proxy: Proxy,
    /// The last entry listed, so that the next one is asked for, not the first.
    listed: Option<Vec<u8>>,
}

pub(crate) fn store(_: &str, name: &str, purpose: Purpose, environment: &Environment) -> Result<Box<dyn Store>, Error> {
    let service = match purpose {
        Purpose::Create { .. } => {
            let reason = "unsupported dictionary type: proxy does not support bulk-mode creation.";
            return Err(Error::config(format!("proxy:{name}"), reason));
        }
        Purpose::Update | Purpose::Amend => &environment.proxywrite_service_name,
        Purpose::Read => &environment.proxymap_service_name,
    };
    Ok(Box::new(Remote { proxy: proxy(name, service, environment), listed: None }))
}

impl Store for Remote {
    fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<Put, Error> {
        if !replace && self.get(key)?.is_some() {
            return Ok(Put::Duplicate);
        }
        let action = Action::Update(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        self.proxy.wait(action).map(|_| Put::Stored)
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        let action = Action::Delete(Bytes::copy_from_slice(key));
        Ok(self.proxy.wait(action)? != Reply::NotFound)
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        block_apart(&self.proxy.table, self.proxy.find(key.to_vec()))
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        let action = if after.is_some() && self.listed.as_deref() == after { Action::Next } else { Action::First };
        let Reply::Entry(key, value) = self.proxy.wait(action)? else {
            return Ok(None);
        };
        self.listed = Some(key.to_vec());
        Ok(Some((key.to_vec(), value.to_vec())))
    }

    fn save(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Asks through a server that knows one user; returns the answers, and what the server was asked.
    async fn asked(table: &str, keys: &[&str]) -> (Vec<Option<Vec<u8>>>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("private")).unwrap();
        let listener = tokio::net::UnixListener::bind(folder.path().join("private/proxymap")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let server = async move {
            let (stream, _) = listener.accept().await.unwrap();
            ipc::answer::<Proxymap, _, _>(stream, Duration::from_secs(5), |request: Request| {
                let Action::Lookup(key) = request.action else { panic!("{:?}", request.action) };
                seen.lock().unwrap().push(String::from_utf8(key.to_vec()).unwrap());
                let reply = if key == "known" { Reply::Found(Bytes::from("line")) } else { Reply::NotFound };
                async { reply }
            })
            .await
        };
        let server = tokio::spawn(server);
        let environment = Environment { queue_directory: folder.path().to_owned(), ..Environment::default() };
        let table = open(table, &environment).unwrap();
        let mut answers = Vec::new();
        for key in keys {
            answers.push(table.lookup(key.as_bytes()).await.unwrap());
        }
        server.abort();
        let requests = requests.lock().unwrap().clone();
        (answers, requests)
    }

    #[tokio::test]
    async fn users_are_asked_for_with_their_addresses() {
        let keys = ["known@a.test", "known", "@a.test", "other@a.test", "other", "@a.test"];
        let (answers, requests) = asked("unix:passwd.byname", &keys).await;
        assert_eq!(answers, [None, Some(b"line".to_vec()), None, None, None, None]);
        assert_eq!(requests, ["known@a.test", "known", "@a.test", "other@a.test", "other"]);
    }

    #[tokio::test]
    async fn other_tables_are_asked_for_each_key_when_it_comes() {
        let keys = ["known@a.test", "known", "known"];
        let (answers, requests) = asked("hash:/x", &keys).await;
        assert_eq!(answers, [None, Some(b"line".to_vec()), Some(b"line".to_vec())]);
        assert_eq!(requests, keys);
    }
}

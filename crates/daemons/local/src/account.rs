//! Accounts of this host, remembered for a second: each step of a delivery wants one, and so does the next delivery.

use std::time::Duration;

use offload::Recent;
use privsep::User;

/// How many are remembered.
const MOST: usize = 1000;
/// How long an account may be out of date.
const KEPT: Duration = Duration::from_secs(1);

/// What the user database has said lately.
#[derive(Debug)]
pub(crate) struct Accounts(Recent<User>);

impl Accounts {
    pub(crate) fn new() -> Self {
        Self(Recent::new(MOST))
    }

    /// The account of a name. That there is none is asked every time.
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<User>, privsep::Error> {
        if let Some(user) = self.0.find(name) {
            return Ok(Some(user));
        }
        let user = User::by_name(&String::from_utf8_lossy(name))?;
        if let Some(user) = &user {
            self.0.keep(name.to_vec(), user.clone(), KEPT);
        }
        Ok(user)
    }
}

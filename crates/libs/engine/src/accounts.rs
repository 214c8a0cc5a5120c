//! The databases of users and groups as text, as the system's libraries see them (NSS).

use nix::unistd::{Group, User};

/// The passwd(5) line of a user.
///
/// # Errors
///
/// When the database cannot be asked.
pub fn passwd_by_name(name: &str) -> nix::Result<Option<String>> {
    Ok(User::from_name(name)?.map(|user| {
        format!(
            "{}:{}:{}:{}:{}:{}:{}",
            user.name,
            user.passwd.to_string_lossy(),
            user.uid,
            user.gid,
            user.gecos.to_string_lossy(),
            user.dir.display(),
            user.shell.display()
        )
    }))
}

/// The group(5) line of a group.
///
/// # Errors
///
/// When the database cannot be asked.
pub fn group_by_name(name: &str) -> nix::Result<Option<String>> {
    Ok(Group::from_name(name)?.map(|group| {
        let password = group.passwd.to_string_lossy().into_owned();
        format!("{}:{}:{}:{}", group.name, password, group.gid, group.mem.join(","))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known() {
        assert!(passwd_by_name("root").unwrap().unwrap().starts_with("root:"));
        assert!(group_by_name("root").unwrap().unwrap().starts_with("root:"));
        assert_eq!(passwd_by_name("no such user").unwrap(), None);
    }
}

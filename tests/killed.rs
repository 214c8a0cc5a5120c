//! What a daemon that is killed leaves unsaid is found, also while all others go on, and its successor is patient.

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;
use testkit::client::Client;
use testkit::instance::{Instance, Setup};

#[test]
fn mail_that_a_killed_cleanup_did_not_tell_of_is_found() -> Result<()> {
    let refused = testkit::port::free_port()?;
    let mut mail = Setup::new().main("relayhost", format!("[127.0.0.1]:{refused}")).start()?;
    send(&mail, &["a@remote.example"])?;
    let deferred = || files(&mail, "deferred");
    mail.wait("deferred message", || deferred().len() == 1)?;
    // As if cleanup had accepted it a moment ago.
    for file in deferred() {
        fs::File::open(&file)?.set_modified(SystemTime::now())?;
        fs::rename(&file, mail.root.join("spool/incoming").join(file.file_name().unwrap_or_default()))?;
    }
    mail.signal("cleanup", Signal::SIGKILL)?;
    mail.wait_log(&["qmgr", "queue active"], 2)?;
    mail.wait("deferred message", || deferred().len() == 1)?;
    mail.stop()
}

#[test]
fn a_delay_that_a_killed_agent_noted_goes_with_the_message() -> Result<()> {
    let setup = Setup::new().main("deliver_lock_attempts", "1");
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    let at = |name: &str| folder.path().join(name);
    // The first member has to wait for a lock, the second one takes the lock away, and ends only the second time.
    let command = format!(
        "#!/bin/sh\ncd {}\nrm -f box.lock\ntest -e pid && exit\necho $$ >new\nmv new pid\nexec sleep 600\n",
        folder.path().display()
    );
    fs::write(at("command"), command)?;
    fs::set_permissions(at("command"), fs::Permissions::from_mode(0o755))?;
    fs::write(at("box.lock"), "")?;
    fs::write(at("aliases"), format!("list {}, \"|{}\"\n", at("box").display(), at("command").display()))?;
    let mut mail = setup.main("alias_maps", format!("texthash:{}", at("aliases").display())).start()?;
    send(&mail, &["list@mail.example.test"])?;
    mail.wait("command", || at("pid").exists())?;
    assert_eq!(files(&mail, "defer").len(), 1, "{}", mail.log());
    mail.signal("local", Signal::SIGKILL)?;
    signal(fs::read_to_string(at("pid"))?.trim().parse()?)?;
    mail.wait_log(&["qmgr", "removed"], 1)?;
    assert!(fs::read_to_string(at("box"))?.contains("Subject: x"));
    assert!(files(&mail, "defer").is_empty(), "{}", mail.log());
    mail.stop()
}

#[test]
fn an_active_queue_that_cannot_be_read_is_tried_again_after_a_pause() -> Result<()> {
    let mut mail = Setup::new().start()?;
    let (active, away) = (mail.root.join("spool/active"), mail.root.join("spool/away"));
    fs::rename(&active, &away)?;
    fs::write(&active, "no directory")?;
    mail.signal("qmgr", Signal::SIGKILL)?;
    send(&mail, &[&format!("{}@mail.example.test", mail.user)])?;
    mail.wait_log(&["qmgr", "take over queue active"], 1)?;
    let tries = mail.log().matches("take over queue active").count();
    fs::remove_file(&active)?;
    fs::rename(&away, &active)?;
    mail.wait_log(&["qmgr", "removed"], 1)?;
    assert!(tries <= 2, "{tries}");
    mail.stop()
}

fn send(mail: &Instance, recipients: &[&str]) -> Result<()> {
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.deliver("a@example.net", recipients, "Subject: x\n\nx\n")?;
    Ok(())
}

/// The files of a queue, hashed or not.
fn files(mail: &Instance, queue: &str) -> Vec<PathBuf> {
    let list = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, mut files): (Vec<_>, Vec<_>) =
        list(mail.root.join("spool").join(queue)).partition(|path| path.is_dir());
    files.extend(folders.into_iter().flat_map(list));
    files
}

fn signal(pid: u32) -> Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?)
}

//! For tests: a private instance, scripted peers, a scripted name server, free ports.

pub mod client;
pub mod dialog;
pub mod growth;
pub mod instance;
pub mod name_server;
pub mod port;

//! local(8): delivers to users, aliases, files and commands of this host.

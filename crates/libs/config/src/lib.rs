//! Every parameter with type and default; main.cf, master.cf, expansion, overrides.

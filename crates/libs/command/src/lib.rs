//! The command skeleton: options, configuration directory, logging, exit codes.

//! cleanup(8): completes messages and writes queue files.

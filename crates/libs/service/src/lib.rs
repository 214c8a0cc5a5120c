//! The daemon skeleton: arguments, parameters, jail, accept loop, limits, status to master.

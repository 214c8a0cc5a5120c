//! postcat(1): shows queue files.

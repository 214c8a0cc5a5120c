//! postkick(1): wakes a service.

//! verify(8): remembers which addresses are deliverable.

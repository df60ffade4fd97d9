//! What the search finds, certifies and leaves open, against adversaries.

//! A client of the Engine API, and the terminal of whoever uses it.

//! Terminal commands; talks to a running server only.

//! The door to processes: starts other people's programs, and survives them.

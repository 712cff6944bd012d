//! A program that does nothing: the floor under every start.

fn main() {}

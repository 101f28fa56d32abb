//! The format: stores of every version that was ever written are read for ever, and
//! what is written stays byte for byte what it is.

mod bytes;

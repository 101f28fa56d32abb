//! Sealed segments and the manifest that names them.

//! Sound on its way to features, against references and with real programs.

mod decode;
mod encoder;
mod mel;

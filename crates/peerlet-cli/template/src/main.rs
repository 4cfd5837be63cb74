//! The program: `sim`, `live` and the other commands of `peerlet`, for the peerlet of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    template_name::experiment().main()
}

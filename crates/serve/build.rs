//! Builds again when the screens were built again: their file names carry hashes, so new ones come without a change here.

fn main() {
    println!("cargo:rerun-if-changed=../../ui/dist");
}

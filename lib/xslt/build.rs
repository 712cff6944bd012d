//! Compiles the shim and links the system's libxslt, libexslt and libxml2, so that the distribution's security updates reach us.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=src/shim.c");
    println!("cargo:rerun-if-changed=src/shim.h");
    let mut shim = cc::Build::new();
    for library in ["libexslt", "libxslt", "libxml-2.0"] {
        let found = pkg_config::probe_library(library).map_err(|error| {
            format!("{library} is needed: apt-get install libxslt1-dev libxml2-dev ({error})")
        })?;
        shim.includes(found.include_paths);
    }
    shim.file("src/shim.c")
        .warnings(true)
        .flag_if_supported("-Wextra")
        .compile("gatepost_xslt_shim");
    for library in ["libexslt", "libxslt", "libxml-2.0"] {
        pkg_config::probe_library(library)?;
    }
    Ok(())
}

//! The memory of this process.

/// The peak of the resident set in bytes, from `/proc`; 0 where there is none.
pub fn peak_rss_bytes() -> u64 {
    bytes("VmHWM:").unwrap_or(0)
}

/// The resident set in bytes, from `/proc`; `None` where there is none.
pub fn rss_bytes() -> Option<u64> {
    bytes("VmRSS:")
}

/// The value of the line with this name, which is in KiB.
fn bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

//! Plain-text tables and the numbers in them.

use std::fmt;

/// Writes aligned columns, two spaces apart: the first `left` of them to the left, the others to
/// the right.
///
/// # Errors
/// Gives on what the writer says.
pub fn write_table(f: &mut fmt::Formatter<'_>, left: usize, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            if column < left {
                write!(f, "{gap}{cell:<width$}")?;
            } else {
                write!(f, "{gap}{cell:>width$}")?;
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

/// A number to four significant digits, whole numbers below a million in full; a dash for none.
pub fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    if value.abs() < 1e6 && value.fract() == 0.0 {
        // Adding zero takes the sign off a negative zero.
        return format!("{:.0}", value + 0.0);
    }
    let scientific = format!("{value:.3e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent @ -4..6) => {
            let decimals = (3 - exponent).max(0) as usize;
            trimmed(&format!("{value:.decimals$}")).to_owned()
        }
        _ => format!("{}e{exponent}", trimmed(mantissa)),
    }
}

/// A sum, written like a count: whole numbers in full, as far as a float tells them apart.
pub(crate) fn total(value: f64) -> String {
    let is_exact = value.fract() == 0.0 && value.abs() < (1_u64 << 53) as f64;
    if is_exact { format!("{:.0}", value + 0.0) } else { number(Some(value)) }
}

/// Without the zeros that end a fraction.
fn trimmed(decimal: &str) -> &str {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.')
    } else {
        decimal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits() {
        let check = |value: f64, text: &str| assert_eq!(number(Some(value)), text);
        check(0.0, "0");
        check(-0.0, "0");
        check(-10.0, "-10");
        check(999_999.0, "999999");
        check(1_000_000.0, "1e6");
        check(1_234_567.0, "1.235e6");
        check(-123_456.7, "-123457");
        check(999_999.9, "1e6");
        check(1234.5, "1234");
        check(9.99961, "10");
        check(1.0 / 3.0, "0.3333");
        check(0.25, "0.25");
        check(0.000_123_45, "0.0001234");
        check(0.000_012_345, "1.234e-5");
        check(f64::INFINITY, "inf");
        assert_eq!(number(None), "-");
    }

    #[test]
    fn totals_are_whole_where_they_can_be() {
        let check = |value: f64, text: &str| assert_eq!(total(value), text);
        check(-0.0, "0");
        check(1_234_567_890.0, "1234567890");
        check(-1_234_567.0, "-1234567");
        check(9_007_199_254_740_991.0, "9007199254740991");
        check(9_007_199_254_740_992.0, "9.007e15");
        check(1_234.5, "1234");
        check(0.25, "0.25");
    }
}

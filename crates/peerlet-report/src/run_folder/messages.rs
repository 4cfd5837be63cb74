//! `messages.csv`: the messages of each epoch of a simulation.

use std::collections::BTreeMap;
use std::io::{self, Write};

use peerlet_core::Time;
use peerlet_measure::{DropCause, Flow, Ledger};

/// The name of the file in a run folder.
pub(crate) const MESSAGES: &str = "messages.csv";

/// Writes a row for each epoch and class of delivery, from the accounts at the end of each epoch.
pub(super) fn write_messages(accounts: &[(Time, Ledger)], out: &mut impl Write) -> io::Result<()> {
    write!(out, "from,to,class,sent,duplicated,delivered,bytes")?;
    DropCause::ALL.iter().try_for_each(|cause| write!(out, ",dropped_{}", cause.name()))?;
    writeln!(out)?;
    let mut last = (Time::ZERO, Ledger::default());
    for (at, ledger) in accounts {
        let flows = [
            ("datagram", &last.1.datagram, &ledger.datagram),
            ("reliable", &last.1.reliable, &ledger.reliable),
        ];
        for (class, before, after) in flows {
            write!(out, "{},{},{class}", last.0.as_secs_f64(), at.as_secs_f64())?;
            let counts = [
                |flow: &Flow| flow.sent,
                |flow: &Flow| flow.duplicated,
                |flow: &Flow| flow.delivered,
                |flow: &Flow| flow.bytes,
            ];
            // A datagram that nobody could decode is struck out of those delivered.
            counts
                .iter()
                .try_for_each(|of| write!(out, ",{}", of(after).saturating_sub(of(before))))?;
            for cause in DropCause::ALL {
                write!(out, ",{}", after.dropped(cause).saturating_sub(before.dropped(cause)))?;
            }
            writeln!(out)?;
        }
        last = (*at, *ledger);
    }
    Ok(())
}

/// The end of an epoch in seconds, and its counts by column.
type EpochCounts = (f64, BTreeMap<String, f64>);

/// The messages of epochs, of both classes together.
///
/// # Errors
/// The number of a line that is wrong.
pub(crate) fn read_messages(text: &str) -> Result<Vec<EpochCounts>, usize> {
    let mut lines = text.lines().enumerate();
    let header: Vec<&str> =
        lines.next().map(|(_, line)| line.split(',').collect()).ok_or(1_usize)?;
    let mut epochs: Vec<EpochCounts> = Vec::new();
    for (index, line) in lines {
        let fields: Vec<&str> = line.split(',').collect();
        if fields.len() != header.len() || header.len() < 4 {
            return Err(index + 1);
        }
        let number = |field: &str| field.parse::<f64>().map_err(|_| index + 1);
        let to = number(fields[1])?;
        if epochs.last().is_none_or(|(last, _)| *last != to) {
            epochs.push((to, BTreeMap::new()));
        }
        let Some((_, counts)) = epochs.last_mut() else { continue };
        for (name, field) in header.iter().zip(&fields).skip(3) {
            *counts.entry((*name).to_owned()).or_insert(0.0) += number(field)?;
        }
    }
    Ok(epochs)
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;

    #[test]
    fn epochs_are_the_differences_of_accounts() {
        let at = |seconds| Time::ZERO + SECOND * seconds;
        let mut ledger = Ledger::default();
        ledger.datagram.sent = 5;
        ledger.datagram.drop_for(DropCause::Loss);
        let first = ledger;
        ledger.datagram.sent = 7;
        ledger.reliable.bytes = 90;
        let mut out = Vec::new();
        write_messages(&[(at(10), first), (at(15), ledger)], &mut out).expect("a list takes all");
        let text = String::from_utf8(out).expect("it is a text");
        let rows: Vec<String> =
            text.lines().skip(1).map(|line| line.chars().take(26).collect()).collect();
        assert_eq!(
            rows,
            [
                "0,10,datagram,5,0,0,0,1,0,",
                "0,10,reliable,0,0,0,0,0,0,",
                "10,15,datagram,2,0,0,0,0,0",
                "10,15,reliable,0,0,0,90,0,"
            ]
        );
        let read = read_messages(&text).expect("it was just written");
        assert_eq!((read.len(), read[0].1["dropped_loss"], read[1].1["bytes"]), (2, 1.0, 90.0));
        assert_eq!(read_messages("from,to,class,sent\n0,1,datagram,x\n"), Err(2));
        assert_eq!(read_messages(""), Err(1));
    }
}

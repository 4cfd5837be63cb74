//! Measurements the attack programs of the tests against honest processes, and prints a table in
//! Markdown: `cargo bench -p peerlet-live --bench attacks`.
//!
//! Each row is the median of interleaved runs. A run is two honest processes, of which the second
//! one asks the first one at a steady rate, and an attacker, each in a process of its own. Honest
//! operations are counted in three phases of equal length: alone, beside a load without content,
//! and attacked. The load is the attack's packets, as many and as long, to a socket that nobody
//! reads: where attacker and attacked share a processor, the difference is the attack's content.

mod asking;
mod attacker;
mod child;
mod honest_process;
mod measure;
mod row;
mod table;

// The attack programs and their tools are those of the tests, which use more of them.
#[path = "../../tests/it/attackers/mod.rs"]
mod attackers;
#[path = "../../tests/it/holder.rs"]
mod holder;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/it/honest.rs"]
mod honest;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/it/hostile.rs"]
mod hostile;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/it/runs.rs"]
mod runs;

use std::process::ExitCode;

use clap::Parser;

use attackers::Attack;
use attackers::list::ATTACKS;
use child::Role;
use measure::Plan;
use row::Row;

/// Measurements attacks on live processes, and prints a table in Markdown.
#[derive(Parser, Debug)]
struct Arguments {
    /// Measure attacks whose name contains this; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// One short run of each, to see that all works. Its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Runs of each attack.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Honest operations in each phase of a run.
    #[arg(long, default_value_t = 10_500, value_parser = clap::value_parser!(u64).range(100..))]
    operations: u64,
    /// List the attacks and measure none.
    #[arg(long)]
    list: bool,
    /// Be one of the processes of a run.
    #[arg(long, hide = true)]
    role: Option<Role>,
    /// Given by `cargo bench`. Without it, as in `cargo test --benches`, attacks are listed only.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(role) = &arguments.role {
        child::be(role);
        return ExitCode::SUCCESS;
    }
    let is_wanted = |attack: &&Attack| {
        arguments.only.is_empty() || arguments.only.iter().any(|it| attack.name.contains(&**it))
    };
    let wanted: Vec<_> = ATTACKS.iter().filter(is_wanted).collect();
    if arguments.list || wanted.is_empty() || !arguments.bench {
        ATTACKS.iter().for_each(|attack| println!("{:26} {}", attack.name, attack.about));
        return ExitCode::from(u8::from(wanted.is_empty()));
    }
    let plan = match arguments.quick {
        true => Plan { runs: 1, operations: 2_000, is_quick: true },
        false => Plan { runs: arguments.runs, operations: arguments.operations, is_quick: false },
    };
    let rows: Vec<Row> = wanted.into_iter().map(|attack| measure_one(attack, &plan)).collect();
    print!("{}", table::markdown(&rows, &plan));
    let have_all_held = rows.iter().all(|row| row.verdict().is_ok());
    ExitCode::from(u8::from(!have_all_held))
}

/// Measurements one attack, and shows how it went on standard error.
fn measure_one(attack: &'static Attack, plan: &Plan) -> Row {
    eprint!("{:26} ", attack.name);
    let row = Row::measure(attack, plan);
    match row.verdict() {
        Ok(()) => eprintln!("held    {}", row.in_short()),
        Err(why) => eprintln!("failed  {}: {why}", row.in_short()),
    }
    row
}

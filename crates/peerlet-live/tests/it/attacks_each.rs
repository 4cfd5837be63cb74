//! Each attack of the list for a moment, one after the other against the same honest processes:
//! these go on, their table is true, and no answers are longer than three times the questions.

use std::time::Duration;

use peerlet_live::{Admission, Join, LiveSetup};
use tokio::task::JoinHandle;

use crate::attackers::list::ATTACKS;
use crate::attackers::scene::{Cue, Scene};
use crate::attackers::world::World;
use crate::attackers::{Attack, Standing};
use crate::honest::Honest;
use crate::runs::{PATIENCE, runtime};

/// A program that has prepared all.
struct Prepared {
    attack: &'static Attack,
    cue: Cue,
    program: JoinHandle<()>,
}

impl Prepared {
    async fn new(honest: &Honest, attack: &'static Attack, seats: (u32, u32)) -> Prepared {
        let (scene, mut cue) = Scene::new(honest.at(), seats, attack.rate);
        let program = tokio::spawn((attack.program)(scene));
        let ready = tokio::time::timeout(PATIENCE, cue.ready()).await;
        ready.unwrap_or_else(|_| panic!("{} is not prepared", attack.name));
        Prepared { attack, cue, program }
    }

    /// Attacks for a moment.
    async fn run(self, honest: &Honest) {
        // A tenth of a second, or less where a busy machine would take long for it.
        let (name, ticks) = (self.attack.name, u64::from(self.attack.rate / 10).clamp(20, 300));
        let before = self.cue.counts.now();
        self.cue.begin(honest.processes[1].at);
        let done = async {
            while self.cue.counts.now().ticks < ticks {
                assert!(!self.program.is_finished(), "{name} has ended");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, done).await;
        honest.rounds_go_on().await;
        let after = self.cue.counts.now();
        self.program.abort();
        assert!(done.is_ok(), "{name}: {after:?}");
        let [asked, answered] = [after.asked - before.asked, after.answered - before.answered];
        println!("{name}: {asked} bytes, {answered} for them");
        assert!(asked > 0, "{name}: nothing was sent");
        assert!(answered <= 3 * asked, "{name}: {answered} bytes for {asked}");
    }
}

/// Runs all attacks on this network by attackers of this standing.
fn each(world: World, standing: Standing) {
    let is_one = |attack: &&Attack| attack.world == world && attack.standing == standing;
    let attacks: Vec<_> = ATTACKS.iter().filter(is_one).collect();
    assert!(!attacks.is_empty());
    runtime().block_on(async {
        // Two honest processes, and seats for each attacker who takes part.
        let seats = 4 + 2 * attacks.len() as u32;
        let change = |setup: &mut LiveSetup| {
            world.set_up(0, setup);
            // Strangers leave their seats empty.
            setup.start_within = peerlet_core::SECOND * 2;
        };
        let mut honest = Honest::first_as(seats, Admission::default(), change).await;
        honest.processes[0].at.set_ip([127, 0, 0, 1].into());
        let mut prepared = Vec::new();
        for (number, attack) in (2..).zip(&attacks) {
            let seats = (number * 2, number * 2 + 1);
            prepared.push(Prepared::new(&honest, attack, seats).await);
        }
        let join = Join::at(honest.at());
        honest
            .join_as(1, |setup| {
                world.set_up(1, setup);
                setup.join = Some(join);
            })
            .await;
        honest.rounds_go_on().await;
        for attack in prepared {
            attack.run(&honest).await;
        }
        for process in &honest.processes {
            assert_eq!(process.lines.find("198.51.100.66"), None, "it is believed");
        }
        honest.finish().await;
    });
}

#[test]
fn of_strangers_on_an_open_network() {
    each(World::Open, Standing::Stranger);
}

#[test]
fn of_strangers_on_a_process_that_looks_for_its_address() {
    each(World::Everywhere, Standing::Stranger);
}

#[test]
fn of_members_on_an_open_network() {
    each(World::Open, Standing::Member);
}

#[test]
fn of_strangers_on_a_network_with_a_secret() {
    each(World::Secret, Standing::Stranger);
}

#[test]
fn of_strangers_on_a_network_with_a_list() {
    each(World::List, Standing::Stranger);
}

#[test]
fn of_strangers_on_a_udp_network() {
    each(World::Udp, Standing::Stranger);
}

#[test]
fn of_strangers_on_a_udp_network_with_a_secret() {
    each(World::UdpSecret, Standing::Stranger);
}

#[test]
fn of_holders_on_a_udp_network_with_a_secret() {
    each(World::UdpSecret, Standing::Holder);
}

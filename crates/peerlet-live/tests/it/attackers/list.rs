//! All attacks, with the rate at which each is measured.

use Standing::{Holder, Member, Stranger};
use World::{Everywhere, List, Open, Secret, Udp, UdpSecret};

use super::scene::Scene;
use super::world::World;
use super::{Attack, Program, Standing, Victim};
use super::{bytes_alone, connections, members, sealed, strangers};

/// Packets or frames a second of most attacks: 100 Mbit/s of the largest, the line of a stranger
/// of modest means.
const FAST: u32 = 10_000;
/// First packets of handshakes a second.
const BEGUN: u32 = 5_000;
/// Handshakes a second that go on: each costs both sides a signature.
const HANDSHAKES: u32 = 250;
/// Streams a second.
const STREAMS: u32 = 250;

const fn attack(
    name: &'static str,
    about: &'static str,
    (world, standing, rate): (World, Standing, u32),
    program: fn(Scene) -> Program,
) -> Attack {
    Attack { name, about, world, standing, victim: Victim::First, rate, program }
}

/// All of them.
pub const ATTACKS: &[Attack] = &[
    // A QUIC port, without a connection.
    attack(
        "handshakes-begun",
        "first packets of handshakes, nothing after them",
        (Open, Stranger, BEGUN),
        |it| Box::pin(bytes_alone::handshakes_begun(it)),
    ),
    attack(
        "handshakes-proved",
        "handshakes that prove their address and never end",
        (Open, Stranger, HANDSHAKES),
        |it| Box::pin(connections::handshakes_proved(it)),
    ),
    attack(
        "noise-connections",
        "noise in packets that name a connection",
        (Open, Stranger, FAST),
        |it| Box::pin(bytes_alone::noise_of_connections(it)),
    ),
    attack(
        "noise-handshakes",
        "noise in packets of handshakes, of known and unknown versions",
        (Open, Stranger, FAST),
        |it| Box::pin(bytes_alone::noise_of_handshakes(it)),
    ),
    // Connections.
    attack(
        "certificates-copied",
        "handshakes with a certificate of somebody else",
        (Open, Stranger, HANDSHAKES),
        |it| Box::pin(connections::certificates_copied(it)),
    ),
    attack("connections-kept", "connections that stay open", (Open, Stranger, HANDSHAKES), |it| {
        Box::pin(connections::connections_kept(it))
    }),
    attack(
        "connections-closed",
        "connections that are closed at once",
        (Open, Stranger, HANDSHAKES),
        |it| Box::pin(connections::connections_closed(it)),
    ),
    attack(
        "proofs-false",
        "connections with a false proof of the secret",
        (Secret, Stranger, HANDSHAKES),
        |it| Box::pin(connections::proofs_false(it)),
    ),
    attack(
        "words-before-proof",
        "connections that send words instead of the proof",
        (Secret, Stranger, HANDSHAKES),
        |it| Box::pin(connections::words_before_the_proof(it)),
    ),
    attack(
        "not-on-the-list",
        "connections of identities that are not on the list",
        (List, Stranger, HANDSHAKES),
        |it| Box::pin(connections::connections_kept(it)),
    ),
    // Words of strangers.
    attack(
        "stranger-questions",
        "questions about the map and the scenario",
        (Open, Stranger, FAST),
        |it| Box::pin(strangers::questions(it)),
    ),
    attack(
        "stranger-joins",
        "asking for seats of others, in every incarnation",
        (Open, Stranger, FAST),
        |it| Box::pin(strangers::seats_of_others(it)),
    ),
    attack(
        "false-address",
        "naming a false address to a process that looks for its own",
        (Everywhere, Stranger, FAST),
        |it| Box::pin(strangers::false_addresses(it)),
    ),
    attack(
        "stranger-reports",
        "reports of a process that takes no part",
        (Open, Stranger, FAST),
        |it| Box::pin(strangers::reports(it)),
    ),
    attack(
        "stranger-forgeries",
        "messages in the name of peers of others",
        (Open, Stranger, FAST),
        |it| Box::pin(strangers::forged_frames(it)),
    ),
    attack(
        "stranger-malformed",
        "unreadable frames, lengths without bound",
        (Open, Stranger, FAST),
        |it| Box::pin(strangers::malformed_frames(it)),
    ),
    attack(
        "stranger-unfinished",
        "frames on streams that never end",
        (Open, Stranger, STREAMS),
        |it| Box::pin(strangers::unfinished_frames(it)),
    ),
    Attack {
        victim: Victim::Second,
        ..attack(
            "lies-to-participant",
            "answers in the place of seat 0's process, with terminal escapes",
            (Open, Stranger, FAST),
            |it| Box::pin(strangers::lies(it)),
        )
    },
    // Members.
    attack("member-questions", "questions of a member", (Open, Member, FAST), |it| {
        Box::pin(members::questions(it))
    }),
    attack(
        "member-seats",
        "asking for other seats and sockets of others",
        (Open, Member, FAST),
        |it| Box::pin(members::seats_of_others(it)),
    ),
    attack("member-reports", "impossible reports", (Open, Member, FAST), |it| {
        Box::pin(members::reports(it))
    }),
    attack(
        "member-unfinished-reports",
        "reports with a missing piece",
        (Open, Member, FAST),
        |it| Box::pin(members::unfinished_reports(it)),
    ),
    attack(
        "member-forgeries",
        "messages in the name of peers of others",
        (Open, Member, FAST),
        |it| Box::pin(members::forged_frames(it)),
    ),
    attack("member-messages", "real questions to peers, without end", (Open, Member, FAST), |it| {
        Box::pin(members::messages(it))
    }),
    attack("member-answers", "answers that nobody asked for", (Open, Member, FAST), |it| {
        Box::pin(members::answers(it))
    }),
    attack("member-lives", "reliable connections of ever new lives", (Open, Member, FAST), |it| {
        Box::pin(members::reliable_connections(it))
    }),
    attack(
        "member-unfinished",
        "frames of 256 KiB on streams that never end",
        (Open, Member, 50),
        |it| Box::pin(members::unfinished_frames(it)),
    ),
    attack(
        "member-large",
        "messages of 16 MiB without their last piece",
        (Open, Member, 50),
        |it| Box::pin(members::unfinished_messages(it)),
    ),
    // UDP.
    attack(
        "udp-questions",
        "the questions with the longest answers, UDP without a secret",
        (Udp, Stranger, FAST),
        |it| Box::pin(bytes_alone::plain_questions(it)),
    ),
    attack(
        "udp-malformed",
        "unreadable frames, UDP without a secret",
        (Udp, Stranger, FAST),
        |it| Box::pin(bytes_alone::plain_malformed(it)),
    ),
    attack(
        "udp-forgeries",
        "guessed sessions and codes, UDP with a secret",
        (UdpSecret, Stranger, FAST),
        |it| Box::pin(sealed::forged(it)),
    ),
    attack("udp-noise", "noise, UDP with a secret", (UdpSecret, Stranger, FAST), |it| {
        Box::pin(sealed::anything(it))
    }),
    attack(
        "udp-greetings",
        "a holder's first packet, repeated from other addresses",
        (UdpSecret, Stranger, FAST),
        |it| Box::pin(sealed::greetings_repeated(it)),
    ),
    attack(
        "udp-replays",
        "packets of a session, repeated from its address and others",
        (UdpSecret, Stranger, FAST),
        |it| Box::pin(sealed::packets_repeated(it)),
    ),
    attack(
        "udp-flipped",
        "packets of a session with one bit changed",
        (UdpSecret, Stranger, FAST),
        |it| Box::pin(sealed::bits_flipped(it)),
    ),
    attack(
        "udp-sessions",
        "sessions that are made and not used",
        (UdpSecret, Holder, HANDSHAKES),
        |it| Box::pin(sealed::sessions(it)),
    ),
];

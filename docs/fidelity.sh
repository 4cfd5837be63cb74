#!/usr/bin/env bash
# Makes docs/FIDELITY.md: how far simulation and emulation differ, and that a difference is found.
# Takes 50 minutes, on a machine with nothing else to do.
set -euo pipefail
cd "$(dirname "$0")/.."
run=${PEERLET:-"cargo run --release --quiet --"}
out=docs/FIDELITY.md
part=$(mktemp)

# section TITLE WHAT-IS-EXPECTED ARGUMENTS...: the table, and the exit code that it should end with.
section() {
  local title=$1 expected=$2 code=0
  shift 2
  printf '## %s\n\n`peerlet fidelity scenarios/fidelity.toml' "$title"
  printf ' %s' "$@"
  printf '`\n\n'
  $run fidelity scenarios/fidelity.toml --markdown "$@" || code=$?
  printf '\nExit code %s; expected %s.\n\n' "$code" "$expected"
}

{
  cat <<'TEXT'
# How far simulation and emulation differ

The same program, the same scenario, the same seeds: on one side in virtual time, on the other on
real sockets over loopback, with the same model of the network on every packet below QUIC or UDP
(`peerlet emulate`). Each run has 64 peers that look up keys, over king-like delays. Errors are those
of the emulated side, with 95 % intervals over the seeds; values are those of the side that has
fewer. A run that handed over one packet in a hundred more than 0.5 ms late is void and repeated.

Both sides go over the same transport: in simulation over QUIC (`sim --transport quic`) the first
message between two peers waits for a handshake, as it does on sockets.

Not all of an error is the sockets': timers and acknowledgements come at slightly other instants, so
peers meet in another order, and another overlay grows from the same seed. That alone makes some 2 %
of a run's mean and of its messages, and is what the intervals show. A row is held when the error
itself is within its bound; the interval says how sure that is.

TEXT
  section "UDP: within 2 %" 0 --seeds 1..16 --transport udp
  section "QUIC with pairs warmed: within 2 %" 0 --seeds 1..16 --transport quic \
    --set for=45s --set measure.from=30s
  section "QUIC with pairs that are cold: within 5 %" 0 --seeds 1..16 --transport quic --within 5% \
    --set for=21s --set measure.from=6s
  section "2 % loss, with retries: within 5 %" 0 --seeds 1..12 --within 5% \
    --set network.loss=0.02
  section "A split for four seconds that heals: within 5 %" 0 --seeds 1..16 --within 5% \
    --set 'events.lines="0-31 13 Network.cut()\n* 17 Network.heal()"'
  section "Control: delays 10 % longer on the emulated side must be found" 1 --seeds 1..2 \
    --transport udp --control 'events.lines="* 0 Network.slow(1.0488)"'
  section "Control: two points more loss on the emulated side must be found" 1 --seeds 1..2 \
    --transport udp --control network.loss=0.02
} > "$part"
mv "$part" "$out"

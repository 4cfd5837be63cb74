#!/usr/bin/env bash
# Makes docs/FIDELITY.md: how far simulation and emulation differ, and that a difference is found.
# Takes 40 minutes on a machine with nothing else to do, and ends after MINUTES (90) at the latest:
# then, and where a run is void three times, the old file is kept.
#
#   cargo build --release && PEERLET=target/release/peerlet docs/fidelity.sh
#
# OUT is another file to write, SEEDS the seeds of every section, and FOR the length of every run:
# SEEDS=1..2 FOR=6s OUT=/tmp/smoke.md tries the script out within five minutes.
# KEEP is a folder for finished sections: those that are there are not made again.
set -euo pipefail
cd "$(dirname "$0")/.."
run=${PEERLET:-"cargo run --release --quiet --"}
out=${OUT:-docs/FIDELITY.md}
end=$(($(date +%s) + 60 * ${MINUTES:-90}))
part=$(mktemp)
one=$(mktemp)
trap 'rm -f "$part" "$one"' EXIT

# section TITLE EXPECTED-CODE SCENARIO SEEDS ARGUMENTS...: the table, and the exit code.
section() {
  local title=$1 expected=$2 code=0 left=$((end - $(date +%s)))
  local arguments=("scenarios/$3" --seeds "${SEEDS:-$4}" "${@:5}")
  local kept=${KEEP:+$KEEP/${title//[^A-Za-z0-9]/_}.md}
  if [[ -n $kept && -s $kept ]]; then
    cat "$kept"
    return
  fi
  if [[ -n ${FOR:-} ]]; then arguments+=(--set "for=$FOR" --set measure.from=2s); fi
  if ((left <= 0)); then
    echo "the time is over before \"$title\"; set MINUTES to give more" >&2
    exit 1
  fi
  {
    printf '## %s\n\n`peerlet fidelity' "$title"
    printf ' %s' "${arguments[@]}"
    printf '`\n\n'
    timeout --foreground "$left" $run fidelity "${arguments[@]}" --markdown || code=$?
    printf '\nExit code %s; expected %s.\n\n' "$code" "$expected"
  } > "$one"
  case $code in
    0 | 1 | 6) ;;
    5) if [[ -z ${FOR:-} ]]; then
         echo "\"$title\" is void; run it on a machine with less to do" >&2
         exit 1
       fi ;;
    *) echo "\"$title\" ended with $code" >&2
       exit 1 ;;
  esac
  if [[ -n $kept ]]; then
    mkdir -p "$KEEP"
    cp "$one" "$kept"
  fi
  cat "$one"
}

{
  cat <<'TEXT'
# How far simulation and emulation differ

The same program, the same scenario, the same seeds: on one side in virtual time, on the other on
real sockets over loopback, with the same model of the network on every packet below QUIC or UDP
(`peerlet emulate`). Each run has 64 peers that look up keys, over king-like delays. Both sides go
over the same transport: in simulation over QUIC (`sim --transport quic`) the first message between
two peers waits for a handshake, as it does on sockets.

`scenarios/fidelity.toml` tests the network. Both sides begin with the same overlay, laid out by the
seed, and their peers look up the same keys. They differ in little but the work of the sockets, so a
few seeds decide. `scenarios/fidelity-grown.toml` lets the overlay grow: timers and acknowledgements
come at slightly different instants, so peers meet in another order and build another overlay from
the same seed. That alone accounts for some 2 % of a run's mean and of its messages, so this
scenario has more seeds and limits of its own.

## How verdicts are made

An error is that of the emulated side, emulated / simulated - 1, as the mean over pairs of the same
seed, with its 90 % interval by Student's t. The number of values is that of the side that has
fewer. A run that handed over one packet in a hundred more than 0.5 ms late is void and repeated.

The interval decides: a number *held* when the interval lies within the limits on both sides of
zero, which is two one-sided tests at 5 % each; it *failed* when the interval lies outside;
otherwise it is *inconclusive*, and the report says how many seeds would decide it. That number
assumes that more runs spread as these do. It is the number with which nine of ten comparisons would
end on the same side of the limit as the estimate, or with which the interval's half width is a
quarter of the limit, whichever is less. Where the interval is already that narrow and the estimate
lies so near the limit that 1,000 seeds would not suffice, no number of seeds decides it.

A Kolmogorov-Smirnov distance is never below zero, and two samples of one distribution already have
some distance. Its interval is computed over the runs, not over single values, which depend on each
other within a run. At each bound the two sides differ by a mean over pairs of runs, with a margin
like that of any other number. The interval's upper end is the largest sum of difference and margin
at any bound, so a distance held when the difference is within the limit at every bound, each tested
at 5 %. The lower end is the largest difference less the margin at the widest bound, stretched by
2.45 / 1.64: the quantiles of the one-sided Kolmogorov distribution and the normal one, since the
largest of many differences exceeds its true value more often than a single one does.

TEXT
  section "UDP: within 2 %" 0 fidelity.toml 1..5 --transport udp
  section "QUIC with warm pairs: within 2 %" 0 fidelity.toml 1..5 --transport quic \
    --set for=45s --set measure.from=30s
  section "QUIC with cold pairs: within 5 %" 0 fidelity.toml 1..5 --transport quic \
    --within 5%
  section "2 % loss, with retries: within 5 %" 0 fidelity.toml 1..12 --within 5% --counts 2% \
    --set network.loss=0.02
  section "A split that heals after four seconds: within 5 %" 0 fidelity.toml 1..8 --within 5% \
    --counts 2% --set 'events.lines="0-31 8 Network.cut()\n* 12 Network.heal()"'
  # Each handshake takes a processor a millisecond: peers join over 8 s, so that a small machine is
  # in time for all of them.
  section "A grown overlay: within 5 %" 0 fidelity-grown.toml 1..16 --within 5% --counts 5% \
    --set join=8s --set for=29s --set measure.from=14s
  section "Control: delays 10 % longer on the emulated side must be found" 1 fidelity.toml 1..3 \
    --transport udp --control 'events.lines="* 0 Network.slow(1.0488)"'
  section "Control: two points more loss on the emulated side must be found" 1 fidelity.toml 1..5 \
    --transport udp --control network.loss=0.02
} > "$part"
# No blank line at the end.
printf '%s\n' "$(cat "$part")" > "$out"

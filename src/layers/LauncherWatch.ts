/**
 * Hears of the end of processes that are not the supervisor's children: those that an earlier supervisor started.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Procfs from "./internal/procfs.ts"
import * as LauncherPipe from "./LauncherPipe.ts"
import type { Identity } from "./Process.ts"

/*
 * A pidfd can be read when its process has ended (pidfd_open(2), Linux 5.3), and Node cannot open one. One process waits
 * for all. It is told `PID START-TIME`, and tells the same when that process is gone.
 */
const program = String.raw`
use strict; $| = 1;
my ($input, $want, %pid) = ("", "");
vec($want, 0, 1) = 1;
sub start { open(my $f, "<", "/proc/$_[0]/stat") or return ""; my $s = <$f> // ""; $s =~ s/.*\)//s; (split " ", $s)[19] // "" }
sub command {
  my ($pid, $start) = split / /, $_[0];
  my $fd = syscall(434, $pid + 0, 0);
  if ($fd < 0 or start($pid) ne $start) { print "$_[0]\n"; return }
  $pid{$fd} = $_[0]; vec($want, $fd, 1) = 1
}
while (1) {
  next if select(my $ready = $want, undef, undef, undef) < 0;
  for my $fd (grep { vec($ready, $_, 1) } keys %pid) {
    vec($want, $fd, 1) = 0; print delete $pid{$fd}, "\n"; if (open(my $f, "<&=", $fd)) { close $f }
  }
  next unless vec($ready, 0, 1);
  sysread(STDIN, $input, 65536, length $input) or exit;
  command($1) while $input =~ s/^(.*)\n//;
}
`

/** Without perl, or on an old kernel: one look at the process in this time. */
const interval = "1 second"

const look = (identity: Identity): Effect.Effect<void> =>
  Effect.sync(() => Procfs.isThere(identity)).pipe(
    Effect.delay(interval),
    Effect.repeat({ while: (isThere) => isThere }),
    Effect.asVoid
  )

/**
 * Gives a way to wait for the end of such processes: at once where the machine can tell, else within a second.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<(identity: Identity) => Effect.Effect<void>, never, Scope.Scope> = Effect.gen(
  function*() {
    const watched = new Map<string, Deferred.Deferred<void>>()
    const helper = LauncherPipe.open({
      argv: ["perl", "-e", program],
      output: (line) => {
        const ended = watched.get(line)
        if (ended !== undefined) Deferred.unsafeDone(ended, Effect.void)
      }
    })
    const shared = yield* RcRef.make({ acquire: helper, idleTimeToLive: "1 second" })
    return (identity) =>
      Effect.scoped(Effect.gen(function*() {
        const pipe = yield* RcRef.get(shared)
        const ended = yield* Deferred.make<void>()
        const name = `${identity.pid} ${identity.startTime}`
        watched.set(name, ended)
        yield* Effect.addFinalizer(() => Effect.sync(() => watched.delete(name)))
        pipe.send(name)
        // Should the helper be killed, the others' way is good enough.
        yield* Effect.race(Deferred.await(ended), Effect.zipRight(pipe.exited, look(identity)))
      })).pipe(Effect.catchAll(() => look(identity)))
  }
)

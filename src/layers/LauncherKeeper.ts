/**
 * Keeps what services printed while no supervisor runs: a FIFO that nobody holds open forgets what is in it, and a service
 * that ends lets go of its own.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { bounded } from "../internal/bounded.ts"
import { unless } from "../internal/errno.ts"
import * as LauncherPipe from "./LauncherPipe.ts"

/*
 * One process that holds all FIFOs open, and reads none. It is told the folder, then `+PATH` and `-PATH`, and `=` once it
 * holds all that the one before it may hold: that one is ended then. A supervisor that stops ends it; one that is killed
 * leaves it behind, to wait for the next.
 */
const program = String.raw`# tenement: keeps FIFOs open
use strict; $| = 1; $SIG{PIPE} = "IGNORE";
my %held; chomp(my $root = <STDIN> // exit);
sub slurp { open(my $f, "<", $_[0]) or return ""; local $/; <$f> // "" }
sub start { my $s = slurp("/proc/$_[0]/stat"); $s =~ s/.*\)//s; (split " ", $s)[19] // "" }
sub succeed {
  my ($pid, $start) = split " ", slurp("$root/keeper");
  kill "KILL", $pid if $pid and start($pid) eq $start and slurp("/proc/$pid/cmdline") =~ /\0# tenement: keeps FIFOs open\n/;
  open(my $f, ">", "$root/keeper.new") or return;
  print $f "$$ ", start($$); close $f; rename("$root/keeper.new", "$root/keeper");
}
while (<STDIN>) {
  chomp; my $path = substr($_, 1);
  if (/^\+/) { if (sysopen(my $f, $path, 04002)) { $held{$path} = $f } }
  elsif (/^-/) { delete $held{$path} }
  else { succeed(); print "=\n" }
}
sleep 1 while -d $root;
`

/**
 * @since 0.1.0
 * @category models
 */
export interface Keeper {
  /** Sees to it that these FIFOs keep what is in them for as long as the scope lives, and beyond a supervisor's death. */
  readonly keep: (paths: ReadonlyArray<string>) => Effect.Effect<void, never, Scope.Scope>
}

/** How long the start of the keeper may hold up who is first. */
const patience = "5 seconds"

/**
 * A keeper of the FIFOs in the folders of `root`. It runs only while there is something to keep. Without perl nothing is kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (root: string, fifosOf: (directory: string) => ReadonlyArray<string>) =>
  Effect.map(
    RcRef.make({
      acquire: Effect.gen(function*() {
        const ready = yield* Deferred.make<void>()
        const pipe = yield* LauncherPipe.open({
          argv: ["perl", "-e", program],
          onLine: () => Deferred.unsafeDone(ready, Effect.void)
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => unless(["ENOENT"], () => Fs.unlinkSync(`${root}/keeper`))))
        pipe.send(root)
        for (const name of unless(["ENOENT"], () => Fs.readdirSync(root)) ?? []) {
          for (const path of fifosOf(`${root}/${name}`)) pipe.send(`+${path}`)
        }
        pipe.send("=")
        yield* bounded(Effect.raceFirst(Deferred.await(ready), pipe.exited), patience)
        return pipe
      }).pipe(Effect.catchAll((code) =>
        Effect.as(Effect.logWarning(`what services print while no supervisor runs is not kept: perl: ${code}`), null)
      )),
      idleTimeToLive: "1 second"
    }),
    (shared): Keeper => ({
      keep: (paths) =>
        Effect.gen(function*() {
          const pipe = yield* RcRef.get(shared)
          if (pipe === null) {
            return
          }
          for (const path of paths) {
            pipe.send(`+${path}`)
          }
          const scope = yield* Effect.scope
          yield* Scope.addFinalizer(
            scope,
            Effect.sync(() => {
              for (const path of paths) {
                pipe.send(`-${path}`)
              }
            })
          )
        })
    })
  )

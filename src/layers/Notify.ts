/**
 * Hears what services say through `sd_notify`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { unless } from "../internal/errno.ts"
import type { Endpoint } from "./Endpoint.ts"
import { NotifyUnavailable } from "./Errors.ts"
import * as LauncherPipe from "./LauncherPipe.ts"

/**
 * What one run says. `path` is its `NOTIFY_SOCKET`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  readonly path: string
  /** The next message: its assignments, such as `READY` to `1`. */
  readonly next: Effect.Effect<ReadonlyMap<string, string>>
  /** From now on nothing of what is said is passed on. */
  readonly mute: Effect.Effect<void>
}

/**
 * `listen` opens a run's notification socket for as long as the scope lives; only the run's user may write to it.
 *
 * @since 0.1.0
 * @category tags
 */
export class Notify extends Context.Tag("tenement/layers/Notify")<Notify, {
  readonly listen: (endpoint: Endpoint) => Effect.Effect<Listener, NotifyUnavailable, Scope.Scope>
}>() {}

/*
 * Node has no datagram sockets of the Unix family, and perl is on every Debian. One process serves all sockets. It is
 * told `+ID UID GID PATH` (in hex), `-ID` and `~ID` (mute), and tells `=ID` (bound), `!ID error` and `>ID message` (in
 * hex).
 *
 * It keeps what it hears until it is told to mute: what a supervisor that is killed had not come to. It outlives that
 * supervisor for as long as somebody may still get ready, and says it all again to whoever listens at that path next. It
 * goes when that has been told `READY=1`, when the path is gone, or in an hour.
 */
const program = String.raw`
use strict; use Socket; $| = 1; $SIG{PIPE} = "IGNORE";
my ($input, $want, %socket, %id, %mute, %path, %file, %kept) = ("", "");
vec($want, 0, 1) = 1;
sub forget {
  my $s = delete $socket{$_[0]} or return; delete $kept{$_[0]};
  vec($want, fileno $s, 1) = 0; delete $id{fileno $s}; close $s
}
sub file { my ($device, $inode) = lstat $_[0]; defined $inode ? "$device $inode" : "" }
sub hear { my $message; defined recv($socket{$_[0]}, $message, 65536, MSG_DONTWAIT) ? $message : undef }
sub keep {
  my $all = $kept{$_[0]} ||= [];
  return if @$all and $$all[-1] =~ /^READY=1$/m;
  push @$all, $_[1]; shift @$all if @$all > 16
}
sub outlive {
  my $end = time + 3600;
  vec($want, 0, 1) = 0; forget($_) for keys %mute; close STDIN; close STDOUT;
  socket(my $out, AF_UNIX, SOCK_DGRAM, 0) or exit;
  while (%socket and time < $end) {
    select(my $ready = $want, undef, undef, 0.25);
    for my $id (keys %socket) {
      while (defined(my $message = hear($id))) { keep($id, $message) }
      my $now = file($path{$id});
      if ($now eq "") { forget($id) }
      elsif ($now ne $file{$id}) {
        for my $message (splice @{$kept{$id} || []}) {
          send $out, $message, 0, sockaddr_un($path{$id}); forget($id) if $message =~ /^READY=1$/m
        }
      }
    }
  }
  exit
}
sub command {
  my ($verb, $rest) = (substr($_[0], 0, 1), substr($_[0], 1));
  if ($verb eq "-") { forget($rest); delete $mute{$rest} }
  elsif ($verb eq "~") { $mute{$rest} = 1; delete $kept{$rest} }
  elsif ($verb eq "+") {
    my ($id, $uid, $gid, $hex) = split / /, $rest; my $path = pack("H*", $hex);
    # At no moment is there nothing at the path: that would mean that the run is over.
    my $new = $path; substr($new, -1) = "t";
    unlink $new; umask 0177; my $s;
    if (
      socket($s, AF_UNIX, SOCK_DGRAM, 0) and bind($s, sockaddr_un($new)) and chown($uid, $gid, $new) and
      rename($new, $path)
    ) {
      $socket{$id} = $s; $id{fileno $s} = $id; vec($want, fileno $s, 1) = 1;
      $path{$id} = $path; $file{$id} = file($path); print "=$id\n"
    } else { print "!$id $!\n" }
  }
}
while (1) {
  next if select(my $ready = $want, undef, undef, undef) < 0;
  for my $id (@id{grep { vec($ready, $_, 1) } keys %id}) {
    my $message = hear($id);
    next if !defined $message or $mute{$id};
    keep($id, $message); print ">$id ", unpack("H*", $message), "\n";
  }
  next unless vec($ready, 0, 1);
  sysread(STDIN, $input, 65536, length $input) or outlive();
  command($1) while $input =~ s/^(.*)\n//;
}
`

interface Socket {
  readonly path: string
  readonly owner: { readonly uid: number; readonly gid: number }
}

interface Subscription {
  readonly socket: Socket
  readonly bound: Deferred.Deferred<void, NotifyUnavailable>
  readonly inbox: Mailbox.Mailbox<string>
}

const bind = (id: number, { owner, path }: Socket): string =>
  `+${id} ${owner.uid} ${owner.gid} ${Buffer.from(path).toString("hex")}`

const advice = "Install it (apt-get install perl-base), or choose another readiness."

/** All sockets of one helper; the helper is started again, sockets and all, when it dies. */
const helper = (subscriptions: ReadonlyMap<number, Subscription>) =>
  Effect.gen(function*() {
    const started = yield* Deferred.make<void, NotifyUnavailable>()
    let pipe: LauncherPipe.Pipe | undefined
    const onLine = (line: string) => {
      const space = line.indexOf(" ")
      const end = space < 0 ? line.length : space
      const subscription = subscriptions.get(Number(line.slice(1, end)))
      if (subscription === undefined) return
      const rest = line.slice(end + 1)
      if (line.startsWith(">")) subscription.inbox.unsafeOffer(Buffer.from(rest, "hex").toString("utf8"))
      else {
        Deferred.unsafeDone(
          subscription.bound,
          line.startsWith("=")
            ? Exit.void
            : Exit.fail(new NotifyUnavailable({ code: "EIO", problem: rest, advice: "" }))
        )
      }
    }
    yield* Effect.scoped(Effect.gen(function*() {
      pipe = yield* LauncherPipe.open({ argv: ["perl", "-e", program], output: onLine })
      for (const [id, { socket }] of subscriptions) pipe.send(bind(id, socket))
      yield* Deferred.succeed(started, undefined)
      yield* pipe.exited
      yield* Effect.logWarning("the helper for sd_notify ended; it is started again")
    })).pipe(
      Effect.catchAll((code) =>
        Deferred.fail(started, new NotifyUnavailable({ code, problem: "perl cannot be run", advice }))
      ),
      Effect.zipRight(Effect.sleep("1 second")),
      Effect.forever,
      Effect.interruptible,
      Effect.forkScoped
    )
    yield* Deferred.await(started)
    return (line: string) => Effect.sync(() => pipe?.send(line))
  })

const parse = (message: string): ReadonlyMap<string, string> =>
  new Map(
    message.split("\n").filter((line) => line.includes("=")).map((line) => {
      const at = line.indexOf("=")
      return [line.slice(0, at), line.slice(at + 1)]
    })
  )

// Beside the folder of the private path and not in it: what the run's user could exchange must not be chowned.
const socketOf = ({ privatePath }: Endpoint): Socket => {
  const folder = Path.dirname(privatePath)
  return { path: `${folder}.${Path.basename(privatePath, ".sock")}.n`, owner: Fs.lstatSync(folder) }
}

/**
 * One helper process for all instances, there only while somebody listens.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Notify> = Layer.scoped(
  Notify,
  Effect.gen(function*() {
    const subscriptions = new Map<number, Subscription>()
    let last = 0
    const shared = yield* RcRef.make({
      // It does not close what it was interrupted in acquiring.
      acquire: Effect.uninterruptible(helper(subscriptions)),
      idleTimeToLive: "10 seconds"
    })
    return {
      listen: Effect.fn("Notify.listen")(function*(endpoint: Endpoint) {
        const send = yield* RcRef.get(shared)
        const socket = socketOf(endpoint)
        const { path } = socket
        const id = ++last
        const bound = yield* Deferred.make<void, NotifyUnavailable>()
        // What is said while nobody asks is kept as far as this; the rest is dropped, the oldest first.
        const inbox = yield* Mailbox.make<string>({ capacity: 16, strategy: "sliding" })
        yield* Effect.acquireRelease(
          Effect.zipRight(
            Effect.sync(() => subscriptions.set(id, { socket, bound, inbox })),
            send(bind(id, socket))
          ),
          () =>
            Effect.zipRight(
              send(`-${id}`),
              Effect.sync(() => {
                subscriptions.delete(id)
                unless(["ENOENT"], () => Fs.unlinkSync(path))
              })
            )
        )
        // A launch cannot be interrupted; this wait in it has its end all the same.
        yield* Effect.timeoutFail(Effect.interruptible(Deferred.await(bound)), {
          duration: "5 seconds",
          onTimeout: () => new NotifyUnavailable({ code: "ETIMEDOUT", problem: "perl does not answer", advice })
        })
        return { path, next: Effect.map(Effect.orDie(inbox.take), parse), mute: send(`~${id}`) }
      })
    }
  })
)

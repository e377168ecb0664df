/**
 * Holds the FIFOs of services open, beyond the death of a supervisor, and hands on what is in them. It takes nothing out before
 * it is in the log.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { unless } from "../internal/errno.ts"
import type { ToolFailed } from "./Errors.ts"
import { maxFrame } from "./internal/logs/frames.ts"
import { type Relay, Relaying } from "./internal/logs/relaying.ts"
import * as Procfs from "./internal/procfs.ts"
import { numbers } from "./internal/seccomp/numbers.ts"
import * as LauncherPipe from "./LauncherPipe.ts"

/*
 * One process for all instances, spoken to by relaying.ts. `tee` gives the supervisor a copy of what is in a FIFO, and no byte is copied for it. When that is
 * in the log, it is taken out, and how far the log has come is remembered. So whoever is killed, and when: what
 * is not in the log is in the FIFO, and how much of it is in both can be counted. Of each stream, one chunk is under way at most.
 * It is told
 *
 *     hFOLDER                             hold these FIFOs: the kernel drops what is in one that nobody holds
 *     s ROOT                              begin, in this folder: what the one before knows is passed on, and it is ended
 *     +ID PROGRESS OUT ERR NAME FOLDER    there is this instance; so many bytes of its FIFOs are in the log, which has come so far
 *     =ID RUN TOKEN                       when all is handed on that is in its FIFOs now, what follows is of this run
 *     aID STREAMS PROGRESS                what was handed on of these streams is in the log (1 stdout, 2 stderr)
 *     -ID                                 it is gone
 *
 * and answers in frames, see frames.ts: `d` what is in a FIFO, `t` a token, `s` what the one before knew: for each
 * instance of which something was under way `NAME STREAMS PROGRESS`. That it leaves in its own file when the supervisor is gone, or
 * another relay asks for it by SIGTERM. A service may read from its own FIFO: nothing here waits for what is in one. A supervisor that stops ends it; one that is killed leaves it behind, to hold the FIFOs.
 */
const program = String.raw`# tenement: hands on what services print
use strict; $| = 1; $SIG{PIPE} = "IGNORE"; umask 077;
my ($limit, $event, $create, $ctl, $wait, $tee, $splice) = map { /^\d+$/ ? $_ + 0 : $_ } @ARGV;
my ($root, $input, $alive, $ahead) = ("", "", 1, 0);
my (%held, %fifo, %run, %name, %taken, %progress, %waiting, %left, @later);
my ($poll, $events, $each) = (syscall($create, 0), "\0" x 1024, length pack($event, 0, 0));
pipe(my $from, my $to); open(my $null, ">", "/dev/null"); fcntl(STDOUT, 1031, 1048576);
$SIG{TERM} = sub { $alive = 0 };
sub watch { syscall($ctl, $poll, $_[0], fileno $_[1], pack($event, $_[2], $_[3])) }
sub once { watch($_[0], $fifo{$_[1]}, 0x40000001, $_[1]) }
sub keys_of { (2 * $_[0], 2 * $_[0] + 1) }
sub path { "$_[0]/" . ($_[1] & 1 ? "stderr" : "stdout") }
sub fifo { my $f; sysopen($f, $_[0], 04002) ? $f : undef }
sub slurp { open(my $f, "<", $_[0]) or return ""; local $/; <$f> // "" }
sub start { my $s = slurp("/proc/$_[0]/stat"); $s =~ s/.*\)//s; my @s = split " ", $s; ($s[0] // "Z") eq "Z" ? "" : $s[19] }
sub claim {
  open(my $f, ">", "$root/relay.new") or return;
  print $f "$$ ", start($$), "\n", @_; close $f; rename("$root/relay.new", "$root/relay");
}
sub emit {
  my ($text) = @_;
  while ($alive and length $text) { my $n = syswrite(STDOUT, $text) // ($! == 4 ? 0 : -1); $n < 0 ? $alive = 0 : substr($text, 0, $n, "") }
}
sub move {
  my ($in, $out, $n, $flags) = @_;
  while ($n > 0) { my $got = syscall($splice, fileno $in, 0, fileno $out, 0, $n, $flags); if ($got > 0) { $n -= $got } elsif ($! != 4) { last } }
  return $n;
}
sub drop { move($_[0], $null, $_[1], 2) }
sub hand {
  my ($key) = @_; my ($id, $f) = ($key >> 1, $fifo{$key});
  return if !$alive or !$f or $taken{$key} or !defined $run{$id};
  if ($ahead >= $limit) { push @later, $key; return }
  my ($most, $first) = (65536, $waiting{$id}[0]);
  if ($first) { my $due = $first->[$key & 1]; return if $due <= 0; $most = $due if $due < $most }
  my $n = syscall($tee, fileno $f, fileno $to, $most, 2);
  if ($n > 0) {
    $taken{$key} = $n; $ahead += $n; $_->[$key & 1] -= $n for @{$waiting{$id}};
    emit("d $key $run{$id} $n\n"); move($from, \*STDOUT, $n, 0) and $alive = 0;
  }
  elsif ($first) { $first->[$key & 1] = 0 } else { once(3, $key) }
  settle($id) if $first;
}
sub settle {
  my ($id) = @_; my ($all, $any) = ($waiting{$id}, 0);
  while (@$all and $all->[0][0] <= 0 and $all->[0][1] <= 0) { my $one = shift @$all; $run{$id} = $one->[2]; emit("t $one->[3] 0 0\n"); $any = 1 }
  if ($any) { hand($_) for keys_of($id) }
}
sub due { my $f = $fifo{$_[0]} or return 0; my $n = pack("i", 0); ioctl($f, 0x541B, $n) ? unpack("i", $n) - ($taken{$_[0]} // 0) : 0 }
sub forget { my $n = delete $taken{$_[0]} // 0; $ahead -= $n; return $n }
sub succeed {
  my ($pid, $start) = split " ", slurp("$root/relay");
  my $is = sub { $pid and start($pid) eq $start and slurp("/proc/$pid/cmdline") =~ /\0# tenement: hands on what services print\n/ };
  if ($is->()) { kill "TERM", $pid; for (1 .. 3000) { last if slurp("$root/relay") =~ /^left$/m or !$is->(); select(undef, undef, undef, 0.001) } }
  my (undef, $known) = split /^left\n/m, slurp("$root/relay"); $known //= "";
  for (split /\n/, $known) { $left{$1} = $2 if /^(\S+) (.*)/ }
  kill "KILL", $pid if $is->();
  claim(); emit("s 0 0 " . length($known) . "\n$known");
}
sub part {
  for my $id (keys %name) { my $mask = 0; for (keys_of($id)) { $mask |= 1 << ($_ & 1) if $taken{$_} } $left{$name{$id}} = "$mask $progress{$id}" if $mask }
  claim("left\n", map { "$_ $left{$_}\n" } keys %left);
}
sub command {
  my ($verb, $id, $rest) = $_[0] =~ /^(.)(\d*) ?(.*)/ or return;
  if ($verb eq "a") {
    my ($mask, $progress) = split " ", $rest; $progress{$id} = $progress;
    for (keys_of($id)) { if ($mask & 1 << ($_ & 1)) { drop($fifo{$_}, forget($_)); hand($_) } }
    if (@later and $ahead < $limit) { hand($_) for splice @later }
  }
  elsif ($verb eq "=") {
    my ($run, $token) = split " ", $rest;
    if (defined $run{$id}) { push @{$waiting{$id}}, [(map { due($_) } keys_of($id)), $run, $token]; settle($id) }
    else { $run{$id} = $run; emit("t $token 0 0\n"); $fifo{$_} and once(1, $_) for keys_of($id) }
    hand($_) for keys_of($id);
  }
  elsif ($verb eq "+") {
    my ($progress, $out, $err, $name, $folder) = split / /, $rest, 5; my @skip = ($out, $err);
    ($name{$id}, $progress{$id}, $waiting{$id}) = ($name, $progress, []); delete $left{$name};
    for (keys_of($id)) { my $p = path($folder, $_); my $f = delete $held{$p} // fifo($p) or next; $fifo{$_} = $f; drop($f, $skip[$_ & 1]) }
  }
  elsif ($verb eq "-") { for (keys_of($id)) { forget($_); delete $fifo{$_} } emit("t $_->[3] 0 0\n") for @{$waiting{$id}}; delete $_->{$id} for \(%run, %name, %progress, %waiting) }
  elsif ($verb eq "h") { for (0, 1) { my $p = path($rest, $_); $held{$p} = fifo($p) } }
  elsif ($verb eq "s") { $root = $rest; succeed() }
}
sub hear {
  my $n = sysread(STDIN, $input, 65536, length $input);
  if ($n) { command($1) while $input =~ s/^(.*)\n// } elsif (defined $n or $! != 4) { $alive = 0 }
  return $n;
}
watch(1, \*STDIN, 1, 0);
while ($alive) {
  my $n = syscall($wait, $poll, $events, 64, -1, 0, 8);
  for (map { (unpack($event, substr($events, $_ * $each, $each)))[1] } 0 .. $n - 1) { $_ ? hand($_) : hear() }
}
fcntl(STDIN, 4, 04000); 1 while hear();
exit if $root eq ""; part(); sleep 1 while -d $root;
`

/** How much may be under way of all streams, beyond which no further one is begun. */
const limit = 2 * 1024 * 1024

/** The program's arguments, where this processor's system calls are known. */
const argumentsOf = (): ReadonlyArray<string> | null => {
  const { arch } = process
  if (arch !== "x64" && arch !== "arm64") return null
  const all = numbers(arch)
  const calls = ["epoll_create1", "epoll_ctl", "epoll_pwait", "tee", "splice"].map((name) => `${all.get(name)}`)
  // The kernel packs an epoll_event on one of them only.
  return [`${limit}`, arch === "x64" ? "LQ" : "Lx4Q", ...calls]
}

/** How long the start of the relay may hold up who is first. */
const patience = "5 seconds"

/** How long to wait before one that died is started again. */
const pause = "100 millis"

/**
 * A relay of the FIFOs in the folders of `root`; `null` where there can be none. It runs only while there is somebody to read
 * for.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly root: string
  readonly folders: () => ReadonlyArray<string>
  readonly makeFifos: (paths: ReadonlyArray<string>) => Effect.Effect<void, ToolFailed>
}): Effect.Effect<Effect.Effect<Relay | null, never, Scope.Scope>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { folders, makeFifos, root } = options
    const claim = `${root}/relay`
    const claimed = () => (unless(["ENOENT"], () => Fs.readFileSync(claim, "latin1")) ?? "").split(/[ \n]/)
    const args = argumentsOf()

    /** One process, to its end. Tells whether another supervisor's has taken its place. */
    const once = (relaying: Relaying, begun: Deferred.Deferred<boolean>) =>
      Effect.scoped(Effect.gen(function*() {
        const output = yield* channel({ root, makeFifos, onRead: (bytes) => relaying.hear(bytes) })
        const pipe = yield* LauncherPipe.open({ argv: ["perl", "-e", program, "--", ...(args ?? [])], output })
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            if (claimed()[0] === `${pipe.pid}`) unless(["ENOENT"], () => Fs.unlinkSync(claim))
          })
        )
        relaying.start(pipe, root, folders(), () => Deferred.unsafeDone(begun, Exit.succeed(true)))
        yield* pipe.exited
        const [pid, startTime = ""] = claimed()
        return pid !== `${pipe.pid}` && Procfs.isThere({ pid: Number(pid), startTime })
      }))

    const always = Effect.fnUntraced(function*(relaying: Relaying, begun: Deferred.Deferred<boolean>) {
      while (!(yield* once(relaying, begun)) && (yield* Deferred.isDone(begun))) {
        yield* Effect.logWarning("what hands on the logs ended; it is started again")
        yield* Effect.sleep(pause)
      }
    })

    const running = yield* RcRef.make({
      acquire: Effect.gen(function*() {
        if (args === null) return null
        const relaying = new Relaying()
        const begun = yield* Deferred.make<boolean>()
        const fiber = yield* always(relaying, begun).pipe(
          Effect.catchAll((problem) => Effect.logWarning(`perl cannot be run: ${problem}`)),
          Effect.ensuring(Deferred.succeed(begun, false)),
          Effect.interruptible,
          Effect.forkScoped
        )
        yield* Effect.forkScoped(Effect.interruptible(Effect.delay(Deferred.succeed(begun, false), patience)))
        if (yield* Deferred.await(begun)) return relaying
        yield* Fiber.interrupt(fiber)
        return null
      }).pipe(
        Effect.tap((relaying) =>
          relaying === null
            ? Effect.logWarning("logs are read by the supervisor itself: what it has read goes with it if it is killed")
            : Effect.void
        ),
        // An RcRef does not close what it was interrupted in acquiring.
        Effect.uninterruptible
      ),
      idleTimeToLive: "1 second"
    })
    return RcRef.get(running)
  })

/** What the process writes is read from this pipe; the descriptor is its end of it. */
const channel = (options: {
  readonly root: string
  readonly makeFifos: (paths: ReadonlyArray<string>) => Effect.Effect<void, ToolFailed>
  readonly onRead: (bytes: Buffer) => void
}) =>
  Effect.gen(function*() {
    const { makeFifos, onRead, root } = options
    const path = `${root}/relay.${process.pid}`
    Fs.mkdirSync(root, { recursive: true, mode: 0o700 })
    yield* Effect.mapError(makeFifos([path]), ({ message }) => message)
    const { O_NONBLOCK, O_RDWR, O_WRONLY } = Fs.constants
    const buffer = Buffer.allocUnsafeSlow(4 * maxFrame)
    const socket = new Net.Socket({
      fd: Fs.openSync(path, O_RDWR | O_NONBLOCK),
      readable: true,
      writable: false,
      onread: {
        buffer,
        callback: (bytes: number) => {
          onRead(buffer.subarray(0, bytes))
          return true
        }
      }
    } as Net.SocketConstructorOpts)
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
    const output = Fs.openSync(path, O_WRONLY)
    yield* Effect.addFinalizer(() => Effect.sync(() => Fs.closeSync(output)))
    Fs.unlinkSync(path)
    return output
  })

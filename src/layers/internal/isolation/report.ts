/** @internal */
import * as Fs from "node:fs"
import * as Os from "node:os"
import type { ExitStatus } from "../../../domain/Exit.ts"
import { unless } from "../../../internal/errno.ts"

// The numbers of system calls, as Perl's own module for them is slow to load.
const [setsid, close, dup3] = process.arch === "x64" ? [112, 3, 292] : [157, 57, 24]

/**
 * The first process of an instance's own process namespace, in Perl: begins the program in a session of its own, passes
 * signals on to it, buries what it leaves behind, and reports when it has begun and how it ended. Whatever contains it
 * (bubblewrap, gVisor) can pass on no more than an exit code, in which a signal looks like a code above 128.
 *
 * When it is gone everything inside is. So after a signal that ended the program, the rest is told too and waited for;
 * the supervisor sees to it that this does not take for ever.
 *
 * Its arguments are where to report (a path, or `&=N` for a descriptor), the descriptor of a socket that the program gets
 * as its 3 (or nothing), the instance's name, the program's file, and the program's words. The environment comes packed,
 * see `pack`: none of it is meant for what runs before the program. LISTEN_PID is what only this process can know.
 */
export const init = String.raw`
my ($where, $listener, $name, $file, @words) = @ARGV;
my ($program, $told);
$0 = "tenement-init $name";
open my $report, ">>$where" or die "tenement: $where: $!\n";
for my $signal (qw(HUP INT QUIT USR1 USR2 ALRM TERM CONT WINCH)) {
  $SIG{$signal} = sub { $told = $signal if $signal ne "CONT"; kill $signal, $program if $program };
}
$program = fork;
defined $program or die "tenement: $name cannot be started: $!\n";
if ($program == 0) {
  $SIG{$_} = "DEFAULT" for keys %SIG;
  close $report;
  syscall(${dup3}, $listener + 0, 3, 0), syscall(${close}, $listener + 0) if $listener;
  syscall(${setsid});
  my @names = split / /, $ENV{TENEMENT_NAMES};
  my @values = @ENV{map { "TENEMENT_VALUE_$_" } 0 .. $#names};
  %ENV = ();
  @ENV{@names} = @values;
  $ENV{LISTEN_PID} = $$ if $listener;
  exec { $file } @words or print STDERR "tenement: $file cannot be run in here: $!\n";
  exit 127;
}
syscall(${close}, $listener + 0) if $listener;
kill $told, $program if $told;
syswrite $report, "begun\n";
my $interrupted = 4;
my $ended;
do { $ended = wait } until $ended == $program || $ended < 0 && $! != $interrupted;
my ($signal, $code) = ($? & 127, $? >> 8);
syswrite $report, $signal ? "signal $signal\n" : "code $code\n";
if ($told) { kill $told, -1; 1 while wait > 0 || $! == $interrupted }
exit($signal ? 128 + $signal : $code);
`

/** An environment whose variables mean nothing to the programs that it passes through, in which `init` finds it again. */
export const pack = (env: Readonly<Record<string, string>>): Readonly<Record<string, string>> => ({
  TENEMENT_NAMES: Object.keys(env).join(" "),
  ...Object.fromEntries(Object.values(env).map((value, index) => [`TENEMENT_VALUE_${index}`, value]))
})

const signalNames = new Map(Object.entries(Os.constants.signals).map(([name, number]) => [number, name]))

const byNumber = (signal: number): ExitStatus => ({ code: null, signal: signalNames.get(signal) ?? `SIG${signal}` })

/** The status of the program, by what `init` told and what the container itself ended with. */
export const truth = (report: string, container: ExitStatus): ExitStatus => {
  const [, kind, text] = /(code|signal) (\d{1,3})\n$/.exec(report) ?? []
  if (text !== undefined) return kind === "code" ? { code: Number(text), signal: null } : byNumber(Number(text))
  // Nothing was told: `init` was killed, never came so far, or found the disk full.
  const { code } = container
  return code !== null && code > 128 ? byNumber(code - 128) : container
}

// No line is longer.
const tail = Buffer.allocUnsafe(16)

/** Whether the program of a run has begun. */
export const hasBegun = (path: string): boolean => (Fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0

/** The status of the program of a run whose container has ended. */
export const read = (path: string, container: ExitStatus): ExitStatus => {
  const fd = unless(["ENOENT"], () => Fs.openSync(path, "r"))
  if (fd === undefined) return truth("", container)
  try {
    const from = Math.max(0, Fs.fstatSync(fd).size - tail.length)
    return truth(tail.toString("latin1", 0, Fs.readSync(fd, tail, 0, tail.length, from)), container)
  } finally {
    Fs.closeSync(fd)
  }
}

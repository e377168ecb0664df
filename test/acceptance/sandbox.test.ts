import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as Net from "node:net"
import * as os from "node:os"
import type * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { type InstanceView, type Machine, make, on, serve } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import { rootWith } from "./Requirement.ts"
import * as Site from "./Site.ts"

const { isSkipped, told } = rootWith("runsc")

/** Tells what it sees of the machine, serves, and ends in a way of its own when it is asked to. */
const program = String.raw`
  use Socket;
  $| = 1;
  $SIG{TERM} = sub { print "told to end\n"; exit 7 };
  print "kernel ", join("", ${"`uname -r`"});
  print "processes ", scalar(grep { /^\d+$/ } map { s,.*/,,r } glob("/proc/[0-9]*")), "\n";
  for my $path (split /:/, $ENV{PLACES} // "") {
    my @within;
    if (opendir(my $folder, $path)) { @within = grep { !/^\.\.?$/ } readdir($folder) }
    print "sees $path @within\n" if @within or -f $path and open(my $file, "<", $path);
  }
  print "writes $_\n" for grep { open(my $f, ">", "$_/probe") } "/", "/etc", "/usr", "/tmp", $ENV{INSTANCE_DIR};
  socket(my $net, AF_INET, SOCK_STREAM, 0);
  print "reaches the network\n" if connect($net, sockaddr_in($ENV{DOOR} // 1, inet_aton("127.0.0.1")));
  unless (fork) { sleep 600; exit }
  socket(my $door, AF_UNIX, SOCK_STREAM, 0);
  bind($door, sockaddr_un($ENV{SOCKET_PATH})) or die "bind: $!";
  listen($door, 5);
  while (1) {
    accept(my $client, $door) or next;
    sysread($client, my $request, 4096);
    syswrite($client, "HTTP/1.0 200 OK\r\n\r\nhello from $ENV{SERVICE_NAME}\n");
  }
`

// What its words and PATH name is shown to a program, so it is told by the environment where to look.
const env = { PATH: "/usr/bin:/bin" }

const boxed = (keys: Fx.Table): Fx.Table => ({
  command: ["perl", "-e", program],
  isolation: "sandbox",
  health: "/",
  health_interval: 60,
  backoff_base_ms: 10,
  ...keys
})

/** A port of the host's that answers. */
const door = Effect.acquireRelease(
  Effect.async<Net.Server>((resume) => {
    const server = Net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
).pipe(Effect.map((server) => (server.address() as Net.AddressInfo).port))

const log = (machine: Machine, name: string) =>
  Effect.map(machine.cli("logs", name, "--raw", "-n", "1000"), ({ stdout }) => stdout.split("\n"))

const cases = [
  { runtime: "gvisor", hasOwnKernel: true },
  { runtime: "bubblewrap", hasOwnKernel: false }
]

describe.each(cases)("sandbox by $runtime", ({ hasOwnKernel, runtime }) => {
  it.scopedLive.skipIf(isSkipped)(
    `shows a program nothing but what it needs, and serves through its socket${told}`,
    () =>
      Effect.gen(function*() {
        const keys = { sandbox_runtime: runtime, user: "nobody", memory_limit_mb: 200 }
        const places = [
          "/home",
          "/root",
          "/run",
          "/var",
          "/etc/shadow",
          "/etc/passwd",
          "{data_dir}/other",
          "{data_dir}/.logs"
        ]
        const machine = yield* make({
          service: {
            other: { command: "sleep 1000", isolation: "process" },
            web: boxed({ ...keys, env: { ...env, DOOR: String(yield* door), PLACES: places.join(":") } })
          }
        })
        yield* machine.until("other", "running")
        const { memoryMb, pid, socket } = yield* machine.until("web", "healthy")
        const { text } = yield* Effect.orDie(Http.request(socket!, "/"))
        assert.include(text, "hello from web")
        const said = yield* log(machine, "web")
        const release = said.find((line) => line.startsWith("kernel "))!.slice(7)
        assert.strictEqual(release !== os.release(), hasOwnKernel, release)
        assert.isBelow(Number(said.find((line) => line.startsWith("processes "))!.slice(10)), 8)
        assert.deepStrictEqual(said.filter((line) => line.startsWith("sees ")), ["sees /etc/passwd "])
        assert.deepStrictEqual(
          said.filter((line) => line.startsWith("writes ")),
          ["writes /tmp", `writes ${machine.dataDir}/web/default`]
        )
        assert.notInclude(said, "reaches the network")
        assert.isAbove(memoryMb!, 1)
        // The limit holds for all that the sandbox is made of.
        const procs = fs.readFileSync(`/proc/${pid}/cgroup`, "utf8")
        for (const member of Proc.withArgument(machine.dataDir).filter((other) => other !== machine.supervisor.pid)) {
          if (!fs.readFileSync(`/proc/${member}/cmdline`, "utf8").includes("web.default")) continue
          assert.strictEqual(fs.readFileSync(`/proc/${member}/cgroup`, "utf8"), procs)
        }
      })
  )

  it.scopedLive.skipIf(isSkipped)(
    `passes the stop signal on, tells how the program ended, and leaves nothing${told}`,
    () =>
      Effect.gen(function*() {
        const machine = yield* make({ service: { web: boxed({ sandbox_runtime: runtime, env }) } })
        const { pid } = yield* machine.until("web", "healthy")
        process.kill(pid!, "SIGKILL")
        const again = yield* machine.until("web", (view) => view.restarts === 1 && view.state === "healthy")
        assert.deepInclude({ ...again.lastExit }, { code: null, signal: "SIGKILL", reason: "signaled" })
        yield* machine.stop("web")
        const { lastExit } = yield* machine.view("web")
        assert.deepInclude({ ...lastExit }, { code: 7, signal: null, reason: "stopped" })
        assert.include(yield* log(machine, "web"), "told to end")
        assert.deepStrictEqual(
          Proc.withArgument(machine.dataDir).filter((other) => other !== machine.supervisor.pid),
          []
        )
        const files = fs.readdirSync(`${machine.dataDir}/.isolation`)
        assert.deepStrictEqual(files.filter((name) => !name.startsWith("seccomp-")), [])
      })
  )

  it.scopedLive.skipIf(isSkipped)(
    `goes on without a supervisor, and is the next one's${told}`,
    () =>
      Effect.gen(function*() {
        const web = boxed({ sandbox_runtime: runtime, env, instances: ["a", "b"], memory_limit_mb: 200 })
        const machine = yield* make({ service: { web } })
        const names = ["web:a", "web:b"]
        for (const name of names) yield* machine.until(name, "healthy")
        const before = yield* machine.list
        const serves = Effect.forEach(before, ({ socket }) =>
          Effect.map(Effect.orDie(Http.request(socket!, "/")), ({ text }) =>
            assert.include(text, "hello from web")))
        const next = yield* machine.kill(serves)
        yield* serves
        for (const name of names) {
          yield* next.until(name, "healthy")
        }
        const lasting = ({ lastExit, name, pid, restarts, startedAt }: InstanceView) => ({
          lastExit,
          name,
          pid,
          restarts,
          startedAt
        })
        assert.deepStrictEqual((yield* next.list).map(lasting), before.map(lasting))
        process.kill(before[0]!.pid!, "SIGKILL")
        const again = yield* next.until("web:a", (view) =>
          view.restarts === 1 && view.state === "healthy")
        // What bubblewrap runs has a parent inside that sees how it was killed.
        assert.strictEqual(again.lastExit?.signal, hasOwnKernel ? null : "SIGKILL")
        yield* next.stop("web:b")
        assert.deepInclude({ ...(yield* next.view("web:b")).lastExit }, { code: 7, signal: null, reason: "stopped" })
      })
  )

  it.scopedLive.skipIf(isSkipped)(
    `is refused where its tool is missing, with what to do about it${told}`,
    () =>
      Effect.gen(function*() {
        const site = yield* Site.make({ service: { web: boxed({ sandbox_runtime: runtime, max_restarts: 0 }) } })
        const tool = runtime === "gvisor" ? "runsc" : "bwrap"
        const path = execFileSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).trim()
        const away = `mount --bind /dev/null ${path}; exec "$@"`
        const machine = on(site, yield* serve(site, { via: ["unshare", "--mount", "--", "sh", "-c", away, "sh"] }))
        yield* machine.until("web", "failed")
        assert.match((yield* machine.cli("why", "web")).stdout, /is not installed.*apt-get install (runsc|bubblewrap)/s)
      })
  )
})

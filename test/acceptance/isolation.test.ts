import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { type InstanceView, type Machine, make, on, serve } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import * as Site from "./Site.ts"

const namespaced = (keys: Fx.Table, ...turns: ReadonlyArray<string>): Fx.Table =>
  Fx.service({ isolation: "namespace", ...keys }, ...turns)

const namespaceOf = (pid: number, kind: string): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/${kind}`)
  } catch {
    // It is gone, or a zombie.
    return undefined
  }
}

/** Everything that lives in the process namespace of a process. */
const housemates = (pid: number): ReadonlyArray<number> => {
  const home = namespaceOf(pid, "pid")
  return Proc.pids().filter((other) => home !== undefined && namespaceOf(other, "pid") === home)
}

/** Processes that wait in front of the program: bubblewrap and what it runs first. */
const front = (pid: number): ReadonlyArray<number> => {
  const first = Proc.stat(pid)!.parent
  return [first, Proc.stat(first)!.parent]
}

describe("namespace", () => {
  const endings: Readonly<Record<string, Partial<NonNullable<InstanceView["lastExit"]>>>> = {
    "exit=0": { code: 0, signal: null, reason: "exited" },
    "exit=3": { code: 3, signal: null, reason: "exited" },
    // What a shell, and bubblewrap too, makes of SIGTERM: here it is a code of the program's own.
    "exit=143": { code: 143, signal: null, reason: "exited" },
    "die=TERM": { code: null, signal: "SIGTERM", reason: "signaled" },
    "die=KILL": { code: null, signal: "SIGKILL", reason: "signaled" },
    "die=SEGV": { code: null, signal: "SIGSEGV", reason: "signaled" },
    "die=USR1": { code: null, signal: "SIGUSR1", reason: "signaled" }
  }

  it.scopedLive("tells how the program itself ended", () =>
    Effect.gen(function*() {
      const names = Object.fromEntries(Object.keys(endings).map((turn) => [turn.toLowerCase().replace("=", "-"), turn]))
      const machine = yield* make({
        service: Object.fromEntries(
          Object.entries(names).map(([name, turn]) => [name, namespaced({ restart: "never", max_restarts: 0 }, turn)])
        )
      })
      yield* Effect.forEach(Object.entries(names), ([name, turn]) =>
        Effect.gen(function*() {
          const { lastExit } = yield* machine.until(name, (view) => view.lastExit !== null)
          assert.deepInclude({ ...lastExit }, endings[turn]!, turn)
        }), { concurrency: "unbounded", discard: true })
    }))

  it.scopedLive("passes the stop signal to the program, waits for all it forked, and leaves nothing", () =>
    Effect.gen(function*() {
      const keys = { stop_timeout: "4 seconds" }
      const machine = yield* make({
        service: {
          obedient: namespaced(keys, "obey=TERM"),
          other: namespaced({ ...keys, stop_signal: "SIGINT" }, "trap=TERM obey=INT"),
          deaf: namespaced(keys, "ignore=TERM"),
          // Neither a session of its own nor two forks lead out of it.
          parent: namespaced(keys, "child session daemon churn=50 obey=TERM")
        }
      })
      yield* machine.untilUp("obedient", "other", "deaf", "parent")
      const expected = {
        obedient: { code: 0, signal: null },
        other: { code: 0, signal: null },
        deaf: { code: null, signal: "SIGKILL" },
        parent: { code: 0, signal: null }
      }
      yield* Effect.forEach(Object.entries(expected), ([name, exit]) =>
        Effect.gen(function*() {
          const { pid } = yield* machine.view(name)
          const family = [...housemates(pid!), ...front(pid!)]
          assert.isAtLeast(family.length, name === "parent" ? 6 : 3, name)
          yield* machine.stop(name)
          assert.deepStrictEqual(family.filter(Proc.isAlive), [], name)
          assert.deepInclude({ ...(yield* machine.view(name)).lastExit }, { ...exit, reason: "stopped" }, name)
        }), { concurrency: "unbounded", discard: true })
      const signals = (yield* machine.truth("obedient")).filter(({ event }) => event === "signal")
      assert.deepStrictEqual(signals.map(({ detail }) => detail), ["TERM"])
      const files = fs.readdirSync(`${machine.dataDir}/.isolation`)
      assert.deepStrictEqual(files.filter((name) => !name.startsWith("seccomp-")), [])
    }))

  it.scopedLive("a crash takes the whole family along, as does the death of what stands in front of the program", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: namespaced({ ...Fx.eager, stop_timeout: "300 millis" }, "child session daemon") }
      })
      const victims = [
        (pid: number) => pid,
        (pid: number) => front(pid)[0]!,
        (pid: number) => front(pid)[1]!
      ]
      for (const [restarts, victim] of victims.entries()) {
        const { pid } = yield* machine.until("web", (view) => view.pid !== null && view.restarts === restarts)
        yield* eventually("a family", Effect.sync(() => housemates(pid!)), (found) => found.length === 5)
        const family = [...housemates(pid!), ...front(pid!)]
        process.kill(victim(pid!), "SIGKILL")
        const { lastExit } = yield* machine.until("web", (view) => view.restarts === restarts + 1 && view.pid !== null)
        assert.deepInclude({ ...lastExit }, { signal: "SIGKILL", reason: "signaled" })
        assert.deepStrictEqual(family.filter(Proc.isAlive), [])
      }
    }))

  it.scopedLive("shows a program that has namespaces of its own, a session, three descriptors, and no way to gain rights", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: namespaced({ env: { GREETING: "{name}/{id}", "a.b": "dotted" } }, "child"),
          alone: namespaced({ network: "none" }, "")
        }
      }, { extraDescriptors: 1, via: ["bash", "-c", "exec 9</etc/passwd; exec \"$@\"", "bash"] })
      yield* machine.untilUp("web", "alone")
      const { pid } = yield* machine.view("web")
      const environment = Proc.environment(pid!)
      assert.deepInclude(environment, { GREETING: "web/default", "a.b": "dotted", SERVICE_NAME: "web" })
      assert.deepStrictEqual(Object.keys(environment).filter((name) => name.startsWith("TENEMENT")), [])
      assert.deepInclude({ ...Proc.stat(pid!) }, { session: pid!, group: pid! })
      for (const kind of ["pid", "mnt", "ipc", "uts", "cgroup"]) {
        assert.notStrictEqual(namespaceOf(pid!, kind), namespaceOf(machine.supervisor.pid, kind), kind)
      }
      assert.strictEqual(namespaceOf(pid!, "net"), namespaceOf(machine.supervisor.pid, "net"))
      const alone = yield* machine.view("alone")
      assert.notStrictEqual(namespaceOf(alone.pid!, "net"), namespaceOf(machine.supervisor.pid, "net"))
      for (const member of housemates(pid!)) {
        assert.strictEqual(Proc.status(member, "NoNewPrivs"), "1")
        assert.strictEqual(Proc.status(member, "Seccomp"), "2")
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
          assert.strictEqual(Proc.status(member, set), "0000000000000000", set)
        }
        const truth = (to: string) => to.startsWith(`${machine.root}/truth/`)
        const found = [...Proc.descriptors(member)].filter(([, to]) => !truth(to))
        const report = found.filter(([, to]) => to.endsWith(".exit"))
        assert.deepStrictEqual(found.map(([fd]) => fd).sort(), member === front(pid!)[0] ? [0, 1, 2, 4] : [0, 1, 2])
        assert.strictEqual(report.length, member === front(pid!)[0] ? 1 : 0)
      }
    }))

  it.scopedLive("services reach each other at their public sockets, and each writes in its own folder alone", () =>
    Effect.gen(function*() {
      const serving = { health: "/", health_interval: 60 }
      const shop = String.raw`
        use Socket;
        socket(my $api, AF_UNIX, SOCK_STREAM, 0);
        connect($api, sockaddr_un($ARGV[0])) or die "connect: $!";
        syswrite($api, "GET / HTTP/1.1\r\n\r\n");
        sysread($api, my $answer, 4096);
        open(my $own, ">", "$ENV{INSTANCE_DIR}/answer") or die "own folder: $!";
        print $own $answer;
        close $own;
        rename("$ENV{INSTANCE_DIR}/answer", "$ENV{INSTANCE_DIR}/done");
        open($own, ">", $_) and die "$_ is writable" for "$ARGV[1]/x", "$ARGV[1]/api/default/x", "/etc/x", "/var/tmp/x";
      `
      const machine = yield* make({
        service: {
          api: namespaced({ ...serving, socket: "./api.sock" }, "serve=200"),
          own: namespaced({ ...serving, user: "nobody", socket: "{instance_dir}/x.sock" }, "serve=200"),
          shop: {
            command: ["perl", "-e", shop, "{data_dir}/../api.sock", "{data_dir}"],
            isolation: "namespace",
            user: "nobody",
            depends_on: ["api"],
            restart: "never"
          }
        }
      })
      const { socket } = yield* machine.until("api", "healthy")
      assert.strictEqual((yield* Effect.orDie(Http.request(socket!, "/"))).status, 200)
      yield* machine.until("own", "healthy")
      const { lastExit } = yield* machine.until("shop", (view) => view.lastExit !== null)
      assert.deepInclude({ ...lastExit }, { code: 0 }, (yield* machine.cli("logs", "shop")).stdout)
      assert.match(fs.readFileSync(`${machine.dataDir}/shop/default/done`, "utf8"), /^HTTP\/1.1 200/)
    }))

  it.scopedLive("is had by a supervisor without root too, where the kernel lets it", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: namespaced({ health: "/" }, "child serve=200") } })
      fs.chownSync(site.root, 65534, 65534)
      const machine = on(site, yield* serve(site, { user: 65534 }))
      const { pid } = yield* machine.until("web", "healthy")
      assert.strictEqual(Proc.status(pid!, "Uid"), "65534\t65534\t65534\t65534")
      assert.strictEqual(Proc.status(pid!, "CapBnd"), "0000000000000000")
      for (const kind of ["user", "pid", "mnt", "ipc", "uts", "cgroup"]) {
        assert.notStrictEqual(namespaceOf(pid!, kind), namespaceOf(machine.supervisor.pid, kind), kind)
      }
      assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
    }))

  it.scopedLive("is refused where it cannot be had, with what to do about it", () =>
    Effect.gen(function*() {
      const keys = { max_restarts: 0 }
      const site = yield* Site.make({
        service: { web: namespaced(keys, "") }
      })
      const why = (machine: Machine) =>
        Effect.gen(function*() {
          const { lastExit } = yield* machine.until("web", "failed")
          assert.strictEqual(lastExit?.reason, "launch-failed")
          return (yield* machine.cli("why", "web")).stdout
        })
      // A tool taken away, in a mount namespace of the supervisor's own.
      const away = "mount --bind /dev/null /usr/bin/bwrap; exec \"$@\""
      const without = on(site, yield* serve(site, { via: ["unshare", "--mount", "--", "sh", "-c", away, "sh"] }))
      const told = yield* why(without)
      assert.include(told, "bwrap is not installed")
      assert.include(told, "apt-get install bubblewrap")
      assert.deepStrictEqual(yield* without.truth(), [])
      yield* without.terminate

      // Rights taken away: no namespace may be made any more.
      const forbidden = ["unshare", "--user", "--map-root-user", "--", "sh", "-c"]
      const limit = "echo 0 >/proc/sys/user/max_pid_namespaces; exec \"$@\""
      const helpless = on(site, yield* serve(site, { via: [...forbidden, limit, "sh"] }))
      // What has failed stays so, until somebody starts it.
      assert.strictEqual((yield* helpless.ask("start", "web")).status, 409)
      assert.include(yield* why(helpless), "the kernel refuses what bubblewrap asks of it")
      assert.deepStrictEqual(yield* helpless.truth(), [])
      yield* helpless.terminate
    }))

  it.scopedLive("is refused to a service that works among what it must not see", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: namespaced({ max_restarts: 0, cwd: "{data_dir}" }, ""),
          own: namespaced({ cwd: "{instance_dir}" }, "")
        }
      })
      yield* machine.until("own", "running")
      yield* machine.until("web", "failed")
      assert.match((yield* machine.cli("why", "web")).stdout, /which it must not see, holds .*data, which it needs/)
      assert.deepStrictEqual(yield* machine.truth("web"), [])
    }))
})

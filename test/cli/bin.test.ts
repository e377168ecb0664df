import { assert } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { afterAll, afterEach, beforeAll, describe, it } from "vitest"
import { InstanceView } from "../../src/domain/Views.ts"
import { build, type FakeSupervisor, json, type Program, supervise } from "./program.ts"
import { instance } from "./render/views.ts"

let program: Program
let supervisor: FakeSupervisor | undefined

beforeAll(async () => {
  program = await build()
}, 60_000)
afterAll(() => program.dispose())
afterEach(async () => {
  await supervisor?.close()
  supervisor = undefined
})

const answering = async (answers: Parameters<typeof supervise>[1]) => {
  supervisor = await supervise(program.socket, answers)
  return supervisor
}

const prod = instance("healthy", { health: "healthy", pid: 7, uptimeSeconds: 3, memoryMb: 12, cpuPercent: 1 })
const dev = { ...instance("stopped"), name: "api:dev", id: "dev" }
const outcome = (instance: unknown) => json({ instance, changed: true, forced: false })

describe("exit codes", () => {
  it("0: it was done", async () => {
    await answering({ "GET /api/instances": json([prod, dev]) })
    assert.strictEqual((await program.run("ps")).code, 0)
    assert.strictEqual((await program.run("--help")).code, 0)
    assert.strictEqual((await program.run("logs", "--help")).code, 0)
    assert.match((await program.run("--version")).stdout, /^tenement \d+\.\d+\.\d+\n$/)
  })

  it("1: it failed, and stderr says why", async () => {
    await answering({
      "POST /api/instances/api:prod/stop": json(
        { _tag: "NoSuchInstance", instance: "api:prod", nearest: null, message: "no" },
        404
      )
    })
    const { code, stderr, stdout } = await program.run("stop", "api:prod")
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.match(stderr, /^tenement: there is no instance "api:prod"; .*`tenement spawn api:prod` creates it\n$/)
  })

  const senseless: ReadonlyArray<readonly [argv: ReadonlyArray<string>, message: RegExp]> = [
    [["pss"], /there is no command "pss"; did you mean "ps"\?/],
    [["ps", "--jsn"], /there is no option "--jsn" for `tenement ps`; did you mean "--json"\?/],
    [["stop", "../etc"], /a service's name must be .*; found "\.\.\/etc"/],
    [["describe", "api:p:q"], /an instance is named SERVICE:ID/],
    [["rm", "api"], /an instance is named SERVICE:ID/],
    [["spawn", "api:prod", "--id", "dev"], /name two instances/],
    [["spawn"], /NAME/],
    [["logs", "-n", "-5"], /-n takes a number/],
    [["logs", "--since", "yesterday"], /--since takes/],
    [["logs", "--grep", "("], /--grep takes a regular expression/],
    [["ps", "--log-level", "loud"], /--log-level takes/],
    [["ps", "--watch"], /--watch needs a terminal/],
    [["ps", "more"], /there is no room for "more"/],
    [[], /Commands/]
  ]

  it("2: the words make no sense, and nobody is asked", async () => {
    const { asked } = await answering({})
    const results = await Promise.all(senseless.map(([argv]) => program.run(...argv)))
    for (const [index, { code, stderr, stdout }] of results.entries()) {
      const [argv, message] = senseless[index]!
      assert.strictEqual(code, 2, argv.join(" "))
      assert.match(stderr, message)
      assert.strictEqual(stdout, "")
    }
    assert.deepStrictEqual(asked, [])
  })

  it("2: the file is wrong, and every mistake has its place", async () => {
    const file = Path.join(program.folder, "bad.toml")
    Fs.writeFileSync(file, "[service.a]\ncomand = \"a\"\nisolation = \"process\"\n[service.b]\ncommand = 3\n")
    const { code, stderr } = await program.run("config", "check", "--config", file)
    assert.strictEqual(code, 2)
    for (const line of stderr.trim().split("\n")) assert.match(line, /bad\.toml:\d+:\d+: /)
    assert.match(stderr, /did you mean "command"\?/)
    assert.strictEqual((await program.run("-c", "absent.toml", "config", "check")).code, 2)
  })

  it("3: there is nobody to ask", async () => {
    const told = await program.run("ps")
    assert.strictEqual(told.code, 3)
    assert.strictEqual(told.stdout, "")
    assert.match(told.stderr, /^tenement: no supervisor is running.*`tenement serve`.*\n$/)
    const { code, stderr } = await program.run("ps", "--json")
    assert.strictEqual(code, 3)
    const error = JSON.parse(stderr)
    assert.strictEqual(error._tag, "NoSupervisor")
    assert.strictEqual(error.socket, program.socket)
    assert.match(error.message, /tenement serve/)
  })
})

describe("ps", () => {
  it("prints exactly the instances as JSON", async () => {
    await answering({ "GET /api/instances": json([prod, dev]) })
    for (const argv of [["ps", "--json"], ["--json", "ps"]]) {
      const printed: unknown = JSON.parse((await program.run(...argv)).stdout)
      assert.deepStrictEqual(printed, [prod, dev])
      Schema.decodeUnknownSync(Schema.Array(InstanceView), { onExcessProperty: "error" })(printed)
    }
  })

  it("lets the client say what is in the way of an answer", async () => {
    await answering({ "GET /api/instances": json({ _tag: "ShuttingDown", message: "" }, 503) })
    const { code, stderr, stdout } = await program.run("ps", "--json")
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: "" })
    assert.strictEqual(JSON.parse(stderr)._tag, "ShuttingDown")
  })

  it("prints plain words into a pipe", async () => {
    await answering({ "GET /api/instances": json([prod, dev]) })
    assert.strictEqual(
      (await program.run("ps")).stdout,
      `INSTANCE  STATE    HEALTH   PID  UPTIME  RESTARTS  MEM   CPU  SOCKET
api:prod  healthy  healthy    7      3s         0  12M  1.0%  /tmp/api-prod.sock
api:dev   stopped  -          -       -         0    -     -  /tmp/api-prod.sock
`
    )
  })
})

describe("start, stop, restart", () => {
  it("take a service for all of its instances, and tell of each", async () => {
    const { asked } = await answering({
      "GET /api/instances": json([prod, dev, { ...prod, name: "db:default", service: "db", id: "default" }]),
      "POST /api/instances/api:prod/restart": outcome(prod),
      "POST /api/instances/api:dev/restart": json(
        { _tag: "NotReady", instance: dev, reason: "it exited with code 3", message: "" },
        409
      )
    })
    const { code, stderr, stdout } = await program.run("restart", "api", "api:prod")
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "api:prod is healthy\n")
    assert.strictEqual(stderr, "tenement: api:dev is not ready: it exited with code 3\n")
    assert.deepStrictEqual(asked.slice(1), [
      "POST /api/instances/api:prod/restart",
      "POST /api/instances/api:dev/restart"
    ])
  })

  it("print an outcome for an instance, and an array for a service", async () => {
    await answering({
      "GET /api/instances": json([prod]),
      "POST /api/instances/api:prod/stop": outcome(dev)
    })
    assert.strictEqual(JSON.parse((await program.run("stop", "api:prod", "--json")).stdout).instance.name, "api:dev")
    assert.lengthOf(JSON.parse((await program.run("stop", "api", "--json")).stdout), 1)
  })

  it("say that a service has no instances", async () => {
    await answering({ "GET /api/instances": json([]) })
    const { code, stderr } = await program.run("start", "api")
    assert.strictEqual(code, 1)
    assert.match(stderr, /there is no instance of a service "api".*`tenement spawn api`/)
  })
})

describe("spawn", () => {
  it("prints the socket and nothing else", async () => {
    await answering({ "POST /api/instances": outcome(prod) })
    for (const argv of [["spawn", "api", "--id", "prod"], ["spawn", "api:prod"], ["spawn", "--id=prod", "api"]]) {
      assert.deepStrictEqual(await program.run(...argv), { code: 0, stdout: "/tmp/api-prod.sock\n", stderr: "" })
    }
  })
})

describe("streams", () => {
  const line = (text: string) =>
    `event: log\ndata: ${
      JSON.stringify({
        seq: 1,
        at: "2026-01-01T00:00:00.000Z",
        instance: "api:prod",
        stream: "stdout",
        incarnation: 1,
        text
      })
    }\n\n`

  it("end quietly when nobody reads any more", async () => {
    const flood = line("x".repeat(1000)).repeat(5000)
    await answering({
      "GET /api/logs": (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).end(flood)
      }
    })
    const { code, stderr, stdout } = await program.shell("$TENEMENT logs | head -n 1; exit ${PIPESTATUS[0]}")
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    assert.lengthOf(stdout.trim().split("\n"), 1)
  })

  it("end with 130, and quietly, on Ctrl-C", async () => {
    await answering({
      "GET /api/logs": (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).write(line("hello"))
      }
    })
    const following = program.start("logs", "-f", "--raw")
    await following.seen
    following.kill("SIGINT")
    assert.deepStrictEqual(await following.result, { code: 130, stdout: "hello\n", stderr: "" })
  })

  it("say when the supervisor went away, and what the next one answers", async () => {
    await answering({
      "GET /api/logs": (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).write(line("hello"))
      }
    })
    const following = program.start("logs", "-f", "--raw")
    await following.seen
    await supervisor?.close()
    await following.told
    await answering({
      "GET /health": json({ status: "ok", version: "0.1.0", pid: 1, uptimeSeconds: 1, instances: {} })
    })
    const { code, stderr, stdout } = await following.result
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "hello\n")
    assert.match(stderr, /^tenement: the supervisor is gone; waiting for another$/m)
    assert.match(stderr, /there is nothing at this path/)
  })
})

describe("files", () => {
  it("init writes a file that config check accepts, and never over one that is there", async () => {
    assert.strictEqual((await program.run("init")).code, 0)
    const checked = await program.run("config", "check")
    assert.deepStrictEqual({ code: checked.code, stderr: checked.stderr }, { code: 0, stderr: "" })
    assert.match(checked.stdout, /tenement\.toml: ok, 1 service/)
    const again = await program.run("init")
    assert.strictEqual(again.code, 1)
    assert.match(again.stderr, /is there already/)
  })

  it("the socket is the one that the file names, where nobody else does", async () => {
    const file = Path.join(program.folder, "named.toml")
    Fs.writeFileSync(file, `[settings]\nsocket = "control.sock"\n[service.broken]\n`)
    await answering({ "GET /api/instances": json([]) })
    const { code, stdout } = await program.shell(`unset TENEMENT_SOCKET; $TENEMENT ps --config ${file}`)
    assert.strictEqual(code, 0)
    assert.match(stdout, /no instances/)
  })
})

describe("completions", () => {
  it("are scripts that bash can read, for every command", async () => {
    const { code, stderr, stdout } = await program.shell("$TENEMENT --completions bash > c && bash -n c && cat c")
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    for (const command of ["spawn", "ps", "config", "why"]) assert.include(stdout, command)
    assert.notInclude(stdout, "wizard")
  })

  it("quote no description that would end a quotation", async () => {
    for (const shell of ["zsh", "fish"]) {
      const { stdout } = await program.run("--completions", shell)
      for (const line of stdout.split("\n")) assert.strictEqual((line.match(/'/g)?.length ?? 0) % 2, 0, line)
    }
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Event from "../../../src/cli/render/Event.ts"
import * as Log from "../../../src/cli/render/Log.ts"
import * as Palette from "../../../src/cli/render/Palette.ts"
import * as Plan from "../../../src/cli/render/Plan.ts"
import { wrap } from "../../../src/cli/render/Text.ts"
import * as Tree from "../../../src/cli/render/Tree.ts"
import { LogLine, type TreeNode } from "../../../src/domain/Views.ts"
import { at, history, now } from "./views.ts"

const palette = Palette.plain

const logLine = (text: string, rest: Partial<typeof LogLine.Encoded> = {}): LogLine =>
  Schema.decodeSync(LogLine)({
    seq: 1,
    at: at(1),
    instance: "api:prod",
    stream: "stdout",
    incarnation: 1,
    text,
    ...rest
  })

describe("logs", () => {
  const terminal = { now, terminal: true, palette, names: 10 }

  it("tells streams and instances apart on a terminal", () => {
    assert.strictEqual(Log.line(logLine("hello"), terminal), "11:59:59 api:prod   | hello")
    assert.strictEqual(Log.line(logLine("oh", { stream: "stderr" }), terminal), "11:59:59 api:prod   ! oh")
    assert.strictEqual(Log.line(logLine("hello"), { ...terminal, names: 0 }), "11:59:59 | hello")
  })

  it("lets a service choose colours, and nothing else of the terminal", () => {
    const text = "\u001b[31mred\u001b[0m \u001b[2J\u001b]0;title\u0007"
    assert.strictEqual(
      Log.line(logLine(text), { ...terminal, names: 0 }),
      "11:59:59 | \u001b[31mred\u001b[0m ^[[2J^[]0;title^G\u001b[0m"
    )
  })

  it("gives a pipe four fields, the last of which is the text as it is", () => {
    const piped = Log.line(logLine("a  b\u0007"), { ...terminal, terminal: false })
    assert.strictEqual(piped, `${at(1)} api:prod stdout a  b\u0007`)
  })

  it("puts a line that came in pieces together again", () => {
    assert.strictEqual(
      Buffer.concat([logLine("ab", { truncated: true }), logLine("c")].map(Log.raw)).toString(),
      "abc\n"
    )
  })
})

describe("events", () => {
  it("tells a transition with its cause", () => {
    const [event] = history([5, "healthy", "backoff", {
      _tag: "Exited",
      status: { code: null, signal: "SIGKILL" },
      reason: "signaled",
      forced: false
    }])
    assert.strictEqual(
      Event.line(event!, { now, terminal: true, palette }),
      "11:59:55  api:prod  healthy → backoff: it was ended by signal SIGKILL, which tenement did not send"
    )
  })

  it("tells a notice with its level", () => {
    const notice = {
      _tag: "Notice",
      seq: 1,
      at: at(5),
      level: "warning",
      subject: "supervisor",
      message: "slow"
    } as const
    assert.strictEqual(Event.line(notice, { now, terminal: true, palette }), "11:59:55  supervisor  warning: slow")
  })
})

describe("tree", () => {
  it("draws who supervises whom", () => {
    const leaf = (name: string, state: string): TreeNode => ({ name, kind: "actor", state, detail: "", children: [] })
    const branch = (name: string, ...children: ReadonlyArray<TreeNode>): TreeNode => ({
      name,
      kind: "supervisor",
      state: "one-for-one",
      detail: "",
      children
    })
    const tree = branch(
      "root",
      branch("system", leaf("logs", "running")),
      branch("services", leaf("api:prod", "failed"))
    )
    assert.deepStrictEqual(Tree.lines(tree, palette), [
      "root  one-for-one",
      "├── system  one-for-one",
      "│   └── logs  running",
      "└── services  one-for-one",
      "    └── api:prod  failed"
    ])
  })
})

describe("reload", () => {
  it("shows what differs, key by key", () => {
    assert.deepStrictEqual(
      Plan.lines({
        file: "/t.toml",
        applied: false,
        problems: [],
        changes: [
          { subject: "api", action: "restart", keys: [{ key: "command", from: "\"a\"", to: "\"b\"" }] },
          { subject: "jobs", action: "start", keys: [] }
        ]
      }, palette),
      ["~ restart api", "    command: \"a\" → \"b\"", "+ start jobs"]
    )
  })
})

describe("wrap", () => {
  it("breaks between words only, and not at all in a pipe", () => {
    assert.strictEqual(wrap("one two three", 7, "  "), "one two\n  three")
    assert.strictEqual(wrap("one two three", null), "one two three")
    assert.strictEqual(wrap("  one  two three", 10, "    "), "  one  two\n    three")
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { InstanceId, ServiceName } from "../../src/domain/Names.ts"
import * as Places from "../../src/domain/Places.ts"
import * as Template from "../../src/domain/Template.ts"

const values: Template.Values = { name: "api", id: "prod", socket: "/run/api.sock", port: "8080" }

const braces = FastCheck.stringOf(FastCheck.constantFrom("{", "}", "a", "_", "\"", ":", "id", "{id}", "{{", "}}"))

describe("Template", () => {
  it("escape and expand are inverses, whatever the text", () => {
    FastCheck.assert(FastCheck.property(braces, (text) => {
      assert.strictEqual(Template.expand(Template.escape(text), values), text)
      assert.deepStrictEqual(Template.wordsOf(Template.escape(text)), [])
    }))
  })

  it("JSON of any depth passes as it is", () => {
    const keys = FastCheck.dictionary(FastCheck.string(), FastCheck.json())
    FastCheck.assert(FastCheck.property(keys, (object) => {
      const text = JSON.stringify({ outer: object })
      FastCheck.pre(Template.wordsOf(text).length === 0 && !text.includes("{{"))
      assert.strictEqual(Template.expand(text, values), text)
    }))
  })

  it.each([
    ["--port={port}", "--port=8080"],
    ["{name}:{id}", "api:prod"],
    ["{{name}}", "{name}"],
    ["{{name}", "{name}"],
    ["{{{name}}}", "{api}"],
    ["{{{{.Names}}}}", "{{.Names}}"],
    ["${HOME}/{0}/{ name }/{a-b}/{}", "${HOME}/{0}/{ name }/{a-b}/{}"],
    ["{\"a\":{\"b\":\"{id}\"}}", "{\"a\":{\"b\":\"prod\"}}"],
    ["{run_dir}", "{run_dir}"],
    ["{constructor}", "{constructor}"]
  ])("%s gives %s", (text, expected) => {
    assert.strictEqual(Template.expand(text, values), expected)
  })
})

describe("Places.publicSocket", () => {
  const settings = {
    dataDir: "/data",
    runDir: "/run/t",
    socket: "",
    listen: null,
    domain: "",
    syslog: null,
    startConcurrency: 1,
    cgroupRoot: null,
    logMaxBytes: 1,
    logKeep: 1
  }
  it.each([
    ["/tmp/api.sock", "default", "/tmp/api.sock"],
    ["/tmp/api.sock", "test", "/tmp/api-test.sock"],
    ["/tmp/a.b/api", "test", "/tmp/a.b/api-test"],
    ["/tmp/.api", "test", "/tmp/.api-test"],
    ["/tmp/api.v2.sock", "test", "/tmp/api.v2-test.sock"],
    ["{run_dir}/{name}-{id}.sock", "default", "/run/t/api-default.sock"],
    ["{run_dir}/{name}-{id}.sock", "test", "/run/t/api-test.sock"],
    ["{instance_dir}/s.sock", "test", "/data/api/test/s.sock"]
  ])("%s of %s is %s", (socket, id, expected) => {
    const name = ServiceName.make("api")
    assert.strictEqual(Places.publicSocket(settings, { name, socket }, InstanceId.make(id)), expected)
  })
})

/** @internal */
import { type Arch, numbers } from "./numbers.ts"
import type { Check, Policy, Verdict } from "./policy.ts"

/** An instruction of classic BPF, `struct sock_filter`. */
export interface Instruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

const LD_ABS = 0x20
const JA = 0x05
const JEQ = 0x15
const JGE = 0x35
const JSET = 0x45
const RET = 0x06

// Offsets in `struct seccomp_data`, on processors that put the lower half first.
const nrAt = 0
const archAt = 4
const argumentAt = (index: number): number => 16 + 8 * index

const auditArch: Readonly<Record<Arch, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 }

const killProcess = 0x80000000
const allow = 0x7fff0000
const errno = (number: number): number => 0x00050000 | number
const EPERM = 1
const ENOSYS = 38

// Programs for x32 mark their calls with this bit; nobody has any, and the table is not theirs.
const x32 = 0x40000000

const load = (k: number): Instruction => ({ code: LD_ABS, jt: 0, jf: 0, k })
const give = (k: number): Instruction => ({ code: RET, jt: 0, jf: 0, k })

type Program = ReadonlyArray<Instruction>

/** Jumps `forward` over as many instructions where the accumulator passes the test, and else goes on. */
const jumpIf = (code: number, k: number, forward: number): Program =>
  forward <= 0xff
    ? [{ code, jt: forward, jf: 0, k }]
    : [{ code, jt: 0, jf: 1, k }, { code: JA, jt: 0, jf: 0, k: forward }]

const deny = give(errno(EPERM))

const anyOf = (
  argument: number,
  values: ReadonlyArray<number>,
  found: Instruction,
  otherwise: Instruction
): Program => [
  load(argumentAt(argument)),
  ...values.flatMap((value, index) => jumpIf(JEQ, value, values.length - index)),
  otherwise,
  found
]

const checking = (check: Check): Program => {
  switch (check._tag) {
    case "Among":
      return anyOf(check.argument, check.values, give(allow), deny)
    case "NotAmong":
      return anyOf(check.argument, check.values, deny, give(allow))
    case "WithoutBits":
      return [load(argumentAt(check.argument)), ...jumpIf(JSET, check.mask, 1), give(allow), deny]
  }
}

const leaf = (verdict: Verdict | "deny"): Program =>
  verdict === "deny"
    ? [deny]
    : verdict === "allow"
    ? [give(allow)]
    : verdict === "unknown"
    ? [give(errno(ENOSYS))]
    : checking(verdict)

/** From this number on, until the next range begins. */
interface Range {
  readonly from: number
  readonly verdict: Verdict | "deny"
}

const ranges = (arch: Arch, policy: Policy): ReadonlyArray<Range> => {
  const known = numbers(arch)
  const verdicts = new Map([...policy].flatMap(([name, verdict]) => {
    const number = known.get(name)
    return number === undefined ? [] : [[number, verdict]]
  }))
  const end = Math.max(...known.values()) + 1
  const all = Array.from({ length: end }, (_, from): Range => ({ from, verdict: verdicts.get(from) ?? "deny" }))
  // What came into the kernel after this list is not there for a program that asks politely whether it is.
  const whole: ReadonlyArray<Range> = [...all, { from: end, verdict: "unknown" }]
  return whole.filter(({ verdict }, index) =>
    index === 0 || typeof verdict === "object" || verdict !== whole[index - 1]?.verdict
  )
}

/** A search by halves: the number is in the accumulator. */
const search = (among: ReadonlyArray<Range>): Program => {
  const middle = among.length >> 1
  const [pivot] = among.slice(middle)
  if (pivot === undefined || middle === 0) return leaf(among[0]?.verdict ?? "deny")
  const below = search(among.slice(0, middle))
  return [...jumpIf(JGE, pivot.from, below.length), ...below, ...search(among.slice(middle))]
}

/** The filter that enforces a policy on a processor. */
export const compile = (arch: Arch, policy: Policy): Program => [
  load(archAt),
  ...jumpIf(JEQ, auditArch[arch], 1),
  // Calls of another processor's table, which a 64-bit machine would take too.
  give(killProcess),
  load(nrAt),
  { code: JGE, jt: 0, jf: 1, k: x32 },
  give(errno(ENOSYS)),
  ...search(ranges(arch, policy))
]

/** A filter as the kernel takes it, on processors that put the lower half first. */
export const bytes = (program: Program): Buffer => {
  const buffer = Buffer.alloc(8 * program.length)
  for (const [index, { code, jf, jt, k }] of program.entries()) {
    buffer.writeUInt16LE(code, 8 * index)
    buffer.writeUInt8(jt, 8 * index + 2)
    buffer.writeUInt8(jf, 8 * index + 3)
    buffer.writeUInt32LE(k, 8 * index + 4)
  }
  return buffer
}

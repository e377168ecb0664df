/**
 * The table of `tenement ps`.
 *
 * @since 0.1.0
 */
import type { InstanceView } from "../../domain/Views.ts"
import * as Duration from "./Duration.ts"
import * as Palette from "./Palette.ts"
import * as Table from "./Table.ts"

/** What stands where there is nothing, so that every line has the same number of words. */
const none = "-"

const state = (it: InstanceView, now: number): string =>
  it.state === "backoff" && it.nextStartAt !== null
    ? `backoff(${Duration.brief(Math.ceil((Date.parse(it.nextStartAt) - now) / 1000))})`
    : it.state

const columns = (now: number, palette: Palette.Palette): ReadonlyArray<Table.Column<InstanceView>> => [
  { title: "INSTANCE", cell: (it) => it.name, spare: 0, shrinksTo: 8 },
  { title: "STATE", cell: (it) => state(it, now), paint: (it) => Palette.ofState(palette, it.state), spare: 0 },
  {
    title: "HEALTH",
    cell: (it) => it.health ?? none,
    paint: (it) => it.health === null ? palette.faint : Palette.ofState(palette, it.health),
    spare: 3
  },
  { title: "PID", cell: (it) => it.pid === null ? none : String(it.pid), align: "right", spare: 4 },
  {
    title: "UPTIME",
    cell: (it) => it.uptimeSeconds === null ? none : Duration.brief(it.uptimeSeconds),
    align: "right",
    spare: 1
  },
  { title: "RESTARTS", cell: (it) => String(it.restarts), align: "right", spare: 2 },
  {
    title: "MEM",
    cell: (it) => it.memoryMb === null ? none : `${it.memoryMb.toFixed(it.memoryMb < 10 ? 1 : 0)}M`,
    align: "right",
    spare: 5
  },
  {
    title: "CPU",
    cell: (it) => it.cpuPercent === null ? none : `${it.cpuPercent.toFixed(it.cpuPercent < 10 ? 1 : 0)}%`,
    align: "right",
    spare: 6
  },
  { title: "SOCKET", cell: (it) => it.socket ?? none, spare: 7, shrinksTo: 16 }
]

/**
 * @since 0.1.0
 * @category combinators
 */
export const lines = (
  instances: ReadonlyArray<InstanceView>,
  options: { readonly now: number; readonly room: number | null; readonly palette: Palette.Palette }
): ReadonlyArray<string> =>
  instances.length === 0
    ? ["no instances; `tenement spawn SERVICE` creates one"]
    : Table.lines(columns(options.now, options.palette), instances, options)

/**
 * What the files of a configuration declare together.
 *
 * @since 0.1.0
 */
import type { Path } from "../domain/Fault.ts"
import type { GroupName, InstanceId, ServiceName } from "../domain/Names.ts"
import { unknownService } from "../domain/References.ts"
import type { Decoded } from "./Decode.ts"
import type * as FileSchema from "./FileSchema.ts"
import * as GroupTable from "./GroupTable.ts"
import { atBoth, atKey, type Place, type Problem } from "./Problem.ts"
import * as ServiceTable from "./ServiceTable.ts"
import { isTable, type Source } from "./Source.ts"

/**
 * Something declared, and where.
 *
 * @since 0.1.0
 * @category models
 */
export interface Declaration<A> extends Place {
  readonly source: Source
  readonly value: A
}

/**
 * Services, groups and instances by name. `serviceNames` holds those too that could not be understood.
 *
 * @since 0.1.0
 * @category models
 */
export interface Declarations {
  readonly services: ReadonlyMap<ServiceName, Declaration<ServiceTable.ServiceTable>>
  readonly serviceNames: ReadonlySet<string>
  readonly groups: ReadonlyMap<GroupName, Declaration<GroupTable.GroupTable>>
  readonly instances: ReadonlyMap<ServiceName, Declaration<ReadonlyArray<InstanceId>>>
  readonly problems: ReadonlyArray<Problem>
}

/**
 * Whether the file itself has a key, be its value right or wrong.
 *
 * @since 0.1.0
 * @category combinators
 */
export const declares = ({ path, source }: Declaration<unknown>, key: string): boolean => {
  let table: unknown = source.table
  for (const part of path) table = isTable(table) ? table[part] : undefined
  return isTable(table) && Object.hasOwn(table, key)
}

/**
 * The place of a key of something declared.
 *
 * @since 0.1.0
 * @category combinators
 */
export const within = ({ path, source }: Place, ...keys: Path): Place => ({ source, path: [...path, ...keys] })

/**
 * Puts the files together. No two of them may declare the same thing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const collect = (files: ReadonlyArray<Decoded>): Declarations => {
  const problems: Array<Problem> = []

  const section = <N extends string, A, B>(
    name: string,
    tableOf: (file: FileSchema.File) => Readonly<Record<N, A>> | undefined,
    complete: (written: A) => B
  ): ReadonlyMap<N, Declaration<B>> => {
    const all = new Map<N, Declaration<B>>()
    for (const { file, source } of files) {
      for (const [key, value] of Object.entries<A>(tableOf(file) ?? {})) {
        const declaration = { source, path: [name, key], value: complete(value) }
        const earlier = all.get(key as N)
        if (earlier === undefined) all.set(key as N, declaration)
        else problems.push(atBoth(declaration, earlier, "declared twice"))
      }
    }
    return all
  }

  const services = section("service", ({ service }) => service, (written) => ({
    ...ServiceTable.defaults,
    ...written
  }))
  const serviceNames = new Set(
    files.flatMap(({ source }) => isTable(source.table["service"]) ? Object.keys(source.table["service"]) : [])
  )
  const instances = section("instances", ({ instances }) => instances, (written) => written)
  for (const [name, declaration] of instances) {
    const message = unknownService(name, serviceNames)
    const service = services.get(name)
    if (message !== undefined) problems.push(atKey(declaration.source, declaration.path, message))
    else if (service !== undefined && declares(service, "instances")) {
      const twice = "the service has a key `instances` of its own; keep one of them"
      problems.push(atBoth(declaration, within(service, "instances"), twice))
    }
  }
  return {
    services,
    serviceNames,
    groups: section("group", ({ group }) => group, (written) => ({ ...GroupTable.defaults, ...written })),
    instances,
    problems
  }
}

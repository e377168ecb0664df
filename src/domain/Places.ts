/**
 * Where an instance lives: its folder and its public socket.
 *
 * @since 0.1.0
 */
import type { ServiceConfig, Settings } from "./Config.ts"
import { defaultId, type InstanceId, type ServiceName } from "./Names.ts"
import * as Template from "./Template.ts"

/**
 * The folder of an instance.
 *
 * @since 0.1.0
 * @category combinators
 */
export const instanceDir = (settings: Settings, service: ServiceName, id: InstanceId): string =>
  `${settings.dataDir}/${service}/${id}`

/**
 * The words of templates that are known before an instance is launched: all but `{socket}` and `{port}`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wordsOf = (settings: Settings, service: ServiceName, id: InstanceId): Template.Values => ({
  name: service,
  id,
  data_dir: settings.dataDir,
  instance_dir: instanceDir(settings, service, id),
  run_dir: settings.runDir
})

const extension = /(?<=[^/])(\.[^./]*)?$/

/** Whether the file's path is one for all instances. */
const isShared = (socket: string): boolean =>
  !Template.wordsOf(socket).some((word) => word === "id" || word === "instance_dir")

/**
 * The path that the file gives to all instances of a service, of whom one has it; `null` where each has its own.
 *
 * @since 0.1.0
 * @category combinators
 */
export const sharedSocket = (settings: Settings, service: Pick<ServiceConfig, "name" | "socket">): string | null =>
  isShared(service.socket) ? Template.expand(service.socket, wordsOf(settings, service.name, defaultId)) : null

/**
 * The path that an instance has by its id, whoever has the one of the file.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ownSocket = (
  settings: Settings,
  service: Pick<ServiceConfig, "name" | "socket">,
  id: InstanceId
): string => {
  const path = Template.expand(service.socket, wordsOf(settings, service.name, id))
  return isShared(service.socket) ? path.replace(extension, `-${id}$&`) : path
}

/**
 * The path that others connect to. Where the file's path is the same for all instances, `default` has it as it stands
 * and any other gets `-ID` before the extension, until another is routed to.
 *
 * @since 0.1.0
 * @category combinators
 */
export const publicSocket = (
  settings: Settings,
  service: Pick<ServiceConfig, "name" | "socket" | "publicPath">,
  id: InstanceId
): string =>
  service.publicPath ??
    ((id === defaultId ? sharedSocket(settings, service) : null) ?? ownSocket(settings, service, id))

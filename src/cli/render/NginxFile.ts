/**
 * The nginx file of a configuration: nginx in front, straight to the sockets of instances. It is meant for the inside of
 * `http { }`, beside the files of other sites, so all that it names begins with `tenement`.
 *
 * @since 0.1.0
 */
import * as AccessLog from "../../domain/AccessLog.ts"
import type { ServiceConfig, Settings, TenementConfig } from "../../domain/Config.ts"
import type { InstanceId, ServiceName } from "../../domain/Names.ts"
import * as Routing from "../../domain/Routing.ts"
import * as Upstream from "../../domain/Upstream.ts"

/**
 * Where nginx listens: `80`, `127.0.0.1:8080`, `[::]:443 ssl`.
 *
 * @since 0.1.0
 * @category models
 */
export type Listen = string

const listenPattern = /^(?:(?:\*|[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):)?(?:[1-9]\d{0,4})(?: ssl)?$/

/**
 * @since 0.1.0
 * @category combinators
 */
export const isListen = (text: string): text is Listen => listenPattern.test(text)

/**
 * The file, and the services that nginx has no way to.
 *
 * @since 0.1.0
 * @category models
 */
export interface NginxFile {
  readonly text: string
  readonly unreachable: ReadonlyArray<ServiceName>
}

/** In quotes, as nginx reads them. Nothing in them ends the quotes, and no control character is left. */
const quoted = (text: string): string =>
  `"${text.replaceAll(/[\\"]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t")}"`

const word = (text: string): string => /^[\w./:@+-]+$/.test(text) ? text : quoted(text)

/** What a comment may say: nothing that could end its line. */
const plain = (text: string): string => text.replaceAll(/[^ -~]/g, "?")

/** A text as a regular expression, with few backslashes: they are doubled in quotes. */
const literal = (text: string): string =>
  text.replaceAll(/[^\w/-]/g, (char) => char === "^" || char === "\\" ? `\\${char}` : `[${char}]`)

const hostAndPort = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`

const anyAddress: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" }

/** Where the gateway is, seen from this machine; `null` where there is none, or nobody knows its port yet. */
const gatewayOf = ({ listen }: Settings): string | null =>
  listen === null || listen.port === 0
    ? null
    : hostAndPort({ host: anyAddress[listen.host] ?? listen.host, port: listen.port })

interface Group {
  readonly name: string
  readonly servers: ReadonlyArray<string>
}

// A failed connection to a Unix socket costs nothing: who is back gets requests at once.
const always = "max_fails=0"

/**
 * Who answers for a service: the instances that the file lists, straight; and where none of them can be connected to,
 * the gateway. It wakes who sleeps, knows the instances that the file does not list and the ports that change, and has
 * a better answer than "bad gateway" for who is being restarted. `Host` tells it who is meant, as it told nginx.
 */
const upstream = (config: TenementConfig, service: ServiceConfig, id?: InstanceId): Group => {
  const { settings } = config
  const gateway = gatewayOf(settings)
  // Who is named in full is meant, whatever the share of the service's requests.
  const ids = id !== undefined ? [id] : service.weight === 0 ? [] : service.instances
  const share = id === undefined ? `weight=${service.weight} ` : ""
  const direct = ids.flatMap((id) => {
    const address = Upstream.addressOf(settings, service, id)
    return address === null ? [] : [`${word(address)} ${share}${always}`]
  })
  const last = gateway === null ? [] : [direct.length === 0 ? gateway : `${gateway} backup ${always}`]
  return { name: Upstream.nameOf(service.name, id), servers: [...direct, ...last] }
}

const isReachable = ({ servers }: Group): boolean => servers.length > 0

const block = (head: string, lines: ReadonlyArray<string>): string =>
  `${head} {\n${lines.map((line) => line === "" ? "" : `    ${line.replaceAll("\n", "\n    ")}`).join("\n")}\n}`

const map = (from: string, to: string, entries: ReadonlyArray<readonly [from: string, to: string]>): string =>
  block(`map ${from} ${to}`, entries.map(([key, value]) => `${key} ${value};`))

const empty = `""`
const nobody = "nobody"

/** A name in a table is limited by nginx's hash, unless it is an expression. */
const longestKey = 40

const hostKey = (host: string): string => host.length <= longestKey ? host : quoted(`~^${literal(host)}$`)

/** Who is asked for, as `Routing.make` decides it. */
const tables = (config: TenementConfig, known: ReadonlySet<string>): ReadonlyArray<string> => {
  const { routing, services, settings } = config
  const root = Routing.hostname(settings.domain)
  const target = (name: string) => known.has(name) ? name : nobody
  const hosts = new Map<string, string>()
  for (const { instances, name } of services.values()) {
    hosts.set(`${name}.${root}`, target(Upstream.nameOf(name)))
    for (const id of instances) hosts.set(`${id}.${name}.${root}`, target(Upstream.nameOf(name, id)))
  }
  for (const [subdomain, service] of Object.entries(routing.subdomain)) {
    hosts.set(`${subdomain}.${root}`, target(Upstream.nameOf(service)))
  }
  const unlisted = `~^[a-z0-9][a-z0-9_-]*[.](?:${[...services.keys()].join("|")})[.]${literal(root)}$`
  const paths = Object.entries(routing.path).sort(([a], [b]) => b.length - a.length)
  return [
    `# Who is asked for by the host; an instance that the file does not list is the gateway's to find.\n${
      map("$host", "$tenement_host", [
        ["default", empty],
        ...[...hosts].map(([host, to]) => [hostKey(host), to] as const),
        ...(services.size === 0
          ? []
          : [[quoted(unlisted), gatewayOf(settings) === null ? nobody : Upstream.gateway] as const])
      ])
    }`,
    `# By the path as it was written, where the host says nothing. The longest comes first.\n${
      map("$request_uri", "$tenement_path", [
        ["default", routing.default === null ? empty : target(Upstream.nameOf(routing.default))],
        ...paths.map(([path, service]) =>
          [quoted(`~^${literal(path.replace(/\/+$/, ""))}(?:[/?]|$)`), target(Upstream.nameOf(service))] as const
        )
      ])
    }`,
    map("$tenement_host", "$tenement_named", [["default", "$tenement_host"], [empty, "$tenement_path"]]),
    map("$tenement_named", "$tenement_upstream", [["default", "$tenement_named"], [nobody, empty]])
  ]
}

/** HTTP/2 is offered by clients that do as well without it. The port is part of the host, but not of nginx's. */
const variables: ReadonlyArray<string> = [
  map("$http_upgrade", "$tenement_upgrade", [["default", "$http_upgrade"], [
    quoted("~*(?:^|,) *h2c *(?:,|$)"),
    empty
  ]]),
  map("$tenement_upgrade", "$tenement_connection", [["default", "upgrade"], [empty, "close"]]),
  map("$http_host", "$tenement_port", [["default", empty], [quoted("~(:[0-9]+)$"), "$1"]])
]

const passing = (tries: number): ReadonlyArray<string> => [
  "# Who asked, in nginx's words: what a client says of itself in them goes no further.",
  "proxy_set_header Host $host$tenement_port;",
  "proxy_set_header X-Real-IP $remote_addr;",
  "proxy_set_header X-Forwarded-For $remote_addr;",
  "proxy_set_header X-Forwarded-Host $host$tenement_port;",
  "proxy_set_header X-Forwarded-Proto $scheme;",
  `proxy_set_header Forwarded ${empty};`,
  "proxy_set_header Upgrade $tenement_upgrade;",
  "proxy_set_header Connection $tenement_connection;",
  "proxy_http_version 1.1;",
  "proxy_redirect off;",
  "",
  "# Both ways as it comes, and as much as the service takes: server-sent events, uploads.",
  "proxy_buffering off;",
  "proxy_request_buffering off;",
  "client_max_body_size 0;",
  "",
  "# nginx cannot tell a silent stream or WebSocket from a service that is stuck.",
  "proxy_connect_timeout 5s;",
  "proxy_read_timeout 1h;",
  "proxy_send_timeout 1h;",
  "",
  "# Asked again elsewhere is only what cannot have been done already: nothing was sent, or it is no POST, LOCK or",
  "# PATCH and has no body.",
  "proxy_next_upstream error;",
  `proxy_next_upstream_tries ${tries};`
]

const location = block("location /", [
  `if ($tenement_upstream = ${empty}) {\n    return 404;\n}`,
  "proxy_pass http://$tenement_upstream;"
])

const servers = (
  { routing, settings }: TenementConfig,
  listen: ReadonlyArray<Listen>,
  tries: number
): ReadonlyArray<string> => {
  const root = Routing.hostname(settings.domain)
  const reserved = `~ ^/(?:${Routing.reserved.map((path) => literal(path.slice(1))).join("|")})(?:/|$)`
  const server = (names: ReadonlyArray<string>, locations: ReadonlyArray<string>) =>
    block("server", [
      ...listen.map((to) => `listen ${to};`),
      `server_name ${names.join(" ")};`,
      "",
      ...passing(tries),
      ...locations.flatMap((location) => ["", location])
    ])
  const isDefault = routing.default !== null
  return [
    server([`*.${root}`, ...(isDefault ? ["~."] : [])], [location]),
    `# ${plain(root)} itself, where the supervisor has paths of its own. They are for this machine.\n${
      server([
        root,
        ...(isDefault && root !== "localhost" ? ["localhost"] : []),
        ...(isDefault ? [quoted("~^[0-9.]+$"), quoted("~^\\[")] : [])
      ], [
        block(
          `location ${reserved}`,
          gatewayOf(settings) === null
            ? ["return 404;"]
            : ["allow 127.0.0.1;", "allow ::1;", "deny all;", `proxy_pass http://${Upstream.gateway};`]
        ),
        location
      ])
    }`
  ]
}

const log = ({ syslog }: Settings): ReadonlyArray<string> =>
  syslog === null
    ? [
      "# tenement counts these requests where it is told of them: syslog = \"127.0.0.1:5514\" in [settings], and this file\n# printed again."
    ]
    : [
      `# tenement counts requests by these lines, beside whatever other log there is.\nlog_format tenement escape=json '${
        JSON.stringify(AccessLog.variables)
      }';`,
      map("$proxy_host", "$tenement_logged", [["default", empty], [quoted("~^tenement-"), "1"]]),
      `access_log syslog:server=${hostAndPort(syslog)},nohostname,tag=tenement tenement if=$tenement_logged;`
    ]

/** As often as the gateway tries; but it must be had where all instances of a service sleep. */
const leastTries = 3

const triesOf = (services: Iterable<ServiceConfig>): number =>
  Math.max(leastTries, ...[...services].map(({ instances }) => instances.length + 1))

/**
 * The file. `listen` are the addresses of its servers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (config: TenementConfig, listen: ReadonlyArray<Listen>): NginxFile => {
  const { services, settings } = config
  const gateway = gatewayOf(settings)
  const all = [...services.values()].flatMap((service) => [
    upstream(config, service),
    ...service.instances.map((id) => upstream(config, service, id))
  ])
  const reachable = all.filter(isReachable)
  const unreachable = [...services.values()].filter((service) => !isReachable(upstream(config, service)))
    .map(({ name }) => name)
  const parts = [
    `# Printed by \`tenement nginx\` from ${
      plain(config.file)
    }, for the inside of http { }, such as\n# /etc/nginx/conf.d/tenement.conf. Print it again when instances, sockets or routes have changed. Restarts need nothing:\n# a socket's path leads to whoever serves.`,
    ...unreachable.map((name) =>
      `# ${name}: nginx has no way to it; set \`listen\` in [settings], or list instances with a socket or a port.`
    ),
    ...[{ name: Upstream.gateway, servers: gateway === null ? [] : [gateway] }, ...reachable]
      .filter(isReachable)
      .map(({ name, servers }) => block(`upstream ${name}`, servers.map((server) => `server ${server};`))),
    ...tables(config, new Set(reachable.map(({ name }) => name))),
    ...variables,
    ...log(settings),
    ...servers(config, listen, triesOf(services.values()))
  ]
  return { text: `${parts.join("\n\n")}\n`, unreachable }
}

/**
 * The systemd unit under which `tenement serve` runs.
 *
 * @since 0.1.0
 */
import * as Path from "node:path"

/**
 * What a unit depends on. `node` and `program` are run as they are named here; `system` tells root's unit from a user's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly node: string
  readonly program: string
  /** `--config`, and whatever else both `serve` and `reload` are to be told. */
  readonly options: ReadonlyArray<string>
  readonly system: boolean
}

/** JSON's escapes are among systemd's; a percent sign begins a specifier. */
const word = (text: string): string => /^[\w/.,:=+@-]+$/.test(text) ? text : JSON.stringify(text).replaceAll("%", "%%")

/** A dollar sign begins a variable everywhere but in the program's path. */
const argument = (text: string): string => word(text).replaceAll("$", () => "$$")

const searched = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

/** Where systemd does not look for Node, services that are Node programs would not find it either. */
const environment = (node: string): ReadonlyArray<string> => {
  const folder = Path.dirname(node)
  return searched.includes(folder) ? [] : [`Environment=${word(`PATH=${[folder, ...searched].join(":")}`)}`]
}

/**
 * On cgroups of version 2, switches off what is limited below the unit's own, from the inside out, if systemd is to put the
 * supervisor into it. systemd runs this in a cgroup of its own below it.
 */
const release = `/bin/sh -c ${
  argument(
    String.raw`u=/sys/fs/cgroup$(sed -n 's/^0::\(.*\.service\).*/\1/p' /proc/self/cgroup); [ -d "$u/supervisor" ] || ` +
      `for f in "$u"/tenement-*/cgroup.subtree_control "$u/cgroup.subtree_control"; do ` +
      `for c in $(cat "$f"); do echo "-$c" >"$f"; done; done`
  )
}`

/**
 * The unit's text.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unit = ({ node, options, program, system }: Place): string => {
  const run = (...command: ReadonlyArray<string>) =>
    [word(node), ...[program, ...command, ...options].map(argument)].join(" ")
  const systemctl = system ? "systemctl" : "systemctl --user"
  return `# Printed by \`tenement install\`. Settings of your own are safe in \`${systemctl} edit tenement\`.
#
# The services run inside this unit: what a line takes away here, it takes away from all of them. That is why
# ProtectSystem=, PrivateTmp=, NoNewPrivileges=, SystemCallFilter= and User= are not used. What a single service may do
# is for tenement.toml to say.

[Unit]
Description=tenement, a supervisor of services
${
    system
      ? `Wants=network-online.target
After=network-online.target
`
      : ""
  }# However often it fails, it is started again.
StartLimitIntervalSec=0

[Service]
# It has started when the API answers and the first services are being started. A supervisor that runs already, however it
# was started, makes way.
Type=notify
${
    system ? "" : `# The word comes from systemd-notify, which as a user speaks in its own name alone.
NotifyAccess=all
`
  }${[...environment(node), `ExecStart=${run("serve", "--handover")}`].join("\n")}
# Waits for the outcome, and fails with what is wrong in the file.
ExecReload=${run("reload")}
# To put a newer supervisor in the place of this one while requests are served: tenement upgrade. systemctl restart does it
# with a pause of a second; the services go on in either case.
RestartKillSignal=SIGUSR2
Restart=always
RestartSec=1
# 2: the file is wrong, and to start again would not mend it.
RestartPreventExitStatus=2
# systemd ends the supervisor alone. Told by SIGTERM it stops the services in order; told by SIGUSR2, or killed, it leaves
# them as they are, and the next one takes them over.
KillMode=process
# A start that takes so long is ended by SIGKILL, not by SIGTERM, which would stop the services.
TimeoutStartSec=300
TimeoutStartFailureMode=kill
# A supervisor that says nothing for so long is killed, and another one takes over.
WatchdogSec=60
# Enough for services that are stopped one after the other. Raise it if yours have a long stop_timeout.
TimeoutStopSec=120
# A service that is killed for want of memory is started again by tenement. It must not take the whole unit with it.
OOMPolicy=continue
# All services together count here.
TasksMax=infinity
# The limits of services are cgroups below the unit's own, which are tenement's business.
Delegate=yes
# On version 2 a cgroup that limits others holds no process, and systemd starts the supervisor in the unit's own. So limits
# are lifted from the end of one supervisor to the start of the next, which sets them again. DelegateSubgroup=supervisor
# spares that, and is known to systemd from version 254 on.
ExecStopPost=-${release}
# For each instance the supervisor holds a few files open.
LimitNOFILE=524288
${
    system
      ? `# Rights that neither tenement nor the services need: to load kernel modules, to read and write the hardware and the
# kernel's log, to set the clock, to reboot. All others are kept. Among them are those to become another user (SETUID,
# SETGID), to signal any process (KILL), to own folders for others (CHOWN, FOWNER, DAC_OVERRIDE), to make namespaces
# (SYS_ADMIN) and to listen on ports below 1024 (NET_BIND_SERVICE).
CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYSLOG CAP_SYS_TIME CAP_SYS_BOOT
`
      : ""
  }
[Install]
WantedBy=${system ? "multi-user.target" : "default.target"}
`
}

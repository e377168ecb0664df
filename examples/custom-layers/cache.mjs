// A cache that speaks a little of Redis's protocol, and no HTTP. It crashes a moment after it came up.
import { createServer } from "node:net"

const server = createServer((client) => {
  client.on("data", (line) => client.write(/^ping/i.test(String(line)) ? "+PONG\r\n" : "-ERR unknown command\r\n"))
  client.on("error", () => client.destroy())
})
server.listen(process.env.SOCKET_PATH)
setTimeout(() => process.exit(1), 1500)

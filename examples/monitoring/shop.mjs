// Answers most requests, and one in ten with an error.
import * as http from "node:http"

let asked = 0

const server = http.createServer((request, response) => {
  const fails = request.url !== "/health" && ++asked % 10 === 0
  response.writeHead(fails ? 500 : 200, { "Content-Type": "text/plain" })
  response.end(fails ? "no\n" : "yes\n")
})

process.on("SIGTERM", () => process.exit(0))
server.listen(process.env.SOCKET_PATH)

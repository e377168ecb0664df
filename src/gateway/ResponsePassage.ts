/**
 * A request that came through Node's server, and is answered by it.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import type { Asked } from "./Asked.ts"
import type { Target } from "./Choice.ts"
import { Exchange } from "./Exchange.ts"
import * as Headers from "./Headers.ts"
import { Passage, type Ways } from "./Passage.ts"
import * as Refusal from "./Refusal.ts"
import * as ResponseSink from "./ResponseSink.ts"
import * as Tunnel from "./Tunnel.ts"
import * as Upgrade from "./Upgrade.ts"

/**
 * The connection of who asks for another protocol, and what has come on it already.
 *
 * @since 0.1.0
 * @category models
 */
export interface Switching {
  readonly socket: Net.Socket
  readonly head: Buffer
  readonly protocol: string
}

/**
 * @since 0.1.0
 * @category models
 */
export class ResponsePassage extends Passage implements Upgrade.Asking {
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
  readonly host: string
  readonly path: string
  #isCutByUs = false
  #leave = () => {}

  constructor(
    ways: Ways,
    target: Target,
    { host, path }: Asked,
    request: Http.IncomingMessage,
    response: Http.ServerResponse
  ) {
    super(ways, target)
    this.request = request
    this.response = response
    this.host = host
    this.path = path
    response.once("close", this.#onClose)
  }

  begin(): void {
    const { host, path, request, response, ways: { upstream } } = this
    const { method = "GET" } = request
    const head = Headers.write(method, path, Headers.toInstance(request, host))
    const isChunked = request.headers["transfer-encoding"] !== undefined
    const body = Headers.hasBody(request) ? { from: request, isChunked } : null
    const sink = ResponseSink.make(request, response, upstream.patience.bodyMs)
    const exchange = new Exchange(upstream, { method, head, body }, this, sink)
    this.#leave = () => exchange.abort()
    exchange.begin()
  }

  /** `opened` is told of the connection once it has become a tunnel. */
  beginUpgrade(switching: Switching, opened: (socket: Net.Socket) => void): void {
    const { protocol, socket } = switching
    this.#leave = Upgrade.run(this.ways.upstream.patience, this, {
      protocol,
      agreed: (answer, far, head) => {
        this.response.off("close", this.#onClose)
        this.response.detachSocket(socket)
        this.count(101)
        this.choice.tunnelled()
        socket.once("close", () => this.choice.leave())
        opened(socket)
        Tunnel.open(switching, { socket: far, head, answer }, protocol)
      }
    })
  }

  brokeOff(): void {
    if (this.response.destroyed) return
    this.#isCutByUs = true
    this.ways.traffic.refused(this.service, "broken-off")
    this.response.destroy()
  }

  protected answer(refusal: Refusal.Refusal): void {
    Refusal.send(this.request, this.response, refusal)
  }

  protected giveUp(): void {
    this.answer(Refusal.defect)
  }

  readonly #onClose = (): void => {
    const { response } = this
    const isWhole = response.writableFinished
    this.choice.leave()
    if (!isWhole) this.#leave()
    if (!isWhole && !this.#isCutByUs) this.ways.traffic.refused(this.service, "client-left")
    this.count(isWhole || this.#isCutByUs ? response.statusCode : 499)
  }
}

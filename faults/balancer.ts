import { once } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import type { RemitNode } from './node.ts'

const PROBE_MS = 200

/**
 * A load balancer as a TCP proxy: each connection goes to the next node whose `/readyz` said 200 when it was asked last,
 * every 200 ms. It never repeats anything: what a node drops, the client sees.
 */
export class Balancer {
  readonly #listener: Server
  readonly #nodes: readonly RemitNode[]
  readonly #ready = new Set<RemitNode>()
  readonly #clients = new Set<Socket>()
  readonly #timer: NodeJS.Timeout
  #turn = 0

  private constructor(listener: Server, nodes: readonly RemitNode[]) {
    this.#listener = listener
    this.#nodes = nodes
    listener.on('connection', client => this.#accept(client))
    this.#timer = setInterval(() => this.#probe(), PROBE_MS)
  }

  /** Stands in front of all nodes of a site, on the port that its issuer names. */
  static async start(port: number, nodes: readonly RemitNode[]): Promise<Balancer> {
    const listener = createServer().listen(port, '127.0.0.1')
    await once(listener, 'listening')
    const balancer = new Balancer(listener, nodes)
    await balancer.#probe()
    return balancer
  }

  /** Nodes that get connections now. */
  get ready(): number {
    return this.#ready.size
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    for (const client of this.#clients) client.destroy()
    await closed
  }

  async #probe(): Promise<void> {
    await Promise.all(
      this.#nodes.map(async node => {
        if (await node.isReady()) this.#ready.add(node)
        else this.#ready.delete(node)
      }),
    )
  }

  #accept(client: Socket): void {
    this.#clients.add(client)
    client.on('close', () => this.#clients.delete(client)).on('error', () => {})
    const ready = this.#nodes.filter(node => this.#ready.has(node))
    this.#turn += 1
    const node = ready[this.#turn % ready.length]
    if (!node) {
      client.resetAndDestroy()
      return
    }
    const server = createConnection({ host: '127.0.0.1', port: node.settings.port, noDelay: true })
    client.setNoDelay(true)
    server.on('error', () => client.resetAndDestroy())
    client.on('close', () => server.destroy())
    client.pipe(server).pipe(client)
  }
}

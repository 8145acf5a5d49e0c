import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { freshRequest } from './fresh-request.ts'

export type Balancer = {
  readonly url: string
  /** Whether it sends requests to this port. */
  readonly sendsTo: (port: number) => boolean
  readonly close: () => Promise<void>
}

const PROBE_EVERY_MS = 100

/**
 * An HTTP load balancer of the plainest kind: it asks `/readyz` of each node, keeps connections to those that are ready,
 * passes every request on as it is, and never tries twice. What its node does not answer ends as a reset. Where none is
 * ready it tries them all, as the usual ones do.
 */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const nodes = ports.map(port => ({ port, ready: false, agent: new Agent({ keepAlive: true }) }))
  let turn = 0

  async function probe(): Promise<void> {
    await Promise.all(
      nodes.map(async node => {
        const answer = await freshRequest(`http://127.0.0.1:${node.port}/readyz`).catch(() => undefined)
        node.ready = answer?.status === 200
      }),
    )
  }

  function pass(asked: IncomingMessage, answer: ServerResponse): void {
    const ready = nodes.filter(node => node.ready)
    const among = ready.length > 0 ? ready : nodes
    turn += 1
    const node = among[turn % among.length]
    if (!node) return void answer.destroy()
    const { method = 'GET', url: path = '/', rawHeaders: headers } = asked
    const passed = request({ host: '127.0.0.1', port: node.port, agent: node.agent, method, path, headers }, got => {
      answer.writeHead(got.statusCode ?? 502, { 'content-type': got.headers['content-type'] ?? 'text/plain' })
      got.pipe(answer)
      got.once('error', () => answer.destroy())
    })
    passed.once('error', () => answer.destroy())
    asked.pipe(passed)
  }

  await probe()
  let probing = Promise.resolve()
  const timer = setInterval(() => {
    probing = probing.then(probe)
  }, PROBE_EVERY_MS)
  const server = createServer(pass)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    sendsTo: asked => nodes.some(node => node.port === asked && node.ready),
    async close() {
      clearInterval(timer)
      await probing
      for (const { agent } of nodes) agent.destroy()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Issuer and Host are configuration, so the ports must be known before anything listens. Below the range that the system
 * gives to outgoing connections and to port 0: one of those may come back before the server listens.
 */
export async function freePorts(): Promise<readonly number[]> {
  const first = await freePort()
  let second = await freePort()
  while (second === first) second = await freePort()
  return [first, second]
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_240, 32_768)
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  return await promise
}
